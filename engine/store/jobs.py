"""The job queue: PgQueuer, which nothing else imports.

A job is a wake-up and no more: its payload and dedupe key are a delivery's id, and the deliveries table says what
is to be done. So a job that is lost, doubled or late does no harm beyond the delay. Each class of jobs has its own
QueueManager on its own connection, kept apart from ingest.

PgQueuer deletes a job whose task is cancelled, and its managers end when their connection does. Hence the two rules
here: a handler runs in a task of ours, and its cancellation becomes "queue it again" (engine.store.handling); and a
supervisor loop replaces manager and connection (`_Worker.run`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

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
from engine.store.connect import Connection, Target, is_unavailable
from engine.store.handling import Handler, Handling
from engine.store.queue import lane

log = structlog.get_logger("tocsin.jobs")

# What it could not write on a lost connection: a traceback each, of what `jobs_interrupted` says once.
logging.getLogger("pgqueuer").addFilter(lambda record: "flush failed" not in str(record.msg).lower())


class JobKind(StrEnum):
    """The classes of jobs: one for each verb, and Tocsin's own."""

    NOTIFY = Verb.NOTIFY
    CALLBACK = Verb.CALLBACK
    STRIPE = Verb.STRIPE
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """How much of one class a process does at once: `running` jobs, `seats` of them for one destination, and a quarter
    of them may wait for a seat of one destination. Turning a job away costs more than doing it."""

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

IDLE_PAUSE = 0.05
"""Seconds between looks of a class that found nothing twice while others are being notified."""

ETA_EVERY = 0.25
"""Seconds for which the answer to "when is the next delayed job due" is believed."""

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


class _Driver(AsyncpgDriver):
    """Tells when its connection is of no more use: asyncpg does not always notice that itself."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.lost = asyncio.Event()
        connection.add_termination_listener(lambda _: self.lost.set())

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """As AsyncpgDriver's."""
        with self._noticing():
            return await super().fetch(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """As AsyncpgDriver's."""
        with self._noticing():
            return await super().execute(query, *args)

    @contextlib.contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if is_unavailable(error):
                self.lost.set()
            raise


@dataclass
class _Queries(Queries):
    """Takes no more than `limit` jobs at once, and asks less.

    PgQueuer's own bound counts in SQL, which costs a third of the speed; and it looks at the table three more times at
    every notification, which in a flood is every commit.
    """

    limit: int = 0
    empty: int = 0
    looked: float = 0.0
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
        if self.empty > 1:  # every class is notified of every job: one that is idle need not look at each commit
            await asyncio.sleep(self.looked + IDLE_PAUSE - asyncio.get_running_loop().time())
        self.looked = asyncio.get_running_loop().time()
        room = min(batch_size, self.limit - len(self.picked))
        jobs = await super().dequeue(room, entrypoints, queue_manager_id, global_concurrency_limit, heartbeat_timeout)
        self.picked.update(job.id for job in jobs)
        self.empty = 0 if jobs else self.empty + 1
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


def _queries(driver: AsyncpgDriver) -> _Queries:
    return _Queries(
        driver,
        qbe=QueryBuilderEnvironment(NAMES),
        qbq=QueryQueueBuilder(NAMES),
        qbs=QuerySchedulerBuilder(NAMES),
    )


async def install(connection: Connection) -> None:
    """Make or upgrade the queue's tables. Not inside a transaction, and by one process at a time."""
    queries = _queries(AsyncpgDriver(connection))
    if not await queries.schema_is_installed():
        await queries.install()
        await queries.optimize_autovacuum()
    await queries.apply_upgrade()


async def enqueue(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """A job for each delivery that has none, due now; part of the caller's transaction."""
    if deliveries:
        await _queries(AsyncpgDriver(connection)).enqueue(
            [str(delivery.verb) for delivery in deliveries],
            [delivery.id.encode() for delivery in deliveries],
            [0] * len(deliveries),
            dedupe_key=[delivery.id for delivery in deliveries],
            headers=[{"lane": lane(delivery)} for delivery in deliveries],
            on_conflict="skip",
        )


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
        self._handling = Handling(kind, handler, self._class.seats, self._class.running // 4)
        self._stop = stop
        self._drain = drain
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until stopped, over as many connections as it takes."""
        wait = RECONNECT_FIRST
        while not self._stop.is_set():
            try:
                connection = await self._target.connect(f"jobs {self._kind}", planned_once=True)
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
            self._handling.hand_back()
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
        driver = _Driver(connection)
        queries = _queries(driver)
        manager = QueueManager(queries, NAMES.channel)
        queries.limit = self._class.running

        async def wake(job: Job) -> None:
            try:
                await self._wake(job)
            finally:
                queries.done(job)

        manager.entrypoint(self._kind, accepts_context=False)(wake)
        serving = asyncio.create_task(self._manage(manager))
        waits = {serving, asyncio.create_task(driver.lost.wait()), asyncio.create_task(self._stop.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits - {serving}:
                task.cancel()
        manager.shutdown.set()
        queries.close()
        if self._stop.is_set() and not driver.lost.is_set():
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
        self._handling.hand_back()
        await asyncio.wait({serving}, timeout=HAND_BACK)
        if not serving.done():
            connection.terminate()  # before cancelling: PgQueuer would delete the jobs
            serving.cancel()
            await asyncio.wait({serving})

    async def _wake(self, job: Job) -> None:
        """What PgQueuer calls. Returns when the job is done, raises RetryRequested when it is to run again."""
        delivery = (job.payload or b"").decode()
        again = await self._handling.again(delivery, str((job.headers or {}).get("lane", "")), job.attempts)
        if again is not None:
            raise RetryRequested(delay=again)
