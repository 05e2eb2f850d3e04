"""The one door to the database."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from engine.errors import StoreError
from engine.model.delivery import Plan
from engine.settings import Settings
from engine.store.accounts import Accounts
from engine.store.adapter import install
from engine.store.again import Again
from engine.store.capacity import WRITING, capacity
from engine.store.committer import BACKLOG, Committer
from engine.store.connect import Pool, Target, Timeouts, translated
from engine.store.dead import DeadDeliveries
from engine.store.decide import Deciding, carry_out, decide
from engine.store.deliveries import Deliveries
from engine.store.destinations import Destinations
from engine.store.embedded import EmbeddedServer
from engine.store.events import Events, Parse
from engine.store.handoff import Handoff
from engine.store.health import Health, health
from engine.store.incidents import Incidents
from engine.store.jobs import Jobs
from engine.store.members import Members
from engine.store.migrate import migrate
from engine.store.mutes import Mutes
from engine.store.rates import Rates
from engine.store.retention import forget
from engine.store.revisions import Revisions
from engine.store.silence import Silences
from engine.store.timers import Timers
from engine.store.writes import Writes

log = structlog.get_logger("tocsin.store")

POOL_SIZE = 8
"""Connections for everything but ingest and jobs, where the settings do not say."""

CLOSING = 40.0
"""Seconds in which a store is closed for sure, where nobody is in a hurry."""

WATCH_EVERY = 0.5
"""Seconds between looks at the embedded server's process."""

WATCH_LAST = 8.0
"""Seconds between attempts to start it again when it does not start, after doubling that many times."""


class Store:
    """An opened database: `committer`, `jobs`, `deliveries`, `events`, `revisions`, `writes`, `accounts`,
    `dead`, `silences`, `timers`, `mutes`, `destinations`, `rates`, `members`, `again`, `incidents`.

    Made by `open`.
    """

    def __init__(
        self,
        target: Target,
        pool: Pool,
        writing: Pool,
        parse: Parse,
        server: EmbeddedServer | None,
        backlog: int = BACKLOG,
    ) -> None:
        self._handoff = Handoff()
        self.committer = Committer(target, self._handoff, backlog, apart=Committer(target, self._handoff, backlog))
        self.jobs = Jobs(target, self._handoff)
        self.deliveries = Deliveries(pool, writing, self._handoff)
        self.events = Events(pool, parse)
        self.revisions = Revisions(pool)
        self.writes = Writes(pool)
        self.accounts = Accounts(pool)
        self.dead = DeadDeliveries(pool)
        self.silences = Silences(pool)
        self.timers = Timers(pool)
        self.mutes = Mutes(pool)
        self.destinations = Destinations(pool)
        self.rates = Rates(pool)
        self.members = Members(pool)
        self.again = Again(pool)
        self.incidents = Incidents(pool)
        self._pool = pool
        self._writing = writing
        self._server = server
        self._watch = asyncio.create_task(_watch(server), name="tocsin-watch") if server else None

    @classmethod
    async def open(cls, settings: Settings, *, parse: Parse = json.loads, serves: bool = True) -> "Store":
        """The database of the settings, started if it is the embedded one, at the schema of this code.

        `parse` reads a stored body as it was read when it arrived. `serves` False: for a command, which has no use for
        all the connections of a process that serves. Raises EmbeddedServerError, SchemaTooNew or
        StoreUnavailable.
        """
        options = settings.store
        timeouts = Timeouts(
            connect=options.connect_timeout,
            statement=options.statement_timeout,
            commit=settings.receive.commit_timeout,
        )
        backlog = settings.receive.backlog
        if not options.embedded:
            target = Target.from_url(options.url, timeouts)
            return await cls.connect(target, pool_size=options.connections, parse=parse, backlog=backlog, serves=serves)
        server = EmbeddedServer(settings.data)
        target = Target.from_address(await server.start(), timeouts)
        try:
            return await cls.connect(
                target, pool_size=options.connections, parse=parse, server=server, backlog=backlog, serves=serves
            )
        except BaseException:
            await server.stop()
            raise

    @classmethod
    async def connect(
        cls,
        target: Target,
        *,
        pool_size: int = POOL_SIZE,
        parse: Parse = json.loads,
        server: EmbeddedServer | None = None,
        backlog: int = BACKLOG,
        serves: bool = True,
    ) -> "Store":
        """A database that is running; `server`, if given, is looked after until `close`. Else as `open`."""
        connection = await target.connect("migration", unbounded=True)
        try:
            with translated():
                if serves:
                    await capacity(connection, pool_size)
                await migrate(connection, install)
        finally:
            await connection.close()
        pool = await target.pool("work", pool_size)
        writing = await target.pool("deliveries", WRITING, by_key=True)
        return cls(target, pool, writing, parse, server, backlog)

    async def stand_by(self) -> None:
        """Hold the connections on which it is written what becomes of deliveries, before any is attempted: what was
        sent and cannot be written down is sent again. Raises StoreUnavailable."""
        await self._writing.open()

    async def carry_out(self, plan: Plan) -> None:
        """Insert what is to come of an event that is stored: firings, deliveries, jobs. Of a firing that is there
        already nothing is made again. Raises StoreUnavailable."""
        async with self._pool.transaction() as connection:
            await carry_out(connection, [plan], datetime.now(UTC))

    async def decide(self, undecided: Sequence[Deciding]) -> list[Plan]:
        """Decide what depends on what rules remember, and carry it out, in one transaction; the plans. Raises
        StoreUnavailable."""
        async with self._pool.transaction() as connection:
            return await decide(connection, undecided, datetime.now(UTC))

    def serves(self, kind: str) -> bool:
        """Whether a delivery of that class of jobs, committed now, would begin in this process at once."""
        return self._handoff.serves(kind)

    async def health(self) -> Health:
        """How the database and the queue are. Raises StoreUnavailable."""
        return await health(self._pool)

    async def forget(self, before: datetime, keep: timedelta | None = None, capped: timedelta = timedelta()) -> int:
        """Delete some events received before that moment, with what came of them; how many, 0 when none is left.

        `keep`: of the latest events always so many days, whatever the clock says. `capped`: the longest span that a cap
        of Stripe writes is over; they count for so long, whatever becomes of their events.
        """
        found = await forget(self._pool, before, keep, capped)
        if not found:
            await self.rates.forget()
        return found

    async def close(self, within: float = CLOSING) -> None:
        """Commit what has arrived, let go of every connection, and of the embedded server; in so many seconds even
        where the database does not answer."""
        clock = asyncio.get_running_loop().time
        end = clock() + within
        await self.committer.close(within / 4)
        await asyncio.gather(self._writing.close(within / 4), self._pool.close(within / 4))
        if self._watch and self._server:
            self._watch.cancel()
            await asyncio.wait({self._watch}, timeout=within / 8)
            await self._server.stop(max(end - clock(), within / 4))


async def _watch(server: EmbeddedServer) -> None:
    """Start the embedded server again when it has died; all connections are then made anew by their owners."""
    failures = 0
    while True:
        await asyncio.sleep(min(WATCH_EVERY * 2**failures, WATCH_LAST))
        if server.alive():
            failures = 0
            continue
        if not failures:
            log.error("database_died")
        try:
            await server.recover()
            log.info("database_recovered")
        except StoreError as error:
            failures += 1
            if failures == 1:  # once an outage: a full disk stays full for a while
                log.error("database_not_recovered", reason=str(error))
