"""Building and loading the native library: with a compiler, without one, when the sources have moved on."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from corpus.extraction.blocks import build, library

ROOT = Path(__file__).parents[3]
needs_library = pytest.mark.skipif(not library.available(), reason=str(library.reason()))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The library's place is an empty folder; what is loaded already stays loaded."""
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    monkeypatch.setattr(build, "LIBRARY", tmp_path / build.LIBRARY.name)
    return tmp_path


def compiler(folder: Path, script: str) -> Path:
    """A compiler that does what a shell script says; `$out` is the file that it is to write."""
    path = folder / "fake-c++"
    path.write_text(f'#!/bin/sh\nfor last; do out="$last"; done\necho run >> "{folder}/runs"\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_a_compiler(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O3")
    assert build.compiler() is None
    with pytest.raises(build.BuildError, match=r"no C\+\+ compiler"):
        build.build()
    why = library._load.__wrapped__()
    assert isinstance(why, str)
    assert "not built" in why
    assert "no C++ compiler" in why
    assert "python -m corpus.extraction.blocks.build" in why
    assert not list(elsewhere.glob("*.so")) + list(elsewhere.glob(".*tmp*"))


def test_a_compiler_that_fails(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", str(compiler(elsewhere, "echo 'blocks.cpp:1: error: no luck' >&2; exit 1")))
    with pytest.raises(build.BuildError, match="no luck"):
        build.build()
    assert not list(elsewhere.glob("*.so")) + list(elsewhere.glob(".*tmp*"))
    monkeypatch.setenv("CXX", str(compiler(elsewhere, "exit 1")))
    with pytest.raises(build.BuildError, match="failed"):
        build.build()


def test_a_folder_that_cannot_be_written(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "FOLDER", elsewhere / "missing")
    with pytest.raises(build.BuildError, match="cannot be written"):
        build.build()


def test_flags_give_the_same_text_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "true --some 'flag with spaces'")
    words = build.command(Path("x.so"))
    assert words[:3] == ["true", "--some", "flag with spaces"]
    assert {"-O3", "-std=c++17"} <= set(words)
    assert not {"-march=native", "-ffast-math", "-Ofast"} & set(words)
    assert f'-D{build.DIGEST_MACRO}="{build.source_digest()}"' in words


@needs_library
def test_a_stale_library_is_built_again_and_a_fresh_one_is_not(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path(library.load()._name)
    monkeypatch.setenv("CXX", str(compiler(elsewhere, f'cp "{real}" "$out"')))
    build.LIBRARY.write_bytes(real.read_bytes().replace(build.source_digest().encode(), b"0" * 64))
    assert not isinstance(library._load.__wrapped__(), str)
    assert not isinstance(library._load.__wrapped__(), str)
    assert (elsewhere / "runs").read_text() == "run\n"
    # Sources that no compiler here can turn into a library of theirs:
    monkeypatch.setattr(build, "source_digest", lambda: "1" * 64)
    why = library._load.__wrapped__()
    assert why == "the native library was built, but cannot be loaded"


@needs_library
def test_a_library_that_is_none(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    build.LIBRARY.write_bytes(build.source_digest().encode())
    why = library._load.__wrapped__()
    assert isinstance(why, str)
    assert "stale" in why


def test_installation_builds_the_library_or_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    package = tmp_path / hook.BUILD.parent
    (package / "native").mkdir(parents=True)
    (package / "build.py").write_bytes((ROOT / hook.BUILD).read_bytes())
    (package / "native" / "a.cpp").write_text("int a;")
    warnings: list[str] = []
    app = types.SimpleNamespace(display_warning=warnings.append)
    native = hook.NativeLibrary(str(tmp_path), {}, None, None, str(tmp_path), "wheel", app)

    monkeypatch.setenv("CXX", "no-such-compiler")
    data: dict[str, Any] = {"artifacts": []}
    native.initialize("standard", data)
    assert data == {"artifacts": []}
    assert "no C++ compiler" in warnings.pop()

    monkeypatch.setenv("CXX", str(compiler(tmp_path, 'echo built > "$out"')))
    native.initialize("standard", data)
    (artifact,) = data.pop("artifacts")
    assert (tmp_path / artifact[1:]).read_text() == "built\n"
    assert data["pure_python"] is False
    assert data["tag"].startswith("py3-none-")
    assert not warnings


def test_the_digest_is_of_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    seen = {build.source_digest()}
    for name, content in (("a.cpp", "x"), ("a.cpp", "y"), ("b.hpp", "x"), ("b.hpp", "y"), ("c.inc", "")):
        (tmp_path / name).write_text(content)
        seen.add(build.source_digest())
    assert len(seen) == 6
    (tmp_path / "notes.txt").write_text("no source")
    assert build.source_digest() in seen


@needs_library
def test_workers_that_start_together_build_once(tmp_path: Path) -> None:
    real = Path(library.load()._name)
    cxx = compiler(tmp_path, f'sleep 0.5; cp "{real}" "$out"')
    code = (
        "import sys; from pathlib import Path; from corpus.extraction.blocks import build, library\n"
        "build.FOLDER = Path(sys.argv[1]); build.LIBRARY = build.FOLDER / build.LIBRARY.name\n"
        "print(library.available())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = {**os.environ, "CXX": str(cxx)}
    workers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [worker.communicate(timeout=60)[0] for worker in workers] == ["True\n"] * 3
    assert (tmp_path / "runs").read_text() == "run\n"


@pytest.mark.slow
@needs_library
def test_this_compiler_gives_this_library(elsewhere: Path) -> None:
    """A whole build, as the installation does it."""
    if build.compiler() is None:
        pytest.skip("no C++ compiler")
    assert build.build() == build.LIBRARY
    assert build.source_digest().encode() in build.LIBRARY.read_bytes()
    code = (
        "import sys; from pathlib import Path; from corpus.extraction.blocks import build, library\n"
        "build.FOLDER = Path(sys.argv[1]); build.LIBRARY = build.FOLDER / build.LIBRARY.name\n"
        "print(library.Page('<p>a').blocks.texts)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(elsewhere)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['a']\n"
