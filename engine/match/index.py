"""Which rules look at a type of event. The seam for a better index: nothing outside knows how it finds them."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from engine.match.patterns import compile_type_pattern, is_literal

T = TypeVar("T")

_REMEMBERED = 1_024
_LONGEST = 128


class TypeIndex(Generic[T]):
    """Things by the patterns of event types they look at, in the order they were given, each once.

    What a type leads to is remembered, for at most `_REMEMBERED` types of at most `_LONGEST` characters (Stripe has
    some 600, the longest of 70): types that somebody makes up neither fill the memory nor push out real ones.
    """

    def __init__(self, entries: Iterable[tuple[Iterable[str], T]]) -> None:
        self._exact: dict[str, list[tuple[int, T]]] = {}
        self._patterns: list[tuple[Callable[[str], bool], int, T]] = []
        self._remembered: dict[str, tuple[T, ...]] = {}
        for place, (patterns, thing) in enumerate(entries):
            for pattern in dict.fromkeys(patterns):
                if is_literal(pattern):
                    self._exact.setdefault(pattern, []).append((place, thing))
                else:
                    self._patterns.append((compile_type_pattern(pattern), place, thing))

    def __getitem__(self, event_type: str) -> tuple[T, ...]:
        """The things that look at events of that type."""
        found = self._remembered.get(event_type)
        if found is None:
            found = self._find(event_type)
            if len(self._remembered) < _REMEMBERED and len(event_type) <= _LONGEST:
                self._remembered[event_type] = found
        return found

    def _find(self, event_type: str) -> tuple[T, ...]:
        places = dict(self._exact.get(event_type, ()))
        if event_type.startswith("v1."):
            places.update(self._exact.get(event_type[3:], ()))
        places.update((place, thing) for takes, place, thing in self._patterns if takes(event_type))
        return tuple(places[place] for place in sorted(places))
