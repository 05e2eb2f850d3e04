"""Jobs at work, for tests: deliveries with their jobs, and handlers that remember."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

from engine.model.delivery import Plan
from engine.model.rule import Verb
from engine.store import Store
from engine.store.jobs import JobKind
from tests.builders import event
from tests.store.plans import REVISION, Database, delivery, firing, until

Handle = Callable[[str], Awaitable[datetime | None]]

DRAIN = timedelta(seconds=5)


async def commit(store: Store, number: int, verb: Verb = Verb.CALLBACK, to: str = "case-system") -> list[str]:
    """That many deliveries, each with its job; their ids."""
    sent = event()
    fired = firing(sent)
    made = [delivery(fired, f"step-{n}", verb=verb, destination=to) for n in range(number)]
    assert await store.committer.commit(sent, Plan(firings=(fired,), deliveries=tuple(made)), REVISION)
    return [each.id for each in made]


@contextlib.asynccontextmanager
async def working(
    store: Store, handle: Handle, *, kind: str = JobKind.CALLBACK, drain: timedelta = DRAIN
) -> AsyncIterator[asyncio.Event]:
    """Jobs run while inside; the event stops them early."""
    stop = asyncio.Event()
    running = asyncio.create_task(store.jobs.run({kind: handle}, stop, drain))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await running


class Handled:
    """A handler that remembers what it was given."""

    def __init__(self, then: Callable[[str], datetime | None] = lambda _: None) -> None:
        self.ids: list[str] = []
        self._then = then
        self._changed = asyncio.Condition()

    async def __call__(self, delivery_id: str) -> datetime | None:
        async with self._changed:
            self.ids.append(delivery_id)
            self._changed.notify_all()
        return self._then(delivery_id)

    async def reach(self, number: int, seconds: float = 10) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: len(self.ids) >= number)


async def emptied(look: Database) -> bool:
    """Whether the queue becomes empty in time."""

    async def empty() -> bool:
        return not await look.jobs()

    return await until(empty)
