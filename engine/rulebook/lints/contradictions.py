"""Conditions that can never hold together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.match import parse_path
from engine.match.operators import OPERATORS, Operand
from engine.match.patterns import compile_pattern
from engine.match.regex import compile_regex
from engine.match.values import epoch_seconds, equal, folded
from engine.match.wording import describe_operation
from engine.model.condition import All, Changed, Condition, Money, Nothing, Operation, PathTest, Time
from engine.model.event import Json
from engine.model.rule import When
from engine.model.schema import Kind
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import Carried, Lost, carried, lead

_ORDERS = frozenset({"gt", "gte", "lt", "lte", "between"})
_NEED_A_VALUE = frozenset(
    {"eq", "prefix", "suffix", "contains", "glob", "matches", "cidr", "older_than", "newer_than", "same_as", "length"}
    | {"any_item", "all_items", "in_table"}
    | _ORDERS
)
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
    "glob": lambda text, pattern: compile_pattern(pattern)(text),
    "matches": lambda text, pattern: compile_regex(pattern)(text),
}
_NEVER_CHANGE = frozenset({"id", "object", "created", "livemode"})
_MODES = frozenset({"livemode", "$.livemode", "$event.livemode", "$.data.object.livemode"})


def check_contradictions(found: Findings, when: When) -> None:
    """Warn of tests that no value passes, each where the second of two stands that exclude each other."""
    _Checker(found, carried(when.types)).walk(when.where)
    if when.livemode is not None:
        for test in conjuncts(when.where):
            _check_mode(found, when, test)


def conjuncts(condition: Condition) -> Iterator[PathTest]:
    """The tests that must all hold."""
    if isinstance(condition, PathTest):
        yield condition
    elif isinstance(condition, All):
        for child in condition.children:
            yield from conjuncts(child)


def _check_mode(found: Findings, when: When, test: PathTest) -> None:
    for operation in test.operations if test.path in _MODES else ():
        if operation.operator == "eq" and operation.operand is (not when.livemode) and operation.position:
            source = "default_livemode" if when.livemode_source == "default" else "livemode under when"
            message = f"{source} has it that only {'live' if when.livemode else 'test'} events are looked at"
            hint = f"write livemode: {str(not when.livemode).lower()} under when, beside type"
            found.warn("never-holds", operation.position, message, hint)


class _Checker:
    """Goes through the conditions of one `where`."""

    def __init__(self, found: Findings, about: Carried) -> None:
        self._found = found
        self._about = about

    def walk(self, condition: Condition, *, inside: bool = False) -> None:
        """`inside`: it is about the elements of a list, or a value that changed."""
        if isinstance(condition, PathTest):
            self._check(condition.operations)
            for operation in condition.operations:
                self._within(condition, operation)
        elif isinstance(condition, All):
            self._check_together(condition, inside)
            for child in condition.children:
                self.walk(child, inside=inside)
        else:
            for child in condition.children:
                self.walk(child, inside=inside)

    def _within(self, test: PathTest, operation: Operation) -> None:
        operand = operation.operand
        if isinstance(operand, Changed):
            if test.path in _NEVER_CHANGE and operation.position:
                self._found.warn("never-holds", operation.position, f"the {test.path} of an object never changes")
            for inner in (operand.old, operand.new, operand.added, operand.removed):
                if inner is not None:
                    self.walk(inner, inside=True)
        elif OPERATORS[operation.operator].operand is Operand.CONDITIONS:
            self.walk(operand, inside=True)
        elif operation.operator == "length":
            self._check(operand)

    def _check_together(self, condition: All, inside: bool) -> None:
        """Tests of one path that stand apart are about one value, unless it may be a list: then elements may differ."""
        tests: dict[str, list[Operation]] = {}
        for test in conjuncts(condition):
            tests.setdefault(test.path, []).extend(test.operations)
        apart = {test.path: test.operations for test in conjuncts(condition)}
        for path, operations in tests.items():
            if len(operations) > len(apart[path]) and not inside and self._is_one(path):
                self._check(tuple(operations))
        for child in condition.children:
            if isinstance(child, Nothing):
                self._check_excluded(child, tests)

    def _check_excluded(self, nothing: Nothing, tests: dict[str, list[Operation]]) -> None:
        """`{eq: a, not: a}`: what must hold of a path must not."""
        for child in nothing.children:
            if not isinstance(child, PathTest) or len(child.operations) != 1:
                continue
            (excluded,) = child.operations
            for operation in tests.get(child.path, ()):
                if _same(operation, excluded) and excluded.position:
                    self._found.warn("never-holds", excluded.position, f"{child.path} must be and must not be this")

    def _is_one(self, path: str) -> bool:
        """Whether the path leads to one value that is no list, as far as is known."""
        read = parse_path(path)
        if read.several:
            return False
        ends = lead(read, self._about, None)
        lists = (Kind.LIST, Kind.ANY)
        return not isinstance(ends, Lost) and all(spot.field.kind not in lists for spot in ends)

    def _check(self, operations: tuple[Operation, ...]) -> None:
        for place, second in enumerate(operations):
            for first in operations[:place]:
                if second.position is not None and _exclude(first, second):
                    one, other = describe_operation(first), describe_operation(second)
                    self._found.warn("never-holds", second.position, f"nothing is both {one} and {other}")
                    return


def _exclude(one: Operation, other: Operation) -> bool:
    """Whether no value passes both, as far as can be seen without an event."""
    return _excludes(one, other) or _excludes(other, one) or _apart(_range(one), _range(other)) or _ages(one, other)


def _excludes(one: Operation, other: Operation) -> bool:
    if one.operator == "exists" and one.operand is False:
        return other.operator in _NEED_A_VALUE or (other.operator == "exists" and other.operand is True)
    if one.operator != "eq":
        return False
    values = one.operand if isinstance(one.operand, tuple) else (one.operand,)
    return all(_fails(value, other, one.fold or other.fold) for value in values)


def _fails(value: Json, operation: Operation, fold: bool) -> bool:
    """Whether a value that is written in the rule cannot pass; False where that takes an event to say."""
    operand = operation.operand
    if not isinstance(value, (str, bool, int, Decimal)):
        return False
    if operation.operator == "eq":
        others = operand if isinstance(operand, tuple) else (operand,)
        if not all(isinstance(each, (str, bool, int, Decimal)) for each in others):
            return False
        return not any(equal(folded(value), folded(each)) if fold else equal(value, each) for each in others)
    span = _range(operation)
    if span is not None and span.unit == "number" and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _apart(span, _Range(Decimal(value), Decimal(value), False, False, "number"))
    accepts = _TEXTS.get(operation.operator)
    if accepts is None or not isinstance(operand, str) or not isinstance(value, str):
        return False
    return not (accepts(value.casefold(), operand.casefold()) if fold else accepts(value, operand))


@dataclass(frozen=True, slots=True)
class _Range:
    """The values that an operator of order lets pass: numbers, seconds, or minor units of one currency."""

    low: Decimal | None
    high: Decimal | None
    low_open: bool
    high_open: bool
    unit: str


def _range(operation: Operation) -> _Range | None:
    name = operation.operator
    if name not in _ORDERS:
        return None
    ends = operation.operand if name == "between" else (operation.operand,)
    points = [_point(end) for end in ends]
    if None in points:
        return None
    (first, unit), (last, _) = points[0] or _NO_POINT, points[-1] or _NO_POINT
    low, high = first if name in ("gt", "gte", "between") else None, last if name in ("lt", "lte", "between") else None
    return _Range(low, high, name == "gt", name == "lt", unit)


def _point(end: Json) -> tuple[Decimal, str] | None:
    if isinstance(end, Money):
        return Decimal(end.minor), end.currency
    if isinstance(end, Time):
        return epoch_seconds(end.at), "time"
    plain = isinstance(end, (int, Decimal)) and not isinstance(end, bool)
    return (Decimal(end), "number") if plain else None


_NO_POINT = (Decimal(0), "")


def _apart(one: _Range | None, other: _Range | None) -> bool:
    """Whether two ranges have no value in common. An amount has one currency, so those of two never have one."""
    if one is None or other is None:
        return False
    if one.unit != other.unit:
        return not {one.unit, other.unit} & {"number", "time"}
    return _above(one, other) or _above(other, one)


def _above(upper: _Range, lower: _Range) -> bool:
    if upper.low is None or lower.high is None:
        return False
    return upper.low > lower.high or (upper.low == lower.high and (upper.low_open or lower.high_open))


def _ages(one: Operation, other: Operation) -> bool:
    """Older than three days and newer than one."""
    ages = {operation.operator: operation.operand for operation in (one, other)}
    return len(ages) == 2 and ages.keys() == {"older_than", "newer_than"} and ages["older_than"] >= ages["newer_than"]


def _same(one: Operation, other: Operation) -> bool:
    return replace(one, position=None) == replace(other, position=None)
