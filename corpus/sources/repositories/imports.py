"""Which files of a repository a file imports, by cheap patterns, one table for all languages.

A pattern sees lines, not syntax: an import in a comment counts, one that is computed does not. What is
outside of the repository resolves to nothing; what could be several files resolves to the nearest one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname, join, normpath

MOST_TARGETS = 64
"""A package of more files says too little about what is needed of it."""
MOST_ALIKE = 512
"""Files of the same name and folder name among which the nearest is looked for."""
MOST_CHARACTERS = 200_000
"""Imports are looked for at the beginning of a file."""


class Index:
    """The files of a repository by what imports call them."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.folders: dict[str, list[str]] = defaultdict(list)
        self._tails: dict[str, list[str]] = defaultdict(list)
        self._packages: dict[str, list[str]] = defaultdict(list)
        self._folder_names: dict[str, set[str]] = defaultdict(set)
        module = re.search(r"^module[ \t]+(\S+)", files.get("go.mod", ""), re.MULTILINE)
        self.go_module = module[1] if module else None
        """The path of the Go module that the repository is (go.dev/ref/mod, "Module paths")."""
        for path in sorted(files):
            folder = dirname(path)
            self.folders[folder].append(path)
            self._folder_names[folder.rpartition("/")[2]].add(folder)
            parts = path.rsplit("/", 2)
            self._tails[parts[-1]].append(path)
            if len(parts) > 1:
                self._tails["/".join(parts[-2:])].append(path)
            language = LANGUAGES.get(ending(path))
            if language is not None and language.package is not None:
                for match in language.package.finditer(files[path][:MOST_CHARACTERS]):
                    self._packages[f"{language.name}:{match[1]}"].append(path)

    def first(self, *paths: str) -> list[str]:
        """The first of these paths that there is."""
        return next(([path] for path in paths if path in self.files), [])

    def nearest(self, near: str, *tails: str) -> list[str]:
        """The first of these ends of a path that a file has: of several files the one in the folder that
        shares most with `near`, then the shortest, then the first."""
        for tail in (one.strip("/") for one in tails):
            parts = tail.rsplit("/", 2)
            alike = self._tails.get("/".join(parts[-2:]), [])
            if len(alike) > MOST_ALIKE:
                continue
            found = [path for path in alike if path == tail or path.endswith(f"/{tail}")]
            if found:
                return [min(found, key=lambda path: (-_shared(path, near), path.count("/"), path))]
        return []

    def package(self, language: str, name: str) -> list[str]:
        """The files that say that they are of a package."""
        found = self._packages.get(f"{language}:{name}", [])
        return found if len(found) <= MOST_TARGETS else []

    def folder(self, tail: str, near: str, endings: tuple[str, ...]) -> list[str]:
        """The files with these endings in the nearest folder that ends so."""
        tail = tail.strip("/")
        named = self._folder_names.get(tail.rpartition("/")[2], ())
        alike = [name for name in named if name == tail or name.endswith(f"/{tail}")]
        if not tail or not alike:
            return []
        chosen = min(alike, key=lambda name: (-_shared(f"{name}/", near), name.count("/"), name))
        found = [path for path in self.folders[chosen] if path.endswith(endings)]
        return found if len(found) <= MOST_TARGETS else []


def _shared(path: str, other: str) -> int:
    """How many folders two paths share from the top."""
    count = 0
    for one, two in zip(path.split("/")[:-1], other.split("/")[:-1], strict=False):
        if one != two:
            break
        count += 1
    return count


Resolve = Callable[[tuple[str, ...], str, Index], Iterable[str]]
"""From the groups of a match, and the importing file, to files of the repository."""


@dataclass(frozen=True, slots=True)
class Language:
    """How a language imports."""

    name: str
    endings: tuple[str, ...]
    imports: re.Pattern[str] | None
    resolve: Resolve | None
    package: re.Pattern[str] | None = None
    """How a file says what package it is of."""


def ending(path: str) -> str:
    """What a file's name ends with: `.py`."""
    return "." + path.rpartition("/")[2].rpartition(".")[2].lower()


def references(files: Mapping[str, str]) -> dict[str, list[str]]:
    """Of each file the other files that it imports, sorted."""
    index = Index(files)
    found = {}
    for path in sorted(files):
        language = LANGUAGES.get(ending(path))
        targets: set[str] = set()
        if language is not None and language.imports is not None and language.resolve is not None:
            for match in language.imports.finditer(files[path][:MOST_CHARACTERS]):
                targets.update(language.resolve(match.groups(""), path, index))
        found[path] = sorted(targets - {path})
    return found


def _beside(path: str, name: str) -> str:
    """A path relative to a file's folder, as one from the top; leaving the repository is no path."""
    joined = normpath(join(dirname(path), name))
    return "" if joined.startswith("..") else joined


def _python(groups: tuple[str, ...], path: str, index: Index) -> Iterator[str]:
    """`import a.b, c` and `from ..a import b, c` (docs.python.org, reference, 5.2, 5.7, 7.11): a name that is
    imported may be a module or something in one."""
    source, names, plain = groups
    if plain:
        for name in plain.split(","):
            yield from _module(name.split(" as ")[0].strip(), path, index)
        return
    level = len(source) - len(source.lstrip("."))
    inner = source[level:].replace(".", "/")
    imported = [name.split(" as ")[0].strip(" \t\r\n\\") for name in names.strip("()").split(",")]
    if not level:
        for name in imported:
            yield from _module(f"{source}.{name}", path, index) or _module(source, path, index)
        return
    base = dirname(path)
    for _ in range(level - 1):
        base = dirname(base)
    whole = join(base, inner) if inner else base
    for name in imported:
        tries = [join(whole, f"{name}.py"), join(whole, name, "__init__.py")] if name.isidentifier() else []
        tries += [f"{whole}.py"] if inner else []
        yield from index.first(*(one.lstrip("/") for one in [*tries, join(whole, "__init__.py")]))


def _module(name: str, path: str, index: Index) -> list[str]:
    tail = name.strip(". ").replace(".", "/")
    if not tail or not re.fullmatch(r"[\w/]+", tail):
        return []
    ways = (f"{tail}.py", f"{tail}/__init__.py", f"{tail}.pyi", f"{tail}.pyx")
    # A module is looked for from the top, or from a folder of sources; a mere name could be anywhere.
    return index.first(*ways, *(f"src/{way}" for way in ways)) or (
        index.nearest(path, *ways)
        if "/" in tail
        else index.first(*(join(dirname(path), way) for way in ways))
    )


_SCRIPTS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte", ".json")


def _script(groups: tuple[str, ...], path: str, index: Index) -> Iterable[str]:
    """Relative paths, with or without an ending, or the folder's `index` (nodejs.org/api/modules, "All
    together"; typescriptlang.org, "Module resolution": `.js` may mean `.ts`). `@/` and `~/` are the folder of
    the sources, as bundlers have it."""
    name = groups[0]
    if name.startswith(("@/", "~/")):
        tails = [f"src/{name[2:]}{end}" for end in ("", *_SCRIPTS, *(f"/index{end}" for end in _SCRIPTS))]
        return index.nearest(path, *tails)
    whole = _beside(path, name) if name.startswith(".") else ""
    if not whole:
        return []
    bare = re.sub(r"\.[mc]?jsx?$", "", whole)
    tries = [whole, *(f"{bare}{end}" for end in _SCRIPTS), *(f"{whole}{end}" for end in _SCRIPTS)]
    return index.first(*tries, *(f"{whole}/index{end}" for end in _SCRIPTS))


def _include(groups: tuple[str, ...], path: str, index: Index) -> list[str]:
    """First beside the including file, then wherever the include path may lead (ISO C 6.10.2;
    gcc.gnu.org/onlinedocs/cpp/Search-Path.html)."""
    name = groups[0]
    return index.first(_beside(path, name)) or index.nearest(path, normpath(name))


def _java(groups: tuple[str, ...], path: str, index: Index) -> Iterator[str]:
    """A class lies in the file of its name, in the folder of its package (JLS 7.5, 7.6); Kotlin and Scala
    need not keep to it (kotlinlang.org, "Packages and imports"), so the declared packages count too."""
    name = groups[0].strip(".")
    language = LANGUAGES[ending(path)].name
    if name.endswith((".*", "._")):
        yield from index.package(language, name[:-2])
        return
    # `a.b.C`, or a member or an inner class of it.
    parts = name.split(".")
    endings = (".java", ".kt", ".scala", ".groovy")
    for size in range(len(parts), max(1, len(parts) - 2), -1):
        found = index.nearest(path, *("/".join(parts[:size]) + end for end in endings))
        if found:
            yield from found
            return
    yield from index.package(language, ".".join(parts[:-1])) if language != "Java" else ()


def _csharp(groups: tuple[str, ...], path: str, index: Index) -> list[str]:
    """A namespace is what files declare (C# specification, 14.3, 14.5)."""
    return index.package("C#", groups[0])


def _go(groups: tuple[str, ...], path: str, index: Index) -> Iterator[str]:
    """A package is a folder below the module's path, which go.mod names (go.dev/ref/mod, "Module paths")."""
    block, single = groups
    for name in re.findall(r'"([^"\n]+)"', block or single):
        if index.go_module is not None:
            if not name.startswith(f"{index.go_module}/"):
                continue
            inner = name[len(index.go_module) + 1 :]
        elif "/" not in name:
            continue
        else:
            # Most module paths are host, owner and name.
            inner = "/".join(name.split("/")[3:]) or name
        yield from (one for one in index.folder(inner, path, (".go",)) if not one.endswith("_test.go"))


def _rust(groups: tuple[str, ...], path: str, index: Index) -> Iterator[str]:
    """`mod x;` is x.rs or x/mod.rs below the module (doc.rust-lang.org/reference/items/modules); `use` goes
    by `crate`, `super` and `self` (reference/items/use-declarations)."""
    module, used = groups
    name = path.rpartition("/")[2]
    own = dirname(path) if name in ("mod.rs", "lib.rs", "main.rs") else path.removesuffix(".rs")
    if module:
        yield from index.first(
            *(join(base, f"{module}{end}") for base in (own, dirname(path)) for end in _RUST)
        )
        return
    parts = re.split(r"::", re.split(r"[{;\s]", used)[0].strip(":"))
    head, rest = parts[0], parts[1:]
    if head == "crate":
        above, below, _ = f"/{path}".partition("/src/")
        top = f"{above}/src".lstrip("/") if below else ""
    elif head in ("super", "self"):
        top = own
        while head == "super":
            top = dirname(top)
            head, rest = (rest[0], rest[1:]) if rest and rest[0] == "super" else ("", rest)
    else:
        return
    for size in range(len(rest), 0, -1):
        found = index.first(*(join(top, *rest[:size]) + end for end in _RUST))
        if found:
            yield from found
            return


_RUST = (".rs", "/mod.rs")


def _php(groups: tuple[str, ...], path: str, index: Index) -> list[str]:
    """`require 'x.php'` beside the file (php.net, `include`); `use A\\B\\C` by the folders of PSR-4, whose
    first names stand for some folder (php-fig.org/psr/psr-4)."""
    required, used = groups
    if required:
        name = required.lstrip("/")
        return index.first(_beside(path, name)) or index.nearest(path, normpath(name))
    parts = used.strip("\\").split("\\")
    return index.nearest(path, *("/".join(parts[skip:]) + ".php" for skip in range(max(1, len(parts) - 1))))


def _ruby(groups: tuple[str, ...], path: str, index: Index) -> list[str]:
    """`require_relative` beside the file, `require` from a folder of the load path, usually `lib`
    (docs.ruby-lang.org, Kernel#require)."""
    relative, name = groups
    name = name.removesuffix(".rb") + ".rb"
    if relative:
        return index.first(_beside(path, name))
    return index.first(f"lib/{name}", name) or (index.nearest(path, name) if "/" in name else [])


def _dotted(*forms: str) -> Resolve:
    """Names with dots, or `::`, that are paths: `{}` stands for the path."""

    def resolve(groups: tuple[str, ...], path: str, index: Index) -> list[str]:
        tail = re.sub(r"::|\.", "/", groups[0])
        return index.nearest(path, *(form.format(tail) for form in forms))

    return resolve


def _dart(groups: tuple[str, ...], path: str, index: Index) -> list[str]:
    """Relative URIs, and `package:name/x.dart` for `lib/x.dart` (dart.dev/tools/pub/package-layout)."""
    name = groups[0]
    if name.startswith("package:"):
        return index.nearest(path, f"lib/{name.partition('/')[2]}")
    return index.first(_beside(path, name))


def _lines(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


_TABLE = (
    Language(
        "Python",
        (".py", ".pyi", ".pyx"),
        _lines(
            r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]{0,4000}\)|[^\n#;]{1,400})"
            r"|import[ \t]+([\w., \t]{1,400}))"
        ),
        _python,
    ),
    Language(
        "JavaScript",
        (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte"),
        _lines(r"""\b(?:from|import|require)[ \t]{0,9}\(?[ \t]{0,9}["']([^"'\n]{1,300})["']"""),
        _script,
    ),
    Language(
        "C",
        (
            *(".c", ".h", ".cc", ".hh", ".cpp", ".hpp", ".cxx", ".hxx", ".c++", ".h++", ".inl", ".ipp"),
            *(".m", ".mm", ".cu", ".cuh"),
        ),
        _lines(r"""^[ \t]*#[ \t]*(?:include|import)[ \t]*["<]([^">\n]{1,300})[">]"""),
        _include,
    ),
    Language(
        "Java",
        (".java",),
        _lines(r"^[ \t]*import[ \t]+(?:static[ \t]+)?([\w.]{1,300}(?:\.\*)?)[ \t]*;"),
        _java,
        _lines(r"^[ \t]*package[ \t]+([\w.]{1,300})"),
    ),
    Language(
        "Kotlin",
        (".kt", ".kts"),
        _lines(r"^[ \t]*import[ \t]+([\w.]{1,300}(?:\.\*)?)"),
        _java,
        _lines(r"^[ \t]*package[ \t]+([\w.]{1,300})"),
    ),
    Language(
        "Scala",
        (".scala", ".sc"),
        _lines(r"^[ \t]*import[ \t]+([\w.]{1,300}(?:\.\*)?)"),
        _java,
        _lines(r"^[ \t]*package[ \t]+([\w.]{1,300})"),
    ),
    Language(
        "C#",
        (".cs",),
        _lines(r"^[ \t]*(?:global[ \t]+)?using[ \t]+(?:static[ \t]+)?([\w.]{1,300})[ \t]*;"),
        _csharp,
        _lines(r"^[ \t]*namespace[ \t]+([\w.]{1,300})"),
    ),
    Language(
        "Go",
        (".go",),
        _lines(r"^import[ \t]*(?:\(([^)]{0,8000})\)|((?:[\w.]+[ \t]+)?\"[^\"\n]+\"))"),
        _go,
    ),
    Language(
        "Rust",
        (".rs",),
        _lines(
            r"^[ \t]*(?:pub(?:\([^)\n]{1,60}\))?[ \t]+)?"
            r"(?:mod[ \t]+(\w+)[ \t]*;|use[ \t]+((?:crate|super|self)::[\w:]{1,300}))"
        ),
        _rust,
    ),
    Language(
        "PHP",
        (".php",),
        _lines(
            r"""\b(?:require|include)(?:_once)?[ \t]{0,9}\(?[ \t]{0,9}(?:__DIR__[ \t]{0,9}\.[ \t]{0,9})?"""
            r"""["']([^"'\n]{1,300})["']"""
            r"|^[ \t]*use[ \t]+(?:function[ \t]+|const[ \t]+)?(\\?[\w\\]{1,300})"
        ),
        _php,
    ),
    Language(
        "Ruby",
        (".rb", ".rake"),
        _lines(r"""^[ \t]*require(_relative)?[ \t]{0,9}\(?[ \t]{0,9}["']([^"'\n]{1,300})["']"""),
        _ruby,
    ),
    # perldoc.perl.org/functions/require: A::B is A/B.pm.
    Language(
        "Perl", (".pl", ".pm"), _lines(r"^[ \t]*(?:use|require)[ \t]+([A-Z][\w:]{0,300})"), _dotted("{}.pm")
    ),
    # lua.org/manual/5.4, package.path: ./?.lua and ./?/init.lua.
    Language(
        "Lua",
        (".lua",),
        _lines(r"""\brequire[ \t]{0,9}\(?[ \t]{0,9}["']([\w./-]{1,200})["']"""),
        _dotted("{}.lua", "{}/init.lua"),
    ),
    # haskell.org, report 2010, 5; GHC user's guide, "The search path".
    Language(
        "Haskell",
        (".hs",),
        _lines(r"^import[ \t]+(?:safe[ \t]+)?(?:qualified[ \t]+)?([A-Z][\w.]{0,300})"),
        _dotted("{}.hs"),
    ),
    Language(
        "Dart", (".dart",), _lines(r"""^[ \t]*(?:import|export|part)[ \t]+["']([^"'\n]{1,300})["']"""), _dart
    ),
    # protobuf.dev, "Importing definitions": from a folder of the import path.
    Language(
        "Protocol Buffers",
        (".proto",),
        _lines(r"""^[ \t]*import[ \t]+(?:public[ \t]+|weak[ \t]+)?"([^"\n]{1,300})"[ \t]*;"""),
        _include,
    ),
    # docs.julialang.org, `include`: beside the file.
    Language("Julia", (".jl",), _lines(r"""^[ \t]*include\(["']([^"'\n]{1,300})["']\)"""), _include),
    # POSIX shell, `dot`; most scripts name a path beside them.
    Language(
        "Shell",
        (".sh", ".bash", ".zsh"),
        _lines(r"""^[ \t]*(?:source|\.)[ \t]+["']?(?:\$\{?\w+\}?/)?([\w./-]{1,300})"""),
        _include,
    ),
)
LANGUAGES: dict[str, Language] = {end: language for language in _TABLE for end in language.endings}
"""The languages by the endings of their files."""
