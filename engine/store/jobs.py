"""The job queue: PgQueuer, which nothing else imports.

A job is a wake-up and no more: its payload and dedupe key are a delivery's id, and the deliveries table says what
is to be done. So a job that is lost, doubled or late does no harm beyond the delay. Each class of jobs has its own
QueueManager on its own connection, kept apart from ingest.

PgQueuer deletes a job whose task is cancelled, and its managers end when their connection does. Hence the two rules
here: a handler runs in a task of ours, and its cancellation becomes "queue it again" (`_Worker._wake`); and a
supervisor loop replaces manager and connection (`_Worker.run`).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.models import Job
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel, JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.errors import RetryRequested
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from engine.errors import StoreUnavailable
from engine.model.delivery import Delivery
from engine.model.rule import Verb
from engine.store.connect import Connection, Pool, Target
from engine.store.lanes import Lanes

log = structlog.get_logger("tocsin.jobs")

# What it could not write on a lost connection: a traceback each, of what `jobs_interrupted` says once.
logging.getLogger("pgqueuer").addFilter(lambda record: "flush failed" not in str(record.msg).lower())

Handler = Callable[[str], Awaitable[datetime | None]]
"""Given a delivery's id; returns when it wants to be woken again, None when it is done."""


class JobKind(StrEnum):
    """The classes of jobs: one for each verb, and Tocsin's own."""

    NOTIFY = Verb.NOTIFY
    CALLBACK = Verb.CALLBACK
    STRIPE = Verb.STRIPE
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """How much of one class a process does at once: `running` jobs, `seats` of them for one destination."""

    batch: int
    running: int
    seats: int


_CLASSES = {
    JobKind.CALLBACK: _Class(batch=20, running=256, seats=16),
    JobKind.NOTIFY: _Class(batch=16, running=64, seats=4),
    JobKind.STRIPE: _Class(batch=16, running=64, seats=16),
    JobKind.INTERNAL: _Class(batch=20, running=64, seats=64),
}

HEARTBEAT_TIMEOUT = timedelta(seconds=3.5)
"""A picked job without a sign of life for so long is taken over. Signs are given every half of it."""

POLL = timedelta(seconds=1)
"""How often a class looks for jobs without being told; with HEARTBEAT_TIMEOUT, a dead worker's are back in 4.5 s."""

ETA_EVERY = 0.25
"""Seconds for which the answer to "when is the next delayed job due" is believed."""

ETA_EVERY = 0.25
"""Seconds for which the answer to "when is the next delayed job due" is believed."""

FAULT_WAITS = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300))
"""When a handler raised, which is a fault of ours: the waits before it is tried again, the last one repeating."""

RECONNECT_FIRST, RECONNECT_LAST = 0.1, 2.0
"""Seconds between attempts to reach the database again, doubling."""

HAND_BACK = 5.0
"""Seconds to write jobs back at shutdown before the connection is cut; then another worker finds them stale."""


class _Names(DBSettings):
    """PgQueuer's names. Only what is written here counts: by itself it reads bare names like CHANNEL or DURABILITY."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


NAMES = _Names(
    prefix="",
    db_schema="tocsin_queue",
    channel=Channel("tocsin_queue"),
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
    durability=Durability.balanced,  # the queue itself is logged; its log and statistics may be lost in a crash
    widen_id=True,
)


@dataclass
class _Queries(Queries):
    """Takes no more than `limit` jobs at once, and asks less.

    PgQueuer's own bound counts in SQL, which costs a third of the speed; and it looks at the table three more times at
    every notification, which in a flood is every commit.
    """

    limit: int = 0
    asked: float = 0.0
    eta: timedelta | None = None
    over: bool = False
    picked: set[JobId] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        """The next jobs, as soon as there is room for one."""
        while len(self.picked) >= self.limit and not self.over:
            self.changed.clear()
            await self.changed.wait()
        if self.over:
            return []
        room = min(batch_size, self.limit - len(self.picked))
        jobs = await super().dequeue(room, entrypoints, queue_manager_id, global_concurrency_limit, heartbeat_timeout)
        self.picked.update(job.id for job in jobs)
        return jobs

    def done(self, job: Job) -> None:
        """The job has left its place."""
        self.picked.discard(job.id)
        self.changed.set()

    def close(self) -> None:
        """No more jobs."""
        self.over = True
        self.changed.set()

    async def eligible_queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        """Not asked: the dequeue before it came back empty, and of a job committed since then we are notified."""
        return 0

    async def queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        """Not asked: what falls between two questions is found by the next POLL."""
        return 0

    async def next_deferred_eta(self, entrypoints: list[QueueEntrypoint]) -> timedelta | None:
        """How long until the next delayed job, asked now and then: every notification leads here."""
        now = asyncio.get_running_loop().time()
        if self.eta is None or now >= self.asked + min(ETA_EVERY, self.eta.total_seconds()):
            self.asked, self.eta = now, await super().next_deferred_eta(entrypoints) or POLL
        return self.eta - timedelta(seconds=now - self.asked)


def _queries(connection: Connection) -> _Queries:
    return _Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(NAMES),
        qbq=QueryQueueBuilder(NAMES),
        qbs=QuerySchedulerBuilder(NAMES),
    )


async def install(connection: Connection) -> None:
    """Make or upgrade the queue's tables. Not inside a transaction, and by one process at a time."""
    queries = _queries(connection)
    if not await queries.schema_is_installed():
        await queries.install()
        await queries.optimize_autovacuum()
    await queries.apply_upgrade()


async def enqueue(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """A job for each delivery that has none, due now; part of the caller's transaction."""
    if deliveries:
        await _queries(connection).enqueue(
            [str(delivery.verb) for delivery in deliveries],
            [delivery.id.encode() for delivery in deliveries],
            [0] * len(deliveries),
            dedupe_key=[delivery.id for delivery in deliveries],
            headers=[{"lane": _lane(delivery)} for delivery in deliveries],
            on_conflict="skip",
        )


# Finished jobs leave three rows each for ever. An hour of them is kept to look at.
PRUNE = """
    delete from tocsin_queue.pgqueuer_log where id in (
        select id from tocsin_queue.pgqueuer_log where created < now() - $1::interval order by created limit $2
    )
"""

LOG_KEPT = timedelta(hours=1)
PRUNE_BATCH = 5_000
PRUNE_BATCHES = 20


async def prune(pool: Pool) -> None:
    """Delete what is old in the queue's log, in short statements and a bounded number of them."""
    for _ in range(PRUNE_BATCHES):
        if await pool.execute(PRUNE, LOG_KEPT, PRUNE_BATCH) < PRUNE_BATCH:
            return


def _lane(delivery: Delivery) -> str:
    """What hangs together: a channel with all its recipients, a host, a name in the configuration."""
    if "://" in delivery.destination:
        return urlsplit(delivery.destination).netloc
    return delivery.destination.partition("/")[0]


class Jobs:
    """Runs handlers for the jobs there are, in this process."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def run(self, handlers: Mapping[str, Handler], stop: asyncio.Event, drain: timedelta) -> None:
        """Run until `stop`; then let handlers go on for `drain`, and hand back to the queue what is not done.

        A handler that raises is logged and woken again later. No job in flight is lost, whatever ends this.
        """
        stop_all = asyncio.Event()
        workers = [
            asyncio.create_task(_Worker(self._target, JobKind(kind), handler, stop_all, drain).run())
            for kind, handler in handlers.items()
        ]
        try:
            await stop.wait()
        finally:  # also when we are cancelled: cancelling a worker would cost its jobs
            stop_all.set()
            await asyncio.shield(asyncio.gather(*workers))


class _Worker:
    """One class of jobs."""

    def __init__(self, target: Target, kind: JobKind, handler: Handler, stop: asyncio.Event, drain: timedelta) -> None:
        self._target = target
        self._kind = kind
        self._class = _CLASSES[kind]
        self._handler = handler
        self._stop = stop
        self._drain = drain
        self._lanes = Lanes(self._class.seats)
        self._running: dict[str, asyncio.Task[datetime | None]] = {}
        self._handing_back = False
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until stopped, over as many connections as it takes."""
        wait = RECONNECT_FIRST
        while not self._stop.is_set():
            try:
                connection = await self._target.connect(f"jobs {self._kind}")
            except StoreUnavailable as error:
                if wait == RECONNECT_FIRST:  # once an outage, not once an attempt
                    log.warning("jobs_disconnected", kind=self._kind, reason=str(error))
                await self._pause(wait)
                wait = min(wait * 2, RECONNECT_LAST)
            else:
                wait = RECONNECT_FIRST
                await self._serve(connection)
        if self._ending:  # handlers of a connection that was lost
            await asyncio.wait(self._ending, timeout=self._drain.total_seconds())
            for task in self._running.values():
                task.cancel()
            if self._ending:
                await asyncio.wait(self._ending, timeout=HAND_BACK)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _serve(self, connection: Connection) -> None:
        """Serve on this connection until it is lost or we are stopped."""
        queries = _queries(connection)
        manager = QueueManager(queries, NAMES.channel)
        queries.limit = self._class.running

        async def wake(job: Job) -> None:
            try:
                await self._wake(job)
            finally:
                queries.done(job)

        manager.entrypoint(self._kind, accepts_context=False)(wake)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        serving = asyncio.create_task(self._manage(manager))
        waits = {serving, asyncio.create_task(lost.wait()), asyncio.create_task(self._stop.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits - {serving}:
                task.cancel()
        manager.shutdown.set()
        queries.close()
        if self._stop.is_set() and not lost.is_set():
            await self._drained(serving, connection)
        if not serving.done():
            # On a lost connection handlers go on, and record what they did on another; we do not wait for them.
            self._ending.add(serving)
            serving.add_done_callback(self._ending.discard)
        connection.terminate()

    async def _manage(self, manager: QueueManager) -> None:
        try:
            await manager.run(
                dequeue_timeout=POLL,
                batch_size=self._class.batch,
                shutdown_on_listener_failure=True,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                log_aggregation_interval=timedelta(0),  # the sweep deletes the log; nobody reads the statistics
            )
        except Exception as error:  # the outermost loop of a class: whatever it was, serve on with a new connection
            log.warning("jobs_interrupted", kind=self._kind, reason=f"{type(error).__name__}: {error}")

    async def _drained(self, serving: "asyncio.Task[None]", connection: Connection) -> None:
        """Wait for the handlers, then hand their jobs back, then give up the connection: in that order."""
        await asyncio.wait({serving}, timeout=self._drain.total_seconds())
        self._handing_back = True  # for jobs that were being fetched meanwhile
        for task in self._running.values():
            task.cancel()
        await asyncio.wait({serving}, timeout=HAND_BACK)
        if not serving.done():
            connection.terminate()  # before cancelling: PgQueuer would delete the jobs
            serving.cancel()
            await asyncio.wait({serving})

    async def _wake(self, job: Job) -> None:
        """What PgQueuer calls. Returns when the job is done, raises RetryRequested when it is to run again."""
        delivery = (job.payload or b"").decode()
        again = await self._again(delivery, str((job.headers or {}).get("lane", "")), job.attempts)
        if again is not None:
            raise RetryRequested(delay=max(again, timedelta()))

    async def _again(self, delivery: str, lane: str, attempts: int) -> timedelta | None:
        """Run the handler. None: done; else how long from now the job is to run again."""
        # The same delivery may be here already: its job was taken over by ourselves after a hiccup.
        task = self._running.get(delivery)
        if task is None:
            if self._handing_back:
                return timedelta()
            task = self._running[delivery] = asyncio.create_task(self._handle(delivery, lane, attempts))
            task.add_done_callback(lambda _: self._running.pop(delivery))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # swallowed: to PgQueuer a cancelled job is a finished one
            task.cancel()
            return timedelta()
        if task.cancelled():
            return timedelta()
        if (error := task.exception()) is not None:
            log.error("job_fault", kind=self._kind, delivery=delivery, exc_info=error)
            return FAULT_WAITS[min(attempts, len(FAULT_WAITS) - 1)]
        at = task.result()
        return None if at is None else at - datetime.now(UTC)

    async def _handle(self, delivery: str, lane: str, attempts: int) -> datetime | None:
        if not await self._lanes.enter(lane):
            # The longer it was turned away, the longer it stays away: a long backlog must not go round and round.
            seconds = min(0.5 * 2 ** min(attempts, 10), 20) * random.uniform(0.5, 1)  # noqa: S311  no secret
            return datetime.now(UTC) + timedelta(seconds=seconds)
        try:
            return await self._handler(delivery)
        finally:
            self._lanes.leave(lane)
