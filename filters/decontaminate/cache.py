"""Indexes that annotators build for themselves, each once a user and machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from filters.decontaminate.benchmarks import Given, load_benchmarks
from filters.decontaminate.index import DESCRIPTION, FORMAT, NORMALISATION, build_index
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError


def cache_folder() -> Path:
    """Where indexes are kept: `gristmill/contamination` in the user's cache (XDG Base Directory)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gristmill" / "contamination"


def cached_index(benchmarks: Mapping[str, Given], *, n: int, least: int, common: int) -> Path:
    """The folder of the index of these benchmarks, built if it is not there.

    It is found by the items' texts and the settings: files may move. Raises UserError as `load_benchmarks`
    and `build_index` do, and where nothing can be written."""
    items = load_benchmarks(benchmarks)
    texts = [[item.benchmark, item.id, item.question, list(item.choices), item.answer] for item in items]
    folder = cache_folder() / digest_json([FORMAT, NORMALISATION, n, least, common, texts])[:32]
    if not (folder / DESCRIPTION).is_file():
        try:
            build_index(items, folder, n=n, least=least, common=common)
        except OSError as error:
            raise UserError(
                f"cannot keep the contamination index: {error.strerror}",
                where=str(folder),
                mend="build one elsewhere and name it with the option 'index'",
            ) from None
    return folder
