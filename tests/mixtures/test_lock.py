import hashlib
import json
from pathlib import Path

import pytest

from corpus.store import Store
from gristmill.base.digest import canonical_json
from gristmill.base.errors import UserError
from mixtures import counts
from mixtures.lock import open_lock, read_lock
from mixtures.locking import lock_path, make_lock
from mixtures.tokenize import tokenize
from mixtures.tokenstore import TokenStore
from tests.mixtures.conftest import small_mixture, texts, tree, write_store

LOCK = Path("out/mixture.lock.json")


def test_its_sha256_is_its_identity_and_the_same_again(locked, tmp_path):
    lock = open_lock(LOCK)
    assert lock_path(locked) == LOCK
    data = LOCK.read_bytes()
    assert data == canonical_json(json.loads(data))
    assert lock.digest == hashlib.sha256(data).hexdigest()
    assert Path("out/mixture.lock.sha256").read_text() == f"{lock.digest}  mixture.lock.json\n"
    assert make_lock(locked)[1] == lock.digest
    assert str(tmp_path).encode() not in data
    stores = {name: TokenStore.open(lock.store_path(name)) for name in "ab"}
    for name, store in stores.items():
        source = lock.sources[name]
        assert (source.store_digest, source.tokens, source.document_count) == (
            store.digest,
            store.tokens,
            store.documents,
        )
    assert [(phase.name, phase.sequence_length, phase.sequences) for phase in lock.phases] == [
        ("one", 32, 280),
        ("two", 48, 80),
        ("three", 32, 156),
    ]
    assert lock.seed == 11


def test_the_identity_depends_on_every_intent(locked):
    identities = {open_lock(LOCK).digest}
    phases = [phase.model_dump() for phase in locked.phases]
    longer = [{**phases[0], "budget": {"tokens": 9200}}, *phases[1:]]
    licensed = {**locked.model_dump()["sources"], "b": {"address": "stores/b", "licence": "MIT"}}
    for changed in ({"seed": 12}, {"phases": longer}, {"sources": licensed}, {"phases": phases[:2]}):
        identities.add(make_lock(small_mixture(**changed))[1])
    assert len(identities) == 5


def test_any_flipped_byte_of_the_lock_or_its_checksum_is_found(locked):
    for path in (LOCK, Path("out/mixture.lock.sha256")):
        whole = path.read_bytes()
        for position in range(len(whole)):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            with pytest.raises(UserError):
                read_lock(LOCK)
        path.write_bytes(whole)
    read_lock(LOCK)


def test_a_changed_document_store_is_refused_with_both_digests(locked, stores):
    before = open_lock(LOCK).sources["a"].documents_digest
    write_store(Path("stores/a"), [texts(part + 50, 40) for part in range(3)])
    now = counts.measure(locked).documents["a"].digest
    for refuse in (lambda: open_lock(LOCK), lambda: make_lock(locked)):
        with pytest.raises(UserError) as error:
            refuse()
        assert before in str(error.value)
        assert now in str(error.value)
    # the new documents become a new token store beside the old one, and a new lock
    old = tree("out/stores")
    tokenize(locked)
    assert old.items() <= tree("out/stores").items()
    make_lock(locked)
    assert open_lock(LOCK).sources["a"].documents_digest == now


def test_changed_token_stores_and_tokenizers_are_refused(locked):
    lock = open_lock(LOCK)
    for path in (lock.store_path("b") / "store.json", lock.tokenizer_path):
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"1", b"2", 1))
        with pytest.raises(UserError, match=r"changed under the lock: locked \w{64}, found \w{64}"):
            open_lock(LOCK)
        path.unlink()
        with pytest.raises(UserError, match=r"missing|no finished token store"):
            open_lock(LOCK)
        path.write_bytes(whole)
    open_lock(LOCK)


def test_training_does_not_need_the_document_stores(locked):
    import shutil

    shutil.rmtree("stores")
    open_lock(LOCK)


def test_locking_needs_every_token_store(stores):
    with pytest.raises(UserError, match="'a' has no token store: not tokenised yet"):
        make_lock(small_mixture())
    with pytest.raises(UserError, match="no such lock"):
        open_lock(LOCK)


def test_counts_say_what_they_are(stores):
    sources = {"a": {"address": "stores/a", "tokens": "5k"}, "b": {"address": "stores/b", "tokens": "5k"}}
    manifest = small_mixture(sources=sources)
    assert {name: (count.tokens, count.kind) for name, count in counts.known(manifest).items()} == {
        "a": (5000, "declared"),
        "b": (5000, "declared"),
    }
    result = tokenize(manifest)
    for name, count in counts.known(manifest).items():
        assert (count.tokens, count.kind) == (result.stores[name].tokens, "measured")
    write_store(Path("stores/b"), [texts(77, 10)])
    changed = counts.known(manifest)["b"]
    assert changed.kind == "declared"
    assert "its document store changed: tokenised was" in changed.note


def test_a_lock_of_another_version_or_kind_is_refused(locked):
    from mixtures.lock import write_lock

    content = json.loads(LOCK.read_bytes())
    for change in ({"version": 99}, {"order": 2}, {"format": "other"}, {"phases": 3}, {"sources": [1]}):
        write_lock(LOCK, content | change)
        with pytest.raises(UserError, match="not a mixture's lock"):
            read_lock(LOCK)
    LOCK.write_bytes(b"\xff")
    with pytest.raises(UserError, match="changed since it was written"):
        read_lock(LOCK)
    with pytest.raises(UserError, match=r"a file, mixture\.lock\.json, not a folder"):
        read_lock("out")


def test_only_what_the_selection_depends_on_changes_its_digest():
    def store(**changed: str) -> Store:
        files = {"documents": "d", "kept": "k", "other": "o", "lengths": "l", **changed}
        part = {"part": "part-00000", "files": {"documents": {"sha256": files["documents"]}}}
        decisions = {name: {"parts": {"part-00000": files[name]}} for name in ("kept", "other")}
        annotations = {"lengths@1": {"parts": {"part-00000": files["lengths"]}}}
        content = {"name": "s", "parts": [part], "annotations": annotations, "decisions": decisions}
        return Store(Path("s"), content)

    selections = ((None, None), ("kept", None), ("kept", "x > 1"))
    base = [store().selection_digest(*selection) for selection in selections]
    assert len(set(base)) == 3
    for changed, expected in (
        ({"documents": "!"}, [True, True, True]),
        ({"kept": "!"}, [False, True, True]),
        ({"lengths": "!"}, [False, False, True]),
        ({"other": "!"}, [False, False, False]),
    ):
        now = [store(**changed).selection_digest(*selection) for selection in selections]
        assert [one != two for one, two in zip(base, now, strict=True)] == expected
