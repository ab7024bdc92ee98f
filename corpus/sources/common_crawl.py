"""Common Crawl by the names of its crawls: whole archives, or single records that its index names.

Everything is addressed by its path below the base (`crawl-data/CC-MAIN-…`), so the store is the same
whether it came from data.commoncrawl.org, from S3 or from a mirror; and a page has the same id whether
its archive was read or its record alone. A crawl is never changed after its publication: lists and
look-ups are kept in the store's log folder and asked for once.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from datatrove.data import Document

from corpus.inputs import Input, is_remote, read_whole, remote
from corpus.ledger import Ledger
from corpus.manifest import CommonCrawlSource
from corpus.sources import crawl_index
from corpus.sources.base import Meter, Task
from corpus.sources.framing import Framed, frame
from corpus.sources.ranges import Stretch, fetch_all, stretches
from corpus.sources.streams import Piece, Tally, unpack
from corpus.sources.warc import Met, Warc
from corpus.sources.window import Window
from corpus.transfer import Beyond, facts
from gristmill.base.atomic import atomic_write
from gristmill.base.digest import digest_json, stable_id
from gristmill.base.errors import UserError, describe
from gristmill.base.progress import Progress, Silent

_LOCAL = "file://"
PROBES = 8
"""Archives whose size is asked for before a build, to say how much there is to fetch."""


def _no_second_look(offset: int) -> Iterator[Piece]:
    """A record is all that was fetched: whether more of it follows elsewhere cannot be seen."""
    raise OSError("a single record")


class CommonCrawl:
    """Crawls by name. `cache` is the folder in which lists and look-ups are kept."""

    unit = "B"

    def __init__(self, options: CommonCrawlSource, name: str, cache: Path) -> None:
        self.options, self.cache = options, cache
        self.pages = Warc(options, name)

    def address(self, path: str) -> str:
        """Where a path of Common Crawl is to be had."""
        base = self.options.base_url
        if not is_remote(base):
            base = f"{_LOCAL}{Path(base).absolute()}"
        return f"{base.rstrip('/')}/{path}"

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """One task an archive, or one every `records_per_part` records of a look-up.

        Raises UserError for a crawl that is not there, a mistake in the look-up's conditions, and where
        lists or index cannot be read.
        """
        if self.options.lookup is not None:
            return self._records(progress or Silent())
        paths = [
            path
            for crawl in self.options.crawls
            for path in self._choose(self.listing(crawl, self.options.kind))
        ]
        if not paths:
            raise UserError("no archive is listed", where="source.crawls")
        sizes = self._sizes(paths)
        known = [size for size in sizes.values() if size is not None]
        usual = sum(known) // len(known) if known else None
        return [
            Task(
                (Input(path, self.address(path), None),),
                size=sizes.get(path) or usual,
                estimated=not sizes.get(path),
            )
            for path in paths
        ]

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of an archive, or of a run of records."""
        if task.span is None:
            return self.pages.read(task, ledger, meter)
        return self.pages.documents(self._fetched(task, ledger, meter), ledger)

    def _fetched(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Met]:
        """The pages of a run of records, and in their places what the ledger is to be told."""
        assert task.span is not None
        wanted = crawl_index.records(Path(task.inputs[0].path.removeprefix(_LOCAL)), *task.span)
        done = 0
        lost: set[str] = set()
        for stretch, got in fetch_all(stretches(wanted, self.options.gap_bytes), self.address, self.options):
            if isinstance(got, OSError):
                ledger.records += len(stretch.records)
                yield partial(self._not_fetched, stretch, got, lost, ledger), None
            else:
                ledger.input_bytes += len(got)
                for offset, length in stretch.records:
                    begin = offset - stretch.start
                    yield from self._record(got[begin : begin + length], offset, stretch.file, ledger)
            done += sum(length for _, length in stretch.records)
            meter(done)

    def _record(self, data: bytes, offset: int, file: str, ledger: Ledger) -> Iterator[Met]:
        """A record that was fetched alone; its place is the one that it has in its archive."""
        raw = Tally(io.BytesIO(data))
        first = next(frame(Window(unpack(raw)), self.options.max_record_bytes, _no_second_look, raw), None)
        if isinstance(first, Framed):
            met = self.pages.record(replace(first, offset=offset), Input(file, "", None), ledger)
            if met is not None:
                yield met
            return
        ledger.records += 1
        reason, detail = (first.reason, first.detail) if first is not None else ("empty", "")
        yield partial(ledger.drop, file, reason, stage="read", offset=offset, detail=detail), None

    def _not_fetched(self, stretch: Stretch, error: OSError, lost: set[str], ledger: Ledger) -> None:
        """Records that could not be had, and the archive that is incomplete for it."""
        reason = "bad_range" if isinstance(error, Beyond) else "not_fetched"
        name = stretch.file.rpartition("/")[2]
        for offset, _ in stretch.records:
            key = stable_id("warc", name, offset)
            ledger.drop(stretch.file, reason, stage="read", offset=offset, id=key, detail=describe(error))
        if reason == "not_fetched" and stretch.file not in lost:
            lost.add(stretch.file)
            missing = isinstance(error, FileNotFoundError | PermissionError)
            ledger.give_up(stretch.file, "cannot_open" if missing else "connection_lost", describe(error))

    def listing(self, crawl: str, kind: str) -> list[str]:
        """The paths that `<kind>.paths.gz` of a crawl lists."""
        kept = self.cache / f"{crawl}.{kind}.paths"
        if not kept.is_file():
            path = f"crawl-data/{crawl}/{kind}.paths.gz"
            try:
                text = gzip.decompress(read_whole(self.address(path), self.options))
            except FileNotFoundError:
                raise UserError(
                    f"there is no crawl '{crawl}' with a list of its {kind} files",
                    where=f"source.base_url: {self.options.base_url}",
                    mend="the names of crawls are on https://commoncrawl.org/get-started",
                ) from None
            except (OSError, EOFError, zlib.error) as error:
                raise UserError(
                    f"cannot read the list of archives: {describe(error)}",
                    where=f"{self.options.base_url.rstrip('/')}/{path}",
                ) from None
            atomic_write(kept, text)
        return [line for line in kept.read_text(encoding="utf-8").splitlines() if line]

    def _choose(self, paths: list[str]) -> list[str]:
        """The chosen archives of a crawl, in the order of its list."""
        choice = self.options.archives
        if choice is None:
            return paths
        if choice.first is not None:
            return paths[: choice.first]
        ranked = sorted(paths, key=lambda path: stable_id("sample", choice.seed, path))
        chosen = set(ranked[: choice.sample])
        return [path for path in paths if path in chosen]

    def _sizes(self, paths: Sequence[str]) -> dict[str, int | None]:
        """Sizes of some archives, evenly spaced; None where the server does not say."""
        step = max(1, len(paths) / PROBES)
        asked = list(dict.fromkeys(paths[int(number * step)] for number in range(min(PROBES, len(paths)))))
        kept = self.cache / f"sizes-{digest_json(asked)[:16]}.json"
        if kept.is_file():
            sizes: dict[str, int | None] = json.loads(kept.read_bytes())
            return sizes
        once = self.options.transfer.model_copy(update={"tries": min(2, self.options.transfer.tries)})

        def size(path: str) -> int | None:
            try:
                return facts(remote(self.address(path), self.options), once)[0]
            except OSError:
                # Nothing depends on it: reading the archive will tell what is wrong.
                return None

        with ThreadPoolExecutor(self.options.transfer.parallel) as pool:
            sizes = dict(zip(asked, pool.map(size, asked), strict=True))
        if all(sizes.values()):
            atomic_write(kept, json.dumps(sizes, indent=0))
        return sizes

    def _records(self, progress: Progress) -> list[Task]:
        lookup = self.options.lookup
        assert lookup is not None
        key = digest_json([list(self.options.crawls), lookup.model_dump(mode="json")])[:16]
        resolved = self.cache / f"lookup-{key}.parquet"
        digest = resolved.with_suffix(".sha256")
        if not digest.is_file():
            crawl_index.condition(lookup)
            asked = lookup.model_dump(mode="json", exclude={"sample", "seed"})
            found: list[Path] = []
            for crawl in self.options.crawls:
                names = [path for path in self.listing(crawl, "cc-index-table") if crawl_index.SUBSET in path]
                items = [Input(name, self.address(name), None) for name in names]
                folder = self.cache / f"index-{digest_json([crawl, asked])[:16]}"
                found += crawl_index.look_up(items, lookup, self.options, folder, progress)
            crawl_index.resolve(found, lookup, resolved)
        # A URL, for its name already says what is in it.
        item = Input(f"lookup-{digest.read_text()}", f"{_LOCAL}{resolved.absolute()}", None)
        tasks = [
            Task((item,), (low, high), size, high - low)
            for low, high, size in crawl_index.parts(resolved, self.options.records_per_part)
        ]
        if not tasks:
            raise UserError("the index knows no such record", where="source.lookup")
        return tasks
