"""Why a condition holds or not: the tree of what was tested, and of it the first thing that decided."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from engine.match.change import new_value, speaks_of
from engine.match.comparison import amount_of, bound_for
from engine.match.evaluate import holds, path_holds
from engine.match.lookup import find
from engine.match.networks import parse_address
from engine.match.paths import Path, path_of
from engine.match.subjects import Element, Subject
from engine.match.values import MISSING, epoch_seconds, number, seconds
from engine.match.way import where_it_ends
from engine.match.wording import describe_operation, describe_operations, show, show_amount
from engine.model.condition import ALWAYS, All, Any, Bounds, Column, Condition, Money, Operation, PathTest, Reference
from engine.model.event import Json
from engine.model.verdict import Because, Branch
from engine.source.durations import format_duration

_SHOWN = 3
_ITEMS = 10
_QUANTIFIERS = frozenset({"any_item", "all_items", "no_item"})
_MOST_SECONDS = 10**11
"""A moment further away than that, some 3,000 years, is no time that anybody meant."""

_ORDERED = frozenset({"gt", "gte", "lt", "lte", "between"})

Found = list[tuple[Json, str | None]]


def examine(condition: Condition, subject: Subject) -> Branch:
    """The condition's tree with what each part found; its `held` is what the compiled condition says."""
    if isinstance(condition, PathTest):
        return _examine_test(condition, subject)
    children = tuple(examine(child, subject) for child in condition.children)
    if isinstance(condition, All):
        return Branch(label="all", kind="all", held=all(child.held for child in children), children=children)
    if isinstance(condition, Any):
        return Branch(label="any", kind="any", held=any(child.held for child in children), children=children)
    return Branch(label="none", kind="none", held=not any(child.held for child in children), children=children)


def because(branch: Branch) -> Because | None:
    """The first test that made the whole false, None when it held."""
    if branch.held:
        return None
    if branch.kind == "all":
        return because(next(child for child in branch.children if not child.held))
    if branch.kind == "any":
        return _no_alternative(branch)
    if branch.kind == "none":
        return _excluded(next(child for child in branch.children if child.held))
    return _of(branch, branch.needs or "")


def unmet(condition: Condition, subject: Subject) -> str | None:
    """Why the `if` of a step does not hold, in one line; None if it does."""
    if condition == ALWAYS or holds(condition, subject):
        return None
    reason = because(examine(condition, subject))
    return "if does not hold" if reason is None else f"if: {reason.path} is {reason.actual}, needs {reason.needs}"


def held(branch: Branch) -> Iterator[str]:
    """What did hold, as `path=value`, in the order of the rule; what stands in a `none` is left out."""
    if branch.kind == "test":
        if branch.held:
            yield f"{branch.label}={branch.actual}"
    elif branch.kind != "none":
        for child in branch.children:
            yield from held(child)


def _of(branch: Branch, needs: str) -> Because:
    return Because(path=branch.label, actual=branch.actual or "", needs=needs, value=branch.value, note=branch.note)


def _no_alternative(branch: Branch) -> Because:
    reasons = [reason for reason in map(because, branch.children) if reason is not None]
    if not reasons:
        return Because(path="any", actual="nothing to choose from", needs="one alternative")
    first = reasons[0]
    if all(reason.path == first.path for reason in reasons):
        needs = " or ".join(dict.fromkeys(reason.needs for reason in reasons))
        return Because(path=first.path, actual=first.actual, needs=needs, value=first.value, note=first.note)
    note = f"none of {len(reasons)} alternatives held; this is the first"
    return Because(path=first.path, actual=first.actual, needs=first.needs, value=first.value, note=note)


def _excluded(branch: Branch) -> Because:
    """A part of a `none` that held: the test in it that shows it, and that it must not."""
    tests = [test for test in _tests(branch) if test.held] or list(_tests(branch))
    if not tests:
        return Because(path=branch.label, actual="it always holds", needs="not to hold")
    note = None if len(tests) == 1 else f"with {len(tests) - 1} more in 'none', which all held"
    first = tests[0]
    return Because(
        path=first.label, actual=first.actual or "", needs=f"not {first.needs}", value=first.value, note=note
    )


def _tests(branch: Branch) -> Iterator[Branch]:
    if branch.kind == "test":
        yield branch
        return
    for child in branch.children:
        yield from _tests(child)


def _examine_test(test: PathTest, subject: Subject) -> Branch:
    path = path_of(test)
    found = find(path, subject)
    passed = path_holds(test, path, subject)
    decisive = None if passed else _decisive(test, path, found, subject)
    return Branch(
        label=test.path,
        held=passed,
        actual=_actual(test, path, found, subject),
        needs=describe_operation(_in_currency(decisive, found)) if decisive else describe_operations(test.operations),
        value=_value(found),
        note=_note_on(path, decisive, found, subject) if decisive else None,
        children=tuple(_items(test, found, subject)),
    )


def _items(test: PathTest, found: Found, subject: Subject) -> Iterator[Branch]:
    """The first elements of a list that item operators look into, each with what was asked of it."""
    for operation in test.operations:
        if operation.operator not in _QUANTIFIERS:
            continue
        for value, currency in found[:1]:
            for place, element in enumerate(value[:_ITEMS] if isinstance(value, list) else ()):
                tree = examine(operation.operand, Element(subject, element, currency))
                yield Branch(label=f"{test.path}[{place}]", kind="item", held=tree.held, children=(tree,))


def _decisive(test: PathTest, path: Path, found: Found, subject: Subject) -> Operation | None:
    """The first operation that the one value fails; None where there are several values, or no single one fails."""
    if len(found) > 1:
        return test.operations[0] if len(test.operations) == 1 else None
    for operation in test.operations:
        if not path_holds(replace(test, operations=(operation,)), path, subject):
            return operation
    return None


def _in_currency(operation: Operation, found: Found) -> Operation:
    """Of a list of bounds, the one that the value was held to."""
    if isinstance(operation.operand, Bounds) and len(found) == 1:
        bound = bound_for(found[0][0], operation.operand, found[0][1])
        if bound is not None:
            return replace(operation, operand=bound)
    return operation


def _actual(test: PathTest, path: Path, found: Found, subject: Subject) -> str:
    if any(operation.operator == "changed" for operation in test.operations):
        return _actual_change(path, subject)
    if not found:
        return "missing"
    if any(operation.operator in _QUANTIFIERS for operation in test.operations):
        return _actual_items(found)
    money = any(_is_money(operation) for operation in test.operations)
    texts = [show_amount(value, currency) if money else show(value) for value, currency in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(texts) + more


def _actual_items(found: Found) -> str:
    value = found[0][0]
    if not isinstance(value, list):
        return f"{show(value)}, which is no list"
    return f"{len(value)} item{'' if len(value) == 1 else 's'}"


def _actual_change(path: Path, subject: Subject) -> str:
    if subject.previous is None:
        return "no previous_attributes"
    spoken, old = speaks_of(subject.previous, path.of_object or ())
    new = show(new_value(subject, path.of_object or ()))
    return f"from {show(old)} to {new}" if spoken else f"unchanged, {new}"


def _value(found: Found) -> Json:
    if len(found) > 1:
        return [value for value, _ in found[:100]]
    return found[0][0] if found and found[0][0] is not MISSING else None


def _is_money(operation: Operation) -> bool:
    operands = operation.operand if isinstance(operation.operand, tuple) else (operation.operand,)
    return operation.operator in _ORDERED and any(isinstance(operand, (Money, Bounds)) for operand in operands)


def _note_on(path: Path, decisive: Operation, found: Found, subject: Subject) -> str | None:
    if not found and path.column is not None:
        return _note_on_column(path.column, subject)
    if not found and decisive.operator != "changed":
        return _note_on_reference(decisive, subject) or where_it_ends(path, subject)
    return _note(decisive, found, subject) or _note_on_reference(decisive, subject)


def _note_on_column(column: Column, subject: Subject) -> str:
    return f"{column.table} has no {column.name} for {subject.account or 'the platform'}"


def _note(operation: Operation, found: Found, subject: Subject) -> str | None:
    """What a reader might miss: a currency without a bound, a text that looks like the number."""
    if len(found) != 1:
        return None
    value, currency = found[0]
    if value is None:
        return "null counts as missing"
    if _is_money(operation):
        return _note_on_money(operation.operand, value, currency)
    if operation.operator == "eq" or operation.operator in _ORDERED:
        return _note_on_type(operation.operand, value)
    if operation.operator == "cidr" and not isinstance(operation.operand, Reference):
        return None if isinstance(value, str) and parse_address(value) else "not an IP address"
    if operation.operator in ("older_than", "newer_than"):
        return _note_on_age(value, subject)
    return None


def _note_on_reference(operation: Operation, subject: Subject) -> str | None:
    """What the `$name` beside an operator stood for."""
    reference = operation.operand
    if not isinstance(reference, Reference):
        return None
    path = path_of(reference)
    found = find(path, subject)
    if not found:
        why = f": {_note_on_column(reference.column, subject)}" if reference.column is not None else ""
        return f"{reference.path} is missing{why}"
    said = ", ".join(show(value) for value, _ in found[:_SHOWN])
    return f"{reference.path} is {said}{' and more' if len(found) > _SHOWN else ''}"


def _note_on_money(operand: Json, value: Json, currency: str | None) -> str | None:
    amount, own = amount_of(value, currency)
    if amount is None:
        return "not an amount"
    if own is None:
        return "no currency beside it"
    if isinstance(operand, Bounds):
        return None if bound_for(value, operand, currency) else f"no bound for {own.upper()[:8]}"
    first = operand[0] if isinstance(operand, tuple) else operand
    return f"no bound for {own.upper()[:8]}" if isinstance(first, Money) and first.currency != own else None


def _note_on_age(value: Json, subject: Subject) -> str | None:
    moment = seconds(value)
    if moment is None:
        return "not a time"
    if abs(Decimal(moment)) > _MOST_SECONDS:
        return None
    ago = int(epoch_seconds(subject.created)) - int(moment)
    span = format_duration(timedelta(seconds=_rounded(abs(ago))))
    return f"{span} before the event" if ago >= 0 else f"{span} after the event"


def _rounded(span: int) -> int:
    """Seconds to the largest unit that leaves at least two of it: 5 days and an hour are 5 days."""
    unit = next((unit for unit in (86_400, 3_600, 60) if span >= 2 * unit), 1)
    return span // unit * unit


def _note_on_type(operand: Json, value: Json) -> str | None:
    operands = operand if isinstance(operand, tuple) else (operand,)
    if any(isinstance(each, Reference) for each in operands):
        return None
    numeric = any(number(each) is not None for each in operands)
    if isinstance(value, str) and numeric:
        return "the event has text, the rule a number"
    if number(value) is not None and all(isinstance(each, str) for each in operands):
        return "the event has a number, the rule text"
    if isinstance(value, bool) and all(isinstance(each, str) for each in operands):
        return "the event has true or false, the rule text"
    return None
