"""Write the demonstration crawl: `python -m gristmill.demo.crawl FOLDER`.

It runs in a process of its own, since documenting a module means importing it.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import platform
import sys
import uuid
import warnings
from importlib import metadata
from pathlib import Path

from fastwarc.warc import WarcRecord, WarcRecordType

from gristmill import __version__
from gristmill.base.atomic import atomic_open, atomic_write
from gristmill.base.digest import canonical_json, digest_json
from gristmill.demo.pages import DOCUMENTED_PACKAGES, Page, site_pages

CRAWL_DATE = "2026-11-01T00:00:00Z"
"""Given to all records: the crawl is a rendering, not a visit, and its bytes shall not depend on the hour."""

ARCHIVES = 4
"""The crawl comes in several archives, so that more than one worker has something to do."""

_REASONS = {200: "OK", 301: "Moved Permanently", 404: "Not Found"}


def crawl_key() -> str:
    """Identity of the crawl that this installation gives: Python and the documented packages by version."""
    names = sorted({package.split(".")[0] for package in DOCUMENTED_PACKAGES})
    versions: dict[str, str] = {"python": platform.python_version(), "gristmill": __version__}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return digest_json(versions)


def is_current(folder: Path) -> bool:
    """Whether the folder holds the whole crawl of this installation."""
    stamp = folder / "crawl.json"
    return stamp.is_file() and stamp.read_bytes() == _stamp()


def _stamp() -> bytes:
    return canonical_json({"key": crawl_key(), "archives": ARCHIVES})


def _record(page: Page) -> bytes:
    """A response record as a gzip member of its own, as archives have it."""
    head = f"HTTP/1.1 {page.status} {_REASONS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
    head += f"Content-Length: {len(page.body)}\r\n"
    if page.status == 301:
        head += "Location: /3/library/index.html\r\n"
    # Fixed where a crawler would draw at random, so that the archive is the same on every run.
    identity = uuid.uuid5(uuid.NAMESPACE_URL, page.url)
    record = WarcRecord()
    record.init_headers(record_type=WarcRecordType.response, record_urn=f"uuid:{identity}".encode())
    record.headers["WARC-Date"] = CRAWL_DATE
    record.headers["WARC-Target-URI"] = page.url
    record.headers["Content-Type"] = "application/http; msgtype=response"
    record.set_bytes_content(head.encode() + b"\r\n" + page.body)
    plain = io.BytesIO()
    record.write(plain)
    return gzip.compress(plain.getvalue(), mtime=0)


def write_crawl(folder: Path) -> int:
    """Render all pages into `crawl-0000N.warc.gz`; returns the number of pages."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        pages = list(site_pages())
    for number in range(ARCHIVES):
        with atomic_open(folder / f"crawl-{number:05d}.warc.gz") as file:
            for page in pages[number::ARCHIVES]:
                file.write(_record(page))
    atomic_write(folder / "crawl.json", _stamp())
    return len(pages)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    # The pages of `os` and `sys` show these: neither a user's secrets nor chance shall get into the text.
    os.environ.clear()
    sys.argv[:] = sys.orig_argv[:] = [""]
    print(write_crawl(target))
