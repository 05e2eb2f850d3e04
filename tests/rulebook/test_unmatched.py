"""`unmatched`: the rule for what no other rule looks after."""

import pytest

from engine.rulebook import Rulebook
from engine.rulebook.whynot import Reasons
from tests.builders import event
from tests.rulebook.books import loaded

RULES = """
rules:
  - {id: failed, when: {type: payout.failed, where: {amount: {gt: 100}, currency: usd}}, then: {notify: risk}}
  - {id: shadow, when: payout.paid, mode: shadow, then: {notify: risk}}
  - {id: off, when: payout.created, mode: off, then: {notify: risk}}
  - {id: rest, when: {unmatched: true}, then: {notify: risk}}
  - id: payouts
    when: {unmatched: true, type: "payout.*", where: {amount: {gt: 10}, currency: usd}}
    then: {notify: risk}
  - {id: both, when: [charge.failed, {unmatched: true, type: charge.succeeded}], then: {notify: risk}}
"""


@pytest.fixture(scope="module")
def book() -> Rulebook:
    found = loaded(RULES)
    assert [str(mistake) for mistake in found.mistakes] == []
    return found.rulebook


@pytest.mark.parametrize(
    ("type_", "amount", "expected"),
    [
        ("payout.failed", 500, ["failed"]),
        ("payout.failed", 50, ["rest", "payouts"]),  # a rule that looks, and does not hold, takes nothing
        ("payout.failed", 5, ["rest"]),
        ("payout.paid", 500, ["shadow", "rest", "payouts"]),  # a shadow rule takes nothing either
        ("payout.created", 500, ["rest", "payouts"]),
        ("charge.failed", 500, ["both"]),
        ("charge.succeeded", 500, ["rest", "both"]),  # rules for the unmatched do not keep each other away
        ("nobody.knows.this", 500, ["rest"]),
    ],
)
def test_it_fires_for_what_no_other_live_rule_fires_for(
    book: Rulebook, type_: str, amount: int, expected: list[str]
) -> None:
    """And explaining agrees with matching, for every rule."""
    given = event(type_, object={"object": "payout", "amount": amount, "currency": "usd"})
    assert [match.rule.id for match in book.match(given)] == expected
    verdicts = book.explain(given, all_rules=True)
    assert [verdict.rule for verdict in verdicts if verdict.because is None] == [
        rule.id for rule in book.rules if rule.id in expected
    ]
    for rule in book.rules:
        reasons = Reasons(rule, book.taken_by)
        if reasons.looks_at(type_) and rule.id != "off":
            assert (reasons.because(given) is None) == (rule.id in expected)


def test_it_says_which_rule_took_the_event(book: Rulebook) -> None:
    """By the first that held."""
    (verdict,) = book.explain(event(object={"amount": 500, "currency": "usd"}), rule="rest")
    assert verdict.because is not None
    assert (verdict.because.path, verdict.because.actual) == ("unmatched", "failed holds")
    assert verdict.because.needs == "no other live rule to hold"


def test_nobody_knows_yet_what_is_unmatched_while_something_is_read() -> None:
    """Explain says so, and is right whether it comes or cannot be had."""
    text = """
    rules:
      - {id: reads, when: {type: payout.failed, fetch: object, where: {status: paid}}, then: {notify: risk}}
      - {id: rest, when: {unmatched: true}, then: {notify: risk}}
    """
    book = loaded(text).rulebook
    given = event()
    assert book.match(given) == ()
    assert {verdict.rule: str(verdict.kind) for verdict in book.explain(given)} == {
        "reads": "waiting",
        "rest": "waiting",
    }
    dead = {verdict.rule: str(verdict.kind) for verdict in book.explain(given, unread="404")}
    assert dead == {"reads": "error", "rest": "error"}
    tree = book.tree("rest", given)
    assert tree is not None
    assert [branch.label for branch in tree.children if not branch.held] == ["fetch"]


def test_what_could_not_be_read_is_no_plain_no_even_where_another_when_came_further() -> None:
    """It might have held."""
    text = """
    rules:
      - id: either
        when:
          - {type: payout.failed, fetch: object, where: {status: paid}}
          - {type: payout.failed, where: {currency: usd, amount: {gt: 999999}}}
        then: {notify: risk}
    """
    (verdict,) = loaded(text).rulebook.explain(event(object={"currency": "usd"}), unread="404")
    assert str(verdict.kind) == "error"
