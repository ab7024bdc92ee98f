"""Fetching single records of archives: neighbours together, several ranges at a time, in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from corpus.inputs import Access, remote
from corpus.manifest import Transfer
from corpus.transfer import GaveUp, end_with, fetch

Wanted = TypeVar("Wanted")
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
    """The bytes of every stretch, or the error for which they could not be had, in order."""

    def get(stretch: Stretch, policy: Transfer) -> bytes:
        if stretch.stop <= stretch.start:
            return b""
        return fetch(remote(address(stretch.file), access), stretch.start, stretch.stop, policy)[0]

    return in_order(wanted, get, access.transfer)


def in_order(
    wanted: Iterable[Wanted], get: Callable[[Wanted, Transfer], bytes], patient: Transfer
) -> Iterator[tuple[Wanted, bytes | OSError]]:
    """What `get` fetches with the given patience, or its error, in the order of what is wanted.

    `patient.parallel` are on their way at a time. When one was given up, the following ones are tried once
    each until one succeeds: a server that is gone does not cost all its patience again and again.
    """
    hasty = patient.model_copy(update={"tries": min(2, patient.tries)})
    policy = patient

    def attempt(one: Wanted) -> bytes | OSError:
        nonlocal policy
        try:
            data = get(one, policy)
        except OSError as error:
            if isinstance(error, GaveUp):
                policy = hasty
            return error
        policy = patient
        return data

    running: deque[tuple[Wanted, Future[bytes | OSError]]] = deque()
    stop = threading.Event()
    with ThreadPoolExecutor(patient.parallel, initializer=end_with, initargs=(stop,)) as pool:
        try:
            for one in wanted:
                running.append((one, pool.submit(attempt, one)))
                if len(running) > patient.parallel:
                    first, future = running.popleft()
                    yield first, future.result()
            while running:
                first, future = running.popleft()
                yield first, future.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
