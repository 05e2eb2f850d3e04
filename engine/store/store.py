"""The one door to the database."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Protocol

import structlog

from engine.errors import StoreError
from engine.store.committer import Committer
from engine.store.connect import Pool, Target, translated
from engine.store.deliveries import Deliveries
from engine.store.embedded import EmbeddedServer
from engine.store.events import Events, Parse
from engine.store.health import Health, health
from engine.store.jobs import Jobs, install
from engine.store.migrate import migrate
from engine.store.revisions import Revisions
from engine.store.writes import Writes

log = structlog.get_logger("tocsin.store")

POOL_SIZE = 8

WATCH_EVERY = 0.5
"""Seconds between looks at the embedded server's process."""


class DatabaseOptions(Protocol):
    """Which database; of `settings.store`."""

    @property
    def url(self) -> str:
        """`embedded`, or a libpq URL."""
        ...


class Options(Protocol):
    """What opening takes of the settings."""

    @property
    def store(self) -> DatabaseOptions:
        """Which database."""
        ...

    @property
    def data(self) -> Path:
        """Where the embedded server lives."""
        ...


class Store:
    """An opened database: `committer`, `jobs`, `deliveries`, `events`, `revisions`, `writes`. Made by `open`."""

    def __init__(self, target: Target, pool: Pool, parse: Parse, server: EmbeddedServer | None) -> None:
        self.committer = Committer(target)
        self.jobs = Jobs(target)
        self.deliveries = Deliveries(pool)
        self.events = Events(pool, parse)
        self.revisions = Revisions(pool)
        self.writes = Writes(pool)
        self._pool = pool
        self._server = server
        self._watch = asyncio.create_task(_watch(server), name="tocsin-watch") if server else None

    @classmethod
    async def open(cls, settings: Options, *, parse: Parse = json.loads) -> "Store":
        """The database of the settings, started if it is the embedded one, at the schema of this code.

        `parse` reads a stored body as it was read when it arrived. Raises EmbeddedServerError, SchemaTooNew or
        StoreUnavailable.
        """
        if settings.store.url != "embedded":
            return await cls.connect(Target.from_url(settings.store.url), parse=parse)
        server = EmbeddedServer(settings.data)
        target = Target.from_address(await server.start())
        try:
            return await cls.connect(target, parse=parse, server=server)
        except BaseException:
            await server.stop()
            raise

    @classmethod
    async def connect(
        cls, target: Target, *, parse: Parse = json.loads, server: EmbeddedServer | None = None
    ) -> "Store":
        """A database that is running; `server`, if given, is looked after until `close`. Raises as `open` does."""
        connection = await target.connect("migration")
        try:
            with translated():
                await migrate(connection, install)
        finally:
            await connection.close()
        return cls(target, await target.pool("work", POOL_SIZE), parse, server)

    async def health(self) -> Health:
        """How the database and the queue are. Raises StoreUnavailable."""
        return await health(self._pool)

    async def close(self) -> None:
        """Commit what has arrived, let go of every connection, and of the embedded server."""
        await self.committer.close()
        await self._pool.close()
        if self._watch and self._server:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            await self._server.stop()


async def _watch(server: EmbeddedServer) -> None:
    """Start the embedded server again when it has died; all connections are then made anew by their owners."""
    while True:
        await asyncio.sleep(WATCH_EVERY)
        if not server.alive():
            log.error("database_died")
            try:
                await server.recover()
                log.info("database_recovered")
            except StoreError as error:
                log.error("database_not_recovered", reason=str(error))
