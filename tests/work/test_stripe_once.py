"""A Stripe write happens once, wherever between request and record its worker dies, and however often."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from engine.model.delivery import DeliveryStatus
from engine.model.rule import Verb
from engine.settings import StripeSettings
from engine.store import Store
from engine.store.connect import Target
from engine.store.dump import backup, restore
from engine.store.embedded import Address, EmbeddedServer
from engine.stripe_api.client import StripeApi
from notifiers.stripe import StripeNotifier
from tests.fakes.stripe_api import LIVE, Fault
from tests.fakes.stripe_api import StripeApi as FakeApi
from tests.notifiers.stripe_steps import allowed, fake
from tests.store.conftest import folder
from tests.work.delivering import Desk

__all__ = ["fake", "folder"]

WRITE = "refunds.create"


class Died(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


class Mortal:
    """The store's deliveries, for a worker that dies at one step."""

    def __init__(self, store: Store, step: str) -> None:
        self._deliveries = store.deliveries
        self._step = step

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._deliveries, name)

        async def step(*arguments: Any, **options: Any) -> Any:
            if self._step == f"before {name}":
                raise Died
            found = await real(*arguments, **options)
            if self._step == f"after {name}":
                raise Died
            return found

        return step


@pytest.fixture
async def desk(store: Store, fake: FakeApi) -> AsyncIterator[Desk]:
    settings = StripeSettings(keys={"live": SecretStr(LIVE)}, api_base=fake.url, allow=(allowed(WRITE),))
    api = StripeApi(fake.url, timeout=timedelta(seconds=2))
    notifier = StripeNotifier(settings, (), store.writes.claim, api=api)
    yield Desk(store, {Verb.STRIPE: notifier})
    await notifier.close()


STEPS = ["after begin", "before set_request", "after set_request", "before record", "after record"]


async def die(desk: Desk, delivery: str, step: str) -> None:
    """One attempt of a worker that dies there."""
    mortal = Desk(desk.store, desk.notifiers, now=desk.now, rules=desk.rules)
    mortal.deliverer._deliveries = Mortal(desk.store, step)
    with pytest.raises(Died):
        await mortal.deliverer(delivery)


@pytest.mark.parametrize("step", STEPS)
async def test_a_worker_may_die_at_any_step(desk: Desk, fake: FakeApi, step: str) -> None:
    (write,) = await desk.fire(WRITE, verb=Verb.STRIPE, options={"with": {"charge": "ch_1"}})
    await die(desk, write, step)
    assert await desk.deliverer(write) is None
    assert len(fake.effects) == 1
    assert (await desk.state(write)).status is DeliveryStatus.DELIVERED


async def test_workers_may_die_again_and_again_and_answers_be_lost(desk: Desk, fake: FakeApi) -> None:
    """Each of them had made the request; the last one learns what came of the first."""
    (write,) = await desk.fire(WRITE, verb=Verb.STRIPE, options={"with": {"charge": "ch_1"}})
    for _ in range(5):
        await die(desk, write, "before record")
    fake.fault(*[Fault(drop=True, after_effect=True)] * 2)
    desk.now = await desk.deliverer(write)
    assert desk.now is not None
    assert await desk.deliverer(write) is None
    assert len(fake.requests) == 8
    assert {asked.idempotency_key for asked in fake.requests} == {write}
    assert len(fake.effects) == 1
    state = await desk.state(write)
    assert state.result["charge"] == "ch_1"


async def test_two_workers_at_once_make_one_write(desk: Desk, fake: FakeApi) -> None:
    """A job that was taken over from a worker that was only slow."""
    (write,) = await desk.fire(WRITE, verb=Verb.STRIPE)
    await die(desk, write, "before record")
    fake.fault(Fault(status=409, code="idempotency_key_in_use", type="idempotency_error"))
    again = await desk.deliverer(write)
    if again is not None:
        desk.now = again
        assert await desk.deliverer(write) is None
    assert len(fake.effects) == 1


async def test_what_died_a_day_ago_is_not_made_again(desk: Desk, fake: FakeApi) -> None:
    """Stripe may have forgotten the key by then: a person decides."""
    (write,) = await desk.fire(WRITE, verb=Verb.STRIPE)
    await die(desk, write, "before record")
    desk.notifiers[Verb.STRIPE]._clock = lambda: desk.clock() + timedelta(hours=23)  # type: ignore[attr-defined]
    assert await desk.deliverer(write) is None
    state = await desk.state(write)
    assert state.status is DeliveryStatus.DEAD
    assert "idempotency window" in (state.reason or "")
    assert len(fake.effects) == 1


@pytest.mark.parametrize(("age", "status"), [(timedelta(hours=1), "delivered"), (timedelta(days=2), "held")])
async def test_a_restored_backup_makes_no_write_again(fake: FakeApi, folder: Path, age: timedelta, status: str) -> None:
    """Made since the backup: under the key that Stripe still has, or not before a person has looked."""
    settings = StripeSettings(keys={"live": SecretStr(LIVE)}, api_base=fake.url, allow=(allowed(WRITE),))
    file = folder / "tocsin.dump"
    async with embedded(folder / "first") as (server, address), opened(address) as store:
        notifier = StripeNotifier(settings, (), store.writes.claim)
        first = Desk(store, {Verb.STRIPE: notifier}, now=datetime.now(UTC) - age)
        (write,) = await first.fire(WRITE, verb=Verb.STRIPE)
        await store._pool.execute("update tocsin.deliveries set created = $1", first.now)
        await backup(server, address, file)
        assert await first.deliverer(write) is None
        await notifier.close()
    assert len(fake.effects) == 1
    if age > timedelta(days=1):
        fake.forget_keys()
    async with embedded(folder / "second") as (server, address):
        assert (await restore(server, address, file)).held == (status == "held")
        async with opened(address) as store:
            notifier = StripeNotifier(settings, (), store.writes.claim)
            second = Desk(store, {Verb.STRIPE: notifier}, rules=first.rules)
            await second.deliverer(write)
            assert (await second.state(write)).status == status
            assert len(fake.effects) == 1
            assert await store.deliveries.retry([write]) == 0
            if status == "held":
                assert await store.deliveries.retry([write], again=True) == 1
                await second.deliverer(write)
                assert len(fake.effects) == 2
            await notifier.close()


@asynccontextmanager
async def embedded(data: Path) -> AsyncIterator[tuple[EmbeddedServer, Address]]:
    server = EmbeddedServer(data)
    try:
        yield server, await server.start()
    finally:
        await server.stop()


@asynccontextmanager
async def opened(address: Address) -> AsyncIterator[Store]:
    store = await Store.connect(Target.from_address(address))
    try:
        yield store
    finally:
        await store.close()
