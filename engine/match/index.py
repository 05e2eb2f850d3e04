"""Which rules wait for an event: by its type first, then by what each of them asks for that the fewest others do."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from engine.match.covers import Covers
from engine.match.nodes import Node, build
from engine.match.patterns import compile_type_pattern, is_literal
from engine.match.whens import LIVE, Entry
from engine.model.event import Event
from engine.model.rule import When

T = TypeVar("T")

_REMEMBERED = 1_024
_LONGEST = 128


class _ByType(Generic[T]):
    """What is kept for each pattern of event types, and for a type all that its patterns have.

    What a type leads to is remembered, for at most `_REMEMBERED` types of at most `_LONGEST` characters (Stripe has
    some 600, the longest of 70): types that somebody makes up neither fill the memory nor push out real ones.
    """

    def __init__(self, kept: dict[str, T]) -> None:
        self._exact = {pattern: thing for pattern, thing in kept.items() if is_literal(pattern)}
        self._globs = [(compile_type_pattern(pattern), kept[pattern]) for pattern in kept if not is_literal(pattern)]
        self.remembered: dict[str, tuple[T, ...]] = {}

    def __getitem__(self, event_type: str) -> tuple[T, ...]:
        found = self.remembered.get(event_type)
        if found is None:
            found = tuple(self._find(event_type))
            if len(self.remembered) < _REMEMBERED and len(event_type) <= _LONGEST:
                self.remembered[event_type] = found
        return found

    def _find(self, event_type: str) -> Iterable[T]:
        names = (event_type, event_type[3:]) if event_type.startswith("v1.") else (event_type,)
        for name in names:
            if name in self._exact:
                yield self._exact[name]
        for takes, thing in self._globs:
            if takes(event_type):
                yield thing


class TypeIndex(Generic[T]):
    """Things by the patterns of event types they look at, in the order they were given, each once."""

    def __init__(self, entries: Iterable[tuple[Iterable[str], T]]) -> None:
        groups: dict[str, list[tuple[int, T]]] = {}
        for place, (patterns, thing) in enumerate(entries):
            for pattern in dict.fromkeys(patterns):
                groups.setdefault(pattern, []).append((place, thing))
        self._groups = _ByType(groups)

    def __getitem__(self, event_type: str) -> tuple[T, ...]:
        """The things that look at events of that type."""
        groups = self._groups[event_type]
        if len(groups) == 1:
            return tuple(thing for _, thing in groups[0])
        places = {place: thing for group in groups for place, thing in group}
        return tuple(places[place] for place in sorted(places))


class Index(Generic[T]):
    """Things by the `when` that each waits for; of each type of event only those are judged that have a chance.

    What `previous` holds is used again as far as it is the same: the compiled form of every `when` that is still there,
    and the index of every type whose rules are.
    """

    def __init__(self, waiting: Iterable[tuple[When, T]], previous: "Index[T] | None" = None) -> None:
        known = {} if previous is None else previous._entries
        self._entries: dict[int, Entry[T]] = {}
        groups: dict[str, list[Entry[T]]] = {}
        for when, thing in waiting:
            entry = known.get(id(when))
            if entry is None or entry.when is not when or entry.thing != thing:
                entry = Entry(when, thing)
            self._entries[id(when)] = entry
            for pattern in dict.fromkeys(when.types):
                groups.setdefault(pattern, []).append(entry)
        covers = Covers()
        before = {} if previous is None else previous._nodes
        self._nodes: dict[str, tuple[tuple[Entry[T], ...], Node]] = {}
        for pattern, group in groups.items():
            entries = tuple(group)
            old = before.get(pattern)
            same = old is not None and old[0] == entries
            self._nodes[pattern] = old if old is not None and same else (entries, build(entries, covers))
        self._probes = _ByType({pattern: node.probes for pattern, (_, node) in self._nodes.items()})

    def find(self, event: Event) -> list[T]:
        """The things whose `when` holds for the event, in no order, and one with several that hold several times."""
        hits: list[Any] = []
        for probes in self._probes.remembered.get(event.type) or self._probes[event.type]:
            for probe in probes:
                probe(event, hits)
        found: list[T] = []
        livemode = event.livemode
        for hit in hits:  # which grows meanwhile: a node in it adds what it finds
            if type(hit) is Node:
                for probe in hit.probes:
                    probe(event, hits)
                continue
            holds = hit.holds
            if holds is None:
                holds = hit.compiled()
            if livemode if holds is LIVE else holds(event):  # as most are, and so not worth a call
                found.append(hit.thing)
        return found
