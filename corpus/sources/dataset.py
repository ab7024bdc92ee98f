"""Data sets of the Hugging Face Hub and local ones, through the library `datasets`."""

from __future__ import annotations

import errno
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datatrove.data import Document

from corpus.inputs import Input, is_remote, walk
from corpus.ledger import Ledger
from corpus.manifest import DatasetSource
from corpus.sources.base import Meter, Task
from corpus.sources.fields import RowReader
from gristmill.base.errors import UserError, describe, missing_extra
from gristmill.base.progress import Progress

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Dataset:
    """One split of a data set: streamed shard by shard, or prepared in the cache and cut by rows."""

    unit = "rows"

    def __init__(self, options: DatasetSource, name: str) -> None:
        self.options, self.name = options, name
        self.rows = RowReader("dataset", name, options)
        self.revision = options.revision
        """The commit that all parts of a build read; found out when its tasks are made."""
        if options.streaming:
            self.unit = "parts"

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """One task a shard, or one every `rows_per_part` rows. Raises UserError where the data set cannot
        be loaded."""
        self.revision = self._commit()
        loaded = self._load()
        inputs = self._inputs()
        if self.options.streaming:
            return [Task(inputs, (shard, shard + 1), 1) for shard in range(loaded.num_shards)]
        step = self.options.rows_per_part
        spans = [(low, min(low + step, len(loaded))) for low in range(0, len(loaded), step)]
        return [Task(inputs, span, span[1] - span[0]) for span in spans or [(0, 0)]]

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of a shard or of a run of rows. A row's key is the shard and its number in
        there."""
        assert task.span is not None
        low, high = task.span
        name = f"{Path(self.options.path).name}:{self.options.split}"
        where, first = (f"{name}:{low}", 0) if self.options.streaming else (name, low)
        number = first
        try:
            loaded = self._load()
            if self.options.streaming:
                rows: Any = iter(loaded.shard(loaded.num_shards, low))
            else:
                rows = (loaded[row] for row in range(low, high))
            for number in itertools.count(first):
                row = next(rows, None)
                if row is None:
                    break
                document = self.rows.document(row, where, number, ledger)
                meter(0 if self.options.streaming else number - low + 1)
                if document is not None:
                    yield document
        except UserError:
            raise
        except Exception as error:
            # The library lets errors of every kind through: of its parsers, of the Hub, of the network.
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            ledger.give_up(where, "cannot_read", describe(error), number)

    def _load(self) -> Any:
        try:
            import datasets
        except ImportError:
            raise missing_extra("datasets", "hub", "a source of type dataset") from None
        options = self.options
        try:
            loaded: Any = datasets.load_dataset(
                options.path,
                options.config,
                data_files=list(options.data_files) or None,
                split=options.split,
                revision=self.revision,
                streaming=options.streaming,
                **({"storage_options": options.storage_options} if options.storage_options else {}),
            )
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            what = (str(error).splitlines() or [""])[0]
            raise UserError(
                f"cannot load the data set: {type(error).__name__}: {what}",
                where=f"source.path: {options.path}",
            ) from None
        if not loaded.features:
            # Nobody knows the columns before the first row is read.
            return loaded
        try:
            chosen = self.rows.columns(list(_paths(loaded.features)))
        except UserError as error:
            raise UserError(error.what, where=f"source.path: {options.path}", mend=error.mend) from None
        heads = [n for n in loaded.features if any(c == n or c.startswith(f"{n}.") for c in chosen)]
        return loaded if options.keep is None else loaded.select_columns(heads)

    def _commit(self) -> str | None:
        """The commit of a Hub repository that the wanted revision is now; the revision itself where that
        cannot be told (no network, no repository)."""
        options = self.options
        pinned = re.fullmatch(r"[0-9a-f]{40}", options.revision or "")
        if pinned or options.data_files or Path(options.path).exists():
            return options.revision
        try:
            from huggingface_hub import HfApi

            return str(HfApi().dataset_info(options.path, revision=options.revision).sha)
        except Exception:
            # Whatever is wrong, loading the data set will tell it, or manage without the Hub.
            return options.revision

    def _inputs(self) -> tuple[Input, ...]:
        """What tells whether the data set has changed: its revision, or its local files."""
        options = self.options
        files = [name for name in options.data_files if not is_remote(name) and Path(name).is_file()]
        if files:
            return tuple(item for name in files for item in walk(name))
        if Path(options.path).is_dir():
            return tuple(walk(options.path))
        return (Input(f"{options.path}@{options.revision or ''}", options.path, None),)


def _paths(features: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Names of columns, and the paths of the fields within them."""
    for name, feature in features.items():
        yield above + name
        if isinstance(feature, Mapping):
            yield from _paths(feature, f"{above}{name}.")
