"""Replacing findings by tokens: what is replaced, by what, and where it then stands."""

from __future__ import annotations

import pickle
import re
from itertools import pairwise

import pytest
from datatrove.data import Document
from hypothesis import given
from hypothesis import strategies as st

from filters.findings import disjoint, merged
from filters.masking import TOKEN, TOKENS, Masking, original
from filters.pii.finder import KINDS
from filters.registry import build_annotator
from filters.step import AnnotatorStep, MaskStep
from gristmill.base.errors import UserError

FINDINGS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 9), st.sampled_from(["email", "us_ssn", "github_token"])),
    max_size=8,
).map(lambda found: [(start, start + length, kind) for start, length, kind in found])
TEXT = "".join(chr(0x100 + n) for n in range(60))


def test_every_kind_has_a_token() -> None:
    masking = Masking()
    for kind in (*KINDS, "private_key", "jwt", "password", "url_password", "key", "stripe_key"):
        assert TOKEN.fullmatch(masking.token(kind) or "")
    assert masking.token("us_ssn") == TOKENS["national_id"]
    assert masking.token("ipv6") == TOKENS["ip"]
    assert masking.token("github_token") == TOKENS["key"]


def test_tokens_are_set_for_families_and_for_single_kinds() -> None:
    masking = Masking(
        {"email": "name@example.com", "us_ssn": None, "ip": "0.0.0.0", "github_token": "(token)"}
    )
    found = [
        (0, 3, "email"),
        (4, 7, "us_ssn"),
        (8, 11, "ipv4"),
        (12, 15, "github_token"),
        (16, 19, "pl_pesel"),
    ]
    masked, done = masking.mask("aaa bbb ccc ddd eee", found)
    assert masked == "name@example.com bbb 0.0.0.0 (token) <NATIONAL_ID>"
    assert [kind for _, _, kind in done] == ["email", "ipv4", "github_token", "pl_pesel"]


@pytest.mark.parametrize("name", ["emial", "zz_nothing"])
def test_an_unknown_kind_is_told(name: str) -> None:
    with pytest.raises(UserError, match=f"unknown kind '{name}'"):
        Masking({name: "<X>"})


@pytest.mark.parametrize(
    "found", [[(0, 99, "email")], [(5, 8, "email"), (2, 4, "email")], [(0, 4, "email"), (3, 6, "ip")]]
)
def test_findings_of_another_text_are_refused(found: list[tuple[int, int, str]]) -> None:
    with pytest.raises(ValueError, match="no piece of this text"):
        Masking().mask("0123456789", found)


@given(FINDINGS)
def test_all_that_was_found_is_gone_and_all_else_is_left(found: list[tuple[int, int, str]]) -> None:
    joined = merged(found)
    masked, done = Masking().mask(TEXT, joined)
    covered = {at for start, end, _ in found for at in range(start, end)}
    assert re.sub(TOKEN, "", masked) == "".join(c for at, c in enumerate(TEXT) if at not in covered)
    assert done == joined
    apart = disjoint(found)
    assert set(apart) <= set(found)
    assert all(a[1] <= b[0] for a, b in pairwise(apart))
    # What is left lies where `original` says.
    lengths = [len(Masking().token(kind) or "") for _, _, kind in joined]
    for place, character in enumerate(masked):
        if character in TEXT:
            assert TEXT[original(joined, lengths, place)] == character


def test_a_pipeline_masks_what_annotators_found() -> None:
    texts = ["Mail jane@corp.org, key AKIAQYLPMN5HFIQR7XYZ.", "none here", ""]
    steps = [
        AnnotatorStep([build_annotator("pii"), build_annotator("secrets")]),
        pickle.loads(pickle.dumps(MaskStep(columns=("pii.spans", "secrets.spans")))),
    ]
    documents = iter([Document(text=text, id=str(n)) for n, text in enumerate(texts)])
    masked = list(steps[1].run(steps[0].run(documents)))
    assert [document.text for document in masked] == ["Mail <EMAIL>, key <KEY>.", "none here", ""]
    assert masked[0].metadata["masked"] == {"aws_access_key": 1, "email": 1}
    assert "masked" not in masked[1].metadata
    assert not any(name.endswith("spans") for document in masked for name in document.metadata)
    assert steps[1].stats["masked_email"].total == 1


def test_pieces_are_cut_out_with_what_they_touch() -> None:
    text = "menu | Mail jane@corp.org, or bob@corp.org today.\nmenu |"
    spans = [{"start": 12, "end": 25, "kind": "email"}, {"start": 30, "end": 42, "kind": "email"}]
    cuts = [{"start": 0, "end": 7}, {"start": 35, "end": 49}, {"start": 50, "end": 56}]
    document = Document(text=text, id="x", metadata={"pii.spans": spans, "twice.spans": cuts})
    step = pickle.loads(pickle.dumps(MaskStep(cuts=("twice.spans",))))
    (masked,) = step.run(iter([document]))
    # The second address is half inside a cut: both are gone, and what stands there says so.
    assert masked.text == "Mail <EMAIL>, or <EMAIL>\n"
    assert masked.metadata == {"masked": {"cut": 2, "email": 2}}
