"""Jobs that this process has committed as its own, and runs past PgQueuer's dispatch.

Of a job that began from memory PgQueuer needs no more than any of its workers gives: signs of life while it lasts, and
its row gone or queued again at the end. Both are given for all of them together, which costs less than the tasks,
timers and pools of cancellations that dispatch has for each.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta

import structlog

from engine.model.delivery import Delivery
from engine.store.adapter import JobSource
from engine.store.connect import is_unavailable
from engine.store.handling import NOW, Handling
from engine.store.handoff import Handoff
from engine.store.queue import lane

log = structlog.get_logger("tocsin.jobs")

SETTLE = 0.1
"""Seconds for which the row of a job that is done may still be there; one that is to run again is queued at once."""


class Begun:
    """The jobs of one class that were begun so, over one connection. When that is lost signs of life end with it: who
    then takes over a job that still runs here finds that it does, or that its delivery has ended."""

    def __init__(self, source: JobSource, handling: Handling, handoff: Handoff, beat: timedelta) -> None:
        self._source = source
        self._handling = handling
        self._handoff = handoff
        self._beat = beat.total_seconds()
        self._running: dict[int, asyncio.Task[datetime | None]] = {}
        self._done: list[int] = []
        self._again: list[tuple[int, timedelta]] = []
        self._ended = asyncio.Event()
        self._closed = False

    def begin(self, job: int, delivery: Delivery) -> None:
        """Run a job that is committed as ours."""
        task = None if self._source.over else self._handling.begin(delivery.id, lane(delivery), 0)
        if task is None:
            self._end(job, delivery.id, NOW)
            return
        self._running[job] = task
        task.add_done_callback(
            lambda task: self._end(job, delivery.id, self._handling.outcome(task, delivery.id, attempts=0))
        )

    def _end(self, job: int, delivery: str, again: timedelta | None) -> None:
        self._handoff.fresh.pop(delivery, None)
        self._running.pop(job, None)
        self._source.done(job)
        if again is None:
            self._done.append(job)
        else:
            self._again.append((job, again))
        self._ended.set()

    async def run(self) -> None:
        """Give signs of life and settle what has ended, until closed and nothing runs. Never raises."""
        try:
            await self._serve()
        except Exception as error:  # the connection is lost: jobs of ours that are not settled go stale
            if not is_unavailable(error):
                log.warning("jobs_unsettled", reason=type(error).__name__)
            self._source.own.lost.set()  # whatever it was: no signs of life are given from here on
        while self._running:
            await asyncio.wait(set(self._running.values()))

    def close(self) -> None:
        """Nothing more will be begun."""
        self._closed = True
        self._ended.set()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self._beat
        while self._running or not self._closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(beat_at):
                    await self._ended.wait()
                    await asyncio.sleep(0 if self._closed or self._again else SETTLE)
            await self._settle()
            if loop.time() >= beat_at:
                beat_at = loop.time() + self._beat
                if self._running:
                    await self._source.alive(list(self._running))
        await self._settle()

    async def _settle(self) -> None:
        """Write what has become of the jobs that ended."""
        self._ended.clear()
        done, self._done = self._done, []
        again, self._again = self._again, []
        if done:
            await self._source.delete(done)
        for job, delay in again:
            await self._source.again(job, delay)
