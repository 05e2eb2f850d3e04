"""Group commit: everything that arrives while one commit is under way is the next batch.

One connection, one batch at a time. A batch holds the events, what matched, its deliveries and their jobs, all in
one transaction; when nothing matched, it is a single statement. The caller is answered after the commit, so what it
acknowledges is durable. A lost connection is made again and the batch repeated: dedupe keys make that safe.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import asyncpg
import structlog

from engine.errors import StoreUnavailable
from engine.model.delivery import NOTHING, Delivery, DeliveryStatus, Plan
from engine.model.event import Event, Payload
from engine.store import events
from engine.store.adapter import enqueue
from engine.store.columns import cleaned
from engine.store.commit import commit, insert_jobs
from engine.store.connect import Connection, Target, is_unavailable
from engine.store.decide import Deciding, Queue, carry_out, decide
from engine.store.handoff import Handoff, Offer

log = structlog.get_logger("tocsin.committer")

CAPACITY = 10_000
"""Events that may wait; beyond that Stripe is asked to send again."""

BACKLOG = 32 * 1024 * 1024
"""Bytes of events that may wait, where the settings do not say; their parsed form takes several times as much."""

BATCH_EVENTS = 500
BATCH_BYTES = 8 * 1024 * 1024

PROBE_EVERY = 1.0
"""Seconds between two attempts to write while commits fail and no event comes: where a process that is not ready gets
none, nobody else would find out that it works again."""

PROBE = """
    insert into tocsin.marks (name, at) values ('commits', now()) on conflict (name) do update set at = excluded.at
"""

CLOSING = 10.0
"""Seconds in which what has arrived is committed at the end, where the caller does not say."""

CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
CONFLICT_RETRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Since when commits fail, and why they did the last time."""

    since: datetime
    reason: str


@dataclass(slots=True, eq=False)
class _Entry:
    """One call of `commit`, and its later duplicates in the same batch."""

    event: Event
    plan: Plan
    revision: str
    done: asyncio.Future[bool]
    arrived: float
    undecided: Deciding | None = None
    again: "list[_Entry]" = field(default_factory=list)

    def resolve(self, new: bool) -> None:
        if not self.done.done():  # the caller may have gone
            self.done.set_result(new)
        for entry in self.again:
            entry.resolve(False)

    def fail(self, error: StoreUnavailable) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        for entry in self.again:
            entry.fail(error)


class Committer:
    """Where events become durable; one per process. `on_commit` is told the seconds and events of each commit,
    `on_added` what snapshots added to their thin twins: the firings that were not there yet.

    `apart` decides: what takes several statements has a committer and a connection of its own, so that what takes one
    does not wait for it. To the database they are as two processes.
    """

    def __init__(
        self, target: Target, handoff: Handoff, most: int = BACKLOG, *, apart: "Committer | None" = None
    ) -> None:
        self.on_commit: Callable[[float, int], None] = lambda seconds, events: None
        self.on_added: Callable[[Plan], None] = lambda plan: None
        self._apart = apart
        if apart is not None:
            apart.on_commit = lambda seconds, events: self.on_commit(seconds, events)
            apart.on_added = lambda plan: self.on_added(plan)
        self._target = target
        self._handoff = handoff
        self._patience = target.timeouts.commit.total_seconds()
        self._waiting: deque[_Entry] = deque()
        self._most, self._bytes = most, 0
        self._arrived = asyncio.Event()
        self._connection: Connection | None = None
        self._pid = 0
        self._closing = False
        self._failing: Failing | None = None
        self._refused = False
        self._clock = asyncio.get_running_loop().time
        self._task = asyncio.create_task(self._run(), name="tocsin-committer")

    async def commit(self, event: Event, plan: Plan, revision: str) -> bool:
        """Make the event and everything that must come of it durable. False: it was there already.

        A snapshot that arrives after its thin twin takes over the row and adds what of `plan` is not there yet; the
        answer is False then too. Raises StoreUnavailable when the database did not take it in time; it may still
        have been stored, so Stripe sends it again and nothing is made twice.
        """
        return await self._enter(event, plan, revision).done

    async def decide(self, event: Event, undecided: Deciding, revision: str) -> tuple[bool, Plan]:
        """The same for an event whose plan depends on what rules remember: it is decided inside the commit, under lock.
        What was planned is returned too; nothing for an event that was there already."""
        if self._apart is not None:
            return await self._apart.decide(event, undecided, revision)
        entry = self._enter(event, NOTHING, revision, undecided)
        return await entry.done, entry.plan

    def _enter(self, event: Event, plan: Plan, revision: str, undecided: Deciding | None = None) -> _Entry:
        if self._closing or len(self._waiting) >= CAPACITY:
            raise StoreUnavailable("shutting down" if self._closing else f"{CAPACITY} events are waiting already")
        size = len(event.body)
        if self._bytes and self._bytes + size > self._most:
            raise StoreUnavailable(f"events of {self._bytes} bytes are waiting already")
        loop = asyncio.get_running_loop()
        entry = _Entry(event, plan, revision, loop.create_future(), self._clock(), undecided)
        self._waiting.append(entry)
        self._arrived.set()
        self._bytes += size
        entry.done.add_done_callback(lambda _: self._left(size))
        return entry

    def _left(self, size: int) -> None:
        self._bytes -= size

    async def close(self, within: float = CLOSING) -> None:
        """Commit what has arrived, and stop; what is not committed within so many seconds is not acknowledged."""
        others = [] if self._apart is None else [self._apart.close(within)]
        self._closing = True
        self._arrived.set()
        await asyncio.gather(asyncio.wait({self._task}, timeout=within), *others)
        await self._disconnect()
        self._task.cancel()
        for entry in self._waiting:
            entry.fail(StoreUnavailable("shutting down"))

    @property
    def backlog(self) -> int:
        """Events that wait for their commit to begin."""
        return len(self._waiting) + (self._apart.backlog if self._apart is not None else 0)

    @property
    def failing(self) -> Failing | None:
        """Why events are refused, None: they are not. A failure that nobody was refused for is not one."""
        if self._failing is not None and self._refused:
            return self._failing
        return None if self._apart is None else self._apart.failing

    async def _run(self) -> None:
        while True:
            await self._arrival()
            batch = self._take()
            if batch:
                await self._serve(batch)
            elif self._closing:
                return
            else:
                self._arrived.clear()

    async def _arrival(self) -> None:
        """Wait until something has arrived. As long as commits fail, see meanwhile whether they still do."""
        while self._failing is not None and not self._arrived.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_EVERY):
                    await self._arrived.wait()
                    return
            try:
                async with asyncio.timeout(self._patience / 2):
                    await (await self._connected()).execute(PROBE)
                self._succeeds()
            except Exception as error:  # whatever it was, events would meet it too
                self._fails(error)
                await self._disconnect()
        await self._arrived.wait()

    def _fails(self, error: BaseException) -> str:
        """Note that commits fail; why."""
        reason = str(error) or type(error).__name__
        if self._failing is None:  # once an outage, not once an attempt
            log.warning("commits_fail", reason=reason)
        since = datetime.now(UTC) if self._failing is None else self._failing.since
        self._failing = Failing(since=since, reason=reason)
        return reason

    def _succeeds(self) -> None:
        if self._failing is not None:
            log.info("commits_succeed_again")
            self._failing, self._refused = None, False

    def _take(self) -> list[_Entry]:
        """The next batch, sorted by key: every process locks keys in the same order."""
        taken: dict[str, _Entry] = {}
        later: list[_Entry] = []
        size = 0
        while self._waiting and len(taken) < BATCH_EVENTS and size < BATCH_BYTES:
            entry = self._waiting.popleft()
            first = taken.setdefault(entry.event.dedupe_key, entry)
            if first is entry:
                size += len(entry.event.body)
            elif first.event.payload is entry.event.payload:
                first.again.append(entry)
            else:
                later.append(entry)  # the other twin, which may have more to say
        self._waiting.extendleft(reversed(later))
        return [taken[key] for key in sorted(taken)]

    async def _serve(self, batch: list[_Entry]) -> None:
        """Answer the batch, or put back what may wait longer: nobody is ever left without an answer."""
        try:
            await self._attempt(batch)
        except Exception as error:  # the outermost loop of ingest: a fault of ours must not end it
            log.exception("commit_fault", events=len(batch))
            for entry in batch:
                entry.fail(StoreUnavailable(f"internal error: {type(error).__name__}"))

    async def _attempt(self, batch: list[_Entry]) -> None:
        """Commit the batch, or put back what may wait longer."""
        oldest = min(entry.arrived for entry in batch)
        try:
            async with asyncio.timeout(max(oldest + self._patience - self._clock(), 0.5)):
                await self._commit(batch)
        except Exception as error:  # whatever it was, it is one event's or the database's
            if is_unavailable(error) or isinstance(error, StoreUnavailable):
                await self._put_back(batch, error)
            elif len(batch) > 1:
                for entry in batch:
                    await self._attempt([entry])
            else:
                await self._clean(batch[0], error)

    async def _put_back(self, batch: list[_Entry], error: BaseException) -> None:
        await self._disconnect()
        now = self._clock()
        reason = self._fails(error)
        self._waiting.extendleft(sorted(batch, key=lambda entry: entry.arrived, reverse=True))
        # Not of this batch alone: in a flood each of them waits for an attempt, and the last would wait for all.
        late = [entry for entry in self._waiting if now - entry.arrived >= self._patience]
        if late:
            self._waiting = deque(entry for entry in self._waiting if now - entry.arrived < self._patience)
        self._refused = self._refused or bool(late)
        for entry in late:
            entry.fail(StoreUnavailable(f"not stored within {self._patience:g} seconds: {reason}"))
        if self._waiting:
            await asyncio.sleep(0.1)

    async def _clean(self, entry: _Entry, error: Exception) -> None:
        """The event alone is refused: for a column's value if for anything, so once more without what may be wrong."""
        event = cleaned(entry.event)
        plan = Plan(
            firings=tuple(cleaned(firing) for firing in entry.plan.firings),
            deliveries=tuple(cleaned(delivery) for delivery in entry.plan.deliveries),
        )
        if (event, plan) != (entry.event, entry.plan):
            entry.event, entry.plan = event, plan
            await self._attempt([entry])
            return
        log.error("event_refused", event_id=entry.event.id, reason=f"{type(error).__name__}: {error}")
        entry.fail(StoreUnavailable(f"the database refuses event {entry.event.id}: {type(error).__name__}"))

    async def _commit(self, batch: list[_Entry]) -> None:
        new: set[str] = set()
        began = self._clock()
        for again in range(CONFLICT_RETRIES + 1):
            try:
                new = await self._write(batch)
                break
            except CONFLICTS:
                if again == CONFLICT_RETRIES:
                    raise
                await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311  no secret
        self.on_commit(self._clock() - began, len(batch))
        self._succeeds()
        for entry in batch:
            entry.resolve(entry.event.dedupe_key in new)

    async def _connected(self) -> Connection:
        """The connection that is written on, made anew where it is lost."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._target.connect("ingest", planned_once=True, indexed=True)
            self._handoff.pids.discard(self._pid)
            self._pid = self._connection.get_server_pid()
            self._handoff.pids.add(self._pid)
        return self._connection

    async def _write(self, batch: list[_Entry]) -> set[str]:
        """Everything of a new event at once; the keys of the events that were not there in any form."""
        connection = await self._connected()
        certain = [entry for entry in batch if entry.undecided is None]
        new: set[str] = set()
        if any(entry.plan.firings for entry in certain):
            new = await self._write_all(connection, certain)
        elif certain:
            new = await events.insert(connection, *_arguments(certain))
        if len(certain) < len(batch):
            new |= await self._decide(connection, [entry for entry in batch if entry.undecided is not None])
        late = [e for e in batch if e.event.dedupe_key not in new and e.event.payload is Payload.SNAPSHOT]
        if late:
            added = await _supplement(connection, late)
            self._handoff.look()
            for plan in added:
                self.on_added(plan)
        return new

    async def _write_all(self, connection: Connection, batch: list[_Entry]) -> set[str]:
        """Events with their plans; what the workers of this process have room for begins as soon as it is there."""
        arrived, plans = [entry.event for entry in batch], [entry.plan for entry in batch]
        offer = self._handoff.offer(
            [d for plan in plans for d in plan.deliveries if d.status is DeliveryStatus.PENDING]
        )
        jobs: dict[str, int] = {}
        try:
            done = await commit(connection, arrived, [entry.revision for entry in batch], plans, offer.takers)
            jobs = done.jobs
        finally:
            # Not before the events are answered: that comes first, and keeps them at hand for their deliveries.
            asyncio.get_running_loop().call_soon(offer.settle, jobs)
        return done.new

    async def _decide(self, connection: Connection, batch: Sequence[_Entry]) -> set[str]:
        """Store events and decide those that are new, in one transaction; what the workers of this process have room
        for begins as soon as it is there."""
        offers: list[tuple[Offer, dict[str, int]]] = []

        async def queue(connection: Connection, due: Sequence[Delivery]) -> None:
            offer, jobs = self._handoff.offer(due), dict[str, int]()
            offers.append((offer, jobs))
            jobs.update(await insert_jobs(connection, due, offer.takers))

        committed = False
        try:
            async with connection.transaction():
                new = await events.insert(connection, *_arguments(batch))
                await _plan(connection, [e for e in batch if e.event.dedupe_key in new], queue=queue, fresh=True)
            committed = True
        finally:
            for offer, jobs in offers:
                asyncio.get_running_loop().call_soon(offer.settle, jobs if committed else {})
        return new

    async def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        self._handoff.pids.discard(self._pid)


def _arguments(batch: Sequence[_Entry]) -> tuple[list[Event], list[str]]:
    return [entry.event for entry in batch], [entry.revision for entry in batch]


async def _plan(
    connection: Connection, batch: Sequence[_Entry], *, queue: Queue = enqueue, fresh: bool = False
) -> list[Plan]:
    """Carry out what is to come of stored events, decided under lock where that is needed, in the order in which they
    happened; the plans, with the firings that were not there yet. `fresh`: stored just now."""
    open_ = sorted((e for e in batch if e.undecided is not None), key=lambda entry: entry.event.created)
    now = datetime.now(UTC)
    undecided = [e.undecided for e in open_ if e.undecided is not None]
    plans = await decide(connection, undecided, now, queue=queue, fresh=fresh)
    for entry, plan in zip(open_, plans, strict=True):
        entry.plan = plan
    certain = [entry.plan for entry in batch if entry.undecided is None]
    fired = await carry_out(connection, certain, now)
    new = [replace(plan, firings=tuple(each for each in plan.firings if each.id in fired)) for plan in certain]
    return [*plans, *new]


async def _supplement(connection: Connection, late: Sequence[_Entry]) -> list[Plan]:
    """Let snapshots take over the rows of their thin twins, with what that adds to be done, in one transaction; what it
    is."""
    if not any(entry.plan.firings or entry.undecided for entry in late):
        await events.supplement(connection, *_arguments(late))
        return []
    async with connection.transaction():
        taken = await events.supplement(connection, *_arguments(late))
        return await _plan(connection, [entry for entry in late if entry.event.dedupe_key in taken])
