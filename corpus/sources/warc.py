"""Web archives: responses and WET conversions become documents.

A record's native key is the archive's file name and the record's offset. In gzip archives the offset is
that of
the record's own member, so that a byte range fetches it (as the indexes of Common Crawl have it); in others
it counts decompressed bytes. The id is a hash of both.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from datatrove.data import Document
from fastwarc.warc import ArchiveIterator, HeaderMap, WarcRecord, WarcRecordType

from corpus.extraction.base import Page, Reading
from corpus.extraction.engines import specify
from corpus.extraction.sandbox import Sandbox
from corpus.inputs import Input, find, open_input
from corpus.ledger import Ledger
from corpus.manifest import Archives, WarcSource
from corpus.sources import arc
from corpus.sources.base import Meter, Task, Unusable, clean, present
from corpus.sources.framing import Fault, Framed, frame
from corpus.sources.streams import Lost, Piece, Tally, unpack
from corpus.sources.window import Window
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError, describe
from gristmill.base.progress import Progress

KEPT_HEADERS = (
    "content-language",
    "content-signal",
    "content-usage",
    "last-modified",
    "link",
    "tdm-policy",
    "tdm-reservation",
    "x-robots-tag",
)
"""HTTP headers that later decisions may want (opt-outs, licences, dates), kept in `metadata.http`."""
_HEADER_CHARACTERS = 4000
_ENCODINGS = ("Content-Encoding", "Transfer-Encoding")
_ENDINGS = tuple(
    f".{kind}{packing}" for kind in ("warc", "wet", "arc") for packing in ("", ".gz", ".zst", ".lz4")
)
Record = Framed | arc.FramedArc | Fault | Lost
_PAGES = WarcRecordType.response | WarcRecordType.conversion


class Warc:
    """Web archives, one part each."""

    unit = "B"

    def __init__(self, options: Archives, name: str) -> None:
        self.options, self.name = options, name
        self.engine = specify(options.extract)

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """One task an archive."""
        assert isinstance(self.options, WarcSource)
        inputs = find(self.options.paths, self.options, wanted=is_archive)
        names = Counter(file_name(item) for item in inputs)
        for name, count in names.items():
            if count > 1:
                raise UserError(
                    f"{count} archives are called '{name}', which is the key of their pages",
                    where="source.paths",
                    mend="rename them, or build two stores",
                )
        return [Task((item,), size=item.size) for item in inputs]

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of an archive."""
        return self.documents(self._records(task, ledger, meter), ledger)

    def documents(self, met_pages: Iterator[Met], ledger: Ledger) -> Iterator[Document]:
        """What becomes of pages that were met, in their order; the rest is told to the ledger."""
        limits = self.options.extract
        sandbox = Sandbox(self.engine, timeout_seconds=limits.timeout_seconds, memory_mb=limits.memory_mb)
        with sandbox:
            # What is met is told when its turn comes: the next record is read while a page is extracted.
            for met, found in sandbox.read_ahead(met_pages):
                if not isinstance(met, _Record):
                    met()
                elif isinstance(found, Unusable):
                    met.drop(ledger, found)
                elif found is not None:
                    yield met.document(found)

    def _records(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Met]:
        """The pages of an archive, and in their places what the ledger is to be told."""
        (item,) = task.inputs
        try:
            stream = open_input(item.path, self.options, item.size)
        except OSError as error:
            yield partial(ledger.give_up, item.name, "cannot_open", describe(error)), None
            return
        with stream:
            raw = Tally(stream)
            window = Window(unpack(raw))
            window.fill(1)
            if window.peek(len(arc.MAGIC)) == arc.MAGIC:
                records: Iterator[Record] = arc.frame(window, self.options.max_record_bytes)
            else:
                records = frame(
                    window, self.options.max_record_bytes, lambda offset: self._again(item, offset), raw
                )
            pages = 0
            for found in records:
                meter(raw.count)
                if isinstance(found, Lost):
                    yield partial(ledger.give_up, item.name, found.reason, found.detail, found.offset), None
                    continue
                if isinstance(found, Fault):
                    if pages == 0 and found.reason == "junk" and not window.fill(1):
                        why = "holds no WARC or ARC record"
                        yield partial(ledger.give_up, item.name, "not_an_archive", why), None
                        return
                    if _is_page(found.header):
                        ledger.records += 1
                    yield (
                        partial(
                            ledger.drop,
                            item.name,
                            found.reason,
                            stage="read",
                            offset=found.offset,
                            detail=found.detail,
                        ),
                        None,
                    )
                    continue
                pages += 1
                met = self.record(found, item, ledger)
                if met is not None:
                    yield met
            ledger.input_bytes += raw.count
            if not pages and not any(lost.input == item.name for lost in ledger.incomplete):
                yield partial(ledger.give_up, item.name, "empty", "holds no record"), None

    def _again(self, item: Input, offset: int) -> Iterator[Piece]:
        if item.path.endswith((".zst", ".lz4")):
            raise OSError("no way into the middle of the stream")
        with open_input(item.path, self.options, item.size) as stream:
            stream.seek(offset)
            yield from unpack(Tally(stream))

    def record(self, found: Framed | arc.FramedArc, item: Input, ledger: Ledger) -> Met | None:
        """A record with its page, or a word to the ledger, or None for what is no page by its nature."""
        file = file_name(item)
        key = stable_id("warc", file, found.offset, *([found.inner] if found.inner else []))
        met = _Record(key, item.name, found.offset, present(source=self.name))
        data = found.as_warc() if isinstance(found, arc.FramedArc) else found.data
        try:
            record = parse(data)
            kind = _kind(record)
            if kind is not None:
                ledger.ignored[kind] += 1
                return None
            ledger.records += 1
            url = record.headers.get("WARC-Target-URI")
            met.fields |= present(
                url=clean(url.strip("<>")) if url else None,
                fetched_at=fetched_at(record.headers.get("WARC-Date")),
                language=self.options.language,
                license=self.options.license,
                warc_file=file,
                warc_offset=found.offset,
            )
            return met, self._page(record, data, met)
        except Unusable as bad:
            if bad.reason == "bad_header":
                ledger.records += 1
            return partial(met.drop, ledger, bad), None

    def _page(self, record: WarcRecord, data: bytes, met: _Record) -> Page:
        """The page of a record; its fields go to `met`. Raises Unusable."""
        url = met.fields.get("url")
        if record.record_type == WarcRecordType.revisit:
            raise Unusable("revisit", "read", record.headers.get("WARC-Refers-To-Target-URI") or "")
        if record.record_type == WarcRecordType.conversion:
            return Page(record.reader.read(), url, "utf-8", "text/plain")
        options = self.options
        body, record, trouble = payload(record, data, options.max_record_bytes)
        headers = record.http_headers
        if headers.status_code is None:
            raise Unusable("no_http", "read", trouble)
        if headers.status_code not in options.statuses:
            raise Unusable("http_status", "read", str(headers.status_code))
        if len(body) > options.max_record_bytes:
            raise Unusable("too_large", "read", "after decoding")
        stated = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        media = record.headers.get("WARC-Identified-Payload-Type") or stated or "text/html"
        if media not in options.media_types and stated not in options.media_types:
            raise Unusable("media_type", "read", media)
        if not body.strip():
            raise Unusable("empty_body", "read", trouble)
        http = {name: value for name in KEPT_HEADERS if (value := _header(headers, name))}
        met.fields |= present(media_type=clean(media), http=http or None)
        return Page(body, url, record.http_charset, media)


_Tell = Callable[[], None]


@dataclass(slots=True)
class _Record:
    """A record that may become a document."""

    id: str
    input: str
    offset: int
    fields: dict[str, Any]

    def drop(self, ledger: Ledger, bad: Unusable) -> None:
        """It does not."""
        ledger.drop(
            self.input, bad.reason, stage=bad.stage, offset=self.offset, id=self.id, detail=clean(bad.detail)
        )

    def document(self, found: Reading) -> Document:
        """It does."""
        fields = self.fields | present(charset=found.charset, title=found.title, page=found.signals or None)
        return Document(text=found.text, id=self.id, metadata=fields)


Met = tuple[_Record | _Tell, Page | None]
"""A record with its page, or what the ledger is to be told when its turn comes."""


def _header(headers: HeaderMap, name: str) -> str:
    """A header's value. One that is sent several times has a line for each: a comma would not do, since what
    an `X-Robots-Tag` says for one agent would then hold for its followers too."""
    return clean("\n".join(filter(None, headers.get_multiple(name)))[:_HEADER_CHARACTERS])


def parse(data: bytes) -> WarcRecord:
    """A framed record, its HTTP part not yet parsed. Raises Unusable."""
    try:
        record = next(iter(ArchiveIterator(io.BytesIO(data), parse_http=False)), None)
    except OSError as error:
        raise Unusable("bad_header", "read", describe(error)) from None
    if record is None:
        raise Unusable("bad_header", "read", "no record")
    return record


def _kind(record: WarcRecord) -> str | None:
    """What a record is that is no page by its nature; None for pages and for revisits of pages."""
    if (record.headers.get("WARC-Target-URI") or "").startswith("dns:"):
        return "dns"
    return None if record.record_type & (_PAGES | WarcRecordType.revisit) else str(record.record_type)


def payload(record: WarcRecord, data: bytes, limit: int) -> tuple[bytes, WarcRecord, str]:
    """A response's body, at most `limit` + 1 bytes of it, its record, and what was wrong with its encoding.

    Encodings that the headers state and the body has not (archives that store bodies decoded, as Common
    Crawl's of 2008 or ClueWeb09 do) are passed over.
    """
    trouble = ""
    for mode in ("all", "transfer", "none"):
        try:
            record.parse_http(auto_decode=mode, strict_mode=False)
            headers = record.http_headers
            if headers is not None and not any(headers.get(name) for name in _ENCODINGS):
                # The body is the record's end; the reader would copy it three times.
                begin = len(data) - record.content_length
                return data[begin : begin + limit + 1], record, trouble
            body = record.reader.read(limit + 1)
            if body or mode == "none":
                return body, record, trouble
        except OSError as error:
            trouble = describe(error)
        record = parse(data)
    return b"", record, trouble


def _is_page(header: bytes) -> bool:
    """Whether a record that cannot be used would have been a page."""
    types = [
        line.partition(b":")[2].strip()
        for line in header.splitlines()
        if line.lower().startswith(b"warc-type:")
    ]
    return not types or types[0] in (b"response", b"conversion", b"revisit")


def is_archive(name: str) -> bool:
    """Whether a file name says web archive."""
    return name.lower().endswith(_ENDINGS)


def file_name(item: Input) -> str:
    """An archive's file name, which is part of the key of its pages."""
    return item.name.rpartition("/")[2]


def fetched_at(value: str | None) -> datetime | None:
    """A WARC date as UTC without time zone; None if it is none (ClueWeb09 has `2008-10-294T…`)."""
    try:
        moment = datetime.fromisoformat((value or "").strip())
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment
