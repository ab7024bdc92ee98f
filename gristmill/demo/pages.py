"""The pages of the demonstration crawl: language topics, module pages of pydoc, and documented objects.

Everything comes from this Python installation; nothing is fetched.
"""

from __future__ import annotations

import html
import importlib
import inspect
import pkgutil
import pydoc
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass

from gristmill.demo.docstring import to_html

SITE = "docs.example.org"

SKIPPED_MODULES = frozenset(
    ["antigravity", "this", "idlelib", "lib2to3", "test", "turtledemo", "tkinter", "turtle", "__main__"]
)
"""Modules whose import opens windows, prints or is only for tests."""

DOCUMENTED_PACKAGES = (
    "numpy", "numpy.linalg", "numpy.fft", "numpy.random", "numpy.polynomial.chebyshev",
    "numpy.polynomial.hermite", "numpy.polynomial.legendre", "numpy.ma",
    "torch", "torch.nn", "torch.nn.functional", "torch.linalg", "torch.special", "torch.fft", "torch.optim",
    "torch.distributions", "torch.nn.init", "torch.utils.data",
    "pyarrow", "pyarrow.compute", "pyarrow.parquet", "fsspec", "pydantic", "rich.table", "rich.text",
)  # fmt: skip
"""Packages of the installation whose docstrings carry prose, examples and LaTeX."""

SHORTEST_DOCSTRING = 250
"""Characters; objects with less are listed on their index page only."""

_ADDRESS = re.compile(r"(?:\s|&nbsp;)(?:at|handle)(?:\s|&nbsp;)(?:0x)?[0-9a-f]{6,}")
_FILE_LINK = re.compile(r'<a href="file:[^"]*">[^<]*</a>')
_FILE_SECTION = re.compile(r"(?:file:)?/(?:[\w.+-]+/)+[\w.+-]+\.py")


@dataclass(frozen=True)
class Page:
    """One answer of the crawled server. The body is what a browser would get."""

    path: str
    body: bytes
    status: int = 200
    content_type: str = "text/html; charset=utf-8"

    @property
    def url(self) -> str:
        return f"https://{SITE}{self.path}"


def site_pages() -> Iterator[Page]:
    """All pages, in a fixed order: what a polite crawler of this site would bring home."""
    yield Page("/robots.txt", b"User-agent: *\nAllow: /\n", content_type="text/plain")
    yield from _topic_pages()
    yield from _module_pages()
    yield from _object_pages()
    yield Page("/3/moved.html", b"", 301)
    missing = _page("Not found", "<h1>404</h1><p>There is no such page here.</p>", "/3/gone.html")
    yield Page("/3/gone.html", missing.body, 404)
    yield Page("/logo.png", bytes.fromhex("89504e470d0a1a0a0000000d49484452"), content_type="image/png")


def _page(title: str, main: str, path: str) -> Page:
    """A page in the site's dress: navigation above, footer below, the content in between."""
    crumbs = " &raquo; ".join(
        f'<a href="/{part}/">{html.escape(part)}</a>' for part in path.strip("/").split("/")[:-1]
    )
    body = f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{html.escape(title)}</title>
<link rel="stylesheet" href="/_static/site.css"><script>var theme = "light"; load(theme);</script></head>
<body>
<header><nav><ul>
<li><a href="/">Home</a></li><li><a href="/3/">Library</a></li><li><a href="/topics/">Topics</a></li>
<li><a href="/search">Search</a></li><li>{crumbs}</li>
</ul></nav></header>
<main role="main"><article>
{main}
</article></main>
<footer><p>&copy; The authors. <a href="/about">About</a> <a href="/privacy">Privacy policy</a>
<a href="/cookies">Cookies</a></p></footer>
</body></html>
"""
    return Page(path, body.encode("utf-8", "replace"))


def _index(title: str, path: str, links: list[tuple[str, str]]) -> Page:
    items = "\n".join(f'<li><a href="{href}">{html.escape(name)}</a></li>' for name, href in links)
    return _page(title, f"<h1>{html.escape(title)}</h1><ul>{items}</ul>", path)


def _topic_pages() -> Iterator[Page]:
    """The language reference that `help()` shows; served under two addresses, as many sites do."""
    from pydoc_data.topics import topics

    names = sorted(topics)
    yield _index("Topics", "/topics/index.html", [(name, f"/topics/{name}.html") for name in names])
    for name in names:
        main = f"<h1>{html.escape(name)}</h1>\n{to_html(topics[name])}"
        page = _page(f"{name} — language reference", main, f"/topics/{name}.html")
        yield page
        if len(main) > 20_000:
            yield Page(f"/latest/topics/{name}.html", page.body)


def standard_library() -> list[str]:
    """Names of the public modules of the standard library, without those in `SKIPPED_MODULES`."""
    names: set[str] = set()
    for name in sys.stdlib_module_names:
        if name.startswith("_") or name in SKIPPED_MODULES:
            continue
        names.add(name)
        module = _import(name)
        for inner in pkgutil.iter_modules(getattr(module, "__path__", [])):
            if not inner.name.startswith("_") and inner.name not in ("test", "tests"):
                names.add(f"{name}.{inner.name}")
    return sorted(names)


def _import(name: str) -> types.ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:
        # Not every module imports on every system; a site would simply not have that page.
        return None


def _module_pages() -> Iterator[Page]:
    renderer = pydoc.HTMLDoc()
    names = standard_library()
    yield _index("Library", "/3/library/index.html", [(name, f"/3/library/{name}.html") for name in names])
    for name in names:
        if (module := _import(name)) is None:
            continue
        try:
            rendered = renderer.page(name, renderer.document(module, name))
        except Exception:
            continue
        rendered = _FILE_SECTION.sub("", _FILE_LINK.sub("", _ADDRESS.sub("", rendered)))
        yield Page(f"/3/library/{name}.html", rendered.encode("utf-8", "replace"))


def _object_pages() -> Iterator[Page]:
    seen: set[int] = set()
    for package in DOCUMENTED_PACKAGES:
        module = _import(package)
        if module is None:
            continue
        links: list[tuple[str, str]] = []
        for name in sorted(vars(module)):
            value = inspect.getattr_static(module, name, None)
            if name.startswith("_") or isinstance(value, types.ModuleType) or not callable(value):
                continue
            path = f"/packages/{package}.{name}.html"
            links.append((name, path))
            docstring = getattr(value, "__doc__", None)
            long_enough = isinstance(docstring, str) and len(docstring) >= SHORTEST_DOCSTRING
            if not long_enough or id(value) in seen:
                continue
            seen.add(id(value))
            signature = _ADDRESS.sub("", _signature(value))
            heading = f"<h1>{html.escape(f'{package}.{name}')}</h1>"
            main = f"{heading}\n<pre>{html.escape(name + signature)}</pre>\n{to_html(docstring or '')}"
            yield _page(f"{package}.{name}", _ADDRESS.sub("", main), path)
        yield _index(package, f"/packages/{package}/index.html", links)


def _signature(value: object) -> str:
    try:
        return str(inspect.signature(value))  # type: ignore[arg-type]  # anything callable may be asked
    except (TypeError, ValueError):
        return "(...)"
