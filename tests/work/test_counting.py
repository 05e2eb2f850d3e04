"""What is seen on the way of an event."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.model.condition import Operation, PathTest
from engine.model.event import Event
from engine.model.rule import When
from engine.model.timing import Absence, Escalation, Incident, Timing
from engine.observe import Metrics
from engine.store import Store
from engine.work.accounts import AccountBook
from engine.work.counting import observer
from engine.work.recent import RecentEvents
from tests.builders import event
from tests.store.plans import plan
from tests.work.memory import World, at
from tests.work.test_incidents import HOUR, PAID, failed, notify, paid, rule
from tests.work.test_reminders import days, dispute, reminding


async def test_what_a_snapshot_adds_is_written_from_it_also_when_its_thin_twin_came_first(store: Store) -> None:
    async def fetch(key: str) -> Event | None:
        return None

    recent = RecentEvents(fetch)
    seen = observer(Metrics(), {}, recent, AccountBook(store.accounts))
    thin, snapshot = event("v1.payout.failed", id="evt_thin", snapshot_event="evt_1"), event(id="evt_1")
    seen(thin, plan(thin), True)
    assert await recent.get("evt_1") is thin
    seen(snapshot, plan(snapshot), False)
    assert await recent.get("evt_1") is snapshot
    seen(thin, plan(thin), False)
    assert await recent.get("evt_1") is snapshot


async def test_what_timers_fire_is_counted_as_all_else(world: Callable[..., World]) -> None:
    """An absence is a match that fires later; an escalation and the end of an incident follow one."""
    absent = Timing(not_followed_by=(Absence(other=replace(PAID, within=HOUR)),))
    w = world(replace(rule(absent), id="absent"))
    await w.send(failed(0))
    assert w.counted() == {}
    await w.pass_to(61)
    assert w.counted() == {"match": 1}
    call = Escalation(after=HOUR, steps=(notify("call"),))
    w = world(rule(Timing(incident=Incident(resolve_after=2 * HOUR), escalate=(call,))))
    await w.send(failed(100, "po_2"), failed(101, "po_3"))
    assert w.counted() == {"match": 2}
    await w.pass_to(162)
    assert w.counted() == {"match": 2, "follow_up": 1}
    await w.pass_to(240)
    assert w.counted() == {"match": 2, "follow_up": 2}


async def test_the_end_that_an_event_makes_is_counted(world: Callable[..., World]) -> None:
    w = world(rule(Timing(incident=Incident(resolve=PAID))))
    await w.send(failed(0), paid(1))
    assert w.counted() == {"match": 1, "follow_up": 1}


async def test_a_match_that_is_reminded_of_twice_has_fired_once(world: Callable[..., World]) -> None:
    """Each reminder is a follow-up; the same match fires with the first of them, also where that is sent at once."""
    w = world(reminding())
    await w.send(dispute(0))
    assert w.counted() == {}
    await w.pass_to(days(4))
    await w.pass_to(days(6))
    assert w.counted() == {"match": 1, "follow_up": 2}
    await w.send(dispute(days(6) + 1, type_="charge.dispute.closed"))
    assert w.counted() == {"match": 1, "follow_up": 2}
    again = world(replace(reminding(), id="at-once"))
    await again.send(dispute(1, days=0.5, id="evt_soon"))
    assert again.counted() == {"match": 1, "follow_up": 1}


@pytest.mark.parametrize("timing", [Timing(), Timing(max_age=HOUR)], ids=["without a memory", "with one"])
async def test_what_a_snapshot_adds_to_its_thin_twin_is_counted_once(
    world: Callable[..., World], timing: Timing
) -> None:
    """What the thin one fired is not fired again, and what the snapshot adds is."""
    large = PathTest(path="amount", operations=(Operation(operator="gte", operand=5),))
    asks = When(types=("payout.failed",), livemode=None, where=large)
    w = world(rule(timing), replace(rule(timing), id="large", when=(asks,)))
    thin = at(0, type="v1.payout.failed", id="evt_thin", snapshot_event="evt_1")
    await w.send(thin)
    assert w.counted() == {"match": 1}
    whole = at(0, type="payout.failed", id="evt_1", object={"amount": 9})
    await w.send(whole, whole, thin)
    assert w.counted() == {"match": 2}
    assert sorted(each.rule for each in await w.firings()) == ["large", "r"]
