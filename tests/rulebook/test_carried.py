"""A changed rule says of what its memory starts anew, and of what it carries over."""

from collections.abc import Iterator

import pytest

from engine.decide.memory import Memory
from engine.decide.shapes import shapes
from engine.decision import Undecided
from engine.rulebook import Rulebook
from engine.rulebook.carried import Carried, carried
from engine.testing.sending import everywhere
from tests.builders import event
from tests.rulebook.books import loaded

CARD_TESTING = """\
rules:
  - id: card-testing
    when: {type: charge.failed, where: {amount: {lte: 100 USD}, currency: usd}}
    preceded_by: {type: account.updated, within: 1d}
    threshold: {count: 5, within: 10m}
    throttle: {max: 3, every: 1h}
    then: {notify: risk, title: Card testing}
"""
WAITS = """\
rules:
  - id: not-repaired
    when: {type: payout.failed}
    not_followed_by: {type: payout.paid, within: 3d}
    incident: {resolve_after: 2h}
    digest: none
    then: {notify: payments}
"""


def book(text: str) -> Rulebook:
    found = loaded(text)
    assert found.ok, found.mistakes
    return found.rulebook


def said(old: str, new: str) -> list[str]:
    return [str(each) for each in carried(book(old), book(new))]


@pytest.mark.parametrize(
    ("was", "now", "what"),
    [
        ("within: 10m", "within: 20m", "threshold.within changed; that of preceded_by, throttle carries over"),
        ("count: 5", "sum: {amount: 9 USD}", "threshold.count, threshold.sum changed; that of preceded_by, throttle"),
        ("lte: 100 USD", "lte: 90 USD", "when.where changed; that of preceded_by, throttle carries over"),
        ("type: charge.failed", "type: charge.*", "when.type changed; that of preceded_by, throttle carries over"),
        ("within: 1d", "within: 2d", "preceded_by.within changed; that of threshold, throttle carries over"),
        ("account.updated", "payout.failed", "preceded_by.type changed; that of threshold, throttle carries over"),
        ("max: 3", "max: 4", "throttle.max changed; that of preceded_by, threshold carries over"),
        ("id: card-testing", "id: card-testing\n    mode: shadow", "mode changed; that of preceded_by, threshold"),
    ],
)
def test_what_changed_is_named(was: str, now: str, what: str) -> None:
    assert was in CARD_TESTING
    (line,) = said(CARD_TESTING, CARD_TESTING.replace(was, now))
    assert line.startswith(f"memory of card-testing starts anew: {what}")


def test_another_form_of_when_is_when() -> None:
    """Where there are more of them."""
    new = CARD_TESTING.replace(
        "when: {type: charge.failed, where: {amount: {lte: 100 USD}, currency: usd}}",
        "when: [charge.failed, charge.expired]",
    )
    assert said(CARD_TESTING, new)[0].startswith("memory of card-testing starts anew: when changed;")


def test_what_does_not_matter_to_memory_carries_it_over() -> None:
    """Other words, another place in the file; and a rule that is the same is not spoken of."""
    assert said(CARD_TESTING, CARD_TESTING.replace("Card testing", "Cards")) == ["memory of card-testing carries over"]
    assert said(CARD_TESTING, "# moved down\n\n" + CARD_TESTING) == []


def test_what_waits_goes_on_and_incidents_are_of_their_mode() -> None:
    waits = WAITS.replace("    digest: none\n", "")
    assert said(waits, waits.replace("3d", "4d")) == ["memory of not-repaired carries over"]
    assert said(waits, waits.replace("    when", "    mode: shadow\n    when")) == [
        "memory of not-repaired starts anew: mode changed; that of not_followed_by carries over"
    ]


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        ("{type: payout.reversed, within: 3d}", "not_followed_by.type"),
        ("{type: payout.paid, within: 4d, same: id}", "not_followed_by.same"),
        ("{type: payout.paid, within: 3d, where: {status: paid}}", "not_followed_by.where"),
        ("[{type: payout.reversed, within: 3d}, {type: payout.created, within: 1d}]", "not_followed_by"),
    ],
)
def test_of_something_else_that_must_not_follow_nothing_is_known_yet(now: str, changed: str) -> None:
    """What came before of what is asked for now was not watched; what waits is not forgotten."""
    waits = WAITS.replace("    digest: none\n", "")
    (line,) = said(waits, waits.replace("{type: payout.paid, within: 3d}", now))
    assert line == (
        f"memory of not-repaired starts anew: {changed} changed; that of incident carries over; "
        "what waits already comes when it was to come"
    )


@pytest.mark.parametrize(
    "now",
    [
        "[{type: payout.created, within: 1d}, {type: payout.paid, within: 3d}]",
        "{type: payout.paid, within: 3h, restart: true}",
    ],
)
def test_what_must_not_follow_still_is_what_it_was_beside_something_new(now: str) -> None:
    waits = WAITS.replace("    digest: none\n", "")
    new = waits.replace("{type: payout.paid, within: 3d}", now)
    assert said(waits, new) == ["memory of not-repaired carries over"]
    assert said(new, waits) == ["memory of not-repaired carries over"]


@pytest.mark.parametrize(
    ("was", "now", "changed"),
    [
        ("resolve_after: 24h", "resolve_after: 24h, resolve: {type: payout.paid, same: account}", "incident.resolve"),
        ("per: [account, currency]", "per: [account, destination]", "incident.per"),
    ],
)
def test_incidents_under_other_keys_begin_anew(was: str, now: str, changed: str) -> None:
    text = WAITS.replace("{resolve_after: 2h}", "{per: [account, currency], resolve_after: 24h}")
    text = text.replace("    digest: none\n", "")
    (line,) = said(text, text.replace(was, now))
    assert line == (
        f"memory of not-repaired starts anew: {changed} changed; that of not_followed_by carries over; "
        "what is open already stays open until it ends"
    )


def test_what_resolves_all_that_is_apart_leaves_incidents_where_they_are() -> None:
    text = WAITS.replace("    digest: none\n", "")
    new = text.replace("resolve_after: 2h", "resolve_after: 2h, resolve: {type: payout.paid, same: account}")
    assert said(text, new) == ["memory of not-repaired carries over"]


def test_only_rules_that_had_a_memory_are_spoken_of() -> None:
    """Not new ones, nor keys that are new, nor rules that are off."""
    plain = "rules:\n  - {id: card-testing, when: charge.failed, then: {notify: risk}}\n"
    assert said(plain, CARD_TESTING) == []
    assert said(CARD_TESTING, plain) == []
    assert said("rules: []\n", CARD_TESTING) == []
    off = CARD_TESTING.replace("id: card-testing", "id: card-testing\n    mode: off").replace("count: 5", "count: 6")
    assert said(CARD_TESTING, off) == []


def test_it_is_said_by_what_the_states_themselves_are_kept_under() -> None:
    """The shape that is compared here is the one that decisions compare."""
    waits = WAITS.replace("    digest: none\n", "").replace("not-repaired", "waits")
    text = waits + CARD_TESTING.partition("\n")[2] + "".join(_others())
    rulebook = book(text)
    memory = Memory()
    for number, type_ in enumerate(("account.updated", *["charge.failed"] * 6, "payout.failed", "payout.canceled")):
        came = event(type_, id=f"evt_{number}", object={"amount": 50, "currency": "usd", "due": 4_000_000_000})
        matches = rulebook.match(came)
        sightings = rulebook.sightings(came, matches)
        rules = [match.rule for match in matches]
        Undecided(came, rules, sightings, rulebook.revision, everywhere).decide(memory, {}, came.received)
    kept = {(cell.rule, cell.part.partition(" ")[0]): each.shape for cell, each in memory.kept.items()}
    parts = {(rule.id, key): shape for rule in rulebook.rules for key, shape in shapes(rule).items()}
    assert {key for _, key in kept} == {key for _, key in parts}
    assert {place: shape for place, shape in parts.items() if place in kept} == kept


def _others() -> Iterator[str]:
    """Rules with the other keys that remember."""
    for id_, key in {
        "digests": "digest: {every: 1h}",
        "reminds": "remind: {before: due, at: [24h]}",
        "rests": "quiet: {during: always}",
        "opens": "incident: {resolve_after: 2h}",
    }.items():
        yield f"  - {{id: {id_}, when: payout.canceled, {key}, then: {{notify: risk}}}}\n"
    yield 'calendars: {always: {timezone: UTC, dates: ["2026-01-01"]}}\n'


def test_as_json() -> None:
    found = Carried(rule="a", changed=("throttle.max",), kept=("digest",))
    assert found.as_json() == {"rule": "a", "changed": ["throttle.max"], "carries_over": ["digest"]}


def test_what_follows_from_the_rest_is_not_said_to_have_changed() -> None:
    """With `same: id` a thin event's object is read, which no rule says."""
    other = "preceded_by: {type: payout.paid, within: 1h"
    was = CARD_TESTING.replace("preceded_by: {type: account.updated, within: 1d", other)
    [line] = said(was, was.replace(other, other + ", same: id"))
    assert "preceded_by.same changed" in line
    assert "where" not in line
