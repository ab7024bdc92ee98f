"""The key of documents that are the same page: their address without what does not tell pages apart.

Steps that keep what an address means are RFC 3986, section 6.2.2 and 6.2.3. The scheme, `www.`, the order of
parameters, sessions and tracking are folded by web archives too (surt, the canonicalisation of the Internet
Archive and of Common Crawl's index); which parameters only track visitors is documented by those who add them
(`filters.urls.TRACKING`). What joins different pages on many servers is an option, and off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.base import TextView
from filters.domains import registrable_domain
from filters.urls import (
    INDEXES,
    MAX_CHARACTERS,
    PORTS,
    escape,
    escape_path,
    in_order,
    is_tracking,
    items,
    segments,
    split_url,
    without_session,
)

_ESCAPE = re.compile(r"%[0-9a-f]{2}")
_CAPITALS = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


class UrlKey:
    """url.key: the address in the form in which addresses of the same page are equal; null where there is no
    address of the web. `filters.dedup.same_url` groups documents by it.

    Always: scheme and host in small letters, the host in ASCII, no user, no default port; escapes in one form
    (RFC 3986, 6.2.2.1, 6.2.2.2, 6.2.3); dot segments resolved (5.2.4, 6.2.2.3); an empty path is "/"; no
    fragment but one that begins with "!", behind which scripts had their pages (Google's AJAX crawling scheme
    of 2009).

    Args:
        scheme: http and https are one (the key says https).
        www: `www.` goes where a name is left that somebody registered.
        tracking: parameters of `filters.urls.TRACKING` and SESSION go, and sessions in the path.
        sort: parameters stand in the order of their names.
        trailing_slash: a slash at the end goes. RFC 3986 knows no such rule: a server may well have both.
        index_pages: a directory's own page (`filters.urls.INDEXES`) goes, the slash before it stays. Wrong
            where `index.php` and the directory's page differ.
        case: path and parameters in small letters: right for servers whose file names have no case.
        query: whether parameters count at all. Without, all pages of `?id=` are one.
        parameters: more parameters that go; `ref_*` stands for all that begin with `ref_`.
    """

    name = "url_key"
    version = "1"
    columns: Mapping[str, pa.DataType] = {"url.key": pa.string()}

    def __init__(  # noqa: PLR0917 (options of a manifest, given by name)
        self,
        scheme: bool = True,
        www: bool = True,
        tracking: bool = True,
        sort: bool = True,
        trailing_slash: bool = False,
        index_pages: bool = False,
        case: bool = False,
        query: bool = True,
        parameters: Sequence[str] = (),
    ) -> None:
        self.scheme, self.www, self.tracking, self.sort = scheme, www, tracking, sort
        self.slash, self.index, self.case, self.query = trailing_slash, index_pages, case, query
        small = [parameter.lower() for parameter in parameters]
        self.dropped = frozenset(name for name in small if not name.endswith("*"))
        self.prefixes = tuple(name[:-1] for name in small if name.endswith("*"))

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array, as long as the batch."""
        addresses = [document.get("url") for document in documents]
        keys = [self.key(address) if isinstance(address, str) else None for address in addresses]
        return {"url.key": pa.array(keys, pa.string())}

    def key(self, address: str) -> str | None:
        """The key of an address, an address itself; None for what is no address of the web."""
        raw = split_url(address)
        if raw is None:
            return None
        # With both schemes one, a port that either of them need not name tells nothing.
        default = PORTS.values() if self.scheme else (PORTS[raw.scheme],)
        port = f":{raw.port}" if raw.port and raw.port not in default else ""
        query = self._query(raw.query) if self.query and raw.query else ""
        fragment = f"#{escape(raw.fragment)}" if len(raw.fragment) > 1 and raw.fragment[0] == "!" else ""
        key = (
            f"{'https' if self.scheme else raw.scheme}://{_bare(raw.host) if self.www else raw.host}"
            f"{port}{self._path(raw.path)}{query}{fragment}"
        )
        return key if len(key) <= MAX_CHARACTERS else None

    def _path(self, raw: str) -> str:
        path = escape_path(raw)
        if self.case:
            path = _small(path)
        kept = segments(without_session(path) if self.tracking else path)
        if self.index and kept and INDEXES.fullmatch(kept[-1]):
            kept[-1] = ""
        # What both leave may be the same again ("/index.php/index.php").
        while self.slash and kept and (not kept[-1] or (self.index and INDEXES.fullmatch(kept[-1]))):
            kept.pop()
        return "/" + "/".join(kept)

    def _query(self, raw: str) -> str:
        query = escape(raw)
        kept = [item for item in items(_small(query) if self.case else query) if not self._goes(item)]
        return "?" + "&".join(in_order(kept) if self.sort else kept) if kept else ""

    def _goes(self, item: str) -> bool:
        name = item.partition("=")[0].lower()
        return (
            (self.tracking and is_tracking(item))
            or name in self.dropped
            or (bool(self.prefixes) and name.startswith(self.prefixes))
        )


def _bare(host: str) -> str:
    """A host without `www.`, where a name that somebody registered is left."""
    while host.startswith("www.") and registrable_domain(host[4:]) is not None:
        host = host[4:]
    return host


def _small(text: str) -> str:
    """ASCII in small letters; escapes keep their capitals."""
    return _ESCAPE.sub(lambda found: found[0].upper(), text.translate(_CAPITALS))
