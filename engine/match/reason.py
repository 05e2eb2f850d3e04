"""Why a condition holds or not: the tree of what was tested, and of it the first thing that decided."""

from collections.abc import Iterator
from dataclasses import replace

from engine.match.change import new_value, speaks_of
from engine.match.comparison import bound_for
from engine.match.evaluate import holds, path_holds
from engine.match.lookup import find
from engine.match.notes import SHOWN, Found, is_money, is_time, note_on, note_on_held
from engine.match.paths import Path, path_of
from engine.match.subjects import Element, Subject
from engine.match.values import MISSING
from engine.match.wording import describe_operation, describe_operations, show, show_amount, show_time
from engine.model.condition import ALWAYS, All, Any, Bounds, Condition, Operation, PathTest
from engine.model.event import Json
from engine.model.verdict import Because, Branch

_ITEMS = 10
_QUANTIFIERS = frozenset({"any_item", "all_items", "no_item"})


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
        note=note_on(path, decisive, found, subject) if decisive else note_on_held(test.operations, subject),
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
    texts = [_shown(test, value, currency) for value, currency in found[:SHOWN]]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(texts) + more


def _shown(test: PathTest, value: Json, currency: str | None) -> str:
    """A value in the unit of what it is compared with."""
    if any(is_money(operation) for operation in test.operations):
        return show_amount(value, currency)
    if any(is_time(operation) for operation in test.operations):
        return show_time(value)
    return show(value)


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
