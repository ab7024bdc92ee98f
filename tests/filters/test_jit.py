"""Kernels: imported late, stale when any file of kernels changes, working where no cache can be kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = {
    "jit.py": (ROOT / "filters/jit.py").read_text(),
    "__init__.py": "",
    "inner.py": "from filters.jit import loop\n\n@loop\ndef inner(x):\n    return x + 1\n",
    "outer.py": "from filters.inner import inner\nfrom filters.jit import kernel\n\n"
    "@kernel\ndef outer(x):\n    return 10 * inner(x)\n",
}
CALL = (
    "from filters import outer; f = outer.outer; print(f(1));"
    "print(sum(outer.outer.stats.cache_hits.values()))"
)


def package(folder: Path) -> Path:
    """A package of kernels of its own."""
    (folder / "filters").mkdir(parents=True)
    for name, text in PACKAGE.items():
        (folder / "filters" / name).write_text(text)
    return folder


def call(folder: Path, code: str = CALL, cache: Path | None = None) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=folder, check=True
    )
    return done.stdout.split()


def test_machine_code_is_kept_until_any_kernel_changes(tmp_path: Path) -> None:
    folder, cache = package(tmp_path / "a"), tmp_path / "cache"
    assert call(folder, cache=cache) == ["20", "0"]
    assert call(folder, cache=cache) == ["20", "1"]
    os.utime(folder / "filters/outer.py", (1, 1))
    assert call(folder, cache=cache) == ["20", "1"]
    inner = folder / "filters/inner.py"
    inner.write_text(inner.read_text().replace("x + 1", "x + 2"))
    assert call(folder, cache=cache) == ["30", "0"]


def test_it_works_where_nothing_can_be_kept(tmp_path: Path) -> None:
    folder = package(tmp_path / "a")
    code = (
        "from numba.core import caching\n"
        "caching.CompileResultCacheImpl._locator_classes = []\n"
        "from filters import outer\nprint(outer.outer(1))"
    )
    assert call(folder, code) == ["20"]
    assert not list(folder.rglob("*.nbi"))


def test_the_command_line_imports_no_compiler() -> None:
    code = (
        "import sys; from filters import registry, rules;"
        "registry.known_columns(); [registry.build_annotator(name) for name in ('gopher', 'c4', 'stats')];"
        "print([name for name in ('numba', 'llvmlite', 'icu4py') if name in sys.modules])"
    )
    assert call(ROOT, code) == ["[]"]


def test_threads_may_ask_for_a_kernel_at_once(tmp_path: Path) -> None:
    """Two threads that ask for a kernel at once get the same result."""
    folder = package(tmp_path / "a")
    code = (
        "from concurrent.futures import ThreadPoolExecutor\nfrom filters import outer\n"
        "f = outer.outer\n"
        "with ThreadPoolExecutor(4) as pool: print(set(pool.map(f, [1] * 8)))"
    )
    assert call(folder, code, cache=tmp_path / "cache") == ["{20}"]
    shutil.rmtree(tmp_path / "cache")
