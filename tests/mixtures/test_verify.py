import random
import shutil
from pathlib import Path

import numpy as np

from mixtures import tokenstore
from mixtures.lock import open_lock
from mixtures.locking import make_lock
from mixtures.tokenstore import finish
from mixtures.verify import verify
from tests.mixtures.conftest import texts, tree, write_store

LOCK = "out/mixture.lock.json"


def test_a_sound_mixture_has_no_problems(locked):
    report = verify(LOCK, samples=20)
    assert report.problems == []
    assert report.skipped == []
    assert report.documents == 20 + 10 + 5  # one of the parts of b has five, one none
    assert report.files == 1 + 2 * 3 * 3
    assert (
        report.files == len(tree("out")) - 4
    )  # the lock, its checksum and two store.json are checked by digest


def test_any_flipped_byte_is_found(locked):
    chance = random.Random(3)
    for path in [Path("out") / name for name in tree("out")]:
        whole = path.read_bytes()
        if not whole:
            continue
        few = {0, len(whole) - 1, chance.randrange(len(whole))}
        for position in range(0, len(whole), 5) if path.name == "store.json" else few:
            bit = 1 << chance.randrange(8)
            path.write_bytes(whole[:position] + bytes([whole[position] ^ bit]) + whole[position + 1 :])
            assert verify(LOCK, samples=0).problems, (path, position, bit)
        path.write_bytes(whole[:-1])
        assert verify(LOCK, samples=0).problems
        path.write_bytes(whole + b"\0")
        assert verify(LOCK, samples=0).problems
        path.unlink()
        assert verify(LOCK, samples=0).problems
        path.write_bytes(whole)
    assert verify(LOCK, samples=0).problems == []


def test_tokens_that_are_not_the_documents_are_found_whatever_the_checksums_say(locked):
    """A store whose files agree with one another, but hold other tokens than the documents give."""
    lock = open_lock(LOCK)
    store = tokenstore.TokenStore.open(lock.store_path("b"))
    tokens = store.part_tokens(0).astype(store.identity.dtype)
    offsets = store.part_offsets(0).tolist()
    ids = store.document_ids(0, 0, len(offsets) - 1)
    with tokenstore.write_part(store.folder, store.parts[0], store.identity) as writer:
        for row, id_ in enumerate(ids):
            document = tokens[offsets[row] : offsets[row + 1] - 1].tolist()
            writer.add([id_], [document[::-1]])
    finish(store.folder, store.identity, list(store.parts))
    make_lock(locked)
    problems = verify(LOCK, samples=60).problems
    assert problems
    assert all("has other tokens than its text" in problem for problem in problems)


def test_files_that_disagree_are_found_whatever_the_checksums_say(locked, monkeypatch):
    lock = open_lock(LOCK)
    store = tokenstore.TokenStore.open(lock.store_path("b"))
    offsets = store.part_offsets(0).copy()
    offsets[3] += 1
    with monkeypatch.context() as patch:
        patch.setattr("mixtures.verify._file_problem", lambda path, expected: None)
        store.offset_path(0).write_bytes(offsets.tobytes())
        assert any("offsets are not those of" in problem for problem in verify(LOCK, samples=0).problems)
        wrong = np.full(store.part_counts[0].tokens, 60_000, store.identity.dtype)
        store.token_path(0).write_bytes(wrong.tobytes())
        assert any("outside the vocabulary" in problem for problem in verify(LOCK, samples=0).problems)


def test_document_stores_that_are_gone_or_changed_are_said(locked, stores):
    write_store(Path("stores/a"), [texts(99, 40)])
    shutil.rmtree("stores/b")
    report = verify(LOCK)
    assert len(report.problems) == 1
    assert "documents of 'a': locked" in report.problems[0]
    assert len(report.skipped) == 1
    assert "'b'" in report.skipped[0]


def test_a_missing_lock_is_a_problem(tmp_path):
    assert "no such lock" in verify(tmp_path / "mixture.lock.json").problems[0]
