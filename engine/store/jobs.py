"""The job queue: PgQueuer, which only this module and engine.store.adapter import.

A job is a wake-up and no more: its payload and dedupe key are a delivery's id, and the deliveries table says what
is to be done. So a job that is lost, doubled or late does no harm beyond the delay. Each class of jobs has its own
QueueManager on its own connection, kept apart from ingest.

PgQueuer deletes a job whose task is cancelled, and its managers end when their connection does. Hence the two rules
here: a handler runs in a task of ours, and its cancellation becomes "queue it again" (engine.store.handling); and a
supervisor loop replaces manager and connection (`_Worker.run`).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.models import Job
from pgqueuer.errors import RetryRequested

from engine.errors import StoreUnavailable
from engine.model.rule import Verb
from engine.store.adapter import POLL, Driver, JobSource, builders, names_of
from engine.store.begun import Begun
from engine.store.connect import Connection, Target, is_unavailable
from engine.store.handling import Handler, Handling
from engine.store.handoff import Handoff

log = structlog.get_logger("tocsin.jobs")


def _worth_telling(record: logging.LogRecord) -> bool:
    """Not what it could not write on a lost connection: a traceback each, of what `jobs_interrupted` says once."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return "flush failed" not in str(record.msg).lower() and not (error is not None and is_unavailable(error))


logging.getLogger("pgqueuer").addFilter(_worth_telling)


class JobKind(StrEnum):
    """The classes of jobs: one for each verb of a rule."""

    NOTIFY = Verb.NOTIFY
    CALLBACK = Verb.CALLBACK
    STRIPE = Verb.STRIPE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """How much of one class a process does at once: `running` jobs, `seats` of them for one destination, and a quarter
    of them may wait for a seat of one destination. Turning a job away costs more than doing it."""

    batch: int
    running: int
    seats: int

    @property
    def places(self) -> int:
        """How many jobs of one destination may wait for a seat."""
        return self.running // 4


_CLASSES = {
    JobKind.CALLBACK: _Class(batch=20, running=256, seats=16),
    JobKind.NOTIFY: _Class(batch=16, running=64, seats=4),
    JobKind.STRIPE: _Class(batch=16, running=64, seats=16),
}

HEARTBEAT_TIMEOUT = timedelta(seconds=3.5)
"""A picked job without a sign of life for so long is taken over. Signs are given every half of it."""

RECONNECT_FIRST, RECONNECT_LAST = 0.1, 2.0
"""Seconds between attempts to reach the database again, doubling."""

SERVED = 10.0
"""Seconds after which a connection that is lost was a good one, and the next attempt need not wait longer."""

HAND_BACK = 4.0
"""Seconds to write jobs back at shutdown before the connection is cut; then another worker finds them stale."""


CUT = 0.5
"""Seconds in which what waited for a connection that was cut notices it."""

Seats = Callable[[str, str], int | None]
"""Given a class of jobs and a destination: how many of them this process may do at once."""


def _as_usual(kind: str, lane: str) -> None:
    return None


class Jobs:
    """Runs handlers for the jobs there are, in this process."""

    def __init__(self, target: Target, handoff: Handoff) -> None:
        self._target = target
        self._handoff = handoff

    async def run(
        self, handlers: Mapping[str, Handler], stop: asyncio.Event, drain: timedelta, seats: Seats = _as_usual
    ) -> None:
        """Run until `stop`; then let handlers go on for `drain`, and hand back to the queue what is not done.

        `seats` says how many jobs of a class may run at once for one destination, None: as many as usual.
        A handler that raises is logged and woken again later. No job in flight is lost, whatever ends this.
        """
        stop_all = asyncio.Event()
        workers = [
            asyncio.create_task(
                _Worker(self._target, self._handoff, JobKind(kind), handler, stop_all, drain, seats).run()
            )
            for kind, handler in handlers.items()
        ]
        try:
            await stop.wait()
        finally:  # also when we are cancelled: cancelling a worker would cost its jobs
            stop_all.set()
            await asyncio.shield(asyncio.gather(*workers))


class _Worker:
    """One class of jobs."""

    def __init__(
        self,
        target: Target,
        handoff: Handoff,
        kind: JobKind,
        handler: Handler,
        stop: asyncio.Event,
        drain: timedelta,
        seats: Seats,
    ) -> None:
        self._target = target
        self._handoff = handoff
        self._kind = kind
        self._class = _CLASSES[kind]
        self._handling = Handling(kind, handler, self._seats, self._class.places)
        self._limit = seats
        self._stop = stop
        self._drain = drain
        self._until: float | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._told = False

    def _seats(self, lane: str) -> int:
        """How many jobs of one destination run at once."""
        limit = self._limit(self._kind, lane)
        return self._class.seats if limit is None else min(limit, self._class.running)

    async def run(self) -> None:
        """Serve until stopped, over as many connections as it takes."""
        wait = RECONNECT_FIRST
        clock = asyncio.get_running_loop().time
        while not self._stop.is_set():
            began = clock()
            try:
                connection = await self._target.connect(f"jobs {self._kind}", planned_once=True)
                await self._serve(connection)
            except StoreUnavailable as error:
                self._interrupted(str(error))
            if clock() - began > SERVED:  # it is another outage
                wait, self._told = RECONNECT_FIRST, False
            # Also a database that lets us in may be of no use: one that can only be read, or that has no disk left.
            await self._pause(wait)
            wait = min(wait * 2, RECONNECT_LAST)
        if self._ending:  # handlers of a connection that was lost
            await asyncio.wait(self._ending, timeout=self._draining())
            self._handling.hand_back()
            if self._ending:
                await asyncio.wait(self._ending, timeout=HAND_BACK)

    def _interrupted(self, reason: str) -> None:
        if not self._told:  # once an outage, not once an attempt
            log.warning("jobs_interrupted", kind=self._kind, reason=reason)
            self._told = True

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _serve(self, connection: Connection) -> None:
        """Serve on this connection until it is lost or we are stopped."""
        driver = Driver(connection, self._handoff)
        at_once = self._class.seats + self._class.places
        names = names_of(self._kind)
        limit, seats = self._class.running, self._seats
        queries = JobSource(driver, own=driver, seats=seats, limit=limit, at_once=at_once, **builders(names))
        begun = Begun(queries, self._handling, self._handoff, HEARTBEAT_TIMEOUT / 2)
        queries.begin = begun.begin
        manager = QueueManager(queries, names.channel)
        manager.queue_manager_id = queries.id

        async def wake(job: Job) -> None:
            try:
                await self._wake(job)
            finally:
                queries.done(job.id)

        manager.entrypoint(self._kind, accepts_context=False)(wake)
        self._handoff.takers[self._kind] = queries
        serving = asyncio.create_task(self._manage(manager, begun, driver))
        waits = {serving, asyncio.create_task(driver.lost.wait()), asyncio.create_task(self._stop.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits - {serving}:
                task.cancel()
        manager.shutdown.set()
        del self._handoff.takers[self._kind]
        self._handoff.deafen(driver)
        queries.close()
        if self._stop.is_set() and not driver.lost.is_set():
            await self._drained(serving, connection)
        if not serving.done():
            # On a lost connection handlers go on, and record what they did on another; we do not wait for them.
            self._ending.add(serving)
            serving.add_done_callback(self._ending.discard)
        connection.terminate()

    async def _manage(self, manager: QueueManager, begun: Begun, driver: Driver) -> None:
        running = asyncio.create_task(begun.run())
        try:
            if self._handoff.listens(driver):
                await driver.listen()
            await manager.run(
                dequeue_timeout=POLL,
                batch_size=self._class.batch,
                shutdown_on_listener_failure=True,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                log_aggregation_interval=timedelta(0),  # the sweep deletes the log; nobody reads the statistics
            )
        except Exception as error:  # the outermost loop of a class: whatever it was, serve on with a new connection
            self._interrupted(f"{type(error).__name__}: {error}")
        begun.close()
        await running

    def _draining(self) -> float:
        """Seconds that handlers may still go on."""
        now = asyncio.get_running_loop().time()
        self._until = self._until or now + self._drain.total_seconds()
        return max(self._until - now, 0)

    async def _drained(self, serving: "asyncio.Task[None]", connection: Connection) -> None:
        """Wait for the handlers, then hand their jobs back, then give up the connection: in that order."""
        await asyncio.wait({serving}, timeout=self._draining())
        self._handling.hand_back()
        await asyncio.wait({serving}, timeout=HAND_BACK)
        if not serving.done():
            connection.terminate()  # before cancelling: PgQueuer would delete the jobs
            serving.cancel()
            await asyncio.wait({serving}, timeout=CUT)

    async def _wake(self, job: Job) -> None:
        """What PgQueuer calls. Returns when the job is done, raises RetryRequested when it is to run again."""
        delivery = (job.payload or b"").decode()
        try:
            again = await self._handling.again(delivery, str((job.headers or {}).get("lane", "")), job.attempts)
        finally:
            self._handoff.fresh.pop(delivery, None)
        if again is not None:
            raise RetryRequested(delay=again)
