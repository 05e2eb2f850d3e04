"""The worker: handlers for every kind of job, and the sweep that picks up what lost its job."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

log = structlog.get_logger("tocsin.worker")

Handler = Callable[[str], Awaitable[datetime | None]]

FORGET_EVERY = timedelta(minutes=10)
FORGET_PAUSE = 0.2
"""Seconds between two batches of what is forgotten, so that ingest is not held up."""

SWEEP_EVERY = timedelta(seconds=10)
"""How often due deliveries are compared with the jobs there are: the longest a lost wake-up can delay one."""


Seats = Callable[[str, str], int | None]
"""Given a verb and a destination: how many of its deliveries this process may do at once; None: as many as usual."""


class Jobs(Protocol):
    """The engine behind the worker."""

    async def run(
        self, handlers: Mapping[str, Handler], stop: asyncio.Event, drain: timedelta, seats: Seats
    ) -> None: ...


async def work(
    jobs: Jobs,
    handlers: Mapping[str, Handler],
    *,
    seats: Seats,
    sweep: Callable[[], Awaitable[int]],
    forget: Callable[[datetime], Awaitable[int]],
    keep: timedelta,
    stop: asyncio.Event,
    drain: timedelta,
) -> None:
    """Run until `stop`, then hand back within `drain` what is not done. Events are kept for `keep`."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(jobs.run(handlers, stop, drain, seats), name="tocsin-jobs")
        tasks.create_task(_sweep(sweep, stop), name="tocsin-sweep")
        tasks.create_task(_forget(forget, keep, stop), name="tocsin-forget")


async def _forget(forget: Callable[[datetime], Awaitable[int]], keep: timedelta, stop: asyncio.Event) -> None:
    while not await _stopped(stop, FORGET_EVERY.total_seconds()):
        try:
            forgotten = 0
            while found := await forget(datetime.now(UTC) - keep):
                forgotten += found
                if await _stopped(stop, FORGET_PAUSE):
                    break
            if forgotten:
                log.info("events_forgotten", events=forgotten)
        except Exception as error:  # the outermost loop: whatever it was, deliveries go on
            log.warning("forget_failed", reason=type(error).__name__)


async def _stopped(stop: asyncio.Event, within: float) -> bool:
    """Whether `stop` is set within that many seconds."""
    try:
        async with asyncio.timeout(within):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _sweep(sweep: Callable[[], Awaitable[int]], stop: asyncio.Event) -> None:
    while True:
        try:
            found = await sweep()
            if found:
                log.info("sweep_found", deliveries=found)
        except Exception as error:  # the outermost loop: one that ended would end every delivery with it
            log.warning("sweep_failed", reason=type(error).__name__)
        if await _stopped(stop, SWEEP_EVERY.total_seconds()):
            return
