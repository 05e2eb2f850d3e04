"""How one class's jobs are handled, whatever queue brings them: once at a time each, and none lost at shutdown."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from engine.errors import StoreUnavailable
from engine.store.lanes import Lanes

log = structlog.get_logger("tocsin.jobs")

Handler = Callable[[str], Awaitable[datetime | None]]
"""Given a delivery's id; returns when it wants to be woken again, None when it is done."""

FAULT_WAITS = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300))
"""When a handler raised, by a fault of ours or with the database away: the waits, the last one repeating."""

TELL_EVERY = 10.0
"""Seconds between two lines that say that jobs wait for the database."""

NOW = timedelta()


class Handling:
    """Runs one handler, in tasks of its own so that the queue's tasks can be cancelled without loss."""

    def __init__(self, kind: str, handler: Handler, seats: Callable[[str], int], places: int) -> None:
        self._kind = kind
        self._handler = handler
        self._lanes = Lanes(seats, places)
        self._running: dict[str, asyncio.Task[datetime | None]] = {}
        self._handing_back = False
        self._tell_next = 0.0

    def hand_back(self) -> None:
        """Cancel every handler; jobs that come from now on, which were being fetched, are not begun."""
        self._handing_back = True
        for task in self._running.values():
            task.cancel()

    def begin(self, delivery: str, lane: str, attempts: int) -> "asyncio.Task[datetime | None] | None":
        """Run the handler in a task, the one that runs already if there is one: the delivery's job was taken over by
        ourselves after a hiccup. None: nothing is begun any more. `attempts` is how often it was queued again before.
        """
        task = self._running.get(delivery)
        if task is None and not self._handing_back:
            task = self._running[delivery] = asyncio.create_task(self._handle(delivery, lane, attempts))
            task.add_done_callback(lambda _: self._running.pop(delivery))
        return task

    def outcome(self, task: "asyncio.Task[datetime | None]", delivery: str, attempts: int) -> timedelta | None:
        """Of a task that has ended. None: the job is done; else how long from now it is to run again."""
        if task.cancelled():
            return NOW
        if (error := task.exception()) is not None:
            self._tell(delivery, error)
            return FAULT_WAITS[min(attempts, len(FAULT_WAITS) - 1)]
        at = task.result()
        return None if at is None else max(at - datetime.now(UTC), NOW)

    async def again(self, delivery: str, lane: str, attempts: int) -> timedelta | None:
        """Run the handler to its outcome. Never raises, not even when cancelled."""
        task = self.begin(delivery, lane, attempts)
        if task is None:
            return NOW
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # swallowed: to the queue a cancelled job is a finished one
            task.cancel()
            return NOW
        return self.outcome(task, delivery, attempts)

    def _tell(self, delivery: str, error: BaseException) -> None:
        if not isinstance(error, StoreUnavailable):
            log.error("job_fault", kind=self._kind, delivery=delivery, exc_info=error)
        elif (now := asyncio.get_running_loop().time()) >= self._tell_next:  # in an outage it is the same of all
            self._tell_next = now + TELL_EVERY
            log.warning("job_waits", kind=self._kind, delivery=delivery, reason=str(error))

    async def _handle(self, delivery: str, lane: str, attempts: int) -> datetime | None:
        if not await self._lanes.enter(lane):
            # The longer it was turned away, the longer it stays away: a long backlog must not go round and round.
            seconds = min(0.5 * 2 ** min(attempts, 10), 20) * random.uniform(0.5, 1)  # noqa: S311  no secret
            return datetime.now(UTC) + timedelta(seconds=seconds)
        try:
            return await self._handler(delivery)
        finally:
            self._lanes.leave(lane)
