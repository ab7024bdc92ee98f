"""KenLM perplexity against a pure Python reading of the same ARPA file."""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.annotators import perplexity as module
from filters.annotators.perplexity import Perplexity, normalised
from filters.base import annotate_texts
from filters.registry import build_annotator
from gristmill.base.errors import UserError

TEXT = """the mill grinds the grain
the miller grinds the grain at the mill
the river turns the wheel of the mill
the wheel turns the stone and the stone grinds the grain
a miller and a mill and a river"""


def train(text: str, path: Path, order: int = 3, discount: float = 0.5) -> Path:
    """Write an n-gram model with absolute discounting and back-off to an ARPA file."""
    sentences = [["<s>", *line.split(), "</s>"] for line in text.splitlines()]
    counts: list[Counter[tuple[str, ...]]] = [
        Counter(tuple(s[i : i + n]) for s in sentences for i in range(len(s) - n + 1))
        for n in range(1, order + 1)
    ]
    total = sum(count for gram, count in counts[0].items() if gram != ("<s>",))
    followers: Counter[tuple[str, ...]] = Counter()
    context: Counter[tuple[str, ...]] = Counter()
    for grams in counts[1:]:
        for gram, count in grams.items():
            followers[gram[:-1]] += 1
            context[gram[:-1]] += count
    lines = ["\\data\\"]
    types = len(counts[0])
    lines += [f"ngram {n}={len(grams) + (n == 1)}" for n, grams in enumerate(counts, 1)]
    probabilities: dict[tuple[str, ...], float] = {}
    for n, grams in enumerate(counts, 1):
        lines += ["", f"\\{n}-grams:"]
        if n == 1:
            lines.append(f"{math.log10(discount * (types - 1) / total / types):.6f}\t<unk>\t0")
        for gram, count in sorted(grams.items()):
            if n == 1:
                probability = (count - discount) / total if gram != ("<s>",) else 1e-99
            else:
                left = discount * followers[gram[:-1]] / context[gram[:-1]]
                probability = (count - discount) / context[gram[:-1]] + left * probabilities[gram[1:]]
            probabilities[gram] = probability
            line = f"{math.log10(probability):.6f}\t{' '.join(gram)}"
            if n < order:
                weight = discount * followers[gram] / context[gram] if context[gram] else 1.0
                line += f"\t{math.log10(weight):.6f}"
            lines.append(line)
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    return path


class Twin:
    """Katz back-off over the tables of an ARPA file."""

    def __init__(self, path: Path) -> None:
        self.table: dict[tuple[str, ...], tuple[float, float]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = line.split("\t")
            if len(fields) >= 2:
                self.table[tuple(fields[1].split(" "))] = (
                    float(fields[0]),
                    float(fields[2]) if len(fields) > 2 else 0.0,
                )
        self.order = max(map(len, self.table))

    def log(self, gram: tuple[str, ...]) -> float:
        if gram in self.table:
            return self.table[gram][0]
        if len(gram) == 1:
            return self.table[("<unk>",)][0]
        return self.table.get(gram[:-1], (0.0, 0.0))[1] + self.log(gram[1:])

    def perplexity(self, text: str) -> float | None:
        total, count = 0.0, 0
        for line in text.replace("\0", " ").split("\n"):
            words = line.split()
            if not words:
                continue
            sentence = ["<s>", *(word if (word,) in self.table else "<unk>" for word in words), "</s>"]
            for end in range(2, len(sentence) + 1):
                total += self.log(tuple(sentence[max(0, end - self.order) : end]))
                count += 1
        return 10 ** (-total / count) if count else None


needs_kenlm = pytest.mark.skipif(
    importlib.util.find_spec("kenlm") is None or importlib.util.find_spec("sentencepiece") is None,
    reason="needs the extra `perplexity`",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(TEXT, tmp_path_factory.mktemp("kenlm") / "mill.arpa")


@needs_kenlm
@given(
    st.lists(st.sampled_from([*TEXT.split(), "unseen", "\n", " \n ", "\0", "é", "\ud800"]), max_size=40).map(
        " ".join
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_score_is_that_of_a_plain_reading_of_the_model(model: Path, text: str) -> None:
    annotator, twin = Perplexity(model, per_line=True), Twin(model)
    expected = twin.perplexity(text)
    assert annotator.score(text) == (expected if expected is None else pytest.approx(expected, rel=1e-4))
    each = [score for line in text.split("\n") if (score := twin.perplexity(line)) is not None]
    assert annotator.lines(text) == pytest.approx(each, rel=1e-4)


@needs_kenlm
def test_likely_text_has_a_lower_perplexity(model: Path) -> None:
    annotator = build_annotator("perplexity", {"model": str(model)})
    texts = ["the mill grinds the grain", "grain the grinds mill the", "quite another text", "", " \n"]
    (table,) = annotate_texts([annotator], texts).values()
    likely, jumbled, strange, *blank = table["perplexity.score"].to_pylist()
    assert 1 < likely < jumbled < strange
    assert blank == [None, None]
    assert table["perplexity.lines"].to_pylist() == [None] * 5
    assert annotator.version.startswith("1-")


@needs_kenlm
def test_models_of_the_hub_are_read_as_their_card_says(tmp_path: Path) -> None:
    """NAME.arpa.bin brings NAME.sp.model, and texts are normalised before they are cut."""
    import sentencepiece

    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join([TEXT, 'In 0000, the mill said: "grind" - again...'] * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(tmp_path / "en.sp"), vocab_size=40, minloglevel=2
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "en.sp.model"))
    cut = "\n".join(" ".join(pieces.encode_as_pieces(line)) for line in corpus.read_text().splitlines()[:6])
    train(cut, tmp_path / "en.arpa.bin")
    annotator = Perplexity(tmp_path / "en.arpa.bin")
    assert annotator.normalise
    text = " In 1984, the mill\u2029said： “grind” — again… \n"
    plain = 'In 0000, the mill\u2029said: "grind"  -  again...'
    assert normalised(text) == plain
    tokens = " ".join(pieces.encode_as_pieces(plain))
    assert annotator.score(text) == pytest.approx(Twin(tmp_path / "en.arpa.bin").perplexity(tokens), rel=1e-4)
    assert annotator.version.count("-") == 2
    bare = Perplexity(tmp_path / "en.arpa.bin", normalise=False)
    assert bare.score(plain) == pytest.approx(annotator.score(plain))


def test_punctuation_and_controls_are_those_of_the_published_code() -> None:
    published = pytest.importorskip("datatrove.utils.perplexity").KenlmModel
    for code in range(0x11000):
        character = chr(code)
        if character.isdigit() or character.isspace() or 0xD800 <= code < 0xE000:
            continue
        expected = published.non_printing_chars_re.sub("", published.unicode_punct.get(character, character))
        assert normalised(f"a{character}a") == f"a{expected}a"
    assert normalised("a\x1f\t\nb") == "ab"


def test_what_is_missing_is_said(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the option 'model'"):
        build_annotator("perplexity")
    if (
        importlib.util.find_spec("kenlm") is not None
        and importlib.util.find_spec("sentencepiece") is not None
    ):
        with pytest.raises(UserError, match="cannot read the language model"):
            Perplexity(tmp_path / "none.arpa")
        broken = tmp_path / "broken.arpa"
        broken.write_text("no model")
        with pytest.raises(UserError, match="not a KenLM model"):
            Perplexity(broken).score("text")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'gristmill\[perplexity\]'"):
        Perplexity(model)
