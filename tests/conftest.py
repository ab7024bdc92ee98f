"""Shared fixtures: real test data where it is at hand, and a quiet, reproducible environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder of real test data; the test is skipped where it is absent."""
    if not TESTDATA.is_dir():
        pytest.skip(f"no test data at {TESTDATA}; set GRISTMILL_TESTDATA to its folder")
    return TESTDATA
