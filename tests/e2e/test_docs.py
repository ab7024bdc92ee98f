"""Every command in the README and in the docs runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Demo, environment

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def commands(page: Path) -> list[str]:
    """The lines after `$ ` of a page's console blocks, continued lines joined."""
    text = "".join(_BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    return [line.strip()[2:] for line in text.splitlines() if line.strip().startswith("$ ")]


def test_there_are_commands_to_run() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page(page: Path, demo: Demo) -> None:
    for command in commands(page):
        # make's targets set up or repeat this very test run: that make knows them is what can be tested here
        where, run = (
            (ROOT, f"make -n {command[5:]}") if command.startswith("make ") else (demo.folder, command)
        )
        done = subprocess.run(
            ["bash", "-c", run], cwd=where, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{page.name}: $ {command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
