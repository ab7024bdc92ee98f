"""Files of a repository in the order of their dependencies: each after those that it imports.

As DeepSeek-Coder orders them (arXiv 2401.14196, algorithm 1): files that hang together follow each other, and
in a cycle the file with the fewest imports left comes first. Unlike there, a cycle is taken as a whole, so
that it never moves files outside of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from corpus.sources.repositories.imports import references

Graph = Mapping[str, Sequence[str]]
"""Of each file those that it needs."""


def order_files(files: Mapping[str, str]) -> list[str]:
    """The paths of the files, each behind those that it imports, as far as they are not in a cycle.

    Groups of files that import each other in any way follow one another, the group with the first path first;
    where imports leave a choice, the first path comes first. The order of the mapping does not matter.
    """
    return order_graph(references(files))


def order_graph(needs: Graph) -> list[str]:
    """As `order_files`, for what is known of the imports. Every file that is needed is a key."""
    group = _groups(needs)
    cycle = _cycles(needs)
    inner: dict[str, list[str]] = {}
    for path in sorted(needs):
        inner.setdefault(cycle[path], []).append(path)
    outer: dict[str, set[str]] = {name: set() for name in inner}
    for path, others in needs.items():
        outer[cycle[path]].update(cycle[other] for other in others if cycle[other] != cycle[path])
    ordered: list[str] = []
    for name in _sorted(outer, {name: (group[name], name) for name in outer}):
        members = inner[name]
        if len(members) == 1:
            ordered += members
        else:
            ordered += _unwound({path: set(needs[path]) & set(members) - {path} for path in members})
    return ordered


def _sorted(needs: Mapping[str, set[str]], rank: Mapping[str, tuple[str, str]]) -> list[str]:
    """Kahn's topological sort; among what is ready the smallest rank comes first."""
    users: dict[str, list[str]] = {name: [] for name in needs}
    left = {name: len(others) for name, others in needs.items()}
    for name, others in needs.items():
        for other in others:
            users[other].append(name)
    ready = [(rank[name], name) for name, count in left.items() if not count]
    heapq.heapify(ready)
    done = []
    while ready:
        _, name = heapq.heappop(ready)
        done.append(name)
        for user in users[name]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, (rank[user], user))
    return done


def _unwound(needs: Mapping[str, set[str]]) -> list[str]:
    """The files of a cycle: always the one with the fewest imports left, then the first path."""
    users: dict[str, list[str]] = {path: [] for path in needs}
    for path, others in needs.items():
        for other in others:
            users[other].append(path)
    left = {path: len(others) for path, others in needs.items()}
    heap = [(count, path) for path, count in left.items()]
    heapq.heapify(heap)
    done: dict[str, None] = {}
    while heap:
        count, path = heapq.heappop(heap)
        if path in done or count != left[path]:
            continue
        done[path] = None
        for user in users[path]:
            if user not in done:
                left[user] -= 1
                heapq.heappush(heap, (left[user], user))
    return list(done)


def _groups(needs: Graph) -> dict[str, str]:
    """Of each file the first path of those that it hangs together with."""
    parent = {path: path for path in needs}

    def root(path: str) -> str:
        while parent[path] != path:
            parent[path] = path = parent[parent[path]]
        return path

    for path, others in needs.items():
        for other in others:
            low, high = sorted((root(path), root(other)))
            parent[high] = low
    return {path: root(path) for path in needs}


def _cycles(needs: Graph) -> dict[str, str]:
    """Of each file the first path of its strongly connected component (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: dict[str, str] = {}
    for start in sorted(needs):
        if start in number:
            continue
        work = [(start, iter(sorted(needs[start])))]
        number[start] = low[start] = len(number)
        stack.append(start)
        on_stack.add(start)
        while work:
            path, others = work[-1]
            for other in others:
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(needs[other]))))
                    break
                if other in on_stack:
                    low[path] = min(low[path], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[path])
                if low[path] == number[path]:
                    members = [stack.pop()]
                    while members[-1] != path:
                        members.append(stack.pop())
                    on_stack.difference_update(members)
                    first = min(members)
                    found.update(dict.fromkeys(members, first))
    return found
