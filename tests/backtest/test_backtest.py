"""Rules run over past events are counted: what they did, what kept them from it, what became of their messages."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.backtest import Backtest, RuleTally, select
from engine.model.condition import Reference
from engine.model.event import Event
from engine.model.mute import Mute
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb, When
from engine.model.timing import Absence, Digest, Incident, Other, Threshold, Throttle, Timing
from engine.rulebook import Rulebook
from notifiers import Destination
from tests.builders import event

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BY_ID = ((Reference(path="id"), Reference(path="id")),)
UTC_ZONE = ZoneInfo("UTC")


def rule(id_: str, types: str, timing: Timing | None = None, **changes: Any) -> Rule:
    steps = (
        Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk", "payments")),
        Step(id="callback-2", verb=Verb.CALLBACK, targets=("case",)),
    )
    made = Rule(id=id_, when=(When(types=(types,), livemode=None),), steps=steps, timing=timing or Timing())
    return replace(made, **changes)


def at(hours: float, type_: str = "charge.failed", account: str = "acct_1", **fields: Any) -> Event:
    moment = NOON + timedelta(hours=hours)
    return replace(event(type_, created=int(moment.timestamp()), account=account, **fields), received=moment)


def expand(step: Step, severity: Severity, livemode: bool) -> list[Destination]:
    return [Destination(name=target) for target in step.targets]


def run(rules: Iterable[Rule], events: Iterable[Event], *chosen: str, **options: Any) -> Backtest:
    selection = select(Rulebook(revision="", rules=tuple(rules)), chosen)
    after = options.pop("after", timedelta())
    made = Backtest(selection, expand, **{"zone": UTC_ZONE, "samples": 2, **options})
    last = NOON
    for each in events:
        made.feed(each)
        last = each.received
    made.finish(last + after)
    return made


def tally(rules: Iterable[Rule], events: Iterable[Event], **options: Any) -> RuleTally:
    return next(iter(run(rules, events, **options).rules.values()))


def test_a_rule_is_counted_by_day_and_account() -> None:
    found = tally([rule("r", "charge.failed")], [at(0), at(1, account="acct_2"), at(20), at(2, "payout.failed")])
    assert (found.matched, found.fired, found.sent, found.at_night) == (3, 3, 3, 0)
    assert found.days == {date(2026, 1, 5): 2, date(2026, 1, 6): 1}
    assert found.accounts == {"acct_1": 2, "acct_2": 1}
    assert found.calls == {"callback case": 3}


def test_night_and_day_are_those_of_the_time_zone() -> None:
    events = [at(9), at(12), at(17.5)]
    assert tally([rule("r", "charge.failed")], events).at_night == 2
    found = tally([rule("r", "charge.failed")], events, zone=ZoneInfo("Asia/Tokyo"))
    assert found.at_night == 0
    assert list(found.days) == [date(2026, 1, 6)]


def test_what_keys_keep_back_is_counted() -> None:
    events = [at(minute / 60) for minute in range(6)]
    threshold = tally([rule("r", "charge.failed", Timing(threshold=Threshold(within=HOUR, count=3)))], events)
    assert (threshold.matched, threshold.fired, dict(threshold.kept)) == (6, 1, {"threshold": 5})
    throttle = tally([rule("r", "charge.failed", Timing(throttle=Throttle(max=1, every=HOUR)))], [*events, at(9)])
    assert (throttle.fired, throttle.sent, dict(throttle.quiet)) == (7, 3, {"throttle": 5})
    digest = tally([rule("r", "charge.failed", Timing(digest=Digest(every=HOUR)))], [*events, at(9)])
    assert (digest.fired, digest.gathered, digest.digests, digest.sent) == (7, 7, 1, 1)
    assert [(sample.alerts, len(sample.merged), len(sample.events)) for sample in digest.samples] == [(6, 6, 6)]


def test_absence_fires_when_its_time_is_over_and_some_still_wait() -> None:
    paid = Other(when=(When(types=("payout.paid",), livemode=None),), same=BY_ID, within=DAY)
    absent = rule("r", "payout.failed", Timing(not_followed_by=(Absence(other=paid),)))
    events = [
        at(0, "payout.failed", object={"id": "po_1"}),
        at(1, "payout.failed", object={"id": "po_2"}),
        at(2, "payout.paid", object={"id": "po_2"}),
        at(30, "payout.failed", object={"id": "po_3"}),
    ]
    made = run([absent], events)
    found = made.rules["r"]
    assert (found.matched, found.fired, found.sent, made.waiting) == (3, 1, 1, 1)
    assert dict(found.kept) == {"not_followed_by": 1}
    assert [(sample.at, sample.event and sample.event.object_id) for sample in found.samples] == [(NOON + DAY, "po_1")]


def test_what_came_before_counts_as_having_been() -> None:
    counted = rule("r", "charge.failed", Timing(threshold=Threshold(within=HOUR, count=3)))
    events = [at(0), at(0.1), at(0.2)]
    made = run([counted], events, since=NOON + timedelta(hours=0.15))
    assert (made.events, made.rules["r"].matched, made.rules["r"].fired) == (1, 1, 1)
    assert select(Rulebook(revision="", rules=(counted,))).before == HOUR


def test_a_named_rule_acts_as_live_beside_those_that_stand_above_it() -> None:
    shadow = rule("shadow", "charge.failed", mode=RuleMode.SHADOW)
    asleep = rule("asleep", "charge.failed", mode=RuleMode.OFF)
    above = rule("above", "charge.failed", supersedes={"asleep": None})
    other = rule("other", "charge.failed")
    rules = [shadow, asleep, above, other]
    everything = run(rules, [at(0)])
    assert {name: (found.fired, found.sent) for name, found in everything.rules.items()} == {
        "shadow": (1, 0),
        "above": (1, 1),
        "other": (1, 1),
    }
    assert [each.id for each in select(Rulebook(revision="", rules=tuple(rules)), ["asleep"]).rulebook.rules] == [
        "asleep",
        "above",
    ]
    superseded = run(rules, [at(0)], "asleep").rules
    assert list(superseded) == ["asleep"]
    assert (superseded["asleep"].fired, dict(superseded["asleep"].skipped)) == (1, {"superseded by above": 1})
    assert run(rules, [at(0)], "shadow").rules["shadow"].sent == 1


def test_only_events_that_concern_are_asked_for() -> None:
    paid = Other(when=(When(types=("payout.paid",), livemode=None),), same=BY_ID, within=DAY)
    absent = rule("r", "payout.failed", Timing(not_followed_by=(Absence(other=paid),)))
    selection = select(Rulebook(revision="", rules=(absent, rule("off", "charge.failed", mode=RuleMode.OFF))))
    asked = ("payout.failed", "payout.paid", "charge.failed", "account.application.deauthorized")
    assert [selection.concerns(name) for name in asked] == [True, True, False, True]


def test_messages_that_were_muted_are_counted_beside_what_keys_left_out() -> None:
    """Whether the rule has a memory or not; callbacks run."""
    mute = Mute(id="m", account="acct_1", start=NOON, end=NOON + HOUR, author="kim", comment="known")
    events = [at(0), at(0, account="acct_2"), at(0.5), at(1)]
    plain = tally([rule("r", "charge.failed")], events, mutes=[mute])
    assert (plain.fired, plain.sent, plain.quiet) == (4, 2, {"mute": 2})
    throttled = tally([rule("r", "charge.failed", Timing(throttle=Throttle(max=1, every=HOUR)))], events, mutes=[mute])
    assert (throttled.fired, throttled.sent, throttled.quiet) == (4, 2, {"mute": 2})
    assert plain.calls == {"callback case": 4}


def test_what_was_gathered_and_muted_when_it_was_due_is_in_no_digest() -> None:
    mute = Mute(id="m", account="acct_1", start=NOON + HOUR, end=NOON + DAY, author="kim", comment="known")
    gathers = rule("r", "charge.failed", Timing(digest=Digest(every=2 * HOUR)))
    found = tally([gathers], [at(0), at(0, account="acct_2")], mutes=[mute], after=3 * HOUR)
    assert (found.gathered, found.digests, found.sent, found.quiet) == (1, 1, 1, {"mute": 1})


def test_a_sample_knows_the_first_event_of_its_incident() -> None:
    found = tally([rule("r", "charge.failed", Timing(incident=Incident(resolve_after=HOUR)))], [at(0)], after=2 * HOUR)
    context = found.samples[-1].context or {}
    assert context["incident"]["stage"] == "resolved"
    assert context["incident"]["first"]["object"]["object"] == "charge"
