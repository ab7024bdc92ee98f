"""Where a source file comes from: copied in from elsewhere, made by a program, kept as data, a test, a
document.

The conventions are those that GitHub Linguist documents (github.com/github-linguist/linguist,
lib/linguist: vendor.yml for copies, generated.rb for what programs make, documentation.yml for documents),
in this project's own patterns; MAX_MINIFIED_LINE is its constant. Each judgement has a reason, a word that
a rule can name.
"""
# ruff: noqa: E501 (a pattern, a line)

from __future__ import annotations

import functools
import re
from typing import NamedTuple

MAX_MINIFIED_LINE = 110
"""Mean characters a line over which a script or style sheet is minified (generated.rb, `minified_files?`)."""
MANY_LINES = 40
"""Lines at the head of a file in which a program says that it made it (generated.rb reads 40 for Go)."""
MAX_HEAD = 6_000


class Origin(NamedTuple):
    """What is known of a file. Each is a reason, or None."""

    vendored: str | None
    generated: str | None
    lock: bool
    data: bool
    test: bool
    documentation: bool


_VENDORED: tuple[tuple[str, str], ...] = (
    ("node_modules", r"(?:^|/)node_modules/"),
    ("bower_components", r"(?:^|/)bower_components/"),
    ("vendor", r"(?:^|/)[Vv]endors?(?:ed)?/|(?:^|/)_vendor/"),
    ("third_party", r"(?:^|/)(?:third|3rd)[-_]?party/|(?:^|/)3p/"),
    ("external", r"(?:^|/)(?:extern|externals?)/"),
    ("deps", r"^deps/|^[Dd]ependencies/|(?:^|/)Godeps/_workspace/|(?:^|/)subprojects/packagecache/"),
    ("dist", r"(?:^|/)dist/"),
    (
        "cache",
        r"(?:^|/)\.?cache/|(?:^|/)__pycache__/|(?:^|/)\.yarn/(?:releases|plugins|sdks|versions|unplugged)/",
    ),
    ("environment", r"(?:^|/)(?:\.?v?env|site-packages|dist-packages)/"),
    (
        "packages",
        r"(?:^|/)(?:Pods|Carthage)/|^[Pp]ackages/.+\.\d+/|(?:^|/)(?:jspm_packages|elm-stuff)/|(?:^|/)\.cargo/registry/",
    ),
    ("minified", r"[.-]min\.(?:js|css|mjs)$|[.-]prod\.js$|\.bundle\.js$"),
    (
        "library",
        r"(?:^|/)(?:jquery(?:[-.][\w.-]*)?|bootstrap(?:[-.][\w.-]*)?|angular(?:[-.][\w.-]*)?|react(?:[-.](?:dom|with)[\w.-]*)?"
        r"|d3(?:\.v\d+)?|modernizr[\w.-]*|prototype|mootools[\w.-]*|dojo|yui[\w.-]*|ember[\w.-]*|knockout[\w.-]*|html5shiv[\w.-]*"
        r"|raphael[\w.-]*|highcharts[\w.-]*|three|moment|lodash|underscore|backbone|handlebars|less|require|vue|leaflet[\w.-]*"
        r"|highlight\.pack|MathJax|Chart|ckeditor|tiny_?mce[\w.-]*|cordova[\w.-]*|foundation[\w.-]*|shBrush\w+|shCore)\.(?:js|css)$",
    ),
    (
        "library",
        r"(?:^|/)(?:font-?awesome|normalize|animate|foundation|fontello[\w.-]*|octicons)\.(?:css|less|scss|styl)$",
    ),
    (
        "library",
        r"(?:^|/)(?:MathJax|ace-builds|extjs|tiny_mce|ckeditor|bootstrap-datepicker|[Cc]ode[Mm]irror)/",
    ),
    (
        "build_tool",
        r"(?:^|/)(?:gradlew(?:\.bat)?|mvnw(?:\.cmd)?|configure|config\.(?:guess|sub|rpath)|install-sh|missing|depcomp|compile|ltmain\.sh"
        r"|aclocal\.m4|libtool\.m4|lt(?:options|sugar|version)\.m4|lt~obsolete\.m4|erlang\.mk|cpplint\.py|ez_setup\.py|versioneer\.py"
        r"|get-pip\.py|waf|rebar3?|activator(?:\.bat)?|ppport\.h)$|(?:^|/)(?:gradle|\.mvn)/wrapper/",
    ),
    ("fixtures", r"^(?:[Tt]ests?|[Ss]pecs?)/fixtures/"),
    ("documentation_theme", r"(?:^|/)docs?/_?(?:build|themes?|templates?|static)/"),
)
_GENERATED_PATH: tuple[tuple[str, str], ...] = (
    ("source_map", r"\.(?:js|css|mjs|cjs|ts)\.map$"),
    ("checkpoint", r"(?:^|/)\.ipynb_checkpoints/"),
    (
        "protobuf",
        r"_pb2(?:_grpc)?\.pyi?$|\.pb\.(?:go|cc|h|c|gw\.go|dart|swift)$|_pb\.(?:js|rb|d\.ts)$|\.grpc\.pb\.\w+$",
    ),
    (
        "generated_folder",
        r"(?:^|/)(?:__generated__|\.next|\.nuxt|\.svelte-kit|htmlcov|\.tox)/|(?:^|/)generated(?:-sources)?/",
    ),
    (
        "designer",
        r"\.[Dd]esigner\.(?:cs|vb)$|\.g(?:\.i)?\.cs$|\.feature\.cs$|(?:^|/)(?:Reference|AssemblyInfo)\.cs$",
    ),
    ("dart", r"\.(?:g|freezed|gr|mocks)\.dart$"),
    (
        "project_file",
        r"\.(?:nib|xib|xcworkspacedata|xcuserstate|pbxproj|xcscheme|dsp|dsw)$|(?:^|/)\.(?:idea|vs|settings)/",
    ),
    ("snapshot", r"\.snap$|(?:^|/)__snapshots__/"),
    (
        "bundle",
        r"(?:^|/)(?:bundle|vendor~?[\w.-]*|chunk-vendors[\w.-]*|runtime~[\w.-]*|main\.[0-9a-f]{8,20})\.js$",
    ),
    ("unity", r"\.(?:unity|prefab|mat|asset|meta|anim|controller)$"),
    ("parser", r"(?:^|/)(?:y\.tab\.[ch]|lex\.yy\.c|parsetab\.py|lextab\.py|parser\.out)$"),
    ("yarn", r"(?:^|/)\.pnp\.[cm]?js$"),
    ("type_library", r"(?i:_tlb\.pas)$|\.zep\.(?:c|h|php)$"),
)
_LOCK = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|composer\.lock|Gemfile\.lock|Cargo\.lock"
    r"|poetry\.lock|pdm\.lock|uv\.lock|Pipfile\.lock|pylock(?:\.\w+)?\.toml|conda-lock\.yml|pixi\.lock|go\.(?:sum|work\.sum)|Gopkg\.lock"
    r"|glide\.lock|mix\.lock|rebar\.lock|pubspec\.lock|Podfile\.lock|Package\.resolved|Cartfile\.resolved|packages\.lock\.json"
    r"|paket\.lock|flake\.lock|deno\.lock|\.terraform\.lock\.hcl|MODULE\.bazel\.lock|Manifest\.toml|gradle\.lockfile"
    r"|(?:\w+\.)?esy\.lock|shard\.lock|stack\.yaml\.lock|cabal\.project\.freeze|Chart\.lock|requirements\.lock)$"
)
_TEST = re.compile(
    r"(?:^|/)(?:tests?|testing|testsuite|spec|specs|__tests__|e2e|t|unittests?|testdata|test[-_]data)/"
    r"|(?:^|/)(?:test_[^/]+|conftest|[^/]+_tests?|[^/]+_unittest)\.\w+$|[._-](?:test|spec)s?\.[cm]?[jt]sx?$|(?:Test|Tests|IT|Spec|TestCase)\.(?:java|kt|scala|cs|swift|php|groovy|dart)$"
    r"|_spec\.rb$|\.bats$|(?:^|/)[^/]+\.t$"
)
_DOCUMENTATION = re.compile(
    r"(?:^|/)(?:[Dd]ocs?|[Dd]ocumentation|[Gg]roovydoc|[Jj]avadoc|[Mm]an|[Ee]xamples?|[Dd]emos?|[Ss]amples?|inst/doc)/"
    r"|(?:^|/)(?:CITATION|CHANGE(?:S|LOG)|CONTRIBUTING|COPYING|INSTALL|LICEN[SC]E|README|NEWS|AUTHORS|HISTORY|UPGRADING)(?:[.-]\w+)*$",
    re.IGNORECASE,
)
_DATA_LANGUAGES = frozenset({"CSV", "TSV", "SVG", "Diff", "BibTeX"})
_HEAD: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        ("protobuf", r"generated by the (?:protocol buffer|grpc)|generated code -- do not edit|protoc-gen-|autogenerated by thrift|this file was autogenerated by go-to-protobuf"),
        ("parser", r"a bison parser, made by|a lexical scanner generated by flex|generated (?:by|from)[^\n]{0,60}\b(?:bison|yacc|byacc|antlr|javacc|jflex|peg\.?js|jison|racc|re2c|lemon|ragel|ply)\b|parser generated by|automatically generated by racc"),
        ("binding", r"generated by (?:swig|cython|sip|pybind|bindgen|f2py)|automatically generated by swig|machine generated[^\n]{0,20}\*/\s*#include <jni"),
        (
            "marked",
            r"do not (?:edit|modify|change)(?:\s+(?:this|it|by hand|manually|directly|[.!]|\*/|$))|(?:@|automatically |auto-?\s?|machine )generated\b|code generated (?:by|with|from)\b"
            r"|generated code\W{1,4}do not|this (?:file|code|class|document|header)(?: \w+)? (?:is|was|has been) (?:an? )?(?:\w+[- ])?generated|(?:file|code|sources?) (?:is |was )?(?:auto-?)?generated (?:by|with|from|using)"
            r"|^\W*(?:auto-?)?generated (?:by|with|from|using|on|automatically)\b|<auto-?generated|autogenerated|any changes (?:made )?(?:to this file )?will be (?:lost|overwritten)|not intended for manual editing|\bbuilt by [\w-]+ at \d",
        ),
        ("made_by_tool", r"<meta\s[^>]{0,80}name=[\"']?generator[\"']?[^>]{0,80}(?:doxygen|javadoc|latex2html|makeinfo|texi2html|org mode|groff|sphinx|jekyll|hugo|pkgdown|nbconvert)|<!-- generated by|<!--\s+generated by"),
        ("inkscape", r"<!-- (?:created with|generator)[:\s]"),
        ("made_by_tool", r"^%%Creator:[^\n]*\d|^; ModuleID = |generated by haxe|gimp [^\n]{0,40}image dump|fileFormatVersion: \d"),
    )
)  # fmt: skip
_HINTS = (
    "enerat",
    "ENERAT",
    "not edit",
    "NOT EDIT",
    "ot Edit",
    "ot modify",
    "OT MODIFY",
    "Bison parser",
    "reated with",
    "built by",
    "Creator:",
    "ModuleID",
    "ileFormatVersion",
    "NOT CHANGE",
    "not change",
    "overwritten",
    "scanner",
    "image dump",
    "protoc",
)
_TALE = re.compile(r"^[/*]{1,2}[/*#@]?\s*[#@]\s*source(?:Mapping)?URL=|sourceMappingURL=", re.MULTILINE)
_MAYBE_MINIFIED = frozenset({"JavaScript", "CSS", "TypeScript", "SCSS", "Less", "JSON with Comments"})


@functools.lru_cache(1)
def _compiled() -> tuple[
    re.Pattern[str], list[tuple[str, re.Pattern[str]]], re.Pattern[str], list[tuple[str, re.Pattern[str]]]
]:
    def union(table: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{pattern})" for _, pattern in table))

    def each(table: tuple[tuple[str, str], ...]) -> list[tuple[str, re.Pattern[str]]]:
        return [(reason, re.compile(pattern)) for reason, pattern in table]

    return union(_VENDORED), each(_VENDORED), union(_GENERATED_PATH), each(_GENERATED_PATH)


def vendored(path: str) -> str | None:
    """Why a file is a copy from elsewhere, by its path in the repository; None where it is not."""
    anywhere, each, _, _ = _compiled()
    if anywhere.search(path) is None:
        return None
    return next(reason for reason, pattern in each if pattern.search(path))


def generated(path: str | None, language: str | None, text: str, newlines: int) -> str | None:
    """Why a file is the work of a program; None where nothing says so.

    Args:
        newlines: line feeds in the text.
    """
    if path:
        _, _, anywhere, each = _compiled()
        if anywhere.search(path) is not None:
            return next(reason for reason, pattern in each if pattern.search(path))
        if _LOCK.search(path):
            return "lock_file"
    if language in _MAYBE_MINIFIED and text:
        if len(text) / (newlines + 1) > MAX_MINIFIED_LINE:
            return "minified"
        if _TALE.search(text, max(0, len(text) - 500)):
            return "source_map"
    head = _head(text)
    if any(hint in head for hint in _HINTS):
        for reason, pattern in _HEAD:
            if pattern.search(head):
                return reason
    return None


def _head(text: str) -> str:
    head = text[:MAX_HEAD]
    end = -1
    for _ in range(MANY_LINES):
        end = head.find("\n", end + 1)
        if end < 0:
            return head
    return head[:end]


def origin(path: str | None, language: str | None, kind: str | None, text: str, newlines: int) -> Origin:
    """Everything that is known of a file.

    Args:
        path: in its repository; None where it has none.
        language, kind: as `filters.code.language` tells them.
    """
    made = generated(path, language, text, newlines)
    if not path:
        return Origin(None, made, False, kind == "data", False, kind == "prose")
    return Origin(
        vendored(path),
        made,
        _LOCK.search(path) is not None,
        kind == "data" or language in _DATA_LANGUAGES,
        _TEST.search(path) is not None,
        kind == "prose" or _DOCUMENTATION.search(path) is not None,
    )
