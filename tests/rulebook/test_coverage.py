"""What the rules leave out, found by judging events."""

from engine.model.event import Scope
from engine.rulebook.coverage import LEAST, Coverage
from tests.builders import endpoint, event
from tests.rulebook.books import loaded

RULES = """
rules:
  - id: big
    when:
      type: payout.failed
      scope: connected
      where:
        status: failed
        any: [{amount: {gte: 5 USD}}, {metadata.big: {exists: true}}]
        none: [{currency: eur}]
    then: {notify: risk}
  - {id: unused, mode: "off", when: {type: charge.failed, where: {status: failed}}, then: {notify: risk}}
  - {id: pattern, mode: shadow, when: "transfer.*", then: {notify: risk}}
"""


def covered(times: int) -> Coverage:
    """That many payouts of different amounts, all in dollars and failed."""
    found = Coverage(loaded(RULES).rulebook.rules)
    for number in range(times):
        found.add(event(object={"amount": number * 100, "currency": "usd"}))
    return found


def test_conditions_that_never_vary_are_named_with_their_place() -> None:
    """Each test by itself, those in any and none too; one that varies is not among them."""
    found = covered(LEAST).constants()
    assert [(each.condition, each.held, each.events) for each in found] == [
        ("status failed", True, LEAST),
        ("metadata.big present", False, LEAST),
        ("currency eur", False, LEAST),
    ]
    assert {each.rule for each in found} == {"big"}
    assert [each.position and each.position.line for each in found] == [8, 9, 10]


def test_few_events_say_nothing_of_a_condition() -> None:
    assert covered(LEAST - 1).constants() == []


def test_conditions_are_judged_where_the_rule_looks() -> None:
    """An event of another scope neither varies a condition nor counts."""
    found = covered(LEAST)
    found.add(event(object={"status": "paid"}, endpoint=endpoint(scope=Scope.PLATFORM)))
    assert ("status failed", LEAST) in [(each.condition, each.events) for each in found.constants()]
    found.add(event(object={"status": "paid"}))
    assert "status failed" not in [each.condition for each in found.constants()]


def test_a_rule_that_is_off_looks_at_nothing() -> None:
    """One in shadow does; and of a ping nobody says that no rule looks at it."""
    found = covered(0)
    assert found.looked_at("payout.failed")
    assert found.looked_at("v1.payout.failed")
    assert found.looked_at("transfer.reversed")
    assert not found.looked_at("charge.failed")
    assert found.looked_at("v2.core.event_destination.ping")


def test_a_rule_for_what_no_other_takes_is_judged_on_that_alone() -> None:
    """An event that another rule takes says nothing of its conditions."""
    text = """
    rules:
      - {id: taken, when: {type: payout.failed, where: {currency: usd}}, then: {notify: risk}}
      - {id: rest, when: {type: payout.failed, unmatched: true, where: {status: failed}}, then: {notify: risk}}
    """
    book = loaded(text).rulebook
    found = Coverage(book.rules, book.taken_by)
    for number in range(2 * LEAST):
        found.add(event(object={"currency": "usd" if number % 2 else "eur"}))
    assert [(each.rule, each.condition, each.events) for each in found.constants()] == [
        ("rest", "status failed", LEAST)
    ]
