"""Rules with a memory, from the event to the delivery: decided inside the commit, by timers, by several processes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from engine.decision import Ripe
from engine.model.condition import Operation, PathTest, Reference
from engine.model.delivery import DeliveryStatus, Plan, Timer
from engine.model.event import Event
from engine.model.mute import Mute
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb, When
from engine.model.timing import (
    Absence,
    Calendar,
    Digest,
    Other,
    Quiet,
    QuietDo,
    Threshold,
    Throttle,
    Timing,
)
from engine.rulebook import Rulebook
from engine.store import Store
from engine.store.connect import Target
from tests.work.memory import NOON, World, at

HOUR = timedelta(hours=1)
BY_ID = ((Reference(path="id"), Reference(path="id")),)


def rule(timing: Timing, *, types: str = "charge.failed", mode: RuleMode = RuleMode.LIVE) -> Rule:
    step = Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk",))
    call = Step(id="callback-2", verb=Verb.CALLBACK, targets=("case",))
    return Rule(id="r", when=(When(types=(types,), livemode=None),), steps=(step, call), mode=mode, timing=timing)


async def test_a_threshold_fires_once_when_it_comes_to_hold_and_again_after_it_did_not(
    world: Callable[..., World],
) -> None:
    w = world(rule(Timing(threshold=Threshold(within=timedelta(minutes=10), count=3))))
    await w.send(*(at(minute) for minute in (0, 1, 2, 3, 30, 31, 32)))
    assert await w.statuses() == ["no", "no", "fired", "no", "no", "no", "fired"]
    firings = await w.firings()
    assert firings[0].reason == "threshold: 1 of 3 within 10m"
    assert firings[3].reason == "threshold: it holds since it last fired"
    assert firings[2].context["window"]["count"] == 3
    assert await w.sent() == [DeliveryStatus.PENDING] * 2


async def test_accounts_and_modes_count_apart(world: Callable[..., World]) -> None:
    w = world(rule(Timing(threshold=Threshold(within=timedelta(minutes=10), count=2))))
    await w.send(at(0), at(1, account="acct_2"), at(2, livemode=False))
    assert "fired" not in await w.statuses()
    await w.send(at(3, livemode=False))
    assert (await w.statuses()).count("fired") == 1


async def test_the_same_event_again_counts_once(world: Callable[..., World]) -> None:
    w = world(rule(Timing(threshold=Threshold(within=timedelta(minutes=10), count=2))))
    one = at(0)
    await w.send(one, one, one)
    assert await w.statuses() == ["no"]


async def test_what_came_hours_late_is_still_known_when_the_rest_comes(world: Callable[..., World]) -> None:
    """It was Stripe that was late: how long things stay known is counted from when they came, too."""
    w = world(rule(Timing(threshold=Threshold(within=timedelta(minutes=10), count=3))))
    for number in range(3):
        await w.send(at(number))
        await w.store.timers.forget(datetime.now(UTC) + timedelta(minutes=59))
    assert await w.statuses() == ["no", "no", "fired"]
    await w.store.timers.forget(datetime.now(UTC) + timedelta(hours=3))
    await w.send(at(4))
    assert await w.statuses() == ["no", "no", "fired", "no"], "it is forgotten all the same"


async def test_two_processes_count_together(world: Callable[..., World], database: str) -> None:
    timing = Timing(threshold=Threshold(within=timedelta(minutes=10), count=20))
    first = world(rule(timing))
    other_store = await Store.connect(Target.from_url(database))
    second = World(other_store, (rule(timing),))
    events = [at(number / 60) for number in range(39)]
    both = [*zip(events, [first, second] * 20, strict=False), *zip(events, [second, first] * 20, strict=False)]
    await asyncio.gather(*(one.send(each) for each, one in both))
    await other_store.close()
    assert (await first.statuses()).count("fired") == 1
    assert len(await first.firings()) == 39


async def test_what_must_come_before(world: Callable[..., World]) -> None:
    other = Other(when=(When(types=("account.updated",), livemode=None),), same=_BY_ACCOUNT, within=timedelta(hours=1))
    w = world(rule(Timing(preceded_by=other)))
    await w.send(at(0))
    [firing] = await w.firings()
    assert (firing.status, firing.reason) == ("no", "preceded_by: no account.updated in the 1h before")
    await w.send(at(10, type="account.updated"), at(20), at(90))
    assert await w.statuses() == ["no", "fired", "no"]


async def test_what_should_have_come_before_and_comes_late_lets_the_trigger_fire(world: Callable[..., World]) -> None:
    other = Other(when=(When(types=("account.updated",), livemode=None),), same=_BY_ACCOUNT, within=timedelta(hours=1))
    w = world(rule(Timing(preceded_by=other)))
    await w.send(at(30), at(10, type="account.updated"))
    await w.later(timedelta(seconds=1))
    assert await w.statuses() == ["fired"]
    assert await w.sent() == [DeliveryStatus.PENDING]


async def test_absence_fires_when_the_time_has_passed(world: Callable[..., World]) -> None:
    w = world(rule(Timing(not_followed_by=(_not_followed(),)), types="payout.failed"))
    await w.send(at(0, type="payout.failed", object={"id": "po_1"}), at(1, type="payout.failed", object={"id": "po_2"}))
    assert await w.statuses() == ["waiting", "waiting"]
    await w.send(at(2, type="payout.paid", object={"id": "po_1"}))
    await w.pass_to(59)
    assert sorted(await w.statuses()) == ["no", "waiting"]
    await w.pass_to(61)
    assert sorted(await w.statuses()) == ["fired", "no"]
    assert await w.sent() == [DeliveryStatus.PENDING]
    await w.pass_to(200)
    assert len(await w.sent()) == 1


async def test_a_follower_that_comes_first_counts(world: Callable[..., World]) -> None:
    w = world(rule(Timing(not_followed_by=(_not_followed(),)), types="payout.failed"))
    await w.send(at(2, type="payout.paid", object={"id": "po_1"}), at(0, type="payout.failed", object={"id": "po_1"}))
    [firing] = await w.firings()
    assert (firing.status, firing.reason) == ("no", "not_followed_by: payout.paid came after 2m")


async def test_two_processes_ripen_a_timer_once(world: Callable[..., World], database: str) -> None:
    timing = Timing(not_followed_by=(_not_followed(),))
    first = world(rule(timing, types="payout.failed"))
    await first.send(*(at(0, type="payout.failed", object={"id": f"po_{n}"}) for n in range(30)))
    other_store = await Store.connect(Target.from_url(database))
    second = World(other_store, first.rules)
    await asyncio.gather(first.pass_to(61), second.pass_to(61))
    await other_store.close()
    assert len(await first.sent()) == 30


async def test_a_timer_that_cannot_be_decided_keeps_no_other_waiting(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes again in a minute."""
    w = world(rule(Timing(not_followed_by=(_not_followed(),)), types="payout.failed"))
    await w.send(*(at(0, type="payout.failed", object={"id": f"po_{n}"}, id=f"evt_{n}") for n in range(5)))
    resolve = w.clock._resolve

    async def failing(due: Sequence[Timer]) -> Sequence[Ripe]:
        if any(timer.event == "evt_3" for timer in due):
            raise RuntimeError("not this one")
        return await resolve(due)

    monkeypatch.setattr(w.clock, "_resolve", failing)
    await w.pass_to(61)
    assert sorted(await w.statuses()) == ["fired"] * 4 + ["waiting"]
    monkeypatch.undo()
    await w.pass_to(63)
    assert await w.statuses() == ["fired"] * 5


async def test_a_digest_that_cannot_be_decided_comes_again(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours must not let what was gathered wait for ever."""
    w = world(rule(Timing(digest=Digest(every=HOUR))))
    await w.send(at(0))

    def broken(self: Ripe, memory: object, now: datetime) -> Plan:
        raise ZeroDivisionError

    monkeypatch.setattr(Ripe, "_gather", broken)
    await w.later(HOUR + timedelta(seconds=2))
    assert await w.sent() == [DeliveryStatus.GATHERED]
    monkeypatch.undo()
    await w.later(HOUR + timedelta(minutes=2))
    assert sorted(await w.sent()) == ["merged", "pending"]


async def test_a_throttle_keeps_messages_quiet_and_nothing_else(world: Callable[..., World]) -> None:
    w = world(rule(Timing(throttle=Throttle(max=1, every=timedelta(hours=6)))))
    await w.send(at(0), at(1), at(2))
    assert await w.statuses() == ["fired"] * 3
    assert await w.sent() == [DeliveryStatus.PENDING, DeliveryStatus.SUPPRESSED, DeliveryStatus.SUPPRESSED]
    assert await w.sent(Verb.CALLBACK) == [DeliveryStatus.PENDING] * 3
    quiet = next(d for d in await w.store.deliveries.ls(limit=9) if d.status is DeliveryStatus.SUPPRESSED)
    assert quiet.reason is not None
    assert quiet.reason.startswith("throttled: 1 per 6h, last ")
    assert quiet.silence == "throttle"


async def test_what_a_throttle_left_out_is_said_when_its_time_is_over(world: Callable[..., World]) -> None:
    w = world(rule(Timing(throttle=Throttle(max=1, every=timedelta(hours=6)))))
    await w.send(at(0), at(1), at(2))
    await w.later(timedelta(hours=6, seconds=1))
    said = [d for d in await w.store.deliveries.ls(limit=9) if d.firing is None]
    assert [each.request for each in said] == [{"left_out": 2}]
    await w.clock.once()
    assert len(await w.sent()) == 4


@pytest.mark.parametrize(
    "now",
    [Throttle(max=2, every=HOUR), Throttle(max=1, every=3 * HOUR), Throttle(max=1, every=HOUR, per=()), None],
    ids=["other count", "other time", "other key", "none any more"],
)
async def test_what_a_throttle_left_out_is_said_though_it_was_edited(
    world: Callable[..., World], now: Throttle | None
) -> None:
    """Its count is good whatever the limit is: in the line, where no message comes before."""
    w = world(rule(Timing(throttle=Throttle(max=1, every=HOUR))))
    await w.send(at(0), at(1), at(2), at(3))
    edited = world(rule(Timing(throttle=now)))
    await edited.later(HOUR + timedelta(seconds=1))
    assert [d.request for d in await w.store.deliveries.ls(limit=9) if d.firing is None] == [{"left_out": 3}]
    await edited.later(9 * HOUR)
    assert len([d for d in await w.store.deliveries.ls(limit=19) if d.firing is None]) == 1


async def test_the_next_message_says_what_was_left_out_before_a_throttle_was_edited(
    world: Callable[..., World],
) -> None:
    w = world(rule(Timing(throttle=Throttle(max=1, every=HOUR))))
    await w.send(at(0), at(1), at(2))
    edited = world(rule(Timing(throttle=Throttle(max=2, every=HOUR))))
    await edited.send(at(3), at(4), at(5))
    notes = [
        d.note for d in await w.store.deliveries.ls(limit=19, verb=Verb.NOTIFY) if d.status == "pending" and d.note
    ]
    assert [note.partition("since")[0].strip() for note in notes] == ["and 2 more left out"]
    await edited.later(HOUR + timedelta(seconds=1))
    assert [d.request for d in await w.store.deliveries.ls(limit=19) if d.firing is None] == [{"left_out": 1}]


async def test_what_a_throttle_would_have_left_out_in_shadow_is_not_said_when_it_is_live(
    world: Callable[..., World],
) -> None:
    throttled = Timing(throttle=Throttle(max=1, every=HOUR))
    await world(rule(throttled, mode=RuleMode.SHADOW)).send(at(0), at(1))
    w = world(rule(throttled))
    await w.send(at(2))
    assert [d.note for d in await w.store.deliveries.ls(limit=9)] == [None, None]
    await w.later(HOUR + timedelta(seconds=1))
    assert [d for d in await w.store.deliveries.ls(limit=9) if d.firing is None] == []


@pytest.mark.parametrize("over", [False, True], ids=["its time is not over", "its time was over in shadow"])
async def test_the_next_message_after_a_spell_in_shadow_says_what_was_left_out_live(
    world: Callable[..., World], *, over: bool
) -> None:
    """But not what would have been left out in shadow."""
    live = rule(Timing(throttle=Throttle(max=1, every=HOUR)))
    await world(live).send(at(0), at(1))
    shadow = world(replace(live, mode=RuleMode.SHADOW))
    await shadow.send(at(2), at(3))
    if over:
        await shadow.later(9 * HOUR)
        await shadow.store.timers.forget(datetime.now(UTC) + timedelta(days=80))
    w = world(live)
    await w.send(at(4))
    notes = [d.note for d in await w.store.deliveries.ls(limit=9, verb=Verb.NOTIFY) if d.note]
    assert [note.partition("since")[0].strip() for note in notes] == ["and 1 more left out"]
    await w.later(9 * HOUR)
    assert [d for d in await w.store.deliveries.ls(limit=19) if d.firing is None] == []


async def test_a_line_after_a_spell_in_shadow_says_what_a_throttle_left_out_live(world: Callable[..., World]) -> None:
    live = rule(Timing(throttle=Throttle(max=1, every=HOUR)))
    await world(live).send(at(0), at(1))
    await world(replace(live, mode=RuleMode.SHADOW)).send(at(2), at(3))
    w = world(live)
    await w.later(HOUR + timedelta(seconds=1))
    assert [d.request for d in await w.store.deliveries.ls(limit=9) if d.firing is None] == [{"left_out": 1}]


async def test_one_timer_waits_for_all_that_a_throttle_leaves_out(world: Callable[..., World]) -> None:
    """However much that is: a flood is what throttles are for."""
    w = world(rule(Timing(throttle=Throttle(max=2, every=timedelta(hours=6)))))
    await w.send(*(at(minute) for minute in range(12)))
    w.now = datetime.now(UTC) + timedelta(hours=6, seconds=1)
    assert await w.clock.once() == 1
    assert [d.request for d in await w.store.deliveries.ls(limit=50) if d.firing is None] == [{"left_out": 10}]


async def test_a_rule_in_shadow_does_not_say_what_its_throttle_would_have_left_out(
    world: Callable[..., World],
) -> None:
    """And what it would have sent limits nothing once it is live."""
    shadow = rule(Timing(throttle=Throttle(max=1, every=timedelta(hours=6))), mode=RuleMode.SHADOW)
    w = world(shadow)
    await w.send(at(0), at(1), at(2))
    live = world(replace(shadow, mode=RuleMode.LIVE))
    await live.send(at(3))
    assert await w.sent() == [DeliveryStatus.PENDING]
    await w.later(timedelta(hours=6, seconds=1))
    assert await w.sent() == [DeliveryStatus.PENDING]


async def test_what_was_left_out_is_not_told_to_those_who_hear_of_failures(world: Callable[..., World]) -> None:
    fallback = Step(id="failed-1", verb=Verb.NOTIFY, targets=("pager",))
    w = world(replace(rule(Timing(throttle=Throttle(max=1, every=HOUR))), on_failure=(fallback,)))
    await w.send(at(0), at(1))
    await w.later(HOUR + timedelta(seconds=1))
    assert [d.destination for d in await w.store.deliveries.ls(limit=9) if d.firing is None] == ["risk"]


async def test_what_was_left_out_is_not_said_in_quiet_times(world: Callable[..., World]) -> None:
    moment = datetime.now(UTC)
    begin = (moment + timedelta(minutes=30)).time().replace(second=0, microsecond=0)
    end = (moment + timedelta(hours=5)).time().replace(second=0, microsecond=0)
    night = Calendar(name="night", timezone="UTC", begin=begin, end=end)
    w = world(rule(Timing(throttle=Throttle(max=1, every=HOUR), quiet=Quiet(during=(night,)))))
    await w.send(at(0), at(1), at(2))
    await w.later(HOUR + timedelta(seconds=1))
    assert sorted(await w.sent()) == ["pending", "suppressed", "suppressed"]
    await w.store.timers.forget(datetime.now(UTC) + timedelta(hours=4))
    await w.later(timedelta(hours=5))
    assert [d.request for d in await w.store.deliveries.ls(limit=9) if d.firing is None] == [{"left_out": 2}]


async def test_a_mute_keeps_quiet_what_a_throttle_left_out(world: Callable[..., World]) -> None:
    w = world(rule(Timing(throttle=Throttle(max=1, every=HOUR))))
    await w.send(at(0), at(1))
    end = datetime.now(UTC) + timedelta(hours=2)
    w.mutes.append(Mute(id="mut_1", start=NOON, end=end, author="kim", comment="known outage"))
    await w.later(HOUR + timedelta(seconds=1))
    [said] = [d for d in await w.store.deliveries.ls(limit=9) if d.firing is None]
    assert (said.status, said.silence) == (DeliveryStatus.SUPPRESSED, "mute mut_1")


async def test_a_mute_keeps_out_of_a_digest_what_was_gathered_before(world: Callable[..., World]) -> None:
    """When it is due, about whom it is for; all of it is on record and counted, and nothing is sent later."""
    w = world(rule(Timing(digest=Digest(every=HOUR))))
    await w.send(at(0), at(1), at(2, account="acct_2"))
    end = datetime.now(UTC) + timedelta(hours=2)
    w.mutes.append(Mute(id="mut_1", account="acct_1", start=NOON, end=end, author="kim", comment="known outage"))
    await w.later(HOUR + timedelta(seconds=2))
    assert sorted(await w.sent()) == ["merged", "pending", "suppressed", "suppressed"]
    found = [d for d in await w.store.deliveries.ls(limit=9) if d.status is DeliveryStatus.SUPPRESSED]
    assert {(d.account, d.silence, d.finished is not None) for d in found if d.reason} == {
        ("acct_1", "mute mut_1", True)
    }
    assert (await w.store.mutes.silenced(["mut_1"]))["mut_1"].number == 2


async def test_a_digest_of_nothing_but_what_is_muted_is_not_sent(world: Callable[..., World]) -> None:
    w = world(rule(Timing(digest=Digest(every=HOUR))))
    await w.send(at(0))
    end = datetime.now(UTC) + timedelta(hours=2)
    w.mutes.append(Mute(id="mut_1", rule="r", start=NOON, end=end, author="kim", comment="known outage"))
    w.mutes.append(Mute(id="mut_2", rule="q", start=NOON, end=end, author="kim", comment="of another"))
    await w.later(HOUR + timedelta(seconds=2))
    assert await w.sent() == ["suppressed"]
    await w.later(4 * HOUR)
    assert await w.sent() == ["suppressed"]


async def test_a_mute_keeps_messages_quiet_of_rules_with_and_without_memory(world: Callable[..., World]) -> None:
    silent = Mute(
        id="mut_1",
        rule="r*",
        account="acct_1",
        start=NOON,
        end=datetime.now(UTC) + timedelta(hours=1),
        author="kim",
        comment="known outage",
    )
    plain, throttled = rule(Timing()), replace(rule(Timing(throttle=Throttle(max=1, every=HOUR))), id="r2")
    w = world(plain, throttled)
    w.mutes.append(silent)
    await w.send(at(0), at(1, account="acct_2"))
    assert sorted(await w.sent()) == ["pending", "pending", "suppressed", "suppressed"]
    [one, _] = [d for d in await w.store.deliveries.ls(limit=9) if d.status is DeliveryStatus.SUPPRESSED]
    assert one.reason is not None
    assert one.reason.endswith("by kim: known outage")
    assert (await w.store.mutes.silenced(["mut_1"]))["mut_1"].number == 2


async def test_a_digest_gathers_and_goes_out_as_one(world: Callable[..., World]) -> None:
    w = world(rule(Timing(digest=Digest(every=HOUR))))
    await w.send(at(0), at(1), at(2))
    assert await w.sent() == [DeliveryStatus.GATHERED] * 3
    assert await w.sent(Verb.CALLBACK) == [DeliveryStatus.PENDING] * 3
    await w.later(HOUR + timedelta(seconds=2))
    assert sorted(await w.sent()) == ["merged", "merged", "merged", "pending"]
    [digest] = [d for d in await w.store.deliveries.ls(limit=9) if d.digest and d.status is DeliveryStatus.PENDING]
    assert len(await w.store.deliveries.merged(digest, most=10)) == 3
    await w.send(at(3))
    assert sorted(await w.sent()) == ["gathered", "merged", "merged", "merged", "pending"]


async def test_quiet_holds_until_its_end_or_drops(world: Callable[..., World]) -> None:
    always = Calendar(name="always", timezone="UTC", begin=time(0), end=time(0))
    held = rule(Timing(quiet=Quiet(during=(always,))))
    dropped = replace(rule(Timing(quiet=Quiet(during=(always,), do=QuietDo.DROP))), id="dropped")
    loud = replace(rule(Timing(quiet=Quiet(during=(always,), bar=Severity.MEDIUM))), id="loud")
    w = world(held, dropped, loud)
    await w.send(at(0))
    assert sorted(await w.sent()) == ["gathered", "pending", "suppressed"]


async def test_a_digest_that_falls_into_quiet_times_waits_for_their_end(world: Callable[..., World]) -> None:
    moment = datetime.now(UTC)
    begin = (moment + timedelta(minutes=30)).time().replace(second=0, microsecond=0)
    end = (moment + timedelta(hours=3)).time().replace(second=0, microsecond=0)
    later = Calendar(name="later", timezone="UTC", begin=begin, end=end)
    w = world(rule(Timing(digest=Digest(every=HOUR), quiet=Quiet(during=(later,)))))
    await w.send(at(0))
    await w.later(HOUR + timedelta(seconds=2))
    assert await w.sent() == [DeliveryStatus.GATHERED]
    await w.later(timedelta(hours=3))
    assert sorted(await w.sent()) == ["merged", "pending"]


async def test_what_a_rule_without_memory_says_of_a_decided_event_is_prepared(world: Callable[..., World]) -> None:
    """Its request is committed with it, like that of any other event."""
    w = world(rule(Timing()), replace(rule(Timing(max_age=HOUR)), id="r2"))

    def prepare(event: Event, plan: Plan, rulebook: Rulebook) -> Plan:
        return replace(plan, deliveries=tuple(replace(each, request={"said": each.rule}) for each in plan.deliveries))

    w.pipeline = replace(w.pipeline, prepare=prepare)
    await w.send(at(0))
    found = await w.store.deliveries.ls(limit=9)
    assert len(found) == 4
    assert all(each.request == {"said": each.rule} for each in found)


async def test_shadow_decides_and_sends_nothing(world: Callable[..., World]) -> None:
    timing = Timing(threshold=Threshold(within=timedelta(minutes=10), count=2))
    w = world(rule(timing, mode=RuleMode.SHADOW))
    await w.send(at(0), at(1))
    assert await w.statuses() == ["no", "fired"]
    assert await w.sent() == []


async def test_an_old_event_is_recorded_and_not_acted_on(world: Callable[..., World]) -> None:
    w = world(rule(Timing(max_age=timedelta(hours=1))))
    await w.send(replace(at(0), received=NOON + timedelta(hours=2)))
    [firing] = await w.firings()
    assert (firing.status, firing.reason) == ("no", "max_age: 2h old when it came, and 1h is the most")


async def test_a_fault_of_ours_alerts_rather_than_keep_quiet(world: Callable[..., World]) -> None:
    broken = Threshold(within=timedelta(minutes=10), count="three")  # type: ignore[arg-type]  # as no loader reads it
    w = world(rule(Timing(threshold=broken)))
    await w.send(at(0))
    assert await w.statuses() == ["fired"]


_BY_ACCOUNT = ((Reference(path="$account.id"), Reference(path="$account.id")),)


def _not_followed() -> Absence:
    paid = When(types=("payout.paid",), livemode=None, where=PathTest(path="id", operations=(_exists(),)))
    return Absence(other=Other(when=(paid,), same=BY_ID, within=timedelta(hours=1)))


def _exists() -> Operation:
    return Operation(operator="exists", operand=True)
