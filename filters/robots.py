"""What archived robots.txt files say of an address (RFC 9309, and the usage preferences that are put into the
same file).

`gristmill corpus robots` makes the table: one Parquet file, sorted by host, a row for each scheme and host.
It may be far larger than memory: hosts are found by the statistics of its row groups, and few row groups are
held at a time."""

from __future__ import annotations

import functools
import logging
import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from protego import Protego

from filters.urls import Url, parse_url
from gristmill.base.digest import sha256_file
from gristmill.base.errors import UserError

SCHEMA = pa.schema(
    [
        ("host", pa.string()),
        ("scheme", pa.string()),
        ("status", pa.int32()),
        ("location", pa.string()),
        ("body", pa.string()),
        ("fetched_at", pa.timestamp("us")),
    ]
)
"""`host`: small letters, ASCII, with a port that is not the scheme's own. `status`: of the HTTP answer.
`location`: where a redirect leads, absolute. `body`: of an answer with status 200. Sorted by host and scheme,
each pair once."""
DIGEST = b"gristmill.digest"
"""Key of the file's metadata that holds the digest of its rows."""
MAX_REDIRECTS = 5
"""RFC 9309, section 2.3.1.2: "at least five consecutive redirects"."""
GROUPS_HELD = 16
PARSED_HELD = 4096
_AGENT = re.compile(r"user-?\s?agent\s*:\s*([^#\r\n]*)", re.IGNORECASE)
_USAGE = re.compile(r"content-(usage|signal)\s*:\s*([^#\r\n]*)", re.IGNORECASE)
_TRAINING = {
    "usage": re.compile(r"(?:^|[,\s])train-ai\s*=\s*(n|y)\b"),
    "signal": re.compile(r"(?:^|[,\s])ai-train\s*=\s*(no|yes)\b"),
}

logging.getLogger("protego").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Robots:
    """An archived answer to the question for robots.txt."""

    status: int | None
    location: str | None
    body: str

    @property
    def known(self) -> bool:
        """Whether it says anything: a server in trouble (5xx, 429) says nothing that holds for later."""
        return self.status is not None and self.status < 500 and self.status != 429


class RobotsTable:
    """Look-ups in a table of robots.txt files."""

    def __init__(self, path: str | Path) -> None:
        """Open a table. Raises UserError for a file that is none."""
        self.path = Path(path)
        try:
            self._file = pq.ParquetFile(self.path)
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(
                f"cannot read the table of robots.txt: {str(error).splitlines()[0]}", where=str(path)
            ) from None
        if not set(SCHEMA.names) <= set(self._file.schema_arrow.names):
            raise UserError(
                "not a table of robots.txt",
                where=str(path),
                mend="`gristmill corpus robots ARCHIVES --output FILE` makes one",
            )
        metadata = self._file.metadata
        column = self._file.schema_arrow.names.index("host")
        bounds = [
            metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)
        ]
        self._firsts = [bound.min for bound in bounds]
        self._lasts = [bound.max for bound in bounds]
        self._held: OrderedDict[int, pa.Table] = OrderedDict()

    def find(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Robots]:
        """The answers for pairs of host and scheme, of those that are in the table."""
        wanted: dict[int, list[tuple[str, str]]] = {}
        for key in keys:
            first = bisect_left(self._lasts, key[0])
            for group in range(first, bisect_right(self._firsts, key[0])):
                wanted.setdefault(group, []).append(key)
        found: dict[tuple[str, str], Robots] = {}
        for group in sorted(wanted):
            rows = self._group(group, {host for host, _ in wanted[group]})
            found.update((key, rows[key]) for key in wanted[group] if key in rows)
        return found

    def _group(self, group: int, hosts: set[str]) -> dict[tuple[str, str], Robots]:
        """The rows of these hosts in a row group; the group stays for the next batch."""
        table = self._held.pop(group, None)
        if table is None:
            while len(self._held) >= GROUPS_HELD:
                self._held.popitem(last=False)
            table = self._file.read_row_group(group, columns=["host", "scheme", "status", "location", "body"])
        self._held[group] = table
        some = table.filter(pc.is_in(table["host"], pa.array(sorted(hosts), pa.string())))
        return {
            (row["host"], row["scheme"]): Robots(row["status"], row["location"], row["body"] or "")
            for row in some.to_pylist()
        }

    def answers(self, urls: Sequence[Url | None]) -> list[Robots | None]:
        """The answer that holds for each address: that of its scheme and host, or of the host under the other
        scheme; redirects to the robots.txt of another host are followed. None where the archive holds
        none."""
        found: list[Robots | None] = [None] * len(urls)
        waiting = {
            number: [(url.authority, scheme) for scheme in (url.scheme, _OTHER[url.scheme])]
            for number, url in enumerate(urls)
            if url is not None
        }
        for _ in range(MAX_REDIRECTS + 1):
            known = self.find(sorted({key for keys in waiting.values() for key in keys}))
            following = {}
            for number, keys in waiting.items():
                found[number] = answer = next((known[key] for key in keys if key in known), None)
                target = parse_url(answer.location) if answer is not None and answer.location else None
                if target is not None and target.path == "/robots.txt":
                    found[number] = None
                    following[number] = [(target.authority, target.scheme)]
            waiting = following
        return found


_OTHER = {"http": "https", "https": "http"}


def table_digest(path: Path) -> str:
    """What a table says: the digest that it carries, or that of the file."""
    try:
        carried = (pq.read_metadata(path).metadata or {}).get(DIGEST)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(
            f"cannot read the table of robots.txt: {str(error).splitlines()[0]}", where=str(path)
        ) from None
    return carried.decode() if carried else sha256_file(path)


@functools.lru_cache(maxsize=2)
def open_table(path: Path) -> RobotsTable:
    """A table, opened once a process."""
    return RobotsTable(path)


@functools.lru_cache(maxsize=PARSED_HELD)
def _parsed(body: str) -> Protego:
    return Protego.parse(body)


def disallowed(answer: Robots, address: str, agents: Sequence[str]) -> list[str] | None:
    """Which of the agents may not fetch an address; None where nothing is known.

    RFC 9309, section 2.3.1: of a file that is not there (4xx) all may fetch everything; a redirect that leads
    nowhere in the archive and a server in trouble say nothing."""
    if not answer.known or (answer.status is not None and 300 <= answer.status < 400):
        return None
    if answer.status is None or answer.status >= 400 or not answer.body:
        return []
    parsed = _parsed(answer.body)
    return [agent for agent in agents if not parsed.can_fetch(address, agent)]


def training_refused(body: str, path: str, agents: Sequence[str]) -> bool:
    """Whether usage preferences in a robots.txt refuse training on a path to everybody or to one of the
    agents.

    `Content-Usage: train-ai=n` (draft-ietf-aipref-attach) and `Content-Signal: ai-train=no`
    (contentsignals.org), in the group of an agent or of "*", for the whole site or for paths (`Content-Usage:
    /docs/ train-ai=y`): the longest path that fits counts, and of two as long the one that refuses."""
    small = body.lower()
    if "content-usage" not in small and "content-signal" not in small:
        return False
    names = {"*", *(agent.lower() for agent in agents)}
    heard = named = False
    longest, refused = -1, False
    for line in body.splitlines():
        if agent := _AGENT.match(line.strip()):
            heard = (heard and named) or agent[1].strip().lower() in names
            named = True
            continue
        named = named and not line.split("#")[0].strip()
        usage = _USAGE.match(line.strip()) if heard else None
        if usage is None:
            continue
        prefix, _, rest = (
            usage[2].strip().partition(" ") if usage[2].strip().startswith("/") else ("", "", usage[2])
        )
        refuses = training_preference(usage[1].lower(), rest)
        if refuses is not None and path.startswith(prefix.rstrip("*$")) and len(prefix) >= longest:
            refused = refuses or (refused and len(prefix) == longest)
            longest = len(prefix)
    return refused


def training_preference(kind: str, value: str) -> bool | None:
    """Whether a preference (`kind`: `usage` or `signal`) refuses training; None where it does not speak of
    it."""
    match = _TRAINING[kind].search(value.lower())
    return match[1].startswith("n") if match else None
