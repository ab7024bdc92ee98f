"""The annotator `quality`: published models give what their authors' code gives, in whatever company."""

from __future__ import annotations

import pickle
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest

from filters.annotators import fasttext_file
from filters.annotators.quality import Quality
from filters.base import TextView, annotate_texts
from filters.quality import encoder as encoding
from filters.quality.encoder import Encoder
from filters.quality.files import transformer_folder
from filters.quality.preparation import PREPARATIONS, line
from filters.quality.published import PUBLISHED
from filters.registry import annotator_digest, build_annotator
from gristmill.base.errors import UserError
from tests.filters.quality.models import BAD, GOOD, WORDS, bert, fasttext_model
from tests.filters.samples import HOSTILE

TEXTS = [GOOD, BAD, f"{GOOD}\n\n{BAD}\r\n{GOOD}", f"{BAD} __label__hq {BAD}", "mill\u2028stone\x0cwater", "x"]


@pytest.fixture(scope="module")
def dclm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two labels that are called as DCLM's."""
    folder = tmp_path_factory.mktemp("dclm")
    examples = {"hq": [GOOD], "cc": [BAD]}
    return fasttext_model(folder / "model.bin", examples, wordNgrams=2, bucket=1000)


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with one output, as the FineWeb-Edu classifiers have it."""
    return bert(tmp_path_factory.mktemp("edu") / "model", spread=0.8)


def scores(annotator: Any, texts: Sequence[str], column: str = "quality.score") -> list[Any]:
    (table,) = annotate_texts([annotator], texts).values()
    return table.column(column).to_pylist()


def test_dclm_as_its_authors_score(dclm: Path) -> None:
    """The twin is the text of baselines/mappers/enrichers/quality_prediction_enrichers_calc_fasttext.py."""
    model = fasttext.load_model(str(dclm))

    def predict(text: str) -> tuple[str, float]:
        ((chance, label),) = model.f.predict(text + "\n", 1, 0.0, "strict")
        return label, chance

    expected = []
    for content in TEXTS:
        label, chance = predict(" ".join(content.strip().splitlines()))
        expected.append(1 - chance if label == "__label__cc" else chance)
    found = scores(Quality(dclm, published="dclm"), TEXTS)
    assert found == pytest.approx([min(1.0, max(0.0, value)) for value in expected], abs=1e-12)
    assert found[0] > 0.9
    assert found[1] < 0.1


def test_curator_reads_the_same_model_its_own_way(dclm: Path) -> None:
    model = fasttext.load_model(str(dclm))
    expected = []
    for text in TEXTS:
        prepared = text.replace("\n", " ").replace("__label__", " ")
        ((chance, label),) = model.f.predict(prepared + "\n", 1, 0.0, "strict")
        expected.append(chance if label == "__label__hq" else 1 - chance)
    found = scores(Quality(dclm, published="nemotron-cc-dclm"), TEXTS)
    assert found == pytest.approx([min(1.0, max(0.0, value)) for value in expected], abs=1e-12)


def test_the_sum_and_the_top_rule_differ_by_rounding_alone(dclm: Path) -> None:
    top = scores(Quality(dclm, label="hq", rule="top"), TEXTS)
    total = scores(Quality(dclm, label="__label__hq"), TEXTS)
    assert top == pytest.approx(total, abs=3e-5)
    assert Quality(dclm, label="hq").identity == Quality(dclm, label="__label__hq").identity


def test_expectations(tmp_path: Path) -> None:
    examples = {"Low": [BAD], "Mid": ["grain of the mill and water of the wheel"], "High": [GOOD]}
    model = fasttext_model(tmp_path / "book.bin", examples)
    loaded = fasttext.load_model(str(model))
    worth = {"__label__Low": 0, "__label__Mid": 1, "__label__High": 2}
    expected = []
    for text in TEXTS[:2]:
        expected.append(
            sum(worth[label] * chance for chance, label in loaded.f.predict(text + "\n", 3, 0.0, ""))
        )
    assert scores(Quality(model, published="textbook"), TEXTS[:2]) == pytest.approx(expected, abs=1e-4)
    numbers = fasttext_model(tmp_path / "numbers.bin", {"0": [BAD], "3": ["grain"], "5": [GOOD]})
    low, high = scores(Quality(numbers, integer=True), [BAD, GOOD])
    assert low < 1
    assert high > 4
    assert scores(Quality(numbers, integer=True), [BAD, GOOD], "quality.score_int") == [0, 5]
    with pytest.raises(UserError, match=r"labels .*say whose probability is the score"):
        Quality(model)
    with pytest.raises(UserError, match="no label 'high'; did you mean 'High'"):
        Quality(model, label="high")
    with pytest.raises(UserError, match="says nothing of the label"):
        Quality(model, values={"Low": 1})
    with pytest.raises(UserError, match="is for a model of two labels"):
        Quality(model, label="High", rule="top")
    with pytest.raises(UserError, match="not both"):
        Quality(model, label="High", values={"Low": 1})


@pytest.mark.parametrize("name", PREPARATIONS)
def test_prepared_texts_are_one_line_of_utf8(name: str) -> None:
    for text in HOSTILE.values():
        prepared = line(text, name)
        assert prepared.endswith("\n")
        assert "\n" not in prepared[:-1]
        prepared.encode()


def test_labels_are_read_from_the_file_without_loading_it(tmp_path: Path) -> None:
    names = {"a": ["one"], "two-words": ["three four"], "ü": ["six"], "0": ["seven"]}
    model = fasttext_model(tmp_path / "labels.bin", names)
    loaded = [name.removeprefix("__label__") for name in fasttext.load_model(str(model)).get_labels()]
    assert fasttext_file.labels(model) == loaded


def transformers_scores(folder: Path, texts: Sequence[str]) -> list[list[float]]:
    """The lines of the published model cards, one text at a time."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = []
    with torch.no_grad():
        for text in texts:
            inputs = tokenizer(text, return_tensors="pt", padding="longest", truncation=True, max_length=512)
            inputs.pop("token_type_ids", None)
            rows.append(model(**inputs).logits.squeeze(0).float().tolist())
    return rows


def long_text(count: int, seed: int = 0) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def test_regressions_as_the_model_cards_compute_them(regression: Path) -> None:
    texts = [*TEXTS, long_text(2000), "mill " * 5000, "\n\n" + " " * 50_000 + long_text(700)]
    logits = [row[0] for row in transformers_scores(regression, texts)]
    assert max(logits) - min(logits) > 0.5
    plain = scores(Quality(regression), texts)
    assert plain == pytest.approx(logits, abs=1e-4)
    for name in ("fineweb-edu", "nemotron-cc-mixtral", "nemotron-cc-nemotron-4", "finemath"):
        edu = Quality(regression, published=name, integer=True)
        assert scores(edu, texts) == pytest.approx([min(5.0, max(0.0, value)) for value in logits], abs=1e-4)
        whole = [round(max(0, min(value, 5))) for value in plain]
        assert scores(edu, texts, "quality.score_int") == whole


def test_classes_and_expectations_of_transformers(tmp_path: Path) -> None:
    folder = bert(tmp_path / "classes", ["Low", "Medium", "High"], seed=3)
    expected = np.array(transformers_scores(folder, TEXTS))
    chances = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    assert scores(Quality(folder, label="High"), TEXTS) == pytest.approx(chances[:, 2], abs=1e-5)
    values = {"Low": 0.0, "Medium": 1.0, "High": 2.0}
    assert scores(Quality(folder, values=values), TEXTS) == pytest.approx(chances @ [0, 1, 2], abs=1e-5)
    with pytest.raises(UserError, match="labels Low, Medium, High"):
        Quality(folder)


def test_company_does_not_change_a_bit(regression: Path) -> None:
    texts = [long_text(length, seed=length) for length in (1, 3, 5, 30, 31, 60, 64, 65, 100, 300, 700)] * 2
    random.Random(1).shuffle(texts)
    annotator = Quality(regression)
    alone = [scores(annotator, [text])[0] for text in texts]
    assert scores(annotator, texts) == alone
    half = len(texts) // 2
    assert scores(annotator, texts[half:]) + scores(annotator, texts[:half]) == alone[half:] + alone[:half]


def test_a_gpu_sees_few_shapes_that_depend_on_the_text_alone() -> None:
    lengths = [random.Random(seed).randrange(2, 513) for seed in range(500)]
    run = Encoder(Path(), True, batch=32)
    seen: dict[int, int] = {}
    for numbers, length in run._batches(lengths, "cuda"):
        assert len(numbers) == 32
        assert length % 64 == 0
        for number in dict.fromkeys(numbers):
            assert number not in seen
            seen[number] = length
    assert sorted(seen) == list(range(500))
    for number, length in seen.items():
        assert lengths[number] <= length < lengths[number] + 64
        ((_, alone),) = run._batches([lengths[number]], "cuda")
        assert alone == length


def test_long_texts_are_not_read_to_their_end(regression: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut where tokens suffice; read on where a text has few tokens for its length."""
    seen: list[int] = []
    text = long_text(200_000)
    whole = scores(Quality(regression), [text])
    folder = transformer_folder(regression)
    tokenizer, model, device = encoding._load(folder, True, "float32", "auto")

    def spy(cut: str, **options: Any) -> Any:
        seen.append(len(cut))
        return tokenizer(cut, **options)

    spy.pad_token_id = tokenizer.pad_token_id  # type: ignore[attr-defined]
    monkeypatch.setattr(encoding, "_load", lambda *_: (spy, model, device))
    assert Encoder(folder, True).run([text])[0].tolist() == whole
    assert max(seen) < 20_000
    sparse = (" " * 5000 + "mill ") * 600
    found = Encoder(folder, True)._tokens(spy, sparse)
    assert found == tokenizer(sparse, truncation=True, max_length=512)["input_ids"]


def test_hostile_texts_do_no_harm(regression: Path, dclm: Path) -> None:
    texts = [*HOSTILE.values(), "x" * 3_000_000, "\ud800"]
    for annotator in (Quality(regression), Quality(dclm, published="dclm")):
        found = scores(annotator, texts)
        assert found[0] is None
        assert found[1] is None
        assert all(value is None or np.isfinite(value) for value in found)
    assert scores(Quality(dclm, published="dclm"), []) == []


def test_names_versions_and_digests(tmp_path: Path, dclm: Path, regression: Path) -> None:
    edu = build_annotator("quality", {"model": str(dclm), "published": "dclm", "integer": True}, "edu")
    assert list(edu.columns) == ["quality.edu", "quality.edu_int"]
    assert edu.name == "quality.edu"
    assert edu.version.startswith("1-")
    other = fasttext_model(tmp_path / "other.bin", {"hq": [BAD], "cc": [GOOD]}, seed=5)
    moved = Path(shutil.copy(dclm, tmp_path / "moved.bin"))

    def digest(options: dict[str, Any]) -> str:
        return annotator_digest(build_annotator("quality", options, "edu"), options)

    base = {"model": str(dclm), "label": "hq"}
    assert digest(base) == digest({**base, "model": str(moved)}) == digest({**base, "device": "cpu"})
    written_out = {**base, "rule": "top", "preparation": "dclm"}
    assert digest(written_out) == digest({"model": str(dclm), "published": "dclm"})
    changed = [{"model": str(other)}, {"label": "cc"}, {"preparation": "dclm"}, {"clip": [0, 0.5]}]
    assert len({digest(base), *(digest(base | change) for change in changed)}) == 5
    # Not only the weights: another vocabulary gives other values.
    copy = Path(shutil.copytree(regression, tmp_path / "copy"))
    before = Quality(copy).version
    assert before == Quality(regression).version
    tokenizer = copy / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("##z", "##ß"))
    assert Quality(copy).version != before
    for annotator in (edu, Quality(regression)):
        assert scores(pickle.loads(pickle.dumps(annotator)), [GOOD], next(iter(annotator.columns)))


def test_one_copy_of_a_model_a_process(dclm: Path, regression: Path) -> None:
    one, two = Quality(dclm, label="hq"), Quality(dclm, label="cc").named("other")
    scores(one, [GOOD])
    assert fasttext_file.load(dclm) is fasttext_file.load(dclm)
    loaded = fasttext_file.load.cache_info().misses
    scores(two, [GOOD], "quality.other")
    assert fasttext_file.load.cache_info().misses == loaded
    scores(Quality(regression), [GOOD])
    misses = encoding._load.cache_info().misses
    scores(Quality(regression, clip=(0, 1)), [GOOD])
    assert encoding._load.cache_info().misses == misses


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "annotator 'quality' needs the option 'model'"),
        ({"model": "nowhere.bin"}, "nowhere.bin: no such file or folder"),
        ({"model": "hf://org/name"}, "the classifier has no pinned revision"),
        ({"model": "hf://org/name@main/model.bin", "label": "hq"}, "the classifier has no pinned revision"),
        (
            {"model": "{dclm}", "published": "dlcm"},
            "no published classifier 'dlcm' is known; did you mean 'dclm'",
        ),
        (
            {"model": "{dclm}", "label": "hq", "max_tokens": 9},
            "option 'max_tokens' means nothing to a fastText",
        ),
        ({"model": "{edu}", "preparation": "dclm"}, "option 'preparation' means nothing to a transformer"),
        ({"model": "{edu}", "published": "dclm"}, "means nothing to a transformer"),
        ({"model": "{dclm}", "label": "hq", "clip": [1, 0]}, "the least value comes first"),
        ({"model": "{dclm}", "label": "hq", "preparation": "lower"}, "option 'preparation' of annotator"),
    ],
)
def test_mistakes_are_told(
    options: dict[str, Any], told: str, dclm: Path, regression: Path, tmp_path: Path
) -> None:
    paths = {"{dclm}": str(dclm), "{edu}": str(regression)}
    given = {
        name: paths.get(value, value) if isinstance(value, str) else value for name, value in options.items()
    }
    with pytest.raises(UserError) as caught:
        build_annotator("quality", given)
    assert told in str(caught.value)


def test_an_encoder_without_a_head_is_no_classifier(tmp_path: Path) -> None:
    """transformers would give it a random one."""
    folder = bert(tmp_path / "encoder", None)
    with pytest.raises(UserError, match=r"no weights for classifier.*train one"):
        scores(Quality(folder, label="LABEL_1"), [GOOD])
    with pytest.raises(UserError, match="is a column of the ensemble"):
        Quality(folder, label="LABEL_1").named("bucket")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no weights there \(no model.safetensors\)"):
        Quality(folder)
    with pytest.raises(UserError, match="no transformer there"):
        Quality(tmp_path)


def test_a_missing_package_is_named(regression: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package 'torch'.*gristmill\[classifiers\]"):
        Quality(regression)


def test_published_settings_are_options(dclm: Path) -> None:
    for name, published in PUBLISHED.items():
        assert set(published.settings) <= Quality.places, name
        assert published.source
        assert not published.address.startswith("hf://")


def test_a_model_of_the_hub_is_fetched_at_its_commit(
    dclm: Path, regression: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked: list[tuple[Any, ...]] = []
    commit = "0123456789abcdef0123456789abcdef01234567"

    def file(repository: str, name: str, revision: str, repo_type: str) -> str:
        asked.append((repository, name, revision, repo_type))
        return str(dclm)

    def snapshot(repository: str, revision: str, allow_patterns: list[str], repo_type: str) -> str:
        asked.append((repository, revision, repo_type))
        assert "*.safetensors" in allow_patterns
        return str(regression)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", file)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    remote = Quality(f"hf://org/name@{commit}/model.bin", published="dclm")
    assert remote.identity == Quality(dclm, published="dclm").identity
    assert Quality(f"hf://org/name@{commit}").identity == Quality(regression).identity
    assert asked == [("org/name", "model.bin", commit, "model"), ("org/name", commit, "model")]


def test_views_are_not_changed(dclm: Path) -> None:
    view = TextView(GOOD)
    Quality(dclm, label="hq").annotate([view], [{}])
    assert view.text == GOOD
