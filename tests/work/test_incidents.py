"""Incidents, from the event to the delivery, on a real database and by several processes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.model.condition import Reference
from engine.model.delivery import Delivery, DeliveryStatus, FiringStatus
from engine.model.event import Event
from engine.model.incident import Incident as Held
from engine.model.incident import IncidentStatus, Stage
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb, When
from engine.model.timing import Absence, Digest, Escalation, Incident, Other, Threshold, Throttle, Timing
from engine.store import Store
from engine.store.connect import Target
from tests.work.memory import NOON, World, at

ACCOUNT = Reference(path="$account.id")
ID = Reference(path="id")
PAID = Other(when=(When(types=("payout.paid",), livemode=None),), same=((ACCOUNT, ACCOUNT),))
HOUR = timedelta(hours=1)


def notify(id_: str, *targets: str) -> Step:
    return Step(id=id_, verb=Verb.NOTIFY, targets=targets or ("risk",))


def call(id_: str) -> Step:
    return Step(id=id_, verb=Verb.CALLBACK, targets=("case",))


def rule(timing: Timing, *, mode: RuleMode = RuleMode.LIVE, types: str = "payout.failed") -> Rule:
    steps = (notify("notify-1"), call("callback-2"))
    when = (When(types=(types,), livemode=None),)
    return Rule(id="r", when=when, steps=steps, mode=mode, timing=timing, severity=Severity.HIGH)


def failed(minutes: float, id_: str = "po_1", **given: Any) -> Event:
    return at(minutes, type="payout.failed", object={"id": id_}, **given)


def paid(minutes: float, id_: str = "po_1", **given: Any) -> Event:
    return at(minutes, type="payout.paid", object={"id": id_}, **given)


def told(found: list[Delivery]) -> list[tuple[str, str]]:
    return [(each.step, str(each.status)) for each in found]


async def made(w: World, verb: Verb | None = Verb.NOTIFY) -> list[Delivery]:
    found = await w.store.deliveries.ls(limit=1000)
    return sorted((d for d in found if verb in (None, d.verb)), key=lambda d: (d.created, d.step, d.destination))


async def the_incident(w: World) -> Held:
    [found] = await w.store.incidents.ls(resolved=True)
    return found


async def test_the_first_match_tells_and_later_ones_are_counted(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    await w.send(failed(0), failed(5), failed(10))
    incident = await the_incident(w)
    assert (incident.status, incident.count, incident.about) == (IncidentStatus.OPEN, 3, "acct_1")
    assert (incident.opened, incident.last) == (NOON, NOON + timedelta(minutes=10))
    assert told(await made(w)) == [("notify-1", "pending"), ("notify-1", "suppressed"), ("notify-1", "suppressed")]
    quiet = (await made(w))[1]
    assert quiet.reason == f"incident {incident.id} is open since 2026-01-05 12:00 UTC"
    assert quiet.silence == f"incident {incident.id}"
    assert told(await made(w, Verb.CALLBACK)) == [("callback-2", "pending")] * 3
    first, second, _ = await w.firings()
    assert first.context["incident"]["stage"] == "opened"
    assert (second.context["incident"]["stage"], second.context["incident"]["count"]) == ("updated", 2)


async def test_what_resolves_ends_it_and_tells_who_has_heard_of_it(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    resolver = paid(125)
    await w.send(failed(0), failed(60), resolver)
    incident = await the_incident(w)
    assert (incident.status, incident.reason) == (IncidentStatus.RESOLVED, f"payout.paid ({resolver.id})")
    end = [each for each in await w.store.events.firings(resolver.dedupe_key) if each.rule == "r"]
    assert [(each.status, each.context["incident"]["duration"]) for each in end] == [(FiringStatus.FOLLOW_UP, "2h 5m")]
    [last] = [each for each in await made(w, None) if each.firing == end[0].id]
    assert (last.step, last.status, last.event) == ("notify-1", DeliveryStatus.PENDING, resolver.dedupe_key)
    past = await w.store.incidents.history(incident.id)
    assert [each.stage for each in past] == [Stage.OPENED, Stage.RESOLVED]
    await w.send(failed(130))
    assert len(await w.store.incidents.ls()) == 1
    assert len(await w.store.incidents.ls(resolved=True)) == 2


async def test_the_end_is_told_to_who_has_heard_also_where_steps_are_called_otherwise_now(
    world: Callable[..., World],
) -> None:
    """By another step that goes there; to each of them once."""
    first = rule(Timing(incident=Incident(resolve=PAID)))
    w = world(first)
    await w.send(failed(0))
    steps = (replace(notify("notify-2"), id="renamed"), notify("other"), call("callback-2"))
    edited = World(w.store, (replace(first, steps=steps),))
    resolver = paid(30)
    await edited.send(resolver)
    [end] = [each for each in await made(w) if each.event == resolver.dedupe_key]
    assert (end.step, end.destination) == ("renamed", "risk")


async def test_the_end_of_one_that_nobody_has_heard_of_gathers_nothing(world: Callable[..., World]) -> None:
    """No digest is begun for a message to nobody."""
    calls = replace(
        rule(Timing(incident=Incident(resolve=PAID), digest=Digest(every=HOUR))), steps=(call("callback-2"),)
    )
    w = world(replace(calls, timing=replace(calls.timing, on_update=(notify("again"),))))
    await w.send(failed(0), paid(1))
    assert (await the_incident(w)).status is IncidentStatus.RESOLVED
    assert await w.store.timers.next_due() is None


async def test_accounts_and_modes_have_incidents_of_their_own(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    await w.send(failed(0), failed(1, account="acct_2"), failed(2, livemode=False))
    assert len(await w.store.incidents.ls()) == 3
    await w.send(paid(3, livemode=False))
    assert sorted(each.livemode for each in await w.store.incidents.ls()) == [True, True]


async def test_what_resolved_before_the_last_match_is_ignored(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    await w.send(failed(0), failed(10), paid(5))
    assert (await the_incident(w)).status is IncidentStatus.OPEN


async def test_a_late_match_of_before_its_end_is_counted_in_it_and_not_told(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID), on_update=(notify("again"),))))
    await w.send(failed(0), paid(10), failed(5, "po_2"))
    incident = await the_incident(w)
    assert (incident.status, incident.count) == (IncidentStatus.RESOLVED, 2)
    late = [each for each in await made(w) if each.status is DeliveryStatus.SUPPRESSED]
    assert [each.reason for each in late] == [
        f"incident {incident.id} was open at the time; it is resolved by {incident.reason}"
    ]


async def test_what_resolves_and_comes_first_ends_the_incident_at_once(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID), on_resolve=(call("close"),))))
    resolver = paid(10)
    await w.send(resolver, failed(5))
    assert (await the_incident(w)).status is IncidentStatus.RESOLVED
    w.now = datetime.now(UTC) + timedelta(seconds=1)
    await w.clock.once()
    assert [(d.step, d.event) for d in await made(w, Verb.CALLBACK) if d.step == "close"] == [
        ("close", resolver.dedupe_key)
    ]
    assert told(await made(w)) == [("notify-1", "pending")]


async def test_it_ends_when_there_was_no_match_for_a_while(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve_after=2 * HOUR))))
    last = failed(60)
    await w.send(failed(0), last)
    await w.pass_to(121)
    assert (await the_incident(w)).status is IncidentStatus.OPEN
    await w.pass_to(179)
    assert (await the_incident(w)).status is IncidentStatus.OPEN
    await w.pass_to(180)
    incident = await the_incident(w)
    assert (incident.status, incident.reason) == (IncidentStatus.RESOLVED, "no match for 2h")
    assert [d.event for d in await made(w) if d.created == w.now] == [last.dedupe_key]
    await w.pass_to(1000)
    assert len(await made(w)) == 3


async def test_a_threshold_that_still_holds_keeps_it_open(world: Callable[..., World]) -> None:
    w = world(
        rule(Timing(threshold=Threshold(within=timedelta(minutes=10), count=2), incident=Incident(resolve_after=HOUR)))
    )
    await w.send(failed(0), failed(1), failed(2), failed(9))
    assert (await the_incident(w)).count == 3
    await w.send(failed(40))  # alone in its window
    incident = await the_incident(w)
    assert (incident.count, incident.last) == (3, NOON + timedelta(minutes=9))
    await w.pass_to(69)
    assert (await the_incident(w)).status is IncidentStatus.RESOLVED


async def test_updates_have_steps_of_their_own(world: Callable[..., World]) -> None:
    timing = Timing(incident=Incident(resolve=PAID), on_update=(notify("again", "ops"), call("update")))
    w = world(rule(timing))
    await w.send(failed(0), failed(1))
    assert told(await made(w)) == [("notify-1", "pending"), ("again", "pending"), ("notify-1", "suppressed")]
    assert told(await made(w, Verb.CALLBACK)) == [
        ("callback-2", "pending"),
        ("callback-2", "pending"),
        ("update", "pending"),
    ]


async def test_a_throttle_is_for_updates_and_not_for_the_end(world: Callable[..., World]) -> None:
    throttle = Throttle(max=1, every=6 * HOUR)
    w = world(rule(Timing(incident=Incident(resolve=PAID), on_update=(notify("again"),), throttle=throttle)))
    await w.send(failed(0), failed(1), paid(2))
    assert told(await made(w))[:3] == [("notify-1", "pending"), ("again", "suppressed"), ("notify-1", "suppressed")]
    assert [d.status for d in await made(w)][-1] is DeliveryStatus.PENDING


async def test_nobody_answers_and_others_are_called(world: Callable[..., World]) -> None:
    calls = tuple(Escalation(after=timedelta(minutes=m), steps=(notify(f"call-{m}", "boss"),)) for m in (15, 60))
    w = world(rule(Timing(incident=Incident(resolve=PAID), escalate=calls)))
    opener = failed(0)
    await w.send(opener)
    await w.pass_to(14)
    assert len(await made(w)) == 1
    await w.pass_to(15)
    assert told(await made(w))[1:] == [("call-15", "pending")]
    incident = await the_incident(w)
    acted = await w.store.incidents.acknowledge(incident.id, "ada", "on it", w.now)
    assert acted is not None
    assert acted.changed
    await w.pass_to(61)
    assert len(await made(w)) == 2
    past = await w.store.incidents.history(incident.id)
    assert [(each.stage, each.by, each.note) for each in past[1:]] == [
        (Stage.ESCALATED, None, "not acknowledged within 15m: notify boss"),
        (Stage.ACKNOWLEDGED, "ada", "on it"),
    ]
    await w.send(paid(70))
    assert sorted(d.destination for d in await made(w) if d.event != opener.dedupe_key) == ["boss", "risk"]


async def test_an_incident_that_is_over_is_not_escalated(world: Callable[..., World]) -> None:
    calls = (Escalation(after=timedelta(minutes=15), steps=(notify("call", "boss"),)),)
    w = world(rule(Timing(incident=Incident(resolve=PAID), escalate=calls)))
    await w.send(failed(0), paid(1), failed(2))
    await w.pass_to(16)
    assert [d.step for d in await made(w)].count("call") == 0
    await w.pass_to(17)
    assert [d.step for d in await made(w)].count("call") == 1


async def test_of_two_who_acknowledge_at_once_one_is_first(world: Callable[..., World], database: str) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    await w.send(failed(0))
    incident = await the_incident(w)
    other = await Store.connect(Target.from_url(database))
    found = await asyncio.gather(
        *(
            store.incidents.acknowledge(incident.id, name, None, NOON)
            for store, name in ((w.store, "ada"), (other, "bob"))
        )
    )
    await other.close()
    assert sorted(each.changed for each in found if each) == [False, True]
    assert len({each.incident.acknowledged_by for each in found if each}) == 1
    assert await w.store.incidents.acknowledge("inc_none", "ada", None, NOON) is None


async def test_a_person_ends_it_and_the_others_are_told(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    await w.send(failed(0))
    incident = await the_incident(w)
    acted = await w.store.incidents.resolve(incident.id, "ada", "paid by hand", NOON + HOUR)
    assert acted is not None
    assert (acted.changed, acted.incident.status) == (True, IncidentStatus.RESOLVED)
    again = await w.store.incidents.resolve(incident.id, "bob", None, NOON + HOUR)
    assert again is not None
    assert (again.changed, again.incident.resolved_by) == (False, "ada")
    await w.pass_to(61)
    [end] = [each for each in await w.firings() if each.status is FiringStatus.FOLLOW_UP]
    assert end.reason == f"{incident.id} is resolved after 1h: ada, paid by hand"
    assert told(await made(w)) == [("notify-1", "pending")] * 2
    await w.send(failed(70))
    assert len(await w.store.incidents.ls()) == 1


async def _states(w: World) -> int:
    found: int = await w.store.timers._pool.value("select count(*) from tocsin.states")
    return found


async def test_what_a_person_ended_is_forgotten_with_its_rule(world: Callable[..., World]) -> None:
    """There is nobody to tell it to; and whoever acts on it again makes nothing that stays. What is known for those
    that come late is forgotten in time."""
    w = world(rule(Timing(incident=Incident())))
    await w.send(failed(0))
    found = await the_incident(w)
    assert await w.store.incidents.resolve(found.id, "ada", None, datetime.now(UTC)) is not None
    assert await _states(w) == 1
    without = world()
    await without.later(timedelta(seconds=1))
    await without.later(timedelta(hours=3))
    await without.store.timers.forget(without.now)
    assert await _states(w) == 0
    for act in (w.store.incidents.acknowledge, w.store.incidents.resolve):
        acted = await act(found.id, "bob", None, datetime.now(UTC))
        assert acted is not None
        assert not acted.changed
    assert await _states(w) == 0


async def test_an_update_that_a_throttle_left_out_is_told_to_those_who_get_updates(
    world: Callable[..., World],
) -> None:
    """In a line, when its time is over; to each place that one of those messages would have gone to, once."""
    throttle = Throttle(max=1, every=timedelta(hours=6))
    updates = (notify("again", "desk", "desk-2"), notify("more", "desk"), call("call-2"))
    w = world(rule(Timing(incident=Incident(), throttle=throttle, on_update=updates)))
    await w.send(failed(0), failed(1), failed(2))
    await w.later(timedelta(hours=6, seconds=1))
    lines = [each for each in await made(w) if each.firing is None]
    assert [(each.destination, each.request) for each in lines] == [
        ("desk", {"left_out": 2}),
        ("desk-2", {"left_out": 2}),
    ]


async def test_openings_and_updates_that_a_throttle_left_out_are_told_to_both(world: Callable[..., World]) -> None:
    throttle = Throttle(max=1, every=timedelta(hours=6))
    policy = Incident(per=(ID,))
    w = world(rule(Timing(incident=policy, throttle=throttle, on_update=(notify("again", "desk"),))))
    await w.send(failed(0), failed(1, "po_2"), failed(2))
    await w.later(timedelta(hours=6, seconds=1))
    lines = [each for each in await made(w) if each.firing is None]
    assert sorted(each.destination for each in lines) == ["desk", "risk"]


async def test_shadow_keeps_no_incident_that_people_see(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID)), mode=RuleMode.SHADOW))
    await w.send(failed(0), failed(1), paid(2))
    assert await w.store.incidents.ls(resolved=True) == []
    assert await made(w, None) == []
    assert "is open since" in ((await w.firings())[1].reason or "")


async def test_absence_opens_an_incident_when_its_time_is_over(world: Callable[..., World]) -> None:
    absent = Absence(other=replace(PAID, within=HOUR))
    w = world(rule(Timing(not_followed_by=(absent,), incident=Incident(resolve=PAID))))
    await w.send(failed(0), failed(1, "po_2"))
    await w.pass_to(62)
    assert sorted(told(await made(w))) == [("notify-1", "pending"), ("notify-1", "suppressed")]
    assert (await the_incident(w)).count == 2


async def test_by_what_per_and_same_have_in_common(world: Callable[..., World]) -> None:
    """Open by account and object, resolved for all objects of the account at once."""
    w = world(rule(Timing(incident=Incident(per=(ACCOUNT, ID), resolve=PAID))))
    await w.send(failed(0, "po_1"), failed(1, "po_2"), failed(2, "po_1"))
    assert sorted(each.count for each in await w.store.incidents.ls()) == [1, 2]
    await w.send(paid(3, "po_9"))
    assert await w.store.incidents.ls() == []


async def test_what_is_the_same_and_not_in_per_is_that_of_the_last_match(world: Callable[..., World]) -> None:
    resolve = Other(when=PAID.when, same=((ID, ID),))
    w = world(rule(Timing(incident=Incident(resolve=resolve))))
    await w.send(failed(0, "po_1"), failed(1, "po_2"), paid(2, "po_1"))
    assert (await the_incident(w)).status is IncidentStatus.OPEN
    await w.send(paid(3, "po_2"))
    assert (await the_incident(w)).status is IncidentStatus.RESOLVED


async def test_two_processes_open_one_incident(world: Callable[..., World], database: str) -> None:
    first = world(rule(Timing(incident=Incident(resolve=PAID, resolve_after=HOUR))))
    store = await Store.connect(Target.from_url(database))
    second = World(store, first.rules)
    events = [failed(number / 60, f"po_{number}") for number in range(40)]
    both = [*zip(events, [first, second] * 20, strict=True), *zip(events, [second, first] * 20, strict=True)]
    await asyncio.gather(*(one.send(each) for each, one in both))
    incident = await the_incident(first)
    assert incident.count == 40
    assert [d.status for d in await made(first)].count(DeliveryStatus.PENDING) == 1
    await asyncio.gather(first.pass_to(90), second.pass_to(90))
    assert [d.status for d in await made(first)].count(DeliveryStatus.PENDING) == 2
    await store.close()


async def test_an_account_that_leaves_ends_what_waits_on_it(world: Callable[..., World]) -> None:
    absent = Absence(other=replace(PAID, within=HOUR))
    one = rule(Timing(incident=Incident(resolve=PAID), escalate=(Escalation(after=HOUR, steps=(notify("call"),)),)))
    two = replace(rule(Timing(not_followed_by=(absent,))), id="two")
    w = world(one, two)
    await w.send(failed(0), failed(0, account="acct_2"))
    await w.send(at(1, type="account.application.deauthorized", object={"id": "ca_1"}))
    mine = {each.account: each for each in await w.store.incidents.ls(resolved=True)}
    assert (mine["acct_1"].status, mine["acct_1"].reason) == (IncidentStatus.RESOLVED, "account left")
    assert mine["acct_2"].status is IncidentStatus.OPEN
    waiting = {each.account: (str(each.status), each.reason) for each in await w.firings() if each.rule == "two"}
    assert waiting["acct_1"] == ("no", "account left")
    assert waiting["acct_2"][0] == "waiting"
    w.now = datetime.now(UTC) + timedelta(hours=2)
    await w.clock.once()
    assert [d.account for d in await made(w) if d.rule == "two"] == ["acct_2"]
    assert [d.account for d in await made(w) if d.step == "call"] == ["acct_2"]
    ends = [
        each
        for each in await w.firings()
        if each.status is FiringStatus.FOLLOW_UP and "account left" in (each.reason or "")
    ]
    assert len(ends) == 1


async def test_a_rule_for_the_leaving_itself_still_waits(world: Callable[..., World]) -> None:
    back = Other(
        when=(When(types=("account.application.authorized",), livemode=None),), same=((ACCOUNT, ACCOUNT),), within=HOUR
    )
    w = world(rule(Timing(not_followed_by=(Absence(other=back),)), types="account.application.deauthorized"))
    await w.send(at(0, type="account.application.deauthorized", object={"id": "ca_1"}))
    await w.pass_to(61)
    assert told(await made(w)) == [("notify-1", "pending")]


async def test_what_an_open_incident_is_about_is_not_forgotten(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    opener, other = failed(0), at(0, type="charge.failed")
    await w.send(opener, other)
    for each in await made(w, None):
        await w.store._pool.execute("update tocsin.deliveries set status = 'delivered' where id = $1", each.id)
    await w.store.forget(datetime.now(UTC))
    assert await w.store.events.get(opener.dedupe_key) is not None
    assert await w.store.events.get(other.dedupe_key) is None
    await w.store.incidents.resolve((await the_incident(w)).id, "ada", None, NOON)
    await w.store.forget(datetime.now(UTC))
    assert await w.store.incidents.ls(resolved=True) == []
