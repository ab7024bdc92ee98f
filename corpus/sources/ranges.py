"""Fetching single records of archives: neighbours together, several ranges at a time, in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from corpus.inputs import Access, remote
from corpus.transfer import GaveUp, end_with, fetch

MOST_BYTES = 16 << 20
"""A request asks for no more, but for a single record that is larger."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A range of an archive that comes in one request, and the records in it."""

    file: str
    start: int
    stop: int
    records: tuple[tuple[int, int], ...]
    """Offset and length of each, in order."""


def stretches(records: Iterable[tuple[str, int, int]], gap: int) -> Iterator[Stretch]:
    """Join records (archive, offset, length; sorted) of one archive that lie at most `gap` bytes apart."""
    held: list[tuple[int, int]] = []
    name, start, stop = "", 0, 0
    for file, offset, length in records:
        end = offset + length
        if held and (file != name or offset > stop + gap or max(end, stop) - start > MOST_BYTES):
            yield Stretch(name, start, stop, tuple(held))
            held = []
        if not held:
            name, start, stop = file, offset, end
        held.append((offset, length))
        stop = max(stop, end)
    if held:
        yield Stretch(name, start, stop, tuple(held))


def fetch_all(
    wanted: Iterable[Stretch], address: Callable[[str], str], access: Access
) -> Iterator[tuple[Stretch, bytes | OSError]]:
    """The bytes of every stretch, or the error for which they could not be had, in order.

    `access.transfer.parallel` are on their way at a time. When one was given up, the following ones are
    tried once each until one succeeds: a server that is gone does not cost all its patience again and
    again.
    """
    patient = access.transfer
    hasty = patient.model_copy(update={"tries": min(2, patient.tries)})
    policy = patient

    def get(stretch: Stretch) -> bytes | OSError:
        nonlocal policy
        if stretch.stop <= stretch.start:
            return b""
        try:
            data, _ = fetch(remote(address(stretch.file), access), stretch.start, stretch.stop, policy)
        except OSError as error:
            if isinstance(error, GaveUp):
                policy = hasty
            return error
        policy = patient
        return data

    running: deque[tuple[Stretch, Future[bytes | OSError]]] = deque()
    stop = threading.Event()
    with ThreadPoolExecutor(patient.parallel, initializer=end_with, initargs=(stop,)) as pool:
        try:
            for stretch in wanted:
                running.append((stretch, pool.submit(get, stretch)))
                if len(running) > patient.parallel:
                    first, future = running.popleft()
                    yield first, future.result()
            while running:
                first, future = running.popleft()
                yield first, future.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
