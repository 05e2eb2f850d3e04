"""What is said twice, or is within what is said already: values, conditions, patterns, and items of a `when` list."""

from collections.abc import Iterator

from engine.match import compile_type_pattern
from engine.match.patterns import is_literal
from engine.model.condition import ALWAYS, All, Condition, Operation, PathTest
from engine.model.event import Json
from engine.model.position import Position
from engine.model.rule import When
from engine.rulebook.findings import Findings
from engine.rulebook.lints.forms import Form, form_of


def check_repeats(found: Findings, whens: tuple[When, ...]) -> None:
    """Warn of what could be left out and would change nothing, where the second of two stands."""
    for when in whens:
        _check_patterns(found, when)
        _check_conditions(found, when.where)
    for place, when in enumerate(whens):
        other = next((each for at, each in enumerate(whens) if at != place and covers(each, when, at < place)), None)
        if other is not None and when.position is not None:
            line = other.position.line if other.position else 0
            message = f"every event that this takes is taken on line {line} already"
            found.warn("redundant", when.position, message, "leave it out, or write what makes it another")


def _check_patterns(found: Findings, when: When) -> None:
    for pattern in when.types:
        wider = next((each for each in when.types if each != pattern and _takes(each, pattern)), None)
        if wider is not None and when.position is not None:
            found.warn("redundant", when.position, f"'{wider}' takes '{pattern}' already", f"leave out '{pattern}'")


def _takes(wider: str, pattern: str) -> bool:
    """Whether a pattern takes all that another takes; of two with * it is seen where one begins as the other."""
    if is_literal(pattern):
        return compile_type_pattern(wider)(pattern)
    return wider.endswith("*") and wider.count("*") == 1 and pattern.startswith(wider[:-1])


def _check_conditions(found: Findings, condition: Condition) -> None:
    if isinstance(condition, PathTest):
        for operation in condition.operations:
            _check_values(found, condition, operation)
        return
    seen: dict[Form, Condition] = {}
    for child in condition.children:
        first = seen.setdefault(form_of(child), child)
        place = _place(child)
        if first is not child and place is not None:
            before = _place(first)
            where = f" on line {before.line}" if before else ""
            found.warn("redundant", place, f"this stands{where} already", "leave it out")
        _check_conditions(found, child)


def _check_values(found: Findings, test: PathTest, operation: Operation) -> None:
    if operation.operator != "eq" or not isinstance(operation.operand, tuple) or operation.position is None:
        return
    again = next(_again(operation.operand), None)
    if again is not None:
        found.warn("redundant", operation.position, f"{again} stands in this list twice", "leave one of them out")


def _again(values: tuple[Json, ...]) -> Iterator[Json]:
    seen: set[tuple[type, Json]] = set()
    for value in values:
        if (type(value), value) in seen:
            yield value
        seen.add((type(value), value))


def _place(condition: Condition) -> Position | None:
    if condition.position is not None or isinstance(condition, PathTest):
        return condition.position
    return next((place for child in condition.children if (place := _place(child)) is not None), None)


def covers(wide: When, narrow: When, earlier: bool) -> bool:
    """Whether one `when` takes every event that another takes. Of two that are the same, the earlier covers."""
    if wide.unmatched or narrow.unmatched:
        return False
    if not (
        all(any(each == pattern or _takes(each, pattern) for each in wide.types) for pattern in narrow.types)
        and (wide.scopes is None or (narrow.scopes is not None and narrow.scopes <= wide.scopes))
        and wide.livemode in (None, narrow.livemode)
        and (wide.accounts is None or (narrow.accounts is not None and set(narrow.accounts) <= set(wide.accounts)))
    ):
        return False
    asked, given = parts_of(wide.where), parts_of(narrow.where)
    if not asked <= given:
        return False
    return earlier or not covers(narrow, wide, True)


def parts_of(condition: Condition) -> frozenset[Form]:
    """What must all hold, each by its form."""
    if condition == ALWAYS:
        return frozenset()
    if isinstance(condition, All):
        return frozenset(form for child in condition.children for form in parts_of(child))
    if isinstance(condition, PathTest):
        return frozenset(form_of(PathTest(path=condition.path, operations=(each,))) for each in condition.operations)
    return frozenset({form_of(condition)})
