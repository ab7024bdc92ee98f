from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gristmill.base.errors import UserError
from tests.trainer.fakes import ArithmeticReader
from trainer.batches import IGNORED, Plan, read_step, shift, stream
from trainer.manifest import BatchOptions

PHASES = st.lists(st.tuples(st.integers(1, 64), st.integers(1, 200)), min_size=1, max_size=4)


@given(PHASES, st.integers(1, 40), st.integers(1, 9))
def test_every_sequence_is_read_once_in_order(sizes: list[tuple[int, int]], batch: int, micro: int) -> None:
    phases = [(f"p{number}", length, count) for number, (length, count) in enumerate(sizes)]
    plan = Plan(phases, BatchOptions(sequences=batch, micro=micro))
    seen: list[tuple[int, int]] = []
    for step in range(plan.steps):
        assert plan.sequences_until(step) == [
            sum(phase == number for phase, _ in seen) for number in range(len(phases))
        ]
        at = plan.at(step)
        assert at.length == phases[at.phase][1]
        assert 0 < at.stop - at.start <= batch
        seen += [(at.phase, index) for index in range(at.start, at.stop)]
    assert seen == [(number, index) for number, (_, _, count) in enumerate(phases) for index in range(count)]
    assert plan.tokens_until(plan.steps) == sum(length * count for _, length, count in phases)
    with pytest.raises(IndexError):
        plan.at(plan.steps)


@given(PHASES, st.integers(1, 40), st.integers(1, 60))
def test_max_steps_cuts_the_plan(sizes: list[tuple[int, int]], batch: int, limit: int) -> None:
    phases = [(f"p{number}", length, count) for number, (length, count) in enumerate(sizes)]
    plan = Plan(phases, BatchOptions(sequences=batch), max_steps=limit)
    assert plan.steps == min(limit, plan.available)
    rows = plan.describe()
    assert sum(int(row["steps"]) for row in rows) == plan.steps
    assert sum(int(row["tokens"]) for row in rows) == plan.tokens_until(plan.steps)


def test_phases_may_have_their_own_batch() -> None:
    options = BatchOptions(sequences=8, micro=4, phases={"long": {"sequences": 2}})
    plan = Plan([("short", 16, 16), ("long", 64, 4)], options)
    assert [(plan.at(step).name, plan.at(step).micro) for step in range(plan.steps)] == [
        ("short", 4),
        ("short", 4),
        ("long", 2),
        ("long", 2),
    ]
    with pytest.raises(UserError, match=r"no phase 'longer'.*did you mean 'long'"):
        Plan([("long", 64, 4)], BatchOptions(phases={"longer": {"sequences": 2}}))


def test_the_mixtures_batch_is_the_default() -> None:
    phases = [("a", 8, 12), ("b", 8, 12)]
    plan = Plan(phases, BatchOptions(phases={"b": {"sequences": 2}}), batches=[4, 6])
    assert [stage.batch for stage in plan.stages] == [4, 2]
    assert [stage.batch for stage in Plan(phases, BatchOptions(sequences=3), batches=[4, 6]).stages] == [3, 3]


def test_targets_of_another_document_are_no_targets() -> None:
    tokens = np.array([[5, 6, 7, 8, 9]], dtype=np.int32)
    segments = np.array([[0, 0, 1, 1, 2]], dtype=np.int32)
    batch = shift(tokens, segments)
    assert batch.inputs.tolist() == [[5, 6, 7, 8]]
    assert batch.labels.tolist() == [[6, IGNORED, 8, IGNORED]]
    assert batch.segments.tolist() == [[0, 0, 1, 1]]
    assert batch.labels.dtype == torch.int64
    assert batch.segments.dtype == torch.int32


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_ranks_share_a_step(ranks: int) -> None:
    reader = ArithmeticReader([("a", 8, 12)])
    plan = Plan(reader.phases, BatchOptions(sequences=5, micro=2))
    for step in range(plan.steps):
        whole = read_step(reader, plan, step)
        parts = [read_step(reader, plan, step, rank, ranks) for rank in range(ranks)]
        joined = torch.cat([micro.inputs for part in parts for micro in part.micro_batches])
        assert torch.equal(joined, torch.cat([micro.inputs for micro in whole.micro_batches]))
        assert sum(part.targets for part in parts) == whole.targets
        assert sum(part.tokens for part in parts) == whole.tokens


def test_stream_starts_anywhere() -> None:
    reader = ArithmeticReader([("a", 8, 12), ("b", 16, 3)])
    plan = Plan(reader.phases, BatchOptions(sequences=5, micro=2))
    whole = [batch for batch, _ in stream(reader, plan, 0)]
    assert [batch.step for batch in whole] == list(range(4))
    for start in range(5):
        rest = [batch for batch, _ in stream(reader, plan, start)]
        assert [batch.step for batch in rest] == [batch.step for batch in whole[start:]]
        for one, other in zip(rest, whole[start:], strict=True):
            for micro, twin in zip(one.micro_batches, other.micro_batches, strict=True):
                assert torch.equal(micro.inputs, twin.inputs)
                assert torch.equal(micro.labels, twin.labels)


def test_an_error_of_the_reader_reaches_the_loop() -> None:
    class Broken(ArithmeticReader):
        def read(self, phase: int, indices: np.ndarray) -> object:
            if indices[0] >= 4:
                raise OSError("disk gone")
            return super().read(phase, indices)

    reader = Broken([("a", 8, 12)])
    batches = stream(reader, Plan(reader.phases, BatchOptions(sequences=2)), 0)
    assert [next(batches)[0].step, next(batches)[0].step] == [0, 1]
    with pytest.raises(OSError, match="disk gone"):
        next(batches)
