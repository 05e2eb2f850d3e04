"""Reminders, from the event to the delivery, on a real database and by several processes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from engine.model.condition import Reference
from engine.model.event import Event
from engine.model.rule import Rule, When
from engine.model.timing import Other, Reminder, Timing
from engine.store import Store
from engine.store.connect import Target
from tests.work.memory import NOON, World, at
from tests.work.test_incidents import ID, made, rule, told

DUE = Reference(path="evidence_details.due_by")
CLOSED = Other(when=(When(types=("charge.dispute.closed",), livemode=None),), same=((ID, ID),))
DAY = timedelta(days=1)
REMIND = Timing(remind=Reminder(before=DUE, at=(3 * DAY, DAY), until=CLOSED))


def dispute(minutes: float, days: float | None = 7, type_: str = "charge.dispute.created", **given: Any) -> Event:
    """A dispute, evidence for which is due so many days after noon."""
    due = None if days is None else int((NOON + timedelta(days=days)).timestamp())
    return at(minutes, type=type_, object={"id": "dp_1", "evidence_details": {"due_by": due}}, **given)


def days(number: float) -> float:
    return number * 24 * 60


def reminding(timing: Timing = REMIND) -> Rule:
    return rule(timing, types="charge.dispute.created")


async def test_reminders_come_at_their_lead_times(world: Callable[..., World]) -> None:
    w = world(reminding())
    await w.send(dispute(0))
    [firing] = await w.firings()
    assert (firing.status, firing.reason) == (
        "waiting",
        "reminds 3d before 2026-01-12 12:00 UTC, at 2026-01-09 12:00 UTC",
    )
    assert await made(w, None) == []
    await w.pass_to(days(4))
    assert told(await made(w, None)) == [("callback-2", "pending"), ("notify-1", "pending")]
    assert (await made(w))[0].note == "Due in 3 days: 12 Jan 2026 12:00 UTC"
    [first, alert] = await w.firings()
    assert (first.status, first.reason) == (
        "fired",
        "reminded 3d before 2026-01-12 12:00 UTC; reminds 1d before 2026-01-12 12:00 UTC, at 2026-01-11 12:00 UTC",
    )
    assert alert.context["reminder"] == {"lead": "3d", "due": "2026-01-12T12:00:00+00:00", "left": "in 3 days"}
    await w.pass_to(days(6))
    await w.pass_to(days(9))
    assert len(await made(w)) == 2
    assert (await w.firings())[0].reason == "reminded 3d, 1d before 2026-01-12 12:00 UTC, which was the last"


async def test_what_waits_for_reminders_that_the_rule_no_longer_has_ends(world: Callable[..., World]) -> None:
    await world(reminding()).send(dispute(0))
    edited = world(reminding(Timing()))
    await edited.pass_to(days(9))
    [firing] = await edited.firings()
    assert (firing.status, firing.reason) == ("no", "the rule is gone")
    assert await made(edited, None) == []


async def test_what_settles_ends_reminders(world: Callable[..., World]) -> None:
    w = world(reminding())
    closed = dispute(days(1), type_="charge.dispute.closed")
    await w.send(dispute(0), closed)
    assert [(str(each.status), each.reason) for each in await w.firings()] == [
        ("no", f"remind: settled by charge.dispute.closed ({closed.id})")
    ]
    await w.pass_to(days(9))
    assert await made(w, None) == []


async def test_what_settles_between_two_reminders_stays_on_record(world: Callable[..., World]) -> None:
    w = world(reminding())
    closed = dispute(days(5), type_="charge.dispute.closed")
    await w.send(dispute(0))
    await w.pass_to(days(4))
    await w.send(closed)
    await w.pass_to(days(9))
    assert len(await made(w)) == 1
    assert (await w.firings())[0].reason == (
        f"reminded 3d before 2026-01-12 12:00 UTC; settled by charge.dispute.closed ({closed.id})"
    )


async def test_what_settles_and_comes_first_counts(world: Callable[..., World]) -> None:
    w = world(reminding())
    await w.send(dispute(10, type_="charge.dispute.closed"), dispute(0))
    assert await w.statuses() == ["no"]


async def test_of_lead_times_that_are_past_the_nearest_is_sent_at_once(world: Callable[..., World]) -> None:
    w = world(reminding())
    await w.send(dispute(0, days=0.5))
    assert len(await made(w)) == 1
    assert {str(each.status) for each in await w.firings()} == {"fired", "follow_up"}
    assert (await made(w))[0].note == "Due in 12 hours: 6 Jan 2026 00:00 UTC"
    await w.pass_to(days(3))
    assert len(await made(w)) == 1


async def test_a_later_event_moves_the_deadline(world: Callable[..., World]) -> None:
    w = world(reminding())
    moved = dispute(60, days=10)
    await w.send(dispute(0, days=7), moved)
    first = (await w.firings())[0]
    assert (first.status, first.reason) == ("no", f"remind: {moved.id} moved the deadline to 2026-01-15 12:00 UTC")
    await w.pass_to(days(6))
    assert await made(w) == []
    await w.pass_to(days(7))
    assert [d.event for d in await made(w)] == [moved.dedupe_key]


async def test_a_deadline_that_is_gone_ends_reminders(world: Callable[..., World]) -> None:
    w = world(reminding())
    await w.send(dispute(0), dispute(1, days=None))
    assert await w.statuses() == ["no", "no"]
    await w.pass_to(days(9))
    assert await made(w, None) == []


async def test_the_same_deadline_again_reminds_once(world: Callable[..., World]) -> None:
    w = world(reminding())
    await w.send(dispute(0))
    await w.pass_to(days(4))
    await w.send(dispute(days(4) + 10), dispute(days(4) + 20))
    await w.pass_to(days(5))
    assert len(await made(w)) == 1
    await w.pass_to(days(9))
    assert len(await made(w)) == 2


async def test_an_older_event_that_comes_late_moves_nothing(world: Callable[..., World]) -> None:
    w = world(reminding())
    await w.send(dispute(10, days=7), dispute(0, days=20))
    assert sorted(await w.statuses()) == ["no", "waiting"]
    await w.pass_to(days(4))
    await w.pass_to(days(9))
    assert len(await made(w)) == 2


async def test_of_lead_times_missed_while_nothing_ran_the_nearest_is_sent(world: Callable[..., World]) -> None:
    w = world(reminding())
    await w.send(dispute(0))
    await w.pass_to(days(6.5))
    assert [d.note for d in await made(w)] == ["Due in 12 hours: 12 Jan 2026 12:00 UTC\nacted on 12 h late"]


async def test_two_processes_remind_once(world: Callable[..., World], database: str) -> None:
    first = world(reminding())
    await first.send(*(replace_id(dispute(0), f"dp_{n}") for n in range(20)))
    store = await Store.connect(Target.from_url(database))
    second = World(store, first.rules)
    await asyncio.gather(first.pass_to(days(4)), second.pass_to(days(4)))
    await store.close()
    assert len(await made(first)) == 20


def replace_id(given: Event, id_: str) -> Event:
    return replace(given, object={**(given.object or {}), "id": id_}, object_id=id_)
