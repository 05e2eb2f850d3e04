"""Two states of rules over the same events: what is lost, gained and altered, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from engine.backtest.compare import Comparison, RuleChange
from engine.backtest.selection import select
from engine.model.condition import Operation, PathTest
from engine.model.event import Event
from engine.model.mute import Mute
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb, When
from engine.model.timing import Absence, Incident, Other, Threshold, Throttle, Timing
from engine.rulebook import Rulebook
from tests.backtest.test_backtest import BY_ID, HOUR, NOON, at, rule

AFTER = NOON + timedelta(days=9)


def compare(
    old: Iterable[Rule], new: Iterable[Rule], events: Iterable[Event], mutes: Sequence[Mute] = ()
) -> dict[str, RuleChange]:
    sides = [select(Rulebook(revision="", rules=tuple(rules))) for rules in (old, new)]
    made = Comparison(sides[0], sides[1], since=None, mutes=mutes)
    for each in events:
        made.feed(each)
    return {change.rule: change for change in made.finish(AFTER)}


def over(amount: int) -> Rule:
    test = PathTest(path="amount", operations=(Operation(operator="gte", operand=amount),))
    whole = rule("r", "charge.failed")
    return replace(whole, when=(replace(whole.when[0], where=test),))


EVENTS = [at(hour, object={"amount": 100 * hour}) for hour in range(1, 6)]


def test_the_same_rules_alter_nothing() -> None:
    found = compare([over(200)], [over(200)], EVENTS)["r"]
    assert (found.same, found.before, found.after) == (True, 4, 4)


def test_what_is_lost_is_said_with_why() -> None:
    found = compare([over(200)], [over(400)], EVENTS)["r"]
    assert (found.lost, found.gained, found.before, found.after) == (2, 0, 4, 2)
    assert [each.why for each in found.lost_examples] == ["amount 200   needs >= 400", "amount 300   needs >= 400"]
    gained = compare([over(400)], [over(200)], EVENTS)["r"]
    assert (gained.lost, gained.gained) == (0, 2)
    assert [each.event_id for each in gained.gained_examples] == [each.id for each in EVENTS[1:3]]


def test_thresholds_are_compared_as_they_count() -> None:
    old, new = (
        rule("r", "charge.failed", Timing(threshold=Threshold(within=timedelta(hours=9), count=count)))
        for count in (2, 3)
    )
    found = compare([old], [new], EVENTS)["r"]
    assert (found.lost, found.gained) == (1, 1)
    assert found.lost_examples[0].why == "threshold: 2 of 3 within 9h"
    assert found.gained_examples[0].why == "threshold: it holds since it last fired"


def test_an_alert_that_comes_later_on_one_side_is_the_same() -> None:
    """Both fire, one at the event and one when nothing has followed."""
    paid = Other(when=(When(types=("charge.succeeded",), livemode=None),), same=BY_ID, within=HOUR)
    later = rule("r", "charge.failed", Timing(not_followed_by=(Absence(other=paid),)))
    found = compare([rule("r", "charge.failed")], [later], EVENTS)["r"]
    assert (found.before, found.after, found.same) == (5, 5, True)


def test_what_goes_elsewhere_or_is_kept_quiet_is_altered() -> None:
    plain = rule("r", "charge.failed")
    elsewhere = replace(plain, steps=(replace(plain.steps[0], targets=("risk",)), plain.steps[1]))
    found = compare([plain], [elsewhere], EVENTS)["r"]
    assert (found.lost, found.gained, found.altered) == (0, 0, 5)
    assert found.alters == {"notify payments: sent -> nothing": 5}
    throttled = replace(plain, timing=Timing(throttle=Throttle(max=1, every=timedelta(days=1))))
    quiet = compare([plain], [throttled], EVENTS)["r"]
    assert quiet.altered == 4
    assert quiet.altered_examples[0].after == (
        "notify payments: left out (throttle)",
        "notify risk: left out (throttle)",
    )


def test_other_words_are_shown_by_the_lines_that_differ() -> None:
    plain = rule("r", "charge.failed")
    titled = replace(plain.steps[0], options={"title": "One", "text": "Same"})
    other = replace(titled, options={"title": "Two", "text": "Same"})
    found = compare([replace(plain, steps=(titled,))], [replace(plain, steps=(other,))], EVENTS)["r"]
    assert found.alters == {"other words": 5}
    assert [(each.before, each.after) for each in found.altered_examples] == [(("One",), ("Two",))]


def test_rules_that_only_one_side_has_live() -> None:
    shadow = rule("r", "charge.failed", mode=RuleMode.SHADOW)
    found = compare([shadow, rule("gone", "charge.failed")], [replace(shadow, mode=RuleMode.LIVE)], EVENTS)
    assert (found["r"].added, found["r"].gained) == (True, 5)
    assert (found["gone"].removed, found["gone"].lost) == (True, 5)


def test_what_was_muted_is_muted_for_both() -> None:
    """So that a rule of another severity may be muted no more."""
    start = EVENTS[0].received
    mute = Mute(id="m", severity=Severity.MEDIUM, start=start, end=start + 9 * HOUR, author="kim", comment="known")
    same = compare([over(100)], [over(100)], EVENTS, [mute])["r"]
    assert (same.same, same.after) == (True, 5)
    graver = compare([over(100)], [replace(over(100), severity=Severity.HIGH)], EVENTS, [mute])["r"]
    what = "notify payments: left out (mute); notify risk: left out (mute) -> notify payments: sent; notify risk: sent"
    assert dict(graver.alters) == {what: 5}


def test_texts_know_the_first_event_of_an_incident() -> None:
    """Also where only the words of a message differ."""

    def told(text: str) -> Rule:
        whole = rule("r", "charge.failed", Timing(incident=Incident(), on_update=(_said(text),)))
        return replace(whole, steps=(_said("Opened"),))

    text = "{{ incident.first.object.amount }} was the first"
    found = compare([told(text)], [told(f"Well, {text}")], EVENTS[:2])["r"]
    assert found.altered_examples[0].after == ("Well, 100 was the first",), found


def _said(text: str) -> Step:
    step = "first" if text == "Opened" else "update"
    return Step(id=step, verb=Verb.NOTIFY, targets=("risk",), options={"title": text})
