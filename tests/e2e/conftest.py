"""The demonstration, run once for all end-to-end tests, with fewer training steps than a user would take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STEPS = 60
GRISTMILL = Path(sys.executable).with_name("gristmill")


def environment() -> dict[str, str]:
    """The commands' environment: our `gristmill` first on PATH, and few training steps."""
    path = f"{GRISTMILL.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "GRISTMILL__RUN__MAX_STEPS": str(STEPS)}


def gristmill(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one command as a user would."""
    command = [str(GRISTMILL), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Demo:
    """A finished demonstration."""

    folder: Path
    result: dict[str, Any]
    again: dict[str, Any]
    """What a second call said."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    home = tmp_path_factory.mktemp("demo")
    results = []
    for _ in range(2):
        done = gristmill("demo", "--json", cwd=home)
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    return Demo(home / "demo-run", *results)
