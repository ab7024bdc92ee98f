from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.allocation import MAX_TOTAL, Allocation, muldiv

PSI = 3.359885666243177553172011302918927179688905133732  # OEIS A079586, the reciprocal Fibonacci constant

counts_up_to_a_million_million = st.lists(
    st.one_of(st.integers(1, 50), st.integers(1, 10**12 // 40)), min_size=1, max_size=40
)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@given(st.data())
def test_muldiv_is_exact(data):
    divisor = data.draw(st.integers(1, 2**52 - 1))
    x = data.draw(st.integers(0, 2**52 - 1))
    limit = min(2**52 - 1, (2**50 - 2) * divisor // max(x, 1))
    y = data.draw(st.integers(0, limit))
    add = data.draw(st.integers(0, min(2**52 - 1, divisor)))
    quotient, remainder = muldiv(ints(x), ints(y), ints(add), ints(divisor))
    assert (int(quotient[0]), int(remainder[0])) == divmod(x * y + add, divisor)


@given(st.integers(1, 2**50), st.data())
def test_muldiv_is_exact_beside_multiples(total, data):
    """Where the floating-point estimate is likeliest wrong: beside an exact quotient."""
    left = data.draw(st.integers(1, total))
    quotient = data.draw(st.integers(0, left))
    near = quotient * total // left
    for x in {max(0, near - 1), near, min(near + 1, total)}:
        got = muldiv(ints(x), ints(left), ints(0), ints(total))
        assert (int(got[0][0]), int(got[1][0])) == divmod(x * left, total)


@settings(max_examples=200)
@given(counts_up_to_a_million_million, st.data())
def test_every_prefix_is_within_two_of_the_weights(counts, data):
    allocation = Allocation.of(counts)
    total = sum(counts)
    for length in [*data.draw(st.lists(st.integers(0, total), max_size=10)), 0, 1, total]:
        received = allocation.prefix(length)
        assert sum(received) == length
        for count, got in zip(counts, received, strict=True):
            assert abs(got - Fraction(length * count, total)) < Fraction(PSI / 2)
    assert allocation.prefix(total) == counts


@settings(max_examples=200)
@given(counts_up_to_a_million_million, st.data())
def test_index_and_place_are_inverse(counts, data):
    allocation = Allocation.of(counts)
    indices = ints(*data.draw(st.lists(st.integers(0, sum(counts) - 1), min_size=1, max_size=20)))
    component, position = allocation.locate(indices)
    assert np.array_equal(allocation.index_of(component, position), indices)
    for index, where, place in zip(indices.tolist(), component.tolist(), position.tolist(), strict=True):
        before, after = allocation.prefix(index), allocation.prefix(index + 1)
        assert before[where] == place
        assert [b - a for a, b in zip(before, after, strict=True)] == [
            int(number == where) for number in range(len(counts))
        ]
    # and from the other side: any place of any component has an index that leads there
    chosen = ints(*data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=10)))
    places = ints(*(data.draw(st.integers(0, counts[number] - 1)) for number in chosen.tolist()))
    back = allocation.locate(allocation.index_of(chosen, places))
    assert np.array_equal(back[0], chosen)
    assert np.array_equal(back[1], places)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=9))
def test_exhaustive_for_small_blends(counts):
    """Every component gets its positions once, in order, and no prefix strays."""
    allocation = Allocation.of(counts)
    total = sum(counts)
    component, position = allocation.locate(np.arange(total))
    given_so_far = np.cumsum(component[:, None] == np.arange(len(counts)), axis=0)
    shares = np.arange(1, total + 1)[:, None] * np.array(counts) / total
    assert np.abs(given_so_far - shares).max() <= PSI / 2 + 1e-9
    for number, count in enumerate(counts):
        assert np.array_equal(position[component == number], np.arange(count))


def test_worst_known_shapes_stay_within_the_bound():
    """Fibonacci weights make the deepest Huffman tree; powers of two the next."""
    fibonacci = [1, 1]
    while len(fibonacci) < 24:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    for counts in (fibonacci, [2**k for k in range(16)], [1] * 300, [1, 10**5]):
        allocation = Allocation.of(counts)
        total = sum(counts)
        component, _ = allocation.locate(np.arange(total))
        worst = 0.0
        for number, count in enumerate(counts):
            error = np.cumsum(component == number) - np.arange(1, total + 1) * (count / total)
            worst = max(worst, float(np.abs(error).max()))
        assert worst < 1.68


def test_counts_that_cannot_be_are_refused():
    for counts in ([], [0], [3, -1], [MAX_TOTAL, 1]):
        with pytest.raises(ValueError, match="counts"):
            Allocation.of(counts)
