"""Warnings: what loads and works, but probably not as meant."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from engine.match import compile_type_pattern, parse_path
from engine.model.catalog import catalog
from engine.model.condition import Bounds, Changed, Condition, Nothing, Operation, PathTest
from engine.model.rule import When
from engine.rulebook.findings import Findings

_AMOUNT = re.compile(r"(?:^|.*_)amount(?:_.*)?|total|subtotal|fee|net|balance")
_ORDERED = frozenset({"gt", "gte", "lt", "lte", "between"})


def advise(found: Findings, when: When) -> None:
    """Warn of conditions that can be read but hardly be meant."""
    tests = list(_tests(when.where))
    excluded = {id(test) for test in _excluded(when.where)}
    fixed = any(test.path.rpartition(".")[2] == "currency" for test in tests)
    for test in tests:
        for operation in test.operations:
            if operation.operator in _ORDERED and not fixed and id(test) not in excluded:
                _advise_on_money(found, test, operation)
            if isinstance(operation.operand, Changed):
                _advise_on_change(found, when, operation)


def _tests(condition: Condition) -> Iterator[PathTest]:
    if isinstance(condition, PathTest):
        yield condition
    else:
        for child in condition.children:
            yield from _tests(child)


def _excluded(condition: Condition) -> Iterator[PathTest]:
    """The tests under a `none` (or a `not`), which other currencies pass."""
    if isinstance(condition, Nothing):
        yield from _tests(condition)
    elif not isinstance(condition, PathTest):
        for child in condition.children:
            yield from _excluded(child)


def _advise_on_money(found: Findings, test: PathTest, operation: Operation) -> None:
    place = operation.position
    if place is None:
        return
    last = next((step for step in reversed(parse_path(test.path).steps) if isinstance(step, str)), "")
    if isinstance(operation.operand, Bounds):
        if not operation.operand.others:
            known = ", ".join(bound.currency.upper() for bound in operation.operand.bounds)
            message = f"amounts in other currencies than {known} never pass"
            found.warn("money", place, message, "add 'others' to the list to let them pass, or fix currency beside it")
        return
    operands = operation.operand if isinstance(operation.operand, tuple) else (operation.operand,)
    bare = next((Decimal(bound) for bound in operands if isinstance(bound, (int, Decimal)) and bound != 0), None)
    if bare is not None and _AMOUNT.fullmatch(last):
        usd = f"-${-bare / 100:,.2f}" if bare < 0 else f"${bare / 100:,.2f}"
        message = f"{bare} has no currency: amounts are minor units, so this is {usd} or ¥{bare:,}"
        found.warn("money", place, message, f"write '{bare} USD', or fix currency beside it")


def _advise_on_change(found: Findings, when: When, operation: Operation) -> None:
    """Only *.updated events (and a few that are updates by another name) carry previous_attributes."""
    if operation.position is None:
        return
    if all(not _speaks(pattern) for pattern in when.types):
        message = "'changed' reads previous_attributes, which only *.updated events carry"
        found.warn("changed-needs-updated", operation.position, message)


@lru_cache(maxsize=1024)
def _speaks(pattern: str) -> bool:
    """Whether events of such types may carry previous_attributes, as far as is known: updates, and all of API v2."""
    takes = compile_type_pattern(pattern)
    taken = [name for name in catalog() if takes(name)]
    return not taken or any("update" in name or name.startswith("v2.") for name in taken)
