"""The languages that source files are written in: how to know them by name, and how they write comments.

Names, types, extensions, file names and interpreters follow GitHub Linguist
(github.com/github-linguist/linguist, lib/linguist/languages.yml, MIT), which lists some 700; here are
those that make up nearly all public code. An extension of several languages stands with each of them, the
one that it mostly means first.
"""
# ruff: noqa: E501 (a language, a line)

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

Type = Literal["programming", "markup", "data", "prose"]


@dataclass(frozen=True, slots=True)
class Language:
    """A language. `syntax`: the family of its comments and strings (`filters.code.lexer`)."""

    name: str
    type: Type
    syntax: str
    extensions: tuple[str, ...]
    files: tuple[str, ...]
    interpreters: tuple[str, ...]


# name | type (p m d t) | syntax | extensions | file names | interpreters
_TABLE = """
ABAP|p|plain|abap||
ActionScript|p|c|as||
Ada|p|dash|adb ads ada||
Agda|p|haskell|agda||
Apex|p|java|cls trigger apex||
AppleScript|p|dash|applescript scpt||osascript
Arduino|p|c|ino||
AsciiDoc|t|plain|asciidoc adoc asc||
Assembly|p|asm|asm s nasm a51||
Astro|m|html|astro||
Awk|p|hash|awk gawk||awk gawk mawk nawk
Ballerina|p|c|bal||
Batchfile|p|batch|bat cmd||
BibTeX|d|plain|bib||
Bicep|p|c|bicep||
BitBake|p|hash|bb bbappend bbclass||
Blade|m|html|blade.php||
Boo|p|python|boo||
C|p|c|c h cats idc||tcc
C#|p|csharp|cs csx cake||dotnet-script
C++|p|cpp|cpp cc cxx c++ hpp hh hxx h++ h inl ipp tpp tcc txx ixx cppm||
CMake|p|hash|cmake cmake.in|CMakeLists.txt|
COBOL|p|plain|cob cbl cobol cpy||
CSS|m|css|css||
CSV|d|plain|csv||
Cairo|p|c|cairo||
Cap'n Proto|p|hash|capnp||
Clojure|p|lisp|clj cljs cljc edn boot cljx hic|riemann.config|bb
CoffeeScript|p|coffee|coffee cson iced _coffee|Cakefile|coffee
Common Lisp|p|lisp|lisp cl asd lsp ny sexp||sbcl clisp ccl ecl lisp
Coq|p|ml|v coq||
Crystal|p|hash|cr||crystal
Cuda|p|cpp|cu cuh||
Cue|p|c|cue||
Cython|p|python|pyx pxd pxi||
D|p|c|d di||rdmd
Dart|p|java|dart||dart
Dhall|p|haskell|dhall||
Diff|d|plain|diff patch||
Dockerfile|p|hash|dockerfile containerfile|Dockerfile Containerfile|
Elixir|p|python|ex exs|mix.lock|elixir
Elm|p|haskell|elm||
Emacs Lisp|p|lisp|el|.emacs .spacemacs|
Erlang|p|percent|erl hrl escript app.src xrl yrl|rebar.config rebar.lock|escript
F#|p|fsharp|fs fsi fsx||
F*|p|ml|fst fsti||
Fish|p|hash|fish||fish
Forth|p|plain|4th forth fth frt||
Fortran|p|fortran|f90 f95 f03 f08 f f77 for fpp||
GDScript|p|python|gd||
GLSL|p|c|glsl frag vert geom comp tesc tese fs fp vp vsh fsh shader||
GAP|p|hash|gap g gi tst||
GraphQL|d|hash|graphql gql graphqls||
Gherkin|p|hash|feature||
Go|p|go|go||
Go Module|d|c||go.mod go.work go.sum|
Gradle|p|js|gradle||
Groovy|p|js|groovy grt gtpl gvy|Jenkinsfile|groovy
HCL|p|hcl|hcl nomad||
HLSL|p|c|hlsl cginc fx fxh hlsli||
HTML|m|html|html htm xhtml hta html.hl inc||
HTML+ERB|m|html|erb html.erb rhtml||
HTML+Razor|m|html|cshtml razor||
Hack|p|php|hack hhi||hhvm
Haml|m|plain|haml||
Handlebars|m|html|handlebars hbs mustache||
Haskell|p|haskell|hs hs-boot hsc lhs||runghc runhaskell runhugs
Haxe|p|js|hx hxsl||
IDL|p|semicolon|pro dlm||
INI|d|ini|ini cfg prefs properties lektorproject url dof|.editorconfig .gitconfig .npmrc .pylintrc .flake8 .coveragerc|
Idris|p|haskell|idr lidr||
Inno Setup|p|plain|iss||
JSON|d|json|json geojson topojson webmanifest avsc jsonl ndjson har gltf tfstate mcmeta ipynb|.babelrc .jscsrc composer.lock package-lock.json Pipfile.lock flake.lock deno.lock .watchmanconfig|
JSON5|d|c|json5||
JSON with Comments|d|c|jsonc code-workspace sublime-settings|tsconfig.json jsconfig.json .eslintrc.json devcontainer.json api-extractor.json .jshintrc .swcrc|
Java|p|java|java jav jsh||
Java Properties|d|ini|properties||
JavaScript|p|js|js mjs cjs jsx es es6 jsm gs ssjs xsjs bones|Jakefile .eslintrc|node nodejs deno bun gjs rhino d8 qjs
Jinja|m|html|jinja j2 jinja2 njk|
Julia|p|julia|jl||julia
Jupyter Notebook|m|json|ipynb||
Kotlin|p|kotlin|kt kts ktm||kotlin
LLVM|p|semicolon|ll||
Less|m|css|less||
Lean|p|lean|lean||lean
Lex|p|c|l lex||
Liquid|m|html|liquid||
Lua|p|lua|lua rockspec nse p8 wlua|.luacheckrc|lua luajit
M4|p|m4|m4 ac|configure.ac|
MATLAB|p|matlab|m matlab||
Makefile|p|hash|mk mak make mkfile|Makefile makefile GNUmakefile Kbuild Makefile.am Makefile.in BSDmakefile|make
Markdown|t|plain|md markdown mkd mkdn mkdown mdwn mdown livemd ronn scd workbook|contents.lr README.me|
Mathematica|p|ml|nb wl wls mathematica m mt||wolframscript
Mercury|p|percent|m moo||
Mermaid|m|plain|mmd mermaid||
Meson|p|python||meson.build meson_options.txt meson.options|
MDX|t|plain|mdx||
Modelica|p|c|mo||
Modula-2|p|ml|mod def||
Mojo|p|python|mojo||mojo
Move|p|c|move||
NSIS|p|semicolon|nsi nsh||
Nim|p|python|nim nims nimble nimrod|nim.cfg|nim
Ninja|d|hash|ninja||
Nix|p|nix|nix||
Nunjucks|m|html|njk||
OCaml|p|ml|ml mli mll mly eliom||ocaml ocamlrun ocamlscript
Objective-C|p|c|m h||
Objective-C++|p|cpp|mm||
OpenCL|p|c|cl opencl||
OpenSCAD|p|c|scad||
Org|t|plain|org||
PHP|p|php|php phtml php3 php4 php5 phps ctp aw fcgi inc|.php_cs.dist Phakefile|php
PLSQL|p|sql|pls pck pkb pks plb plsql trg vw ddl prc fnc tps tpb||
PLpgSQL|p|sql|pgsql sql||
POV-Ray SDL|p|c|pov||
Pascal|p|pascal|pas dpr lpr pp dfm||instantfpc
Perl|p|hash|pl pm perl t pod ph plx al cgi psgi xs|cpanfile Makefile.PL|perl
PostScript|m|percent|ps eps epsi pfa||
PowerShell|p|powershell|ps1 psm1 psd1||pwsh
Processing|p|java|pde||
Prolog|p|percent|pro prolog pl yap p||swipl yap
Protocol Buffer|d|c|proto||
Pug|m|plain|pug jade||
Puppet|p|hash|pp|Modulefile|
PureScript|p|haskell|purs||
Python|p|python|py pyw pyi py3 gyp gypi wsgi xpy tac rpy pyde sage lmi|SConstruct SConscript wscript BUILD.gn .gclient Snakefile|python python2 python3 pypy pypy3 uv sage
QML|p|js|qml qbs||
R|p|hash|r rd rsx|.Rprofile|Rscript r
RDoc|t|plain|rdoc||
RPM Spec|d|hash|spec||
Racket|p|lisp|rkt rktl rktd scrbl||racket
Raku|p|hash|raku rakumod p6 pm6 pl6 nqp t||raku perl6 rakudo
Reason|p|c|re rei||
ReScript|p|js|res resi||
Roff|m|plain|man roff 1 2 3 4 5 6 7 8 9 1m mdoc me ms tmac nr||
Ruby|p|ruby|rb rake gemspec ru podspec jbuilder builder gem god rabl rbw thor watchr rbi|Rakefile Gemfile Guardfile Podfile Vagrantfile Brewfile Capfile Fastfile Appfile Dangerfile Berksfile Thorfile .irbrc .pryrc buildfile|ruby jruby macruby rake rbx
Rust|p|rust|rs rs.in||rust-script cargo
SAS|p|c|sas||
SCSS|m|css|scss||
SQL|p|sql|sql ddl dml cql prc tab udf viw mysql||
SVG|d|html|svg||
Sass|m|css|sass||
Scala|p|scala|scala sc sbt kojo||scala
Scheme|p|lisp|scm ss sls sld sps sch||scheme guile chicken bigloo csi gosh r6rs
Sed|p|hash|sed||sed gsed minised
Shell|p|shell|sh bash zsh ksh command bats tmux tool zsh-theme sh.in|.bashrc .bash_profile .profile .zshrc .zshenv .bash_aliases .envrc PKGBUILD APKBUILD gradlew configure|sh bash zsh ksh dash ash rc mksh pdksh
Slim|m|plain|slim||
Smalltalk|p|plain|st cs||gst
Smarty|m|html|tpl||
Solidity|p|js|sol||
Standard ML|p|ml|sml sig fun ml||
Starlark|p|python|bzl star|BUILD BUILD.bazel WORKSPACE WORKSPACE.bazel MODULE.bazel BUCK Tiltfile|
Stata|p|c|do ado doh ihlp mata matah sthlp||
Stylus|m|css|styl||
Svelte|m|html|svelte||
Swift|p|swift|swift||swift
SystemVerilog|p|verilog|sv svh vh||
TOML|d|toml|toml|Cargo.lock poetry.lock uv.lock pdm.lock Gopkg.lock Pipfile pylock.toml|
TSV|d|plain|tsv vcf||
TSX|p|js|tsx||
Tcl|p|hash|tcl adp tm sdc xdc|owh starfield|tclsh wish
TeX|m|percent|tex sty cls ltx dtx ins bbx cbx lbx aux toc mkii mkiv||
Terraform|p|hcl|tf tfvars tofu|.terraform.lock.hcl|
Text|t|plain|txt text fr nb no|LICENSE LICENCE COPYING README NEWS AUTHORS CHANGELOG INSTALL TODO NOTICE CONTRIBUTORS UNLICENSE FONTLOG CITATION HISTORY THANKS MAINTAINERS requirements.txt|
Textile|t|plain|textile||
Thrift|d|cshash|thrift||
Twig|m|html|twig||
TypeScript|p|js|ts mts cts||ts-node tsx deno
Typst|m|c|typ||
V|p|go|vv vsh v|
VBA|p|vb|bas cls frm vba||
VBScript|p|vb|vbs||
VHDL|p|dash|vhd vhdl vho vht||
Vala|p|csharp|vala vapi||
Verilog|p|verilog|v veo||
Vim Script|p|vim|vim vimrc vmb|.vimrc _vimrc .nvimrc .gvimrc .exrc|vim
Visual Basic .NET|p|vb|vb vbhtml||
Visual Basic 6.0|p|vb|frm bas cls ctl dsr||
Vue|m|html|vue||
WebAssembly|p|lisp2|wat wast||
WGSL|p|c|wgsl||
Wikitext|t|plain|mediawiki wiki wikitext||
XML|d|html|xml xsd xsl xslt wsdl rss atom csproj vbproj fsproj vcxproj props targets plist xaml resx kml kmz rdf gpx dtd xib storyboard nuspec pom ui wxs xul xmi tmx ts mod jelly iml ant sln fxml launch|.classpath .project .cproject App.config Web.config packages.config pom.xml|
XQuery|p|ml|xquery xq xql xqm xqy||
Xonsh|p|python|xsh||xonsh
YAML|d|hash|yml yaml sublime-syntax syntax reek yaml-tmlanguage yml.mysql eyaml|.clang-format .clang-tidy .clangd yarn.lock pubspec.lock pnpm-lock.yaml CITATION.cff|
YARA|p|c|yar yara||
Yacc|p|c|y yacc yy||
Zig|p|zig|zig zig.zon||zig
reStructuredText|t|plain|rst rest rest.txt rst.txt||
"""

_TYPES: dict[str, Type] = {"p": "programming", "m": "markup", "d": "data", "t": "prose"}


@functools.cache
def languages() -> dict[str, Language]:
    """All languages by name."""
    found = {}
    for line in _TABLE.strip().splitlines():
        name, kind, syntax, extensions, files, *interpreters = line.split("|")
        runs = tuple(interpreters[0].split()) if interpreters else ()
        found[name] = Language(
            name, _TYPES[kind], syntax, tuple(extensions.split()), tuple(files.split()), runs
        )
    return found


@functools.cache
def by_extension() -> dict[str, tuple[str, ...]]:
    """Languages of each extension, in small letters and without its dot."""
    found: dict[str, list[str]] = {}
    for language in languages().values():
        for extension in language.extensions:
            found.setdefault(extension, []).append(language.name)
    for extension, first in _MOSTLY.items():
        found[extension] = [first, *(name for name in found.get(extension, ()) if name != first)]
    return {extension: tuple(names) for extension, names in found.items()}


@functools.cache
def by_file() -> dict[str, str]:
    """Languages of file names."""
    return {file: language.name for language in languages().values() for file in language.files}


@functools.cache
def by_interpreter() -> dict[str, str]:
    """Languages of the programs that a first line `#!` names."""
    return {run: language.name for language in languages().values() for run in language.interpreters}


@functools.cache
def by_declared_name() -> dict[str, str]:
    """Languages by their names in small letters, and by what editors' mode lines and lists call them."""
    found = {name.lower(): name for name in languages()}
    return _CALLED | found


_MOSTLY = {
    "h": "C",
    "m": "Objective-C",
    "pl": "Perl",
    "pm": "Perl",
    "t": "Perl",
    "ts": "TypeScript",
    "tsx": "TSX",
    "sql": "SQL",
    "r": "R",
    "cls": "TeX",
    "v": "Verilog",
    "pp": "Puppet",
    "pro": "Prolog",
    "ml": "OCaml",
    "cl": "Common Lisp",
    "ipynb": "Jupyter Notebook",
    "fs": "F#",
    "d": "D",
    "inc": "PHP",
    "properties": "Java Properties",
    "nb": "Mathematica",
    "mod": "XML",
    "cs": "C#",
    "as": "ActionScript",
    "tcc": "C++",
    "bas": "VBA",
    "frm": "VBA",
    "njk": "Nunjucks",
    "ddl": "SQL",
    "prc": "SQL",
    "ms": "Roff",
    "g": "GAP",
    "vsh": "GLSL",
    "l": "Lex",
    "p": "Prolog",
}
"""The first guess where an extension is of several languages."""

_CALLED = {
    "c++": "C++",
    "cpp": "C++",
    "csharp": "C#",
    "fsharp": "F#",
    "golang": "Go",
    "js": "JavaScript",
    "javascript": "JavaScript",
    "jsx": "JavaScript",
    "node": "JavaScript",
    "py": "Python",
    "python3": "Python",
    "rb": "Ruby",
    "rs": "Rust",
    "sh": "Shell",
    "bash": "Shell",
    "zsh": "Shell",
    "shell-script": "Shell",
    "ts": "TypeScript",
    "objc": "Objective-C",
    "objective-c++": "Objective-C++",
    "objectivec": "Objective-C",
    "lisp": "Common Lisp",
    "emacs-lisp": "Emacs Lisp",
    "elisp": "Emacs Lisp",
    "make": "Makefile",
    "gnumakefile": "Makefile",
    "perl6": "Raku",
    "perl": "Perl",
    "cperl": "Perl",
    "latex": "TeX",
    "conf": "INI",
    "dosini": "INI",
    "yml": "YAML",
    "docker": "Dockerfile",
    "vim": "Vim Script",
    "viml": "Vim Script",
    "tcsh": "Shell",
    "visual basic": "Visual Basic .NET",
    "rst": "reStructuredText",
    "md": "Markdown",
    "html+erb": "HTML+ERB",
    "matlab": "MATLAB",
    "f90": "Fortran",
    "nroff": "Roff",
    "protobuf": "Protocol Buffer",
    "proto": "Protocol Buffer",
    "terraform": "Terraform",
    "hs": "Haskell",
    "kt": "Kotlin",
    "tex": "TeX",
    "batch": "Batchfile",
    "cuda": "Cuda",
    "jupyter-notebook": "Jupyter Notebook",
    "notebook": "Jupyter Notebook",
}
"""Other names of languages: Emacs modes, Vim file types, aliases of Linguist."""
