"""Documents to token stores: one store a source, part by part, in worker processes.

A part is the unit of work and of resumption: a killed run loses at most the parts in flight, and whoever
writes a part, the bytes are the same. A store is named by the digest of what its bytes follow from, so
unchanged sources are reused and an old store is never mistaken for the new one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from corpus.lock import lock as one_writer
from gristmill.base.atomic import sweep
from gristmill.base.progress import Progress, Silent
from gristmill.base.workers import Workers, main_log
from mixtures import tokenizer
from mixtures.documents import Documents, local_documents
from mixtures.fim import Fim, encode, sentinels
from mixtures.manifest import FillInTheMiddle, MixtureManifest
from mixtures.tokenizer import TokenizerFile
from mixtures.tokenstore import Identity, TokenStore, finish, part_footer, write_part

BATCH = 256
"""Documents that are encoded in one call."""
_POLL = 0.2  # seconds between two looks at what the workers have done


def identity(documents: Documents, made: TokenizerFile, fim: FillInTheMiddle | None = None) -> Identity:
    """What the token store of these documents under this tokenizer, so rearranged, follows from."""
    return Identity(
        documents=documents.digest,
        policy=documents.policy,
        where=documents.where,
        tokenizer=made.digest,
        vocab_size=made.vocab_size,
        bos_id=made.bos_id,
        eos_id=made.eos_id,
        add_bos=made.add_bos,
        add_eos=made.add_eos,
        fim=Fim(**fim.model_dump()) if fim is not None else None,
    )


def store_folder(output: str | Path, name: str, identity: Identity) -> Path:
    """Where a source's token store is or will be."""
    return Path(output) / "stores" / f"{name}-{identity.key[:12]}"


class ReadDocuments(PipelineStep):
    """A datatrove reader: task number r yields the selected documents of the r-th part on the list."""

    type = "📖 - READER"
    name = "document store"

    def __init__(self, parts: list[tuple[Documents, str]]) -> None:
        super().__init__()
        self.parts = parts

    def run(self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        if data:
            yield from data
        documents, part = self.parts[rank]
        for ids, texts in documents.batches(part):
            for id_, text in zip(ids, texts, strict=True):
                yield Document(text=text, id=id_)


class WriteTokens(PipelineStep):
    """A datatrove writer: task number r encodes its documents into the r-th target (store folder, part).

    Args:
        tokenizer: path of the tokenizer file.
        targets: folder of the token store, its identity and the name of the part, for each task.
        board: file of int64[tasks, 2] in which documents and tokens done so far are noted, or None.
    """

    type = "🔢 - TOKENIZER"
    name = "token store"

    def __init__(
        self, tokenizer: str, targets: list[tuple[Path, Identity, str]], board: str | None = None
    ) -> None:
        super().__init__()
        self.tokenizer, self.targets, self.board = tokenizer, targets, board

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        encoder = tokenizer.load(self.tokenizer)
        board = np.memmap(self.board, np.int64, "r+").reshape(-1, 2) if self.board else None
        folder, identity, part = self.targets[rank]
        documents = iter(data)
        with write_part(folder, part, identity) as writer:
            while batch := list(islice(documents, BATCH)):
                with self.track_time("batch"):
                    texts = [(document.id, document.text) for document in batch]
                    encoded = encode(encoder, texts, identity.fim)
                    tokens = writer.add([document.id for document in batch], encoded)
                self.stat_update("tokens", value=tokens, unit="batch")
                if board is not None:
                    board[rank, 0] += len(batch)
                    board[rank, 1] = writer.tokens
                yield from batch


@dataclass(frozen=True)
class Tokenized:
    """What `tokenize` has made or found."""

    tokenizer: TokenizerFile
    stores: Mapping[str, TokenStore]
    reused: tuple[str, ...]
    """Sources whose store was there already."""


def tokenize(manifest: MixtureManifest, workers: int = 1, progress: Progress | None = None) -> Tokenized:
    """Make the tokenizer and the token store of every source that a phase uses; reuse what is unchanged.

    Errors: UserError for sources that are not local, or not the pinned ones, and while another command writes
    into the output folder; OSError when the disk is full.
    """
    with one_writer(Path(manifest.output)):
        return _tokenize(manifest, workers, progress or Silent())


def _tokenize(manifest: MixtureManifest, workers: int, progress: Progress) -> Tokenized:
    documents = local_documents(manifest)
    made = tokenizer.make(manifest, documents, progress)
    _check_sentinels(manifest, made)
    identities = {name: identity(documents[name], made, manifest.sources[name].fim) for name in manifest.used}
    folders = {name: store_folder(manifest.output, name, one) for name, one in identities.items()}
    reused = tuple(name for name in folders if (folders[name] / "store.json").is_file())
    for name in reused:
        progress.note(f"source '{name}': unchanged, token store reused ({folders[name]})")
    work: list[tuple[str, str]] = []
    for name, folder in folders.items():
        if name in reused:
            continue
        sweep(folder)
        parts = documents[name].parts
        left = [part for part in parts if part_footer(folder, part) is None]
        if len(left) < len(parts):
            progress.note(f"source '{name}': {len(parts) - len(left)} of {len(parts)} parts are done already")
        work += [(name, part) for part in left]
    if work:
        reads = [(documents[name], part) for name, part in work]
        targets = [(folders[name], identities[name], part) for name, part in work]
        _run(made, reads, targets, workers, progress)
    stores = {
        name: TokenStore.open(folders[name])
        if name in reused
        else finish(folders[name], identities[name], list(documents[name].parts))
        for name in folders
    }
    return Tokenized(made, stores, reused)


def _check_sentinels(manifest: MixtureManifest, made: TokenizerFile) -> None:
    """Raises UserError where a source needs sentinels that the tokenizer lacks."""
    for name in manifest.used:
        wanted = manifest.sources[name].fim
        if wanted is not None:
            sentinels(Fim(**wanted.model_dump()), tokenizer.load(made.path), f"sources.{name}.fim")


def _run(
    made: TokenizerFile,
    reads: list[tuple[Documents, str]],
    targets: list[tuple[Path, Identity, str]],
    workers: int,
    progress: Progress,
) -> None:
    """Encode all parts under datatrove's local executor, and show how far the workers are."""
    workers = max(1, min(workers, len(targets)))
    # Workers encode one part each; threads inside them would only compete.
    threads = os.environ.get("RAYON_NUM_THREADS")
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-tokenize-"))
    try:
        board = scratch / "board"
        board.write_bytes(bytes(16 * len(targets)))
        executor = Workers(
            [ReadDocuments(reads), WriteTokens(str(made.path), targets, str(board))],
            tasks=len(targets),
            workers=workers,
            logging_dir=str(scratch / "log"),
            skip_completed=False,
        )
        total = sum(documents.count([part]) for documents, part in reads)
        with main_log(scratch / "log"), _shown(board, total, progress):
            executor.run()
    finally:
        if threads is None:
            os.environ.pop("RAYON_NUM_THREADS", None)
        shutil.rmtree(scratch, ignore_errors=True)


class _shown:
    """While inside: the documents and tokens on the workers' board are shown as one task."""

    def __init__(self, board: Path, total: int, progress: Progress) -> None:
        self._board = np.memmap(board, np.int64, "r").reshape(-1, 2)
        self._task = progress.task("tokenize", total=total, unit="documents")
        self._done = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._show()
        self._task.close()

    def _watch(self) -> None:
        while not self._ended.wait(_POLL):
            self._show()

    def _show(self) -> None:
        documents, tokens = self._board.sum(axis=0).tolist()
        if documents > self._done:
            self._task.advance(documents - self._done, tokens=tokens)
            self._done = documents
