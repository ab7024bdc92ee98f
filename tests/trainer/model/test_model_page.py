"""The example in docs/model.md runs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "model.md"


def test_the_example_runs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, str(PAGE), "exec"), names)
        assert names["logits"].shape == (2, 64, 1000)  # type: ignore[attr-defined]
