"""The full check of a locked mixture: every byte of every file, and that the tokens are the documents'."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from gristmill.base.digest import sha256_file
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent
from mixtures import tokenizer
from mixtures.documents import Documents
from mixtures.fim import encode
from mixtures.lock import Lock, LockedSource, read_lock
from mixtures.manifest import Selection, Source
from mixtures.order import sequences_in
from mixtures.tokenstore import TokenStore

SAMPLES = 32
"""Documents a source that are encoded again."""


@dataclass
class Verification:
    """What was checked, and what is wrong."""

    lock_digest: str = ""
    files: int = 0
    bytes: int = 0
    documents: int = 0
    """Documents that were encoded again and compared."""
    skipped: list[str] = field(default_factory=list)
    """What could not be checked, such as a document store that is not here."""
    problems: list[str] = field(default_factory=list)
    """Everything that is not as locked; empty when all is well."""


def verify(path: str | Path, samples: int = SAMPLES, progress: Progress | None = None) -> Verification:
    """Check a lock and everything under it; goes on after a problem, so that all of them are found.

    Args:
        path: `mixture.lock.json`.
        samples: documents a source that are encoded again and compared token by token.
    """
    report = Verification()
    progress = progress or Silent()
    try:
        lock = read_lock(path)
    except UserError as error:
        report.problems.append(str(error))
        return report
    report.lock_digest = lock.digest
    report.problems += _phase_problems(lock)
    sound = not _tokenizer_problem(lock, report)
    stores = {}
    for name, source in lock.sources.items():
        try:
            stores[name] = TokenStore.open(lock.store_path(name))
        except UserError as error:
            report.problems.append(str(error))
            continue
        report.problems += _identity_problems(lock, name, source, stores[name])
    total = sum(
        file.stat().st_size for store in stores.values() for file, _ in _files(store) if file.is_file()
    )
    task = progress.task("verify", total=total, unit="B")
    for name, store in stores.items():
        damaged = store.digest != lock.sources[name].store_digest
        for file, expected in _files(store):
            problem = _file_problem(file, expected)
            damaged = damaged or problem is not None
            report.problems += [problem] if problem else []
            size = file.stat().st_size if file.is_file() else 0
            report.files, report.bytes = report.files + 1, report.bytes + size
            task.advance(size)
        # Contents are compared only where the bytes are the right ones: everything else follows from that.
        if not damaged:
            for part in range(len(store.parts)):
                report.problems += _part_problems(store, part)
            if sound:
                _round_trip(name, lock, store, samples, report)
    task.close()
    return report


def _phase_problems(lock: Lock) -> Iterator[str]:
    for phase in lock.phases:
        for name, count in phase.counts.items():
            if name not in lock.sources:
                yield f"phase '{phase.name}' names the unknown source '{name}'"
            elif count and not sequences_in(lock.sources[name].tokens, phase.sequence_length):
                yield f"phase '{phase.name}' wants sequences of '{name}', which has none of that length"
        if phase.sequences % phase.batch:
            yield f"phase '{phase.name}' is not whole batches"


def _tokenizer_problem(lock: Lock, report: Verification) -> bool:
    path = lock.tokenizer_path
    report.files += 1
    problem = _file_problem(path, lock.tokenizer_digest)
    if problem:
        report.problems.append(problem)
        return True
    report.bytes += path.stat().st_size
    return False


def _identity_problems(lock: Lock, name: str, source: LockedSource, store: TokenStore) -> Iterator[str]:
    compared = {
        "store.json": (source.store_digest, store.digest),
        "tokens": (source.tokens, store.tokens),
        "documents": (source.document_count, store.documents),
        "tokenizer": (lock.tokenizer_digest, store.identity.tokenizer),
        "document store": (source.documents_digest, store.identity.documents),
    }
    for what, (locked, found) in compared.items():
        if locked != found:
            yield f"{store.folder}: {what} of source '{name}': locked {locked}, found {found}"


def _files(store: TokenStore) -> Iterator[tuple[Path, str]]:
    """Every file of a store except `store.json`, with its checksum."""
    for part, checksums in enumerate(store.checksums):
        yield store.token_path(part), checksums["tokens"]
        yield store.offset_path(part), checksums["offsets"]
        yield store.document_path(part), checksums["documents"]


def _file_problem(path: Path, expected: str) -> str | None:
    if not path.is_file():
        return f"{path}: missing"
    found = sha256_file(path)
    return None if found == expected else f"{path}: SHA-256 is {found}, recorded is {expected}"


def _part_problems(store: TokenStore, part: int) -> Iterator[str]:
    """Whether the files of a part agree with one another and with the counts."""
    path = store.document_path(part)
    tokens, offsets = store.part_tokens(part), store.part_offsets(part)
    table = pq.read_table(path, columns=["offset", "length"])
    if not np.array_equal(table.column("offset").to_numpy(), offsets[:-1]):
        yield f"{path}: offsets are not those of {store.offset_path(part)}"
    if not np.array_equal(table.column("length").to_numpy(), np.diff(offsets)) or np.any(
        np.diff(offsets) < 1
    ):
        yield f"{path}: lengths do not add up"
    if offsets[0] != 0 or offsets[-1] != len(tokens):
        yield f"{store.offset_path(part)}: does not cover the part's {len(tokens)} tokens"
    if len(tokens) and int(tokens.max()) >= store.identity.vocab_size:
        yield f"{store.token_path(part)}: token {int(tokens.max())} is outside the vocabulary"


def _sampled(
    name: str, lock: Lock, store: TokenStore, samples: int, report: Verification
) -> Iterator[tuple[int, int, str, str]]:
    """(part, row, id, text) of documents drawn from all parts alike; which ones follows from the lock."""
    folder = lock.documents_path(name)
    if not (folder / "store.json").is_file():
        report.skipped.append(f"source '{name}': no document store at {folder} to compare with")
        return
    selection = Selection(policy=store.identity.policy, where=store.identity.where)
    documents = Documents.open(name, Source(address=str(folder), select=selection))
    locked = lock.sources[name].documents_digest
    if documents.digest != locked:
        report.problems.append(f"{folder}: documents of '{name}': locked {locked}, found {documents.digest}")
        return
    chance = random.Random(lock.digest + name)
    filled = [part for part, counts in enumerate(store.part_counts) if counts.documents]
    parts = chance.sample(filled, min(len(filled), samples))
    for number, part in enumerate(parts):
        quota = samples // len(parts) + (number < samples % len(parts))
        rows = store.part_counts[part].documents
        wanted = set(chance.sample(range(rows), min(rows, quota)))
        ids = store.document_ids(part, 0, rows)
        chosen = {ids[row]: row for row in wanted}
        for batch_ids, texts in documents.batches(store.parts[part]):
            for id_, text in zip(batch_ids, texts, strict=True):
                if id_ in chosen:
                    yield part, chosen.pop(id_), id_, text
        for id_ in chosen:
            report.problems.append(f"{store.document_path(part)}: document {id_} is not in {folder}")


def _round_trip(name: str, lock: Lock, store: TokenStore, samples: int, report: Verification) -> None:
    """Encode sampled documents of the document store again and compare."""
    encoder = tokenizer.load(lock.tokenizer_path)
    head = [lock.bos_id] if lock.add_bos else []
    tail = [lock.eos_id] if lock.add_eos else []
    for part, row, id_, text in _sampled(name, lock, store, samples, report):
        begin, end = store.part_offsets(part)[row : row + 2].tolist()
        report.documents += 1
        expected = [*head, *encode(encoder, [(id_, text)], store.identity.fim)[0], *tail]
        if store.part_tokens(part)[begin:end].tolist() != expected:
            report.problems.append(f"{store.token_path(part)}: document {id_} has other tokens than its text")
