"""A destination that fails is left alone by all processes, and what waits for it comes back by itself."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.decide.breaker import BreakerState
from engine.model.delivery import Delivery
from engine.model.destination import BreakerPolicy
from engine.model.outcome import Delivered, Outcome, Retry
from engine.source import Rate
from engine.store import Store
from engine.work.destinations import Destination
from engine.work.gate import Gate, Later, Pass
from tests.builders import event
from tests.store.conftest import look, second
from tests.store.plans import Database, delivery, firing

__all__ = ["look", "second"]

POLICY = BreakerPolicy()
DOWN = Retry(reason="503", status=503)
NAME = "callback case-system"


@dataclass
class Bench:
    """Two processes on one database, and a clock that is stepped."""

    gates: tuple[Gate, Gate]
    store: Store
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    number: int = 0

    async def waiting(self) -> Delivery:
        """A new delivery, stored with its job."""
        self.number += 1
        made = delivery(firing(event()), f"step-{self.number}", next_attempt=self.now, created=self.now)
        await self.store.deliveries.insert([made])
        return made

    async def stored(self, made: Delivery) -> Delivery:
        found = await self.store.deliveries.get(made.id)
        assert found is not None
        return found

    async def attempt(self, outcome: Outcome, process: int = 0) -> Pass | Later:
        """One attempt of a new delivery."""
        found = await self.gates[process].enter(await self.waiting())
        if isinstance(found, Pass):
            await self.gates[process].leave(found, outcome)
        return found

    async def break_it(self) -> None:
        for _ in range(POLICY.requests):
            assert isinstance(await self.attempt(DOWN), Pass)

    def state(self, process: int = 0) -> list[tuple[str, BreakerState]]:
        return [(each.name, each.breaker.state) for each in self.gates[process].standing]


@pytest.fixture
async def bench(store: Store, second: Store) -> Bench:
    def destination(_: Delivery) -> Destination:
        return Destination(name=NAME, breaker=POLICY)

    def now() -> datetime:
        return made.now

    gates = [Gate(destination, each.destinations, each.rates, now) for each in (store, second)]
    made = Bench((gates[0], gates[1]), store)
    return made


async def test_a_breaker_that_one_process_opens_is_open_for_all(bench: Bench) -> None:
    await bench.break_it()
    await bench.gates[1].look()
    assert bench.state(0) == bench.state(1) == [(NAME, BreakerState.OPEN)]
    assert isinstance(await bench.attempt(Delivered(), 1), Later)


async def test_failures_of_all_processes_count_together(bench: Bench) -> None:
    for number in range(POLICY.requests):
        await bench.attempt(DOWN, number % 2)
    await bench.gates[1].look()
    assert bench.state(1) == [(NAME, BreakerState.OPEN)]


async def test_successes_of_other_processes_count_too(bench: Bench) -> None:
    """Where there have been failures that count, what went well is written down."""
    for _ in range(30):
        await bench.attempt(Delivered(), 1)
    await bench.attempt(DOWN)
    await bench.gates[1].look()
    for _ in range(POLICY.requests):
        await bench.attempt(DOWN)
    assert bench.state() == []


async def test_a_destination_that_works_costs_nothing(bench: Bench, look: Database) -> None:
    await bench.gates[0].look()
    await bench.attempt(Delivered())
    assert await look.rows("select * from tocsin.destinations") == []
    assert await look.rows("select * from tocsin.rates") == []


async def test_what_waits_says_so_and_uses_up_no_attempt(bench: Bench) -> None:
    await bench.break_it()
    first, then = await bench.waiting(), await bench.waiting()
    for made in (first, then):
        assert isinstance(await bench.gates[0].enter(made), Later)
    state = await bench.stored(first)
    assert state.reason is not None
    assert state.reason.startswith("breaker open until ")
    assert state.reason.endswith(" UTC (503)")
    assert state.put_off
    assert (state.attempts, state.next_attempt) == (0, bench.now + POLICY.wait)
    later = (await bench.stored(then)).next_attempt
    assert later is not None
    assert later > bench.now + POLICY.wait, "they do not all come back at once"


async def test_one_probe_at_a_time_whichever_process_has_it(bench: Bench) -> None:
    await bench.break_it()
    await bench.gates[1].look()
    bench.now += POLICY.wait
    ours = await bench.gates[0].enter(await bench.waiting())
    theirs = await bench.gates[1].enter(await bench.waiting())
    assert isinstance(ours, Pass)
    assert ours.probe
    assert isinstance(theirs, Later)
    await bench.gates[0].leave(ours, Delivered())
    await bench.gates[1].look()
    assert bench.state(1) == []


async def test_a_probe_that_fails_opens_it_for_longer(bench: Bench) -> None:
    await bench.break_it()
    bench.now += POLICY.wait
    assert isinstance(await bench.attempt(DOWN), Pass)
    waits = await bench.attempt(DOWN)
    assert isinstance(waits, Later)
    assert waits.until == bench.now + 2 * POLICY.wait


async def test_what_waited_is_let_go_in_a_ramp_with_its_jobs(bench: Bench, look: Database) -> None:
    """When the breaker closes, whichever process closed it, and each only once."""
    await bench.break_it()
    made = [await bench.waiting() for _ in range(40)]
    for each in made:
        await bench.gates[0].enter(each)
    await look.execute("update tocsin_queue.pgqueuer set execute_after = now() + interval '1 hour'")
    bench.now += POLICY.wait
    probe = await bench.attempt(Delivered())
    assert isinstance(probe, Pass)
    await bench.gates[1].look()
    await bench.gates[0].look()
    due = sorted([await bench.stored(each) for each in made], key=lambda each: each.next_attempt or bench.now)
    assert due[0].next_attempt == bench.now
    ahead = [(each.next_attempt or bench.now) - bench.now for each in due]
    assert [sum(wait < timedelta(seconds=end) for wait in ahead) for end in (2, 4, 6)] == [10, 30, 40]
    assert not any(each.put_off or each.reason for each in due)
    jobs = await look.rows("select dedupe_key, execute_after from tocsin_queue.pgqueuer")
    times = {row["dedupe_key"]: row["execute_after"] for row in jobs}
    assert all(times[each.id] == each.next_attempt for each in due)


async def test_patience_that_was_asked_for_holds_for_all_deliveries(bench: Bench) -> None:
    """A 429 with Retry-After: nobody else need be told the same."""
    await bench.attempt(Retry(reason="429", status=429, after=timedelta(seconds=7)))
    await bench.gates[1].look()
    for process in (0, 1):
        waits = await bench.attempt(Delivered(), process)
        assert isinstance(waits, Later)
        assert waits.until == bench.now + timedelta(seconds=7)
    bench.now += timedelta(seconds=7)
    assert isinstance(await bench.attempt(Delivered()), Pass)


async def test_a_delivery_has_its_turn_at_a_rate_and_comes_back_once(store: Store, second: Store) -> None:
    """However many wait, each has a place of its own, whatever process it comes back to."""
    rate = Rate(count=10, every=timedelta(minutes=1))

    def destination(_: Delivery) -> Destination:
        return Destination(name=NAME, breaker=POLICY, rates=((NAME, rate),))

    one, two = (Gate(destination, each.destinations, each.rates) for each in (store, second))
    bench = Bench((one, two), store)
    found = [await bench.attempt(Delivered(), number % 2) for number in range(4)]
    assert [type(each) for each in found] == [Pass, Pass, Later, Later]
    made = await bench.waiting()
    place = await one.enter(made)
    assert isinstance(place, Later)
    state = await bench.stored(made)
    assert state.put_off
    assert state.reason == f"its turn at 10/m of {NAME}"
    comes = replace(state, next_attempt=state.created, turn=state.created)
    assert isinstance(await two.enter(comes), Pass), "its place was kept"
    late = state.created - timedelta(minutes=1)
    assert isinstance(await two.enter(replace(state, next_attempt=late, turn=late)), Later), "but not for ever"
