"""What kept a rule from firing, counted over many events."""

from engine.model.event import Scope
from engine.rulebook.whynot import DISTINCT, WhyNot
from tests.builders import endpoint, event
from tests.rulebook.books import loaded

RULES = """
rules:
  - id: big
    when: {type: [payout.failed, charge.*], scope: connected, where: {status: failed, amount: {gte: [5 USD, 4 EUR]}}}
    then: {notify: risk}
  - {id: unused, mode: off, when: payout.failed, then: {notify: risk}}
"""
BOOK = loaded(RULES).rulebook


def why_not(name: str) -> WhyNot:
    """A count for that rule."""
    rule = BOOK.rule(name)
    assert rule is not None
    return WhyNot(rule)


def test_every_event_is_counted_once_where_it_failed_first() -> None:
    """With what was needed, what stood there, and how often."""
    found = why_not("big")
    for amount, currency in ((500, "usd"), (499, "usd"), (399, "eur"), (399, "eur"), (900, "gbp")):
        found.add(event(object={"amount": amount, "currency": currency}))
    found.add(event(object={"status": None, "amount": 1}))
    found.add(event(endpoint=endpoint(scope=Scope.PLATFORM)))
    found.add(event("charge.failed", object={"status": "paid"}))
    found.add(event("transfer.created"))
    assert found.events == 8
    payouts = found.types["payout.failed"]
    assert (payouts.events, payouts.held) == (7, 1)
    of_amount, of_scope, of_status = payouts.by_weight()
    assert (of_amount.path, of_amount.count) == ("amount", 4)
    assert of_amount.actual.most_common(1) == [("3.99 EUR", 2)]
    assert of_amount.needs[">= 4.00 EUR"] == 2
    assert (of_scope.path, of_scope.count, of_scope.actual) == ("scope", 1, {"platform": 1})
    assert of_status.path == "status"
    assert found.types["charge.failed"].by_weight()[0].actual == {"paid": 1}


def test_a_rule_that_is_off_is_judged_as_if_it_were_not() -> None:
    found = why_not("unused")
    found.add(event())
    assert found.types["payout.failed"].held == 1


def test_values_that_never_repeat_do_not_fill_the_memory() -> None:
    """They are counted all the same."""
    found = why_not("big")
    for number in range(DISTINCT + 50):
        found.add(event(object={"status": f"s{number}"}))
    (status,) = found.types["payout.failed"].by_weight()
    assert status.count == DISTINCT + 50
    assert len(status.actual) == DISTINCT
