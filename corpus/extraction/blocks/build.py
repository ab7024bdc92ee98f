"""Compiles the native library of the engine "gristmill" with the system's C++ compiler.

    python -m corpus.extraction.blocks.build

Used by the installation (`hatch_build.py`) and by the loader, so it needs nothing but the standard library.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCES = FOLDER / "native"
LIBRARY = FOLDER / ("blocks_native.dll" if sys.platform == "win32" else "blocks_native.so")
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-DNDEBUG")
"""No -march=native and no -ffast-math: the same text on every machine."""
COMPILERS = ("c++", "g++", "clang++")
DIGEST_MACRO = "GRISTMILL_SOURCE_DIGEST"


class BuildError(RuntimeError):
    """The library could not be built; the message says why."""


def source_digest() -> str:
    """SHA-256 over the names and contents of the native sources, in hex."""
    state = hashlib.sha256()
    for path in _files(".cpp", ".hpp", ".h", ".inc"):
        content = path.read_bytes()
        state.update(f"{path.name}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()


def compiler() -> list[str] | None:
    """The command of the C++ compiler: $CXX, or the first of c++, g++, clang++; None where there is none."""
    if named := os.environ.get("CXX"):
        command = shlex.split(named)
        return command if command and shutil.which(command[0]) else None
    found = next((name for name in COMPILERS if shutil.which(name)), None)
    return [found] if found else None


def command(target: Path) -> list[str]:
    """The compiler's command line for a library at `target`. Raises BuildError where there is no compiler."""
    cxx = compiler()
    if cxx is None:
        raise BuildError(f"no C++ compiler ($CXX, {', '.join(COMPILERS)})")
    digest = f'-D{DIGEST_MACRO}="{source_digest()}"'
    return [*cxx, *FLAGS, digest, *map(str, _files(".cpp")), "-o", str(target)]


def build() -> Path:
    """Compiles the library beside this module, atomically. Raises BuildError, in the compiler's words."""
    try:
        descriptor, name = tempfile.mkstemp(suffix=LIBRARY.suffix, prefix=f".{LIBRARY.stem}.tmp-", dir=FOLDER)
    except OSError as error:
        raise BuildError(f"{FOLDER} cannot be written: {error.strerror}") from error
    os.close(descriptor)
    target = Path(name)
    try:
        done = subprocess.run(command(target), capture_output=True, text=True, check=False)
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()
            said = next((line for line in words if "error" in line), *words[-1:] or ["it says nothing"])
            raise BuildError(f"the C++ compiler failed: {said}")
        target.chmod(0o755)
        target.replace(LIBRARY)
    except OSError as error:
        raise BuildError(f"the C++ compiler could not be run: {error}") from error
    finally:
        target.unlink(missing_ok=True)
    return LIBRARY


def _files(*suffixes: str) -> list[Path]:
    return sorted(path for path in SOURCES.iterdir() if path.suffix in suffixes)


if __name__ == "__main__":
    try:
        print(build())
    except BuildError as error:
        sys.exit(str(error))
