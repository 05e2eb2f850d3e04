"""Building an index of rules: each under the key that leaves the fewest others beside it, by the rules' own counts."""

from collections.abc import Iterable, Sequence
from typing import Any

from engine.match.covers import Covers, Way
from engine.match.facets import Found
from engine.match.keys import Cover, Facet, Key, Slot
from engine.match.probes import Probe, probes_of
from engine.match.whens import Entry, Remainder

_LEAF = 4
"""Entries that are judged one after the other; looking for the right one would cost more."""

_CROWD = 16
"""Entries under one key beyond which they get an index of their own, by what else they ask for."""

_SHARE: dict[Facet, float] = {"above": 0.5, "below": 0.5, "band": 0.1}
"""Of all entries of a slot that is found by order, how many an event is likely to meet."""


class Node:
    """An index of entries. Its probes add to a list the entries that may hold for an event, and nodes to look in."""

    __slots__ = ("probes",)

    def __init__(self, probes: Iterable[Probe]) -> None:
        self.probes = tuple(probes)


def build(entries: Sequence[Entry[Any]], covers: Covers) -> Node:
    """The index of entries that look at the same types."""
    if len(entries) <= _LEAF:
        return Node([_all_of(entries)])
    known: dict[Entry[Any], list[Way]] = {}
    for entry in entries:
        known[entry] = covers.of(entry.when)
    node = _node(entries, known, frozenset())
    while known:  # what a build leaves behind is let go of bit by bit as well
        known.popitem()
    return node


def _node(entries: Sequence[Entry[Any]], known: dict[Entry[Any], list[Way]], used: frozenset[Slot]) -> Node:
    """`used` are the slots that all of the entries have been found by already."""
    counts = _count(entries, known)
    tables: dict[Slot, Any] = {}
    rest: list[Entry[Any]] = []
    for entry in entries:
        way = _best(known[entry], used, counts)
        if way is None:
            rest.append(entry)
            continue
        cover, decided = way
        left = entry if decided is None else Remainder(entry, decided)
        for slot, key in cover:
            if slot.ordered:
                tables.setdefault(slot, []).append((key, left))
            else:
                tables.setdefault(slot, {}).setdefault(key, []).append(left)
    found: dict[Slot, Found] = {}
    for slot, things in tables.items():
        if isinstance(things, dict):
            for key, bucket in things.items():
                things[key] = _bucket(bucket, known, used | {slot})
        found[slot] = things
    probes = probes_of(found)
    if rest:
        probes.append(_all_of(rest))
    for things in tables.values():
        while isinstance(things, list) and things:
            things.pop()
    while counts:
        counts.popitem()
    return Node(probes)


def _bucket(entries: list[Entry[Any]], known: dict[Entry[Any], list[Way]], used: frozenset[Slot]) -> tuple[Any, ...]:
    if len(entries) > _CROWD:
        once = list(dict.fromkeys(entry.whole if isinstance(entry, Remainder) else entry for entry in entries))
        if any(_open(cover, used) for entry in once for cover, _ in known[entry]):
            return (_node(once, known, used),)
    return tuple(entries)


def _all_of(entries: Iterable[Entry[Any]]) -> Probe:
    every = tuple(entries)
    return lambda event, hits: hits.extend(every)


def _count(entries: Iterable[Entry[Any]], known: dict[Entry[Any], list[Way]]) -> dict[Key | Slot, int]:
    """How many entries have each key, and each slot that is found by order."""
    counts: dict[Key | Slot, int] = {}
    for entry in entries:
        for cover, _ in known[entry]:
            for key in cover:
                counted = key[0] if key[0].ordered else key
                counts[counted] = counts.get(counted, 0) + 1
    return counts


def _open(cover: Cover, used: frozenset[Slot]) -> bool:
    return all(slot not in used for slot, _ in cover)


def _best(ways: Iterable[Way], used: frozenset[Slot], counts: dict[Key | Slot, int]) -> Way | None:
    """The way that is likely to leave the fewest candidates; of equals the first, which may be the account's."""
    best: Way | None = None
    least = float("inf")
    for way in ways:
        cost = 0.0
        for key in way[0]:
            slot = key[0]
            if slot in used:
                break
            cost += counts[slot] * _SHARE[slot.facet] if slot.ordered else counts[key]
            cost += slot.preference
        else:
            if cost < least:
                best, least = way, cost
    return best
