"""Bounds on amounts whose currency is not sure."""

import re
from decimal import Decimal

from engine.match import parse_path
from engine.model.condition import Bounds, Condition, Operation, PathTest
from engine.model.schema import Kind
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import Spot

ORDERED = frozenset({"gt", "gte", "lt", "lte", "between"})
_AMOUNT = re.compile(r"(?:^|.*_)amount(?:_.*)?|total|subtotal|fee|net|balance")


def fixes_currency(condition: Condition) -> bool:
    """Whether there is a test of a currency anywhere in it."""
    if isinstance(condition, PathTest):
        return condition.path.rpartition(".")[2] == "currency"
    return any(map(fixes_currency, condition.children))


def check_money(found: Findings, test: PathTest, operation: Operation, spots: tuple[Spot, ...]) -> None:
    """Warn of bare numbers as bounds on an amount, and of lists of money that let no other currency pass."""
    place = operation.position
    if place is None:
        return
    if isinstance(operation.operand, Bounds):
        if not operation.operand.others:
            known = ", ".join(bound.currency.upper() for bound in operation.operand.bounds)
            message = f"amounts in other currencies than {known} never pass"
            found.warn("money", place, message, "add 'others' to the list to let them pass, or fix currency beside it")
        return
    operands = operation.operand if isinstance(operation.operand, tuple) else (operation.operand,)
    bare = next((Decimal(bound) for bound in operands if isinstance(bound, (int, Decimal)) and bound != 0), None)
    if bare is not None and _is_amount(test, spots):
        usd = f"-${-bare / 100:,.2f}" if bare < 0 else f"${bare / 100:,.2f}"
        message = f"{bare} has no currency: amounts are minor units, so this is {usd} or ¥{bare:,}"
        found.warn("money", place, message, f"write '{bare} USD', or fix currency beside it")


def _is_amount(test: PathTest, spots: tuple[Spot, ...]) -> bool:
    """As the SDK says, or where it says nothing, by the name."""
    kinds = {spot.field.kind for spot in spots}
    if kinds and Kind.ANY not in kinds:
        return Kind.AMOUNT in kinds
    last = next((step for step in reversed(parse_path(test.path).steps) if isinstance(step, str)), "")
    return _AMOUNT.fullmatch(last) is not None
