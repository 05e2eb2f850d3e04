"""How many jobs run at once: of a class, and of a destination over all processes."""

import asyncio
from datetime import datetime, timedelta

import pytest

from engine.model.delivery import Delivery
from engine.model.rule import Verb
from engine.store import Store, jobs, lanes, queue
from engine.store.jobs import JobKind
from tests.builders import event
from tests.store.plans import Database, delivery, firing, until
from tests.store.working import DRAIN, Handled, commit, working


async def test_one_hanging_destination_does_not_starve_the_others(store: Store, look: Database) -> None:
    """Its jobs hold a few places; the rest of them waits in the queue, and everybody else's run."""
    ok = Handled()
    hung = set(await commit(store, 300, Verb.NOTIFY, "dead-channel/someone"))

    async def handle(delivery_id: str) -> datetime | None:
        if delivery_id in hung:
            await asyncio.sleep(3600)
        return await ok(delivery_id)

    async with working(store, handle, kind=JobKind.NOTIFY, drain=timedelta()) as stop:
        ids = await commit(store, 20, Verb.NOTIFY, "on-call")
        await ok.reach(20, seconds=5)
        stopping = asyncio.get_running_loop().time()
        stop.set()
    # None of the jobs that were being fetched when it was stopped began to hang.
    assert asyncio.get_running_loop().time() - stopping < jobs.HAND_BACK
    assert sorted(ok.ids) == sorted(ids)
    assert set(await look.jobs()) == hung
    assert await look.rows("select 1 from tocsin_queue.pgqueuer where status = 'picked'") == []


async def test_no_more_jobs_run_at_once_than_the_class_allows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest stays in the queue, for other processes too."""
    monkeypatch.setitem(jobs._CLASSES, JobKind.CALLBACK, jobs._Class(batch=4, running=6, seats=100))
    now, most = 0, 0
    handled = Handled()

    async def handle(delivery_id: str) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        await handled(delivery_id)

    ids = await commit(store, 60)
    async with working(store, handle):
        await handled.reach(60)
    assert sorted(handled.ids) == sorted(ids)
    assert 4 <= most <= 6


@pytest.mark.parametrize("seats", [1, 3])
async def test_a_destination_has_as_many_jobs_at_once_as_it_may(store: Store, seats: int) -> None:
    """And another as many as usual."""
    now: dict[str, int] = {}
    most: dict[str, int] = {}
    done = asyncio.Event()
    bounded, usual = await commit(store, 12), await commit(store, 12, to="other")
    to = dict.fromkeys(bounded, "bounded") | dict.fromkeys(usual, "usual")
    left = set(to)

    async def handle(delivery_id: str) -> None:
        place = to[delivery_id]
        now[place] = now.get(place, 0) + 1
        most[place] = max(most.get(place, 0), now[place])
        await asyncio.sleep(0.05)
        now[place] -= 1
        left.discard(delivery_id)
        if not left:
            done.set()

    stop = asyncio.Event()
    limit = {"case-system": seats}
    running = asyncio.create_task(store.jobs.run({"callback": handle}, stop, DRAIN, lambda kind, lane: limit.get(lane)))
    async with asyncio.timeout(20):
        await done.wait()
    stop.set()
    await running
    assert most["bounded"] == seats
    assert most["usual"] > 3


async def test_a_process_without_a_seat_leaves_the_job_to_others(store: Store, second: Store) -> None:
    """As when a destination takes one at a time, and there are two processes."""
    ours, theirs, stop = Handled(), Handled(), asyncio.Event()
    running = [
        asyncio.create_task(store.jobs.run({"callback": ours}, stop, DRAIN, lambda kind, lane: 0)),
        asyncio.create_task(second.jobs.run({"callback": theirs}, stop, DRAIN, lambda kind, lane: 1)),
    ]
    ids = await commit(store, 2)
    await theirs.reach(2, seconds=50)
    stop.set()
    await asyncio.gather(*running)
    assert ours.ids == []
    assert sorted(theirs.ids) == sorted(ids)


async def test_a_process_without_a_seat_takes_a_job_once_and_then_no_more(
    store: Store, second: Store, look: Database
) -> None:
    """It would go back to the queue with a growing delay each time; with a seat it is taken again."""
    ours, seats, stop = Handled(), 0, asyncio.Event()
    running = asyncio.create_task(store.jobs.run({"callback": ours}, stop, DRAIN, lambda kind, lane: seats))

    async def turned_away(job: str) -> bool:
        rows = await look.rows("select attempts from tocsin_queue.pgqueuer where dedupe_key = $1", job)
        return [row["attempts"] for row in rows] == [1]

    [left] = await commit(second, 1)
    assert await until(lambda: turned_away(left))
    await look.execute("update tocsin_queue.pgqueuer set execute_after = now()")
    [later] = await commit(second, 1, to="other-system")  # the look that takes it would take the other as well
    assert await until(lambda: turned_away(later))
    assert await turned_away(left)
    seats = 1
    await ours.reach(2)
    stop.set()
    await running
    assert sorted(ours.ids) == sorted([left, later])


async def test_a_lane_seats_some_lets_some_wait_and_turns_the_rest_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits gets the seat of whoever leaves."""
    monkeypatch.setattr(lanes, "PATIENCE", 0.3)
    seats = lanes.Lanes(lambda _: 2, places=4)
    assert [await seats.enter("a"), await seats.enter("a")] == [True, True]
    waiting = [asyncio.create_task(seats.enter("a")) for _ in range(4)]
    await asyncio.sleep(0)
    assert await seats.enter("a") is False
    assert await seats.enter("b") is True
    seats.leave("a")
    assert sorted(await asyncio.gather(*waiting)) == [False, False, False, True]
    seats.leave("a")
    seats.leave("a")
    seats.leave("b")
    assert seats._lanes == {}


@pytest.mark.parametrize(
    ("destination", "lane"),
    [
        ("on-call", "on-call"),
        ("on-call/kim@example.com", "on-call"),
        ("https://cases.example.com/hook/7", "cases.example.com"),
        ("payouts.retrieve", "payouts.retrieve"),
    ],
)
def test_what_hangs_together_shares_a_lane(destination: str, lane: str) -> None:
    """A channel with all its recipients, a host with all its paths."""
    assert queue.lane(_to(destination)) == lane


def _to(destination: str) -> Delivery:
    return delivery(firing(event()), destination=destination)
