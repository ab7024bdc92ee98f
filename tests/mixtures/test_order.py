import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.order import Phase, PhaseOrder, Place, Share, orders, sequences_in


@st.composite
def mixtures(draw, most_sequences: int, most_components: int = 12):
    """(seed, phases, tokens): several phases of one or two lengths over components of different sizes."""
    names = [f"source-{number}" for number in range(draw(st.integers(1, most_components)))]
    sizes = st.one_of(st.integers(1, 60), st.integers(1, most_sequences))
    lengths = draw(st.lists(st.sampled_from([8, 16]), min_size=1, max_size=3))
    tokens = {name: draw(sizes) * 16 + 1 + draw(st.integers(0, 7)) for name in names}
    phases = []
    for length in lengths:
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        phases.append(Phase(length, {name: draw(sizes) for name in chosen}))
    return draw(st.integers(0, 2**63)), phases, tokens


@settings(max_examples=60)
@given(mixtures(most_sequences=300, most_components=5))
def test_small_mixtures_read_every_sequence_once_an_epoch(mixture):
    seed, phases, tokens = mixture
    seen: dict[tuple[int, str], list[int]] = {}
    for phase, order in zip(phases, orders(seed, phases, tokens), strict=True):
        place = order.locate(np.arange(order.sequences))
        assert order.sequences == sum(phase.counts.values())
        for number, name in enumerate(order.names):
            mine = place.component == number
            assert mine.sum() == phase.counts[name]
            seen.setdefault((phase.sequence_length, name), []).extend(place.sequence[mine].tolist())
    # across the phases of one length, a component's stream is a chain of permutations
    for (length, name), sequence in seen.items():
        size = sequences_in(tokens[name], length)
        for start in range(0, len(sequence), size):
            epoch = sequence[start : start + size]
            assert len(set(epoch)) == len(epoch)
            assert set(epoch) <= set(range(size))
            if len(epoch) == size:
                assert sorted(epoch) == list(range(size))


@settings(max_examples=150)
@given(mixtures(most_sequences=10**12 // 40), st.data())
def test_forward_and_inverse_up_to_a_million_million(mixture, data):
    seed, phases, tokens = mixture
    for order in orders(seed, phases, tokens):
        picks = data.draw(st.lists(st.integers(0, order.sequences - 1), min_size=1, max_size=12))
        indices = np.array(picks, np.int64)
        place = order.locate(indices)
        assert np.array_equal(order.index_of(place), indices)
        for number in range(len(picks)):
            name = order.names[int(place.component[number])]
            size = sequences_in(tokens[name], order.sequence_length)
            assert 0 <= place.sequence[number] < size
            if order.sequences // size < 1000:
                assert indices[number] in order.visits(name, int(place.sequence[number]))


@given(st.data())
def test_no_sequence_repeats_before_its_component_is_exhausted_at_scale(data):
    """Any two indices of one component and epoch lead to different sequences, at 10^12 sequences a phase."""
    size = data.draw(st.integers(2, 10**12))
    order = PhaseOrder(
        data.draw(st.integers(0, 9)), 8192, {"a": Share(size, size, 0), "b": Share(10**11, 10**9, 5 * 10**8)}
    )
    positions = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=50, unique=True)))
    indices = order.allocation.index_of(np.zeros(len(positions), np.int64), positions)
    place = order.locate(indices)
    assert (place.component == 0).all()
    assert (place.epoch == 0).all()
    assert len(np.unique(place.sequence)) == len(positions)


def test_a_later_phase_of_the_same_length_continues():
    tokens = {"a": 100 * 8 + 1}
    first, longer, second = orders(
        3, [Phase(8, {"a": 60}), Phase(16, {"a": 10}), Phase(8, {"a": 40})], tokens
    )
    early, late = (order.locate(np.arange(order.sequences)) for order in (first, second))
    assert sorted([*early.sequence.tolist(), *late.sequence.tolist()]) == list(range(100))
    assert (longer.locate(np.arange(10)).epoch == 0).all()


def test_other_sources_do_not_reseed_a_source():
    """Adding or moving a source leaves the order inside the others alone."""
    tokens = dict.fromkeys("abcz", 8 * 1000 + 1)

    def sequence_of(name: str, counts: dict[str, int]) -> list[int]:
        (order,) = orders(5, [Phase(8, counts)], tokens)
        place = order.locate(np.arange(order.sequences))
        return place.sequence[place.component == order.names.index(name)].tolist()

    alone = sequence_of("b", {"b": 300})
    assert sequence_of("b", {"a": 100, "b": 300}) == alone
    assert sequence_of("b", {"z": 7, "b": 300, "a": 50, "c": 900}) == alone
    assert sequence_of("c", {"c": 300}) != alone


def test_the_order_of_a_small_mixture_is_fixed():
    """The order is a promise to every lock ever written: if these numbers move, ALGORITHM must move."""
    (order,) = orders(17, [Phase(8, {"web": 7, "code": 3})], {"web": 41, "code": 33})
    place = order.locate(np.arange(10))
    assert order.names == ("code", "web")
    assert place.component.tolist() == [1, 0, 1, 1, 0, 1, 1, 1, 0, 1]
    assert place.epoch.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    assert place.sequence.tolist() == [0, 2, 1, 2, 3, 4, 3, 1, 0, 3]


def test_batches_and_single_look_ups_agree():
    (order,) = orders(1, [Phase(8, {"a": 9_000, "b": 12_345})], {"a": 8 * 500, "b": 8 * 77_777})
    whole = order.locate(np.arange(order.sequences))
    for index in (0, 1, 8191, 8192, 8193, order.sequences - 1):
        one = order.locate(np.array([index]))
        assert [int(part[0]) for part in one] == [int(part[index]) for part in whole]


def test_out_of_range_is_refused_and_places_not_visited_have_no_index():
    (order,) = orders(1, [Phase(8, {"a": 10})], {"a": 8 * 100 + 1})
    for index in (-1, 10):
        with pytest.raises(IndexError):
            order.locate(np.array([index]))
    visited = order.locate(np.arange(10)).sequence
    for sequence in range(100):
        expected = np.flatnonzero(visited == sequence)
        assert order.visits("a", sequence).tolist() == expected.tolist()
    assert order.visits("nobody", 0).size == 0
    assert order.visits("a", 100).size == 0
    zero = np.zeros(1, np.int64)
    assert order.index_of(Place(zero, zero + 3, zero)).tolist() == [-1]
