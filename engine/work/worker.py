"""The worker: handlers for every kind of job, and the sweep that picks up what lost its job."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from engine.errors import StoreError

log = structlog.get_logger("tocsin.worker")

Handler = Callable[[str], Awaitable[datetime | None]]

SWEEP_EVERY = timedelta(seconds=10)
"""How often due deliveries are compared with the jobs there are: the longest a lost wake-up can delay one."""


class Jobs(Protocol):
    """The engine behind the worker."""

    async def run(self, handlers: Mapping[str, Handler], stop: asyncio.Event, drain: timedelta) -> None: ...


async def work(
    jobs: Jobs,
    handlers: Mapping[str, Handler],
    sweep: Callable[[], Awaitable[int]],
    stop: asyncio.Event,
    drain: timedelta,
) -> None:
    """Run until `stop`, then hand back within `drain` what is not done."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(jobs.run(handlers, stop, drain), name="tocsin-jobs")
        tasks.create_task(_sweep(sweep, stop), name="tocsin-sweep")


async def _sweep(sweep: Callable[[], Awaitable[int]], stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            found = await sweep()
            if found:
                log.info("sweep_found", deliveries=found)
        except (StoreError, OSError) as error:
            log.warning("sweep_failed", reason=type(error).__name__)
        try:
            async with asyncio.timeout(SWEEP_EVERY.total_seconds()):
                await stop.wait()
        except TimeoutError:
            continue
