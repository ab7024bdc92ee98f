"""Fill in the middle: nothing is lost, the draw is fixed by seed and id, shares are as asked for."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from gristmill.base.errors import UserError
from mixtures import tokenizer
from mixtures.fim import Draw, Fim, Sentinels, arrange, draw, encode, sentinels
from mixtures.locking import make_lock
from mixtures.tokenize import tokenize
from mixtures.tokenstore import TokenStore
from mixtures.verify import verify
from tests.mixtures.conftest import small_mixture, tree

SPECIAL = ("<pad>", "<s>", "</s>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>")
IDS = Sentinels(3, 4, 5)


def fim(**options: object) -> Fim:
    values: dict[str, object] = {"rate": 1.0, "spm_rate": 0.5, "level": "character", "seed": 0}
    values |= {name: f"<fim_{name}>" for name in ("prefix", "middle", "suffix")}
    return Fim(**(values | options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made() -> Tokenizer:
    texts = ["def grind(stone): return stone.turn(wheel)\n" * 20, "naïve café 数学\n" * 20]
    found = Tokenizer.from_str(tokenizer.train(iter([texts]), 300, SPECIAL))
    found.encode_special_tokens = True
    return found


def undone(tokens: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Prefix, middle and suffix of rearranged tokens; prefix and middle of SPM cannot be told apart."""
    assert tokens[0] == IDS.prefix
    suffix, middle = tokens.index(IDS.suffix), tokens.index(IDS.middle)
    return tokens[1:suffix], tokens[middle + 1 :], tokens[suffix + 1 : middle]


@given(st.text(), st.text(max_size=5), st.sampled_from(["character", "token"]), st.floats(0, 1))
def test_nothing_is_lost(made: Tokenizer, text: str, id_: str, level: str, spm_rate: float) -> None:
    text = text.encode("utf-8", "replace").decode()
    (tokens,) = encode(made, [(id_, text)], fim(level=level, spm_rate=spm_rate))
    if not text:
        assert tokens == []
        return
    assert Counter(tokens)[3] == Counter(tokens)[4] == Counter(tokens)[5] == 1
    prefix, middle, suffix = undone(tokens)
    whole = prefix + middle + suffix
    assert made.decode(whole) == text
    if level == "token":
        assert whole == made.encode(text, add_special_tokens=False).ids


def test_the_two_forms() -> None:
    assert arrange("psm", [10], [11, 12], [13], IDS) == [3, 10, 5, 13, 4, 11, 12]
    assert arrange("spm", [10], [11, 12], [13], IDS) == [3, 5, 13, 4, 10, 11, 12]


def test_a_text_that_names_the_sentinels_is_no_sentinel(made: Tokenizer) -> None:
    (tokens,) = encode(made, [("x", "<fim_prefix>" * 5)], fim())
    assert tokens.count(IDS.prefix) == 1


def test_seed_and_id_decide_alone() -> None:
    ids = [f"{n:032x}" for n in range(200)]
    first = {id_: draw(fim(rate=0.5), id_) for id_ in ids}
    assert {id_: draw(fim(rate=0.5), id_) for id_ in reversed(ids)} == first
    assert {id_: draw(fim(rate=0.5, seed=1), id_) for id_ in ids} != first
    # A higher rate takes the same documents and more.
    higher = {id_: draw(fim(rate=0.9), id_) for id_ in ids}
    assert all(higher[id_] == first[id_] for id_ in ids if first[id_].form is not None)
    # Another result would be another store under the same key.
    assert draw(fim(), "00" * 16) == Draw("psm", (15627415345213752817, 14231203538702559836))


def test_shares_and_places() -> None:
    draws = [draw(fim(rate=0.5), f"{n:032x}") for n in range(20_000)]
    share = Counter(one.form for one in draws)
    assert share[None] == pytest.approx(10_000, abs=350)
    assert share["psm"] == pytest.approx(5_000, abs=300)
    places = Counter(place for one in draws for place in one.split(9))
    assert set(places) == set(range(10))
    assert all(count == pytest.approx(4_000, abs=300) for count in places.values())
    assert all(one.split(0) == (0, 0) for one in draws[:10])


def test_a_tokenizer_without_sentinels(made: Tokenizer) -> None:
    with pytest.raises(UserError, match="no token '<PRE>'"):
        sentinels(fim(prefix="<PRE>"), made, "sources.code.fim")


TOKENIZER = {"type": "train", "vocab_size": 500, "special_tokens": SPECIAL}


def sources(**options: object) -> dict[str, object]:
    return {
        "a": {"address": "stores/a", "select": {"policy": "p"}, "fim": {"rate": 0.5, **options}},
        "b": {"address": "stores/b"},
    }


@pytest.mark.parametrize("level", ["character", "token"])
def test_a_source_of_a_mixture(stores: dict[str, list[list[str]]], level: str) -> None:
    plain = tokenize(small_mixture(tokenizer=TOKENIZER))
    manifest = small_mixture(tokenizer=TOKENIZER, sources=sources(level=level))
    done = tokenize(manifest, workers=2)
    assert done.reused == ("b",)
    store = done.stores["a"]
    assert store.folder != plain.stores["a"].folder
    assert TokenStore.open(store.folder).identity == store.identity
    encoder = tokenizer.load(done.tokenizer.path)
    ids = sentinels(fim(), encoder, "fim")
    rearranged = total = 0
    for part, texts in enumerate(stores["a"]):
        kept = [text for text in texts if text]
        tokens, offsets = store.part_tokens(part), store.part_offsets(part).tolist()
        assert len(offsets) == len(kept) + 1
        for number, text in enumerate(kept):
            found = tokens[offsets[number] : offsets[number + 1]].tolist()
            assert found.pop() == done.tokenizer.eos_id
            total += 1
            if ids.prefix not in found:
                assert found == encoder.encode(text, add_special_tokens=False).ids
                continue
            rearranged += 1
            prefix, suffix, middle = (found.index(one) for one in (ids.prefix, ids.suffix, ids.middle))
            pieces = (found[prefix + 1 : suffix], found[middle + 1 :], found[suffix + 1 : middle])
            assert encoder.decode([token for piece in pieces for token in piece]) == text
    assert 0.3 < rearranged / total < 0.7
    make_lock(manifest)
    assert verify("out/mixture.lock.json", samples=20).problems == []
    # Another seed, another store.
    assert not tokenize(small_mixture(tokenizer=TOKENIZER, sources=sources(seed=1))).reused[1:]


def test_what_is_missing_is_a_clear_mistake(stores: dict[str, list[list[str]]]) -> None:
    with pytest.raises(UserError, match=r"sources\.a\.fim\.prefix.*'<fim_prefix>'"):
        tokenize(small_mixture(sources=sources()))
    with pytest.raises(ValueError, match="add_eos"):
        small_mixture(tokenizer={**TOKENIZER, "add_eos": False}, sources=sources())
    with pytest.raises(ValueError, match="three different"):
        small_mixture(tokenizer=TOKENIZER, sources=sources(prefix="<fim_suffix>"))


def test_without_it_nothing_changes(locked: object) -> None:
    """Keys and locks of mixtures that say nothing of it are what they were."""
    assert b'"fim"' not in b"".join(tree("out").values())
