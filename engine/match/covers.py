"""What an event has to have to meet a condition: which keys (`engine.match.keys`) it can be found by.

What is said here is only ever too much, never too little: a rule whose keys an event has may still not hold, and is
judged; one whose keys it lacks cannot. Operators, operands and steps that are not known here give no key.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from engine.match.keys import NUMBER, TIME, Cover, Facet, Key, Rank, Spot, Spots, walkable
from engine.match.paths import Base, parse_path
from engine.match.patterns import is_literal
from engine.match.steps import EACH, PathError, Step
from engine.match.values import epoch_seconds
from engine.model.condition import All, Any, Bounds, Changed, Condition, Members, Money, Operation, PathTest, Time
from engine.model.event import Json
from engine.model.rule import When

Part = Condition | Literal["account"] | None
"""What of a `when` needs no judging any more where a cover was met: one of the conditions side by side in its `where`,
or its accounts; None: all of it has to be judged."""

Way = tuple[Cover, Part]
"""One way to find the events that a `when` waits for."""

_MOST_KEYS = 1_000
"""Keys of one cover; a longer list of values is found by another condition beside it, or by presence."""

_FALSE_OF_MISSING = frozenset(
    {"eq", "gt", "gte", "lt", "lte", "between", "prefix", "suffix", "contains", "glob", "matches", "cidr"}
    | {"older_than", "newer_than", "same_as", "length", "any_item", "all_items"}
)
"""Operators that hold of nothing that is missing or null, so that there has to be a value."""

_DECIDED = frozenset({"eq", "gte", "lte", "prefix", "suffix", "in_table"})
"""Operators of which an index finds exactly the values that they hold of."""


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

    def of(self, when: When) -> list[Way]:
        """Every known way to find the events of a `when` within its types; each by itself is enough."""
        ways: list[Way] = []
        if isinstance(when.accounts, tuple):
            decided: Part = "account" if all(map(is_literal, when.accounts)) else None
            ways += [(cover, decided) for cover in self._texts(self._spots.account, when.accounts, glob=True)]
        for condition in side_by_side(when.where):
            covers: list[Cover] = []
            self._add(covers, condition, None)
            ways += [(cover, condition if _decides(cover, condition) else None) for cover in covers]
        frame = self._spots.frame
        if type(when.livemode) is bool:
            ways.append(((frame.key("livemode", when.livemode),), None))
        if isinstance(when.scopes, frozenset):
            ways.append((tuple(frame.key("scope", scope) for scope in when.scopes), None))
        return ways

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
            best = min(own, key=weight) if len(own) > 1 else own[0]
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


def side_by_side(where: Condition) -> tuple[Condition, ...]:
    """The conditions of a `where` that all have to hold."""
    return where.children if isinstance(where, All) else (where,)


def _decides(cover: Cover, condition: Condition) -> bool:
    """Whether an event that was found by the cover needs no judging by the condition that it is of."""
    if isinstance(condition, PathTest):
        operations = condition.operations
        if len(operations) == 1:
            return operations[0].operator in _DECIDED and not _has("present", cover)
        operators = {operation.operator for operation in operations}
        return len(operations) == 2 and operators == {"gte", "lt"} and _has("band", cover)
    if not isinstance(condition, Any) or _has("present", cover):
        return False
    for child in condition.children:
        if not isinstance(child, PathTest) or len(child.operations) != 1:
            return False
        if child.operations[0].operator not in _DECIDED:
            return False
    return True


def _has(facet: Facet, cover: Cover) -> bool:
    return any(slot.facet == facet for slot, _ in cover)


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


def rank(cover: Cover) -> Rank:
    return max((slot.rank for slot, _ in cover), default=Rank.ONE_VALUE)


def weight(cover: Cover) -> tuple[int, int]:
    return rank(cover), len(cover)
