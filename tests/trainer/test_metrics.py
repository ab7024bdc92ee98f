from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.metrics import BARS, MetricsFile, TensorBoard, read, sparkline
from trainer.summary import curve


def _write(path: Path, steps: range, after: int = 0) -> None:
    lines = MetricsFile(path, after)
    for step in steps:
        lines.write({"step": step, "loss": 4.0 / step, "skipped": False})
    lines.sync()
    lines.close()


def test_lines_beyond_the_checkpoint_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _write(path, range(1, 11))
    _write(path, range(7, 13), after=6)
    assert [line["step"] for line in read(path)] == list(range(1, 13))
    MetricsFile(path, 0).close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("torn", range(1, 40, 6))
def test_a_torn_last_line_is_repaired(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "metrics.jsonl"
    _write(path, range(1, 6))
    whole = path.read_bytes()
    path.write_bytes(whole[:-torn])
    assert [line["step"] for line in read(path)] == [1, 2, 3, 4]
    _write(path, range(5, 7), after=4)
    assert [line["step"] for line in read(path)] == [1, 2, 3, 4, 5, 6]
    assert path.read_bytes().startswith(whole[: whole.rindex(b"{")])


def test_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    lines = MetricsFile(tmp_path / "metrics.jsonl", 0)
    lines.write({"step": 1, "loss": float("nan"), "grad_norm": float("inf")})
    lines.close()
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {
        "step": 1,
        "loss": None,
        "grad_norm": None,
    }


def test_the_curve_leaves_skipped_steps_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = MetricsFile(path, 0)
    for step in range(1, 41):
        lines.write({"step": step, "loss": 1e9 if step == 40 else float(41 - step), "skipped": step == 40})
    lines.write({"step": 41, "loss": 0.5, "skipped": False, "validation_loss": 1.25})
    lines.close()
    found = curve(path)
    assert found.first == pytest.approx((40 + 39 + 38 + 37) / 4)
    assert found.last == pytest.approx((0.5 + 2 + 3 + 4) / 4)
    assert found.validation == 1.25
    assert (found.sparkline[0], found.sparkline[-1]) == (BARS[-1], BARS[0])
    assert curve(tmp_path / "none.jsonl").first is None


@given(st.lists(st.floats(-1e6, 1e6), max_size=100), st.integers(1, 50))
def test_sparkline(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(width, len(values))
    assert set(line) <= set(BARS)


def test_a_falling_curve_falls() -> None:
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1]) == BARS[::-1]


def test_tensorboard_hides_points_after_the_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for after, steps, loss in ((0, range(1, 3), 9.0), (0, range(1, 6), 1.0), (3, range(4, 7), 2.0)):
        board = TensorBoard(tmp_path, after)
        for step in steps:
            board.write({"step": step, "loss": loss, "phase": "a", "skipped": False})
        board.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    points = {event.step: event.value for event in events.Scalars("loss")}
    assert points == {1: 1.0, 2: 1.0, 3: 1.0, 4: 2.0, 5: 2.0, 6: 2.0}
    assert len(events.Scalars("loss")) == 6
