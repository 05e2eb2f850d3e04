"""PgQueuer as Tocsin uses it: its tables in a schema of their own, jobs made in the caller's transaction, and a
dequeue that asks the database less.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job, TableChangedEvent, TracebackRecord
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import JOB_STATUS, Channel, JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.driver import NotifyCallback
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from engine.model.delivery import Delivery
from engine.store import notice
from engine.store.connect import Connection, is_unavailable
from engine.store.dequeue import DEQUEUE, INDEX, arguments
from engine.store.handoff import Handoff
from engine.store.queue import DELETE_JOBS, kind, lane, priority

POLL = timedelta(seconds=1)
"""How often a class looks for jobs without being told; with HEARTBEAT_TIMEOUT, a dead worker's are back in 4.5 s."""

IDLE_PAUSE = 0.05
"""Seconds between looks of a class that found nothing twice while others are being notified."""

VACUUM_LOG = """
    alter table tocsin_queue.pgqueuer_log
    set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000)
"""
"""PgQueuer means its log to be kept and has it vacuumed after a million dead rows; ours is pruned all the time."""

ETA_EVERY = 0.25
"""Seconds for which the answer to "when is the next delayed job due" is believed."""


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
    channel=Channel(notice.CHANNEL),
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


class Driver(AsyncpgDriver):
    """Tells when its connection is of no more use, which asyncpg does not always notice itself; and of what others have
    queued."""

    def __init__(self, connection: Connection, handoff: Handoff) -> None:
        super().__init__(connection)
        self.lost = asyncio.Event()
        self._handoff = handoff
        self._notify: NotifyCallback = lambda payload: None
        connection.add_termination_listener(lambda _: self.lost.set())

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """As AsyncpgDriver's."""
        with self._noticing():
            return await super().fetch(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """As AsyncpgDriver's."""
        with self._noticing():
            return await super().execute(query, *args)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """PgQueuer listens to a channel of its class, on which there is nothing but its own signs of health."""
        self._notify = callback
        await super().add_listener(channel, callback)

    async def listen(self) -> None:
        """Have the workers of this process look for what another connection than the committers' queues; one connection
        of a process listens for all of them."""

        def heard(connection: object, pid: int, channel: str, payload: object) -> None:
            if pid not in self._handoff.pids:
                self._handoff.look(notice.kinds(payload))

        with self._noticing():
            async with self._lock:
                await self._connection.add_listener(notice.CHANNEL, heard)
        self._handoff.look()

    def rouse(self) -> None:
        """Have PgQueuer go round now."""
        self._notify(_CHANGED)

    @contextlib.contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if is_unavailable(error):
                self.lost.set()
            raise


_CHANGED = TableChangedEvent(
    channel=NAMES.channel,
    sent_at=datetime.now(UTC),
    type="table_changed_event",
    operation="insert",
    table=NAMES.queue_table,
).model_dump_json(exclude={"received_at"})


@dataclass(kw_only=True)
class JobSource(Queries):
    """Takes no more than `limit` jobs at once, and of a destination no more than `at_once`, those of this process's own
    commits, which `begin` is given, included; and asks less.

    PgQueuer's own bound counts in SQL, which costs a third of the speed; and it looks at the table four times at every
    notification, which in a flood is every commit.
    """

    own: Driver
    begin: Callable[[int, Delivery], None] = lambda job, delivery: None
    seats: Callable[[str], int]
    limit: int
    at_once: int
    id: QueueManagerId = field(default_factory=lambda: QueueManagerId(uuid4()))
    empty: int = 0
    looked: float = 0.0
    asked: float = 0.0
    eta: timedelta = timedelta()
    told: bool = True
    resting: bool = False
    over: bool = False
    expected: int = 0
    picked: dict[JobId, str] = field(default_factory=dict)
    """The jobs that have a place here, and for which destination."""
    shut: set[str] = field(default_factory=set)
    """Destinations of which a job came that may not run here: left to other processes for as long as that is so."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def room(self) -> int:
        """How many more jobs of this process's own commits may come: none while others wait in the queue."""
        return self.at_once - len(self.picked) - self.expected if self.empty and not self.over else 0

    def expect(self, number: int) -> None:
        """So many more jobs may come; a negative number: so many do not."""
        self.expected += number

    def take(self, job: int, delivery: Delivery) -> None:
        """A job that was committed as ours."""
        self.picked[JobId(job)] = lane(delivery)
        self.begin(job, delivery)

    def look(self) -> None:
        """There may be more in the queue."""
        self.told = True
        self._rouse()

    def _rouse(self) -> None:
        self.changed.set()
        if self.resting:
            self.resting = False
            self.own.rouse()

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        """The next jobs that are in the queue, as soon as there is room for one."""
        self.resting = False
        while not self.over:
            self.changed.clear()
            wait = self._wait()
            if wait is None:
                return []
            if wait == 0:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.changed.wait()
        if self.over:
            return []
        self.told, self.looked = False, asyncio.get_running_loop().time()
        room = min(batch_size, self.limit - len(self.picked))
        (entrypoint,) = entrypoints
        rows = await self.own.fetch(
            DEQUEUE,
            *arguments(entrypoint, room, self.id, heartbeat_timeout, self._held(), self.at_once),
        )
        jobs = [Job.model_validate(row) for row in rows]
        self.picked.update((job.id, str((job.headers or {}).get("lane", ""))) for job in jobs)
        self.shut |= {each for each in self.picked.values() if self.seats(each) <= 0}
        self.told = self.told or bool(jobs)
        self.empty = 0 if jobs else self.empty + 1
        return jobs

    def may(self, lane: str) -> bool:
        """Whether jobs of that destination may run here; where not, they are left to other processes."""
        if self.seats(lane) > 0:
            return True
        self.shut.add(lane)
        return False

    def _held(self) -> Counter[str]:
        """How many jobs of each destination there are here; of one that may not run here as many as may be."""
        self.shut = {each for each in self.shut if self.seats(each) <= 0}
        return Counter(self.picked.values()) | Counter(dict.fromkeys(self.shut, self.at_once))

    def _wait(self) -> float | None:
        """Seconds until the queue may be looked at, or until something has changed; None: there is no reason to."""
        now = asyncio.get_running_loop().time()
        due = min(self.looked + POLL.total_seconds(), self.asked + self.eta.total_seconds())
        if not self.told and now < due:
            return None
        if len(self.picked) >= self.limit:
            return POLL.total_seconds()
        # Of a few processes that are told of a job one finds it: one that finds nothing need not look at each.
        return max(self.looked + IDLE_PAUSE - now, 0) if self.empty > 1 else 0

    def done(self, job: int) -> None:
        """The job has left its place."""
        self.picked.pop(JobId(job), None)
        self.changed.set()

    def close(self) -> None:
        """No more jobs."""
        self.over = True
        self.changed.set()

    async def delete(self, jobs: Sequence[int]) -> None:
        """Those jobs are done. PgQueuer's log is spared them."""
        await self.own.execute(DELETE_JOBS, list(jobs))

    async def alive(self, jobs: Sequence[int]) -> None:
        """A sign of life of those jobs."""
        await self.update_heartbeat([JobId(job) for job in jobs])

    async def again(self, job: int, delay: timedelta) -> None:
        """That job is to run again, so long from now."""
        await self.own.execute(self.qbq.build_retry_job_query(), job, delay, None)

    async def log_jobs(self, job_status: list[tuple[Job, JOB_STATUS, TracebackRecord | None]]) -> None:
        """What PgQueuer dispatched is done. Its log, which nobody reads, is spared what went well."""
        if any(status == "failed" or trace for _, status, trace in job_status):
            await super().log_jobs(job_status)
        else:
            await self.delete([job.id for job, _, _ in job_status])

    async def eligible_queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        """Not asked: the dequeue before it came back empty, and of a job committed since then we are told."""
        return 0

    async def queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        """Not asked: what falls between two questions is found by the next POLL."""
        return 0

    async def next_deferred_eta(self, entrypoints: list[QueueEntrypoint]) -> timedelta | None:
        """How long until the next delayed job, asked now and then. PgQueuer rests after this until it is roused."""
        now = asyncio.get_running_loop().time()
        if now >= self.asked + min(ETA_EVERY, self.eta.total_seconds()):
            self.asked, self.eta = now, await super().next_deferred_eta(entrypoints) or POLL
        self.resting = True
        if self.told:
            self._rouse()
        return self.eta - timedelta(seconds=now - self.asked)


def builders(names: DBSettings = NAMES) -> dict[str, Any]:
    """What Queries takes so that its statements use those names."""
    return {
        "qbe": QueryBuilderEnvironment(names),
        "qbq": QueryQueueBuilder(names),
        "qbs": QuerySchedulerBuilder(names),
    }


def names_of(kind: str) -> DBSettings:
    """NAMES, with the channel on which a class hears that its connection works."""
    return NAMES.model_copy(update={"channel": Channel(f"{NAMES.channel}_{kind}")})


async def install(connection: Connection) -> None:
    """Make or upgrade the queue's tables. Not inside a transaction, and by one process at a time."""
    queries = Queries(AsyncpgDriver(connection), **builders())
    if not await queries.schema_is_installed():
        await queries.install()
        await queries.optimize_autovacuum()
        await connection.execute(VACUUM_LOG)
    await queries.apply_upgrade()
    await connection.execute(INDEX)
    await notice.install(connection)


async def enqueue(
    connection: Connection, deliveries: Sequence[Delivery], after: Sequence[timedelta] | None = None
) -> None:
    """A job for each delivery that has none, due now or after such a while; part of the caller's transaction."""
    if deliveries:
        await Queries(AsyncpgDriver(connection), **builders()).enqueue(
            [str(kind(delivery)) for delivery in deliveries],
            [delivery.id.encode() for delivery in deliveries],
            [priority(delivery) for delivery in deliveries],
            None if after is None else list(after),
            dedupe_key=[delivery.id for delivery in deliveries],
            headers=[{"lane": lane(delivery)} for delivery in deliveries],
            on_conflict="skip",
        )
