from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gristmill.manifests import load_as
from mixtures import counts
from mixtures.amounts import exact, format_amount, parse_amount
from mixtures.manifest import MixtureManifest
from mixtures.plan import plan
from tests.mixtures.conftest import small_mixture


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("6.6T", 6_600_000_000_000),
        ("3359.8B", 3_359_800_000_000),
        ("1.5m", 1_500_000),
        ("20 k", 20_000),
        ("737_280", 737_280),
        (12, 12),
        ("2e4", 20_000),
        (1e6, 1_000_000),
    ],
)
def test_amounts(written, meant):
    assert parse_amount(written) == meant


@pytest.mark.parametrize("written", ["", "many", "-3", "1.2345k", "3 apples", True, "0.5", None, "1e999"])
def test_what_is_no_amount(written):
    with pytest.raises(ValueError, match=r"amount|whole number"):
        parse_amount(written)


@given(st.integers(1, 10**15))
def test_a_formatted_amount_is_close(value):
    assert abs(parse_amount_loosely(format_amount(value)) / value - 1) < 1e-3


def parse_amount_loosely(text: str) -> float:
    return float(text.rstrip("kMBT")) * {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(text[-1], 1)


def test_decimals_are_exact():
    assert exact(0.1) == Fraction(1, 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sources": {"a": {"address": "hf://org/data"}, "b": {"address": "x"}}}, "hf://org/repo@revision"),
        (
            {"sources": {"a": {"address": "x"}, "bb": {"address": "x"}}},
            "unknown source 'b'; did you mean 'bb'",
        ),
        ({"tokenizer": {"type": "train", "vocab_size": 100}}, "greater than or equal to 257"),
        ({"tokenizer": {"type": "train", "vocab_size": 258}}, "at least 259"),
        (
            {"tokenizer": {"type": "train", "vocab_size": 300, "eos": "<end>"}},
            "'<end>' is not among special_tokens",
        ),
        (
            {"tokenizer": {"type": "train", "vocab_size": 300, "sources": ["c"]}},
            "tokenizer.sources names the unknown",
        ),
        ({"tokenizer": {"type": "file", "path": "x"}}, "add_eos needs the token"),
        (
            {"tokenizer": {"type": "train", "vocab_size": 300, "special_tokens": ["<s>", "</s>", "<s>"]}},
            "a token twice",
        ),
        (
            {"budget": None, "phases": [{"budget": {"fraction": 0.5}}]},
            "fraction of budget.tokens, which is not given",
        ),
        ({"phases": [{"budget": {"fraction": 0.5, "tokens": 3}}]}, "either tokens or fraction"),
        ({"phases": [{}]}, "has weights, so it needs a budget"),
        (
            {"phases": [{"budget": {"tokens": 9}, "entries": [{"source": "a"}]}]},
            "exactly one of weight, tokens, epochs",
        ),
        (
            {"phases": [{"budget": {"tokens": 9}, "entries": [{"source": "a", "weight": 1, "epochs": 2}]}]},
            "it has weight and epochs",
        ),
        (
            {"phases": [{"budget": {"tokens": 9}, "entries": [{"source": "a", "weight": 1}] * 2}]},
            "has source 'a' twice",
        ),
        ({"phases": [{"budget": {"tokens": 9}}] * 2}, "two phases have the same name"),
        ({"policy": {"shares": [{"max": 0.3}]}}, "at least one of family, kind, language, tier"),
    ],
)
def test_mistakes_are_told(change, said):
    blank = {
        "name": "p",
        "sequence_length": 8,
        "batch": 1,
        "entries": [{"source": "a", "weight": 1}, {"source": "b", "weight": 1}],
    }
    if "phases" in change:
        change = change | {"phases": [blank | phase for phase in change["phases"]]}
    with pytest.raises(ValidationError) as error:
        small_mixture(**change)
    assert said in str(error.value)


def test_the_corpus_of_nemotron_nano_2_adds_up_and_can_be_planned():
    """Rows of the dataset card add up to its total within rounding; the phases are 60, 30 and 10 % of 20T."""
    manifest = load_as("mixtures/nemotron-nano-2", MixtureManifest)
    assert len(manifest.sources) == 10
    assert (
        abs(sum(source.tokens or 0 for source in manifest.sources.values()) - 6_585_800_000_000) <= 2 * 10**8
    )
    known = counts.known(manifest)
    assert {count.kind for count in known.values()} == {"declared"}
    planned = plan(manifest, known)
    for phase, share in zip(planned.phases, (0.6, 0.3, 0.1), strict=True):
        assert 0 <= share * 20e12 - phase.tokens < phase.batch * phase.sequence_length
        assert phase.sequence_length * phase.batch == 8192 * 768
    runs = [row for row in planned.rows() if row["phase"] is None]
    assert max(row["epochs"] for row in runs) <= 4
    assert sum(row["tokens"] for row in runs) == planned.tokens
