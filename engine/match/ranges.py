"""Bounds and bands, found by order: what a number reaches, keeps under or lies in, among many."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Any

Number = int | Decimal
Bucket = tuple[Any, ...]

Band = tuple[Number, Number, bool]
"""Low, high, and whether it ends before high (else with it)."""

Find = Callable[[Any, list[Any]], None]
"""Add to the list what an exact number finds."""

_OVERLAP = 4
"""Pieces a band, on average, up to which each piece has a list of its own."""

_RUN = 4_096
"""Bounds sorted in one go: sorting holds the interpreter, and events are to be matched meanwhile."""


def thresholds(items: Iterable[tuple[Number, Any]], *, above: bool) -> Find:
    """Finds the things whose lower bound (`above`) or upper bound a number reaches; one that equals it does."""
    bounds: list[Number] = []
    things: list[Any] = []
    for bound, thing in _sorted(items):
        bounds.append(bound)
        things.append(thing)

    def find_above(number: Number, hits: list[Any]) -> None:
        hits += things[: bisect_right(bounds, number)]

    def find_below(number: Number, hits: list[Any]) -> None:
        hits += things[bisect_left(bounds, number) :]

    return find_above if above else find_below


def bands(items: Sequence[tuple[Band, Any]]) -> Find:
    """Finds the things whose band, from low to high, a number is in; a closed one is held to reach to the next bound.

    The bounds cut the line into pieces. Where few bands overlap, each piece has a list of those around it. Else they
    are in a segment tree: each at the few nodes that make it up, and those around a number at the nodes above its
    piece.
    """
    bounds: list[Number] = []
    for bound, _ in _sorted((bound, None) for band, _ in items for bound in band[:2]):
        if not bounds or bound != bounds[-1]:
            bounds.append(bound)
    covered = []
    for (low, high, open_ended), thing in items:
        covered.append((bisect_left(bounds, low), bisect_left(bounds, high) + (not open_ended), thing))
    few = sum(end - start for start, end, _ in covered if end > start) <= _OVERLAP * len(covered)
    kept: dict[int, list[Any]] = {}
    for start, end, thing in covered:
        for place in range(start, end) if few else _nodes(start + len(bounds), end + len(bounds)):
            kept.setdefault(place, []).append(thing)

    pieces = [tuple(kept.get(place, ())) for place in range(-1, len(bounds))] if few else []

    def find_in_pieces(number: Number, hits: list[Any]) -> None:
        hits += pieces[bisect_right(bounds, number)]

    def find_in_tree(number: Number, hits: list[Any]) -> None:
        piece = bisect_right(bounds, number)
        node = piece + len(bounds) - 1 if piece else 0
        while node:
            found = kept.get(node)
            if found is not None:
                hits += found
            node >>= 1

    return find_in_pieces if few else find_in_tree


def _nodes(left: int, right: int) -> Iterator[int]:
    """The nodes that make up the leaves from left to before right."""
    while left < right:
        if left & 1:
            yield left
            left += 1
        if right & 1:
            right -= 1
            yield right
        left >>= 1
        right >>= 1


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
