"""The columnar index of a crawl: which records there are, found by conditions on domain, language, type
and more.

The index of a crawl is a Parquet table of some 300 files and 200 GB, sorted by reversed host name. DuckDB
asks for the footers, and then for those row groups and columns alone that the conditions leave; it reads
through `corpus.transfer`, so that a broken connection costs nothing. What each file gave is kept, so that
an interrupted look-up goes on where it was.

Layout and columns: https://commoncrawl.org/columnar-index (table `ccindex`, partitions `crawl` and
`subset`).
"""

from __future__ import annotations

import datetime
import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.spec import AbstractFileSystem

from corpus.inputs import Access, Input, open_blocks
from corpus.manifest import Lookup
from corpus.sources.slices import rows as slice_of
from corpus.transfer import Changed, Patience, Unavailable, end_with
from gristmill.base.atomic import atomic_path, atomic_write
from gristmill.base.errors import UserError, describe
from gristmill.base.progress import Progress

SUBSET = "/subset=warc/"
"""The part of the index over successful fetches; the others hold robots.txt files and failures."""
RECORDS = pa.schema([("file", pa.string()), ("offset", pa.int64()), ("length", pa.int64())])
"""A record: path of its archive, first byte and number of bytes of its gzip member."""
GROUP_ROWS = 1 << 16
_TWO_LETTERS = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel
bg:bul bi:bis bm:bam bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu
cv:chv cy:cym da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas
ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb
hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido
is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor
kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub
lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde
ne:nep ng:ndo nl:nld nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan
pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme
sg:sag si:sin sk:slk sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw st:sot su:sun sv:swe sw:swa
ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah
ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho
zu:zul
"""
ISO_639_3 = dict(pair.split(":") for pair in _TWO_LETTERS.split())
"""ISO 639-1 to ISO 639-3 (code tables of the registration authority, iso639-3.sil.org)."""


def language_code(code: str) -> str:
    """The three letters by which the index calls a language. Raises UserError for what is no code."""
    plain = code.lower()
    known = ISO_639_3.get(plain, plain)
    if len(known) != 3 or not known.isascii() or not known.isalpha():
        raise UserError(
            f"'{code}' is no language code",
            where="source.lookup.languages",
            mend="ISO 639-3 (deu) or two letters (de)",
        )
    return known


def condition(lookup: Lookup) -> tuple[str, dict[str, Any]]:
    """A look-up as an SQL condition over the index's columns, with its parameters.

    Raises UserError for a language that is none, and for SQL that is no condition.
    """
    parts: list[str] = []
    values: dict[str, Any] = {}
    columns: dict[str, list[str] | list[int]] = {
        "url_host_registered_domain": [name.lower().rstrip(".") for name in lookup.domains],
        "url_host_name": [name.lower().rstrip(".") for name in lookup.hosts],
        "url_host_tld": [name.lower().strip(".") for name in lookup.tlds],
        "content_mime_detected": [name.lower() for name in lookup.mime_types],
        "fetch_status": list(lookup.statuses),
    }
    for column, wanted in columns.items():
        if wanted:
            # Row groups are skipped by equality, and not by membership of a list.
            names = [f"{column}_{number}" for number in range(len(wanted))]
            parts.append("(" + " OR ".join(f"{column} = ${name}" for name in names) + ")")
            values |= dict(zip(names, wanted, strict=True))
    if lookup.languages:
        names = [f"language_{number}" for number in range(len(lookup.languages))]
        main = "split_part(content_languages, ',', 1)"
        parts.append("(" + " OR ".join(f"{main} = ${name}" for name in names) + ")")
        values |= dict(zip(names, map(language_code, lookup.languages), strict=True))
    if lookup.where is not None:
        _one_condition(lookup.where)
        parts.append(f"({lookup.where}\n)")
    return " AND ".join(parts) or "true", values


def _one_condition(where: str) -> None:
    """Raises UserError for what is no condition by itself: a bracket too many would undo the other ones."""
    try:
        if len(duckdb.extract_statements(f"SELECT 1 FROM ccindex WHERE {where}\n")) == 1:
            return
        what = "several statements"
    except duckdb.Error as error:
        what = (str(error).splitlines() or [""])[0]
    raise UserError(f"no SQL condition: {what}", where="source.lookup.where")


class Handle:
    """A file as DuckDB reads it, from several threads; each has its place, for it seeks and then reads."""

    def __init__(self, owner: IndexFile) -> None:
        self.owner = owner
        self.mine = threading.local()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte counted from the beginning."""
        self.mine.at = offset
        return offset

    def tell(self) -> int:
        """This thread's place."""
        return getattr(self.mine, "at", 0)

    def read(self, size: int) -> bytes:
        """As many bytes as asked for, but for the end of the file."""
        data = self.owner.read(self.tell(), size)
        self.mine.at = self.tell() + len(data)
        return data

    def close(self) -> None:
        """The owner closes the file."""


class IndexFile(AbstractFileSystem):
    """One file of an index, as a file system for DuckDB."""

    protocol = "crawlindex"
    cachable = False

    def __init__(self, item: Input, access: Access) -> None:
        super().__init__()
        self.path = f"{self.protocol}://{item.name}"
        self.file = open_blocks(item, access)
        self.bytes = self.file.seek(0, io.SEEK_END)
        self.error: OSError | None = None
        """What reading failed for: DuckDB only passes on its words."""
        self._guard = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from a place on. Raises OSError."""
        with self._guard:
            try:
                self.file.seek(offset)
                return self.file.read(size)
            except OSError as error:
                self.error = error
                raise

    def open(self, path: str, mode: str = "rb", **options: Any) -> Handle:
        """A handle of the file."""
        return Handle(self)

    def glob(self, path: str, **options: Any) -> list[str]:
        """The path itself: it is no pattern."""
        return [path]

    def exists(self, path: str, **options: Any) -> bool:
        """Whether it is the file."""
        return path == self.path

    def size(self, path: str) -> int:
        """Bytes of the file."""
        return self.bytes

    def modified(self, path: str) -> datetime.datetime:
        """Index files never change."""
        return datetime.datetime(2007, 1, 1, tzinfo=datetime.UTC)


def look_up(
    items: Sequence[Input], lookup: Lookup, access: Access, folder: Path, progress: Progress
) -> list[Path]:
    """Ask every file of an index; returns files of `RECORDS`, one an index file, that lie in `folder`.

    What is there already is not asked for again. Raises UserError for a mistake in the conditions, and
    where a file cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [folder / f"{number:05d}.parquet" for number in range(len(items))]
    missing = [number for number, path in enumerate(found) if not path.is_file()]
    task = progress.task("index", total=len(items), unit="files", done=len(items) - len(missing))
    stop = threading.Event()
    with ThreadPoolExecutor(access.transfer.parallel, initializer=end_with, initargs=(stop,)) as pool:
        ask = partial(_ask, lookup=lookup, access=access)
        try:
            for _ in pool.map(ask, [items[n] for n in missing], [found[n] for n in missing]):
                task.advance()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            task.close()
    return found


def _ask(item: Input, target: Path, *, lookup: Lookup, access: Access) -> None:
    """What one file of the index says, as a file."""
    patience = Patience(access.transfer)
    while True:
        try:
            with atomic_path(target) as path:
                _query(item, path, lookup, access)
            return
        except OSError as error:
            try:
                # A file that changes while it is read is read anew.
                patience.wait(Unavailable("the file changed") if isinstance(error, Changed) else error)
            except OSError as last:
                raise UserError(
                    f"cannot read the index: {describe(last)}",
                    where=item.name,
                    mend="the same command goes on where it stopped",
                ) from None


def _query(item: Input, target: Path, lookup: Lookup, access: Access) -> None:
    """Raises OSError where the file cannot be read, UserError for conditions that make no sense."""
    where, values = condition(lookup)
    file = IndexFile(item, access)
    query = (
        "SELECT warc_filename AS file, warc_record_offset::BIGINT AS offset,"
        " warc_record_length::BIGINT AS length"
        f" FROM read_parquet('{file.path}', hive_partitioning = true) WHERE {where}"
    )
    try:
        with closing(file.file), duckdb.connect(config={"threads": 1}) as database:
            database.register_filesystem(file)
            _write(database.sql(query, params=values), target)
    except (OSError, duckdb.Error, pa.ArrowException) as error:
        if file.error is not None:
            raise file.error from None
        if isinstance(error, OSError):
            raise
        what = (str(error).splitlines() or [""])[0]
        raise UserError(f"cannot look up: {what}", where="source.lookup") from None


def _write(rows: duckdb.DuckDBPyRelation, target: Path) -> None:
    """Rows as a file of `RECORDS`, a group at a time."""
    with closing(pq.ParquetWriter(target, RECORDS, compression="zstd")) as writer:
        for batch in cast(Any, rows.to_arrow_reader(GROUP_ROWS)):
            writer.write_table(pa.Table.from_batches([batch]).cast(RECORDS), row_group_size=GROUP_ROWS)


def resolve(found: Sequence[Path], lookup: Lookup, target: Path) -> None:
    """Join what the index files gave: each record once, in the order of archives and offsets; a sample of
    them if the look-up wants one."""
    source = (
        '(SELECT DISTINCT ON (file, "offset") file, "offset", length FROM read_parquet($found)'
        ' ORDER BY file, "offset", length)'
    )
    values: dict[str, Any] = {"found": [str(path) for path in found]}
    if lookup.sample is not None:
        source = (
            f"(SELECT * FROM {source} ORDER BY md5($seed || ' ' || file || ' ' || \"offset\"),"
            ' file, "offset" LIMIT $n)'
        )
        values |= {"seed": str(lookup.seed), "n": lookup.sample}
    options: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2,
        "temp_directory": str(target.parent),
    }
    with duckdb.connect(config=options) as database, atomic_path(target) as path:
        _write(database.sql(f'SELECT * FROM {source} ORDER BY file, "offset"', params=values), path)
    atomic_write(target.with_suffix(".sha256"), digest(target))


def digest(resolved: Path) -> str:
    """SHA-256 over the records of a resolved look-up, whatever wrote the file."""
    state = hashlib.sha256()
    batches: Iterator[pa.RecordBatch] = pq.ParquetFile(resolved).iter_batches()
    for batch in batches:
        columns: list[list[Any]] = [column.to_pylist() for column in batch.columns]
        for file, offset, length in zip(*columns, strict=True):
            state.update(f"{file} {offset} {length}\n".encode())
    return state.hexdigest()


def parts(resolved: Path, step: int) -> list[tuple[int, int, int]]:
    """Runs of `step` records: first, behind the last, bytes."""
    with duckdb.connect() as database:
        rows = database.execute(
            "SELECT file_row_number // $step AS part, count(*), sum(length)"
            " FROM read_parquet($path, file_row_number = true) GROUP BY part ORDER BY part",
            {"step": step, "path": str(resolved)},
        ).fetchall()
    return [(part * step, part * step + count, int(size)) for part, count, size in rows]


def records(resolved: Path, low: int, high: int) -> list[tuple[str, int, int]]:
    """The records [low, high) of a resolved look-up: archive, offset, length."""
    return list(zip(*(column.to_pylist() for column in slice_of(resolved, low, high).columns), strict=True))
