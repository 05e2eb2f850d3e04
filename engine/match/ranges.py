"""Bounds and bands, found by order: what a number reaches, keeps under or lies in, among many."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Any

Number = int | Decimal
Bucket = tuple[Any, ...]

_RUN = 4_096
"""Bounds sorted in one go: sorting holds the interpreter, and events are to be matched meanwhile."""


class Thresholds:
    """Things by a lower bound (`above`) or an upper one. A number that equals the bound counts as reaching it."""

    __slots__ = ("_above", "_bounds", "_things")

    def __init__(self, items: Iterable[tuple[Number, Any]], *, above: bool) -> None:
        ordered = list(_sorted(items))
        self._above = above
        self._bounds: list[Number] = [bound for bound, _ in ordered]
        self._things = [thing for _, thing in ordered]

    def find(self, number: Number, hits: list[Any]) -> None:
        """Add the things whose bound the number reaches."""
        if self._above:
            hits += self._things[: bisect_right(self._bounds, number)]
        else:
            hits += self._things[bisect_left(self._bounds, number) :]


class Bands:
    """Things by a band from `low` to `high`; `open_ended` ones end before `high`.

    A segment tree: the bounds cut the line into pieces, each band is kept at the few nodes that make it up, and the
    bands around a number are those at the nodes above its piece. A closed band is held to reach up to the next bound.
    """

    __slots__ = ("_bounds", "_nodes", "_size")

    def __init__(self, items: Sequence[tuple[tuple[Number, Number, bool], Any]]) -> None:
        ends = ((bound, None) for band, _ in items for bound in band[:2])
        self._bounds: list[Number] = []
        for bound, _ in _sorted(ends):
            if not self._bounds or bound != self._bounds[-1]:
                self._bounds.append(bound)
        self._size = len(self._bounds)
        nodes: dict[int, list[Any]] = {}
        for (low, high, open_ended), thing in items:
            for node in self._covering(low, high, open_ended):
                nodes.setdefault(node, []).append(thing)
        self._nodes: dict[int, Bucket] = {node: tuple(things) for node, things in nodes.items()}

    def _covering(self, low: Number, high: Number, open_ended: bool) -> Iterator[int]:
        left = self._size + bisect_left(self._bounds, low)
        right = self._size + bisect_left(self._bounds, high) + (not open_ended)
        while left < right:
            if left & 1:
                yield left
                left += 1
            if right & 1:
                right -= 1
                yield right
            left >>= 1
            right >>= 1

    def find(self, number: Number, hits: list[Any]) -> None:
        """Add the things around whose number it is."""
        piece = bisect_right(self._bounds, number)
        if not piece:
            return
        nodes, node = self._nodes, piece - 1 + self._size
        while node:
            found = nodes.get(node)
            if found is not None:
                hits += found
            node >>= 1


def _sorted(items: Iterable[tuple[Number, Any]]) -> Iterator[tuple[Number, Any]]:
    """In the order of the bounds."""
    pending = iter(items)
    runs = []
    while run := list(islice(pending, _RUN)):
        run.sort(key=_bound)
        runs.append(run)
    return iter(runs[0]) if len(runs) == 1 else merge(*runs, key=_bound)


def _bound(item: tuple[Number, Any]) -> Number:
    return item[0]
