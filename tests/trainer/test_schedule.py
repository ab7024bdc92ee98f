from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.base.errors import UserError
from trainer.manifest import Schedule
from trainer.schedule import SHAPES, WarmupStableDecay, as_steps, build


@st.composite
def schedules(draw: st.DrawFn) -> WarmupStableDecay:
    steps = draw(st.integers(1, 400))
    warmup = draw(st.integers(0, steps))
    decay = draw(st.integers(0, steps - warmup))
    peak = draw(st.floats(1e-6, 1.0))
    minimum = peak * draw(st.floats(0, 1))
    return WarmupStableDecay(steps, warmup, decay, peak, minimum, draw(st.sampled_from(sorted(SHAPES))))


@given(schedules())
def test_rises_stays_falls(rate: WarmupStableDecay) -> None:
    rates = [rate(step) for step in range(rate.steps)]
    rise, fall = rates[: rate.warmup], rates[rate.steps - rate.decay :]
    stable = rates[rate.warmup : rate.steps - rate.decay]
    assert all(low < high for low, high in itertools.pairwise(rise))
    assert all(value == rate.peak for value in stable)
    assert all(high >= low for high, low in itertools.pairwise(fall))
    assert all(0 < value <= rate.peak * (1 + 1e-12) or rate.minimum == 0 for value in rates)
    if rate.warmup:
        assert rise[0] == pytest.approx(rate.peak / rate.warmup)
        assert rise[-1] == pytest.approx(rate.peak)
    if rate.decay:
        assert fall[-1] == pytest.approx(rate.minimum, abs=1e-15)
        assert all(value >= rate.minimum * (1 - 1e-12) for value in fall)


@given(schedules().filter(lambda rate: rate.decay > 0 and rate.shape == "linear"))
def test_the_linear_fall_has_equal_steps(rate: WarmupStableDecay) -> None:
    before = rate.peak
    for step in range(rate.steps - rate.decay, rate.steps):
        assert before - rate(step) == pytest.approx((rate.peak - rate.minimum) / rate.decay, abs=1e-9)
        before = rate(step)


def test_shapes_at_a_quarter_of_the_fall() -> None:
    assert SHAPES["linear"](0.25) == 0.75
    assert SHAPES["cosine"](0.25) == pytest.approx((2 + math.sqrt(2)) / 4)
    assert SHAPES["1-sqrt"](0.25) == 0.5


def test_lengths_below_one_are_fractions() -> None:
    assert as_steps(0.18, 1000) == 180
    assert as_steps(1, 1000) == 1
    assert as_steps(0, 1000) == 0
    rate = build(Schedule(warmup=2000, decay=0.18), 100_000)
    assert (rate.warmup, rate.decay) == (2000, 18_000)


def test_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="8 warm-up and 5 decay steps do not fit into 10"):
        build(Schedule(warmup=8, decay=0.5), 10)
