import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures import permutation
from mixtures.permutation import MAX_SIZE, epoch_keys, permute, radices, unpermute


def run(position, size: int, key: int, inverse: bool = False) -> np.ndarray:
    position = np.asarray(position, np.int64)
    a, b = radices(size)
    filled = (np.full(position.shape, value, np.int64) for value in (size, a, b))
    return (unpermute if inverse else permute)(position, *filled, np.full(position.shape, key, np.uint64))


def slow_permute(position: int, size: int, key: int) -> int:
    """The same network in plain integers, as the module's docstring words it."""
    mask = (1 << 64) - 1

    def mix(z: int) -> int:
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return z ^ z >> 31

    a, b = radices(size)
    while True:
        left, right = divmod(position, b)
        for step in range(permutation.ROUNDS):
            half, radix = (left, b) if step % 2 else (right, a)
            hashed = mix((half * 0xD6E8FEB86659FD93 + key + (step + 1) * 0x9E3779B97F4A7C15) & mask)
            add = (hashed >> 26) * radix >> 38
            if step % 2:
                right = (right + add) % b
            else:
                left = (left + add) % a
        position = left * b + right
        if position < size:
            return position


@given(st.integers(1, 400), st.integers(0, 2**64 - 1))
def test_every_position_has_one_image(size, key):
    assert np.array_equal(np.sort(run(np.arange(size), size, key)), np.arange(size))


@given(st.integers(1, 10**12), st.integers(0, 2**64 - 1), st.data())
def test_inverse_undoes_it_up_to_a_million_million(size, key, data):
    position = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=20)), np.int64)
    image = run(position, size, key)
    assert image.min() >= 0
    assert image.max() < size
    assert np.array_equal(run(image, size, key, inverse=True), position)
    assert np.array_equal(run(run(position, size, key, inverse=True), size, key), position)


@settings(max_examples=50)
@given(st.integers(1, MAX_SIZE), st.integers(0, 2**64 - 1), st.data())
def test_arrays_agree_with_plain_integers(size, key, data):
    position = data.draw(st.integers(0, size - 1))
    assert run([position], size, key)[0] == slow_permute(position, size, key)


def test_each_element_may_have_its_own_size_and_key():
    size = np.array([5, 10**12, 77, 1], np.int64)
    position = np.array([3, 10**12 - 1, 0, 0], np.int64)
    key = np.array([1, 2, 3, 4], np.uint64)
    halves = np.array([radices(int(one)) for one in size], np.int64)
    together = permute(position, size, halves[:, 0].copy(), halves[:, 1].copy(), key)
    alone = [run([p], int(s), int(k))[0] for p, s, k in zip(position, size, key, strict=True)]
    assert together.tolist() == alone


def test_small_sets_are_shuffled_evenly():
    """Chi-square over the 24 orders of four elements and over where each of 37 elements lands."""
    keys = epoch_keys(np.full(24_000, 12345, np.uint64), np.arange(24_000))
    orders = np.stack([run_many(position, 4, keys) for position in range(4)], axis=1)
    _, counts = np.unique(orders @ np.array([64, 16, 4, 1]), return_counts=True)
    assert len(counts) == 24
    assert ((counts - 1000) ** 2 / 1000).sum() < 49.7  # 23 degrees of freedom, p = 0.001
    for size in (9, 37):
        landed = np.stack([run_many(position, size, keys) for position in range(size)])
        expected = len(keys) / size
        for row in landed:
            counts = np.bincount(row, minlength=size)
            assert ((counts - expected) ** 2 / expected).sum() < size - 1 + 5 * np.sqrt(2 * (size - 1))


def run_many(position: int, size: int, keys: np.ndarray) -> np.ndarray:
    a, b = radices(size)
    filled = (np.full(keys.shape, value, np.int64) for value in (position, size, a, b))
    return permute(*filled, keys)


@pytest.mark.parametrize("size", [10_007, 1 << 20, 10**12])
def test_neighbours_are_unrelated(size):
    """Neighbouring inputs, and the same input under neighbouring epochs, give unrelated, uniform outputs."""
    count = 200_000 if size > 200_000 else size
    position = np.arange(count)
    keys = epoch_keys(np.full(2, 99, np.uint64), np.arange(2))
    first, second = (run(position, size, int(key)) / size for key in keys)
    limit = 4.5 / np.sqrt(count)  # a correlation's standard error is 1/sqrt(n)
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < limit
    assert abs(np.corrcoef(first[:-2], first[2:])[0, 1]) < limit
    assert abs(np.corrcoef(first, second)[0, 1]) < limit
    assert abs(np.corrcoef(first, position)[0, 1]) < limit
    if size > 2 * count:
        counts = np.histogram(first, 256, (0, 1))[0]
        assert ((counts - count / 256) ** 2 / (count / 256)).sum() < 255 + 5 * np.sqrt(510)
        # differences of neighbours modulo size are uniform as well
        counts = np.histogram(np.diff(first) % 1.0, 256, (0, 1))[0]
        assert ((counts - count / 256) ** 2 / (count / 256)).sum() < 255 + 5 * np.sqrt(510)


def test_sizes_out_of_range_are_refused():
    for size in (0, -1, MAX_SIZE + 1):
        with pytest.raises(ValueError, match="permutation"):
            radices(size)
