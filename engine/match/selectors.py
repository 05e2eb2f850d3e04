"""How the events that a rule waits for can be found: which keys (`engine.match.keys`) an event has to have.

What is said here is only ever too much, never too little: a rule whose keys an event has may still not hold, and is
judged in full; one whose keys it lacks cannot. Operators, operands and steps that are not known here give no key.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.match.keys import NUMBER, TIME, Cover, Facet, Key, Rank, Spot, Spots, walkable
from engine.match.paths import Base, parse_path
from engine.match.steps import EACH, PathError, Step
from engine.match.values import epoch_seconds
from engine.model.condition import (
    ALWAYS,
    All,
    Any,
    Bounds,
    Changed,
    Condition,
    Members,
    Money,
    Operation,
    PathTest,
    Time,
)
from engine.model.event import Json
from engine.model.rule import When

_MOST_KEYS = 1_000
"""Keys of one cover; a longer list of values is found by another condition beside it, or by presence."""

_FALSE_OF_MISSING = frozenset(
    {"eq", "gt", "gte", "lt", "lte", "between", "prefix", "suffix", "contains", "glob", "matches", "cidr"}
    | {"older_than", "newer_than", "same_as", "length", "any_item", "all_items"}
)
"""Operators that hold of nothing that is missing or null, so that there has to be a value."""


class Found(StrEnum):
    """How the index comes to a `when`: from what costs least to what costs most."""

    VALUE = "value"
    PART = "part"
    BAND = "band"
    BOUND = "bound"
    PRESENCE = "presence"
    TYPE = "type"
    SCAN = "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """How the index finds a `when` among many of the same type.

    `value`: by a value that a field has to equal (or one of several); `part`: by the beginning or end of a text, a
    field that changed, or a table; `band`, `bound`: by order; `presence`: by a field that has to be there and seldom
    is; `type`: by its type alone, because it asks for nothing else; `scan`: not at all, so that every event of its
    type tests it.
    `paths` are the fields looked at, as dotted paths.
    """

    found: Found
    paths: tuple[str, ...] = ()


def selector_of(when: When) -> Selector:
    """How the index finds it, judged by itself; among other rules it may do better, never worse."""
    covers = Covers().of(when)
    own = [cover for cover in covers if _rank(cover) is not Rank.FRAME]
    if not own:
        return Selector(found=Found.TYPE if when.where == ALWAYS else Found.SCAN)
    best = min(own, key=_weight)
    found = _FOUND[_rank(best)]
    if found is Found.PRESENCE and not _asks_only_presence(when.where):
        found = Found.SCAN
    return Selector(found=found, paths=tuple(dict.fromkeys(_written(slot.spot) for slot, _ in best)))


_FOUND = {
    Rank.ONE_VALUE: Found.VALUE,
    Rank.PART: Found.PART,
    Rank.BAND: Found.BAND,
    Rank.BOUND: Found.BOUND,
    Rank.WORD_OF_TWO: Found.VALUE,
    Rank.THERE: Found.PRESENCE,
}


def _asks_only_presence(condition: Condition) -> bool:
    if isinstance(condition, PathTest):
        return all(operation.operator == "exists" for operation in condition.operations)
    return all(map(_asks_only_presence, condition.children))


def _written(spot: Spot) -> str:
    if spot.base in ("account", "frame"):
        return spot.base
    text = "".join(
        f".{step}" if isinstance(step, str) else "[*]" if step is EACH else f"[{step}]" for step in spot.steps
    )
    return text.removeprefix(".") if spot.base == "object" else f"${spot.base}{text}"


def _rank(cover: Cover) -> Rank:
    return max((slot.rank for slot, _ in cover), default=Rank.ONE_VALUE)


def _weight(cover: Cover) -> tuple[int, int]:
    return _rank(cover), len(cover)


@dataclass(frozen=True, slots=True)
class _Inside:
    """Where the conditions on a value within the event start: their object, and what `.` is."""

    object: Spot
    item: Spot


class Covers:
    """Finds the covers of conditions. One of these serves all the rules of an index, which then share their slots."""

    def __init__(self) -> None:
        self._spots = Spots()
        self._by_text: dict[str, Spot | None] = {}

    def of(self, when: When) -> list[Cover]:
        """Every known way to find the events of a `when` within its types; each by itself is enough."""
        covers: list[Cover] = []
        accounts = when.accounts
        if isinstance(accounts, tuple):
            covers += self._texts(self._spots.account, accounts, glob=True)
        self._add(covers, when.where, None)
        frame = self._spots.frame
        if type(when.livemode) is bool:
            covers.append((frame.key("livemode", when.livemode),))
        if isinstance(when.scopes, frozenset):
            covers.append(tuple(frame.key("scope", scope) for scope in when.scopes))
        return covers

    def _add(self, covers: list[Cover], condition: Condition, inside: _Inside | None) -> None:
        if isinstance(condition, PathTest):
            self._add_test(covers, condition, inside)
        elif isinstance(condition, All):
            for child in condition.children:
                self._add(covers, child, inside)
        elif isinstance(condition, Any):
            cover = self._any(condition.children, inside)
            if cover is not None:
                covers.append(cover)

    def _any(self, children: Iterable[Condition], inside: _Inside | None) -> Cover | None:
        """The best keys of each child together; None where a child has none."""
        keys: list[Key] = []
        for child in children:
            own: list[Cover] = []
            self._add(own, child, inside)
            if not own:
                return None
            best = min(own, key=_weight)
            keys += best
        return tuple(dict.fromkeys(keys)) if len(keys) <= _MOST_KEYS else None

    def _spot(self, text: str, inside: _Inside | None) -> Spot | None:
        if inside is None:
            if text not in self._by_text:
                self._by_text[text] = self._read(text, None)
            return self._by_text[text]
        return self._read(text, inside)

    def _read(self, text: str, inside: _Inside | None) -> Spot | None:
        try:
            path = parse_path(text)
        except PathError:
            return None
        if inside is not None and path.base is Base.ITEM:
            return inside.item
        if inside is not None and path.base is Base.OBJECT:
            return self._below(inside.object, path.steps)
        return self._spots.of(path)

    def _below(self, spot: Spot, steps: tuple[Step, ...]) -> Spot | None:
        return self._spots.at(spot.base, (*spot.steps, *steps)) if walkable(steps) else None

    def _add_test(self, covers: list[Cover], test: PathTest, inside: _Inside | None) -> None:
        spot = self._spot(test.path, inside)
        before, there = len(covers), False
        for operation in test.operations:
            operator = operation.operator
            if operator == "changed":
                if inside is None:
                    self._add_change(covers, test.path, operation.operand)
            elif spot is not None:
                if operator in _FALSE_OF_MISSING or (operator == "exists" and operation.operand is True):
                    there = True
                read = _READERS.get(operator)
                if read is not None:
                    covers += read(self, spot, operation)
        if spot is not None:
            if len(test.operations) > 1:
                covers += _bands(spot, test.operations)
            if there and len(covers) == before:
                covers.append((spot.key("present"),))

    def _add_change(self, covers: list[Cover], text: str, change: Json) -> None:
        """`changed`: the previous attributes have its first name, whatever they say below it."""
        try:
            steps = parse_path(text).of_object
        except PathError:
            return
        if not steps or not isinstance(change, Changed) or not walkable(steps) or EACH in steps:
            return
        if isinstance(steps[0], str):
            covers.append((self._spots.frame.key("changed", steps[0]),))
        if change.new is not None:
            present = self._spots.at("object", steps)
            self._add(covers, change.new, _Inside(self._spots.at("object", ()), present))

    def _equal(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        operand = operation.operand
        parts = operand if type(operand) is tuple else (operand,)
        keys = [_equal_to(spot, part, operation.fold) for part in parts]
        good = tuple(key for key in keys if key is not None)
        if len(good) == len(keys) <= _MOST_KEYS:
            yield good

    def _prefix(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        if type(operation.operand) is str:
            yield (_beginning(spot, operation.operand, operation.fold),)

    def _suffix(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        if type(operation.operand) is str and operation.operand:
            yield (_ending(spot, operation.operand, operation.fold),)

    def _glob(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        if type(operation.operand) is str:
            yield from self._texts(spot, (operation.operand,), glob=True, fold=operation.fold)

    def _texts(self, spot: Spot, patterns: tuple[Json, ...], *, glob: bool, fold: bool = False) -> Iterable[Cover]:
        """One of several patterns in which only `*` is special."""
        keys = [_pattern(spot, pattern, fold) if type(pattern) is str else None for pattern in patterns]
        good = tuple(key for key in keys if key is not None)
        if len(good) == len(keys) <= _MOST_KEYS:
            yield good

    def _contains(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        operand = operation.operand
        if not operation.fold and (type(operand) is str or _is_number(operand)):
            yield (spot.key("element", operand),)

    def _in_table(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        if isinstance(operation.operand, Members):
            yield (spot.key("member", (operation.operand, operation.fold)),)

    def _ordered(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        facet: Facet = "above" if operation.operator in ("gt", "gte") else "below"
        operand = operation.operand
        if isinstance(operand, Bounds):
            if spot.base != "previous":
                keys = [spot.key(facet, bound.minor, bound.currency) for bound in operand.bounds]
                if operand.others:
                    keys.append(spot.key("others", frozenset(bound.currency for bound in operand.bounds)))
                yield tuple(keys)
            return
        end = _end(spot, operand)
        if end is not None:
            bound, unit = end
            yield (spot.key(facet, bound, unit),)

    def _between(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        if type(operation.operand) is tuple and len(operation.operand) == 2:
            low, high = (_end(spot, end) for end in operation.operand)
            if low is not None and high is not None and low[1] == high[1]:
                yield (_band(spot, low[0], high[0], low[1], open_ended=False),)

    def _any_item(self, spot: Spot, operation: Operation) -> Iterable[Cover]:
        """What one element has to have, looked for in all of them."""
        covers: list[Cover] = []
        if isinstance(operation.operand, Condition):
            element = self._below(spot, (EACH,))
            if element is not None and spot.base != "account":
                self._add(covers, operation.operand, _Inside(element, element))
        return covers


_READERS: dict[str, Callable[[Covers, Spot, Operation], Iterable[Cover]]] = {
    "eq": Covers._equal,
    "prefix": Covers._prefix,
    "suffix": Covers._suffix,
    "glob": Covers._glob,
    "contains": Covers._contains,
    "in_table": Covers._in_table,
    "any_item": Covers._any_item,
    "between": Covers._between,
    **dict.fromkeys(("gt", "gte", "lt", "lte"), Covers._ordered),
}


def _is_number(value: Json) -> bool:
    return type(value) is int or (type(value) is Decimal and value.is_finite())


def _equal_to(spot: Spot, value: Json, fold: bool) -> Key | None:
    if type(value) is str:
        return spot.key("folded", value.casefold()) if fold else spot.key("text", value)
    if type(value) is bool:
        return spot.key("truth", value)
    return spot.key("number", value) if _is_number(value) else None


def _pattern(spot: Spot, pattern: str, fold: bool) -> Key | None:
    first, *rest = pattern.split("*")
    if not rest:
        return _equal_to(spot, pattern, fold)
    if first:
        return _beginning(spot, first, fold)
    return _ending(spot, rest[-1], fold) if rest[-1] else None


def _beginning(spot: Spot, part: str, fold: bool) -> Key:
    return spot.key("folded prefix", part.casefold()) if fold else spot.key("prefix", part)


def _ending(spot: Spot, part: str, fold: bool) -> Key:
    return spot.key("folded suffix", part.casefold()) if fold else spot.key("suffix", part)


def _end(spot: Spot, operand: Json) -> tuple[int | Decimal, str] | None:
    """The number of a bound and its unit; None where an index has no order for it."""
    if isinstance(operand, Money):
        # What changed is in the currency of the object it belongs to, which is not on the way to it.
        return None if spot.base == "previous" else (operand.minor, operand.currency)
    if isinstance(operand, Time):
        return epoch_seconds(operand.at), TIME
    return (operand, NUMBER) if _is_number(operand) else None


def _bands(spot: Spot, operations: Iterable[Operation]) -> Iterable[Cover]:
    """A lower and an upper bound side by side: the same value has to pass both."""
    low = high = None
    open_ended = False
    for operation in operations:
        if operation.operator in ("gt", "gte"):
            low = _end(spot, operation.operand)
        elif operation.operator in ("lt", "lte"):
            high = _end(spot, operation.operand)
            open_ended = operation.operator == "lt"
    if low is not None and high is not None and low[1] == high[1]:
        yield (_band(spot, low[0], high[0], low[1], open_ended),)


def _band(spot: Spot, low: int | Decimal, high: int | Decimal, unit: str, open_ended: bool) -> Key:
    if not open_ended and type(high) is int:
        high, open_ended = high + 1, True  # what lies between the two is judged in full
    return spot.key("band", (low, high, open_ended), unit)
