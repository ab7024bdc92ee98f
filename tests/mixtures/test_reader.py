import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mixtures import tokenizer
from mixtures.locking import make_lock
from mixtures.reader import SequenceReader
from mixtures.tokenize import tokenize
from tests.mixtures.conftest import document_id, small_mixture, write_store

LOCK = Path("out/mixture.lock.json")


@pytest.fixture
def reader(locked):
    return SequenceReader(LOCK)


def streams(reader, stores):
    """Slow twin: each source's stream as (token, document id, position in the document), from the texts."""
    encoder = tokenizer.load(reader.lock.tokenizer_path)
    result = {}
    for name, parts in stores.items():
        first = {("a", 0): 7}
        result[name] = [
            (token, document_id(number, first.get((name, number), 0) + row), position)
            for number, part in enumerate(parts)
            for row, text in enumerate(part)
            if text
            for position, token in enumerate([*encoder.encode(text, add_special_tokens=False).ids, 2])
        ]
    return result


def numbered(documents):
    """0, 1, 2, ... for the documents that tokens belong to."""
    return np.cumsum([0] + [int(a != b) for a, b in pairwise(documents)]).tolist()


def test_every_batch_is_what_the_order_says_of_the_texts(reader, stores):
    twin = streams(reader, stores)
    assert {name: len(stream) for name, stream in twin.items()} == {
        name: source.tokens for name, source in reader.lock.sources.items()
    }
    for phase, (_, length, sequences) in enumerate(reader.phases):
        indices = np.arange(sequences)
        batch = reader.read(phase, indices)
        assert batch.tokens.shape == batch.segments.shape == (sequences, length + 1)
        assert batch.tokens.dtype == batch.segments.dtype == np.int32
        place = reader.orders[phase].locate(indices)
        for index in range(sequences):
            name = reader.orders[phase].names[place.component[index]]
            start = int(place.sequence[index]) * length
            window = twin[name][start : start + length + 1]
            assert batch.tokens[index].tolist() == [token for token, _, _ in window]
            assert batch.segments[index].tolist() == numbered([document for _, document, _ in window])


def test_explain_covers_the_inputs_and_the_last_real_target(reader, stores):
    twin = streams(reader, stores)
    for phase, (_, length, sequences) in enumerate(reader.phases):
        for index in range(0, sequences, 3):
            place = reader.orders[phase].locate(np.array([index]))
            name = reader.orders[phase].names[place.component[0]]
            start = int(place.sequence[0]) * length
            window = twin[name][start : start + length + 1]
            if window[-1][1] != window[-2][1]:
                window = window[:-1]
            told = [
                (piece.document, position)
                for piece in reader.explain(phase, index)
                for position in range(piece.first, piece.last + 1)
            ]
            assert told == [(document, position) for _, document, position in window]
            assert {piece.source for piece in reader.explain(phase, index)} == {name}


def test_sequences_of_is_the_inverse_of_explain(reader):
    seen: dict[str, set[tuple[int, int]]] = {}
    for phase, (_, _, sequences) in enumerate(reader.phases):
        for index in range(sequences):
            for piece in reader.explain(phase, index):
                seen.setdefault(piece.document, set()).add((phase, index))
    assert len(seen) > 100
    for document, expected in seen.items():
        found = [(v.phase, index) for v in reader.sequences_of(document) for index in v.indices.tolist()]
        assert found == sorted(expected)
    assert all(not visits.indices.size for visits in reader.sequences_of("nobody"))


def test_batches_in_any_split_and_order_are_the_same(reader):
    _, _, sequences = reader.phases[0]
    whole = reader.read(0, np.arange(sequences))
    shuffled = np.random.default_rng(0).permutation(sequences)
    for indices in np.array_split(shuffled, 7):
        part = SequenceReader(LOCK).read(0, indices)
        assert np.array_equal(part.tokens, whole.tokens[indices])
        assert np.array_equal(part.segments, whole.segments[indices])
    assert reader.read(0, np.array([], np.int64)).tokens.shape == (0, 33)
    with pytest.raises(IndexError):
        reader.read(0, np.array([sequences]))


def test_what_it_says_of_the_mixture(reader):
    assert reader.phases == [("one", 32, 280), ("two", 48, 80), ("three", 32, 156)]
    assert (reader.bos_id, reader.eos_id) == (1, 2)
    assert reader.vocab_size == tokenizer.load(reader.lock.tokenizer_path).get_vocab_size()
    assert reader.lock_digest == reader.lock.digest
    text = reader.text(0, 5)
    encoder = tokenizer.load(reader.lock.tokenizer_path)
    ids = reader.read(0, np.array([5])).tokens[0, :-1].tolist()
    assert text == encoder.decode(ids, skip_special_tokens=False)


def test_sequences_run_over_many_tiny_parts(stores):
    """Parts shorter than a sequence, and empty ones: a sequence may span several."""
    parts = [["x"], [], ["yes", "no"], [], [], ["z"] * 3, ["the of a to and in is it that was " * 4]]
    write_store(Path("stores/b"), parts)
    manifest = small_mixture(output="tiny")
    tokenize(manifest)
    make_lock(manifest)
    reader = SequenceReader("tiny/mixture.lock.json")
    assert reader.stores["b"].tokens > 33
    twin = streams(reader, {"b": parts})["b"]
    place = reader.orders[2].locate(np.arange(reader.phases[2].sequences))
    (component,) = (number for number, name in enumerate(reader.orders[2].names) if name == "b")
    index = int(np.flatnonzero((place.component == component) & (place.sequence == 0))[0])
    batch = reader.read(2, np.array([index]))
    assert batch.tokens[0].tolist() == [token for token, _, _ in twin[:33]]
    ids = [document for _, document, _ in twin[:33]]
    assert batch.segments[0].tolist() == numbered(ids)
    assert [piece.document for piece in reader.explain(2, index)] == list(dict.fromkeys(ids))


def test_it_travels_to_other_processes_without_its_data(reader):
    before = reader.read(0, np.arange(20))
    packed = pickle.dumps(reader)
    assert len(packed) < 30_000
    after = pickle.loads(packed).read(0, np.arange(20))
    assert np.array_equal(before.tokens, after.tokens)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc")
def test_reading_keeps_no_file_open(reader):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for phase in range(3):
        reader.read(phase, np.arange(80))
        reader.explain(phase, 7)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
