"""The ops channel hears of a destination that is left alone, in few messages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from engine.decide.breaker import Breaker, BreakerState
from engine.store import Store
from engine.store.destinations import Standing
from engine.work.breakers import BreakerReports
from engine.work.ops import Ops
from notifiers.notify import report

NOON = datetime(2026, 11, 27, 12, 5, tzinfo=UTC)
OPEN = Standing(name="notify risk", breaker=Breaker(state=BreakerState.OPEN, since=NOON, reason="risk answered 503"))
CLOSED = replace(OPEN, breaker=Breaker(since=NOON + timedelta(minutes=10)))


class Processes:
    """Two processes that tell one ops channel, and a clock."""

    def __init__(self, store: Store) -> None:
        self.now = NOON
        ops = [Ops(["ops"], report, store.deliveries.insert, self.clock) for _ in range(2)]
        self.reports = [BreakerReports(each.report, self.clock) for each in ops]
        self.store = store

    def clock(self) -> datetime:
        return self.now

    async def see(self, *standing: Standing) -> list[str]:
        """Both see that, twice; the titles of all that was sent so far."""
        for each in self.reports * 2:
            await each(standing)
        sent = await self.store.deliveries.ls(limit=100)
        return [each.request["title"] for each in sorted(sent, key=lambda each: (each.created, each.id))]


async def test_it_is_told_once_by_all_processes_and_once_when_it_works_again(store: Store) -> None:
    processes = Processes(store)
    assert await processes.see(OPEN) == ["Left alone: notify risk"]
    processes.now += timedelta(minutes=10)
    titles = ["Left alone: notify risk", "Works again: notify risk"]
    assert await processes.see(CLOSED) == titles
    assert await processes.see(CLOSED) == titles
    (_, text) = [each.request["text"] for each in await store.deliveries.ls()]
    assert "risk answered 503" in text


async def test_one_that_opens_and_closes_all_the_time_is_told_of_once_an_hour(store: Store) -> None:
    processes = Processes(store)
    for _ in range(5):
        processes.now += timedelta(minutes=5)
        await processes.see(OPEN)
        await processes.see(replace(CLOSED, breaker=Breaker(since=processes.now)))
    assert len(await processes.see()) == 2


async def test_while_it_stays_open_it_is_told_every_hour(store: Store) -> None:
    processes = Processes(store)
    for _ in range(30):
        await processes.see(OPEN)
        processes.now += timedelta(minutes=5)
    assert len(await processes.see(OPEN)) == 3
