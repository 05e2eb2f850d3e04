"""Connections to PostgreSQL: how they are made, and what their failures are called.

`Target` makes connections; `Pool` lends them to everything but ingest and the job queue, which keep their own so
that neither a flood of events nor slow queries can starve the other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import asyncpg

from engine.errors import StoreUnavailable
from engine.settings.store_url import SESSIONS
from engine.store.embedded import Address

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
    Record = asyncpg.Record
else:  # the classes are generic in their stubs alone
    Connection = asyncpg.Connection
    Record = asyncpg.Record

UNAVAILABLE = (
    OSError,  # TimeoutError included
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,  # class 53: disk full, out of memory, too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutting down, crashed, statement timeout
    asyncpg.PostgresSystemError,  # class 58: the disk failed
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: a role or password that is no longer right
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,  # a failover: we still talk to what is now the standby
    asyncpg.InternalClientError,
)
"""What a database that cannot be used now raises; `is_unavailable` knows one more."""

LASTING = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
"""What waiting does not help against."""


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` means that the database cannot be used now, as opposed to refusing this statement or data."""
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # a closed connection, but not DataError: a value we may not send
    return isinstance(error, UNAVAILABLE)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable for a database that cannot be used now; let everything else pass."""
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise StoreUnavailable(f"store.url cannot be used: {_reason(error)}", lasting=True) from error
    except (*UNAVAILABLE, asyncpg.InterfaceError) as error:
        if not is_unavailable(error):
            raise
        lasting = isinstance(error, LASTING)
        reason = f"the database cannot be used: {error or type(error).__name__}"
        raise StoreUnavailable(reason, lasting=lasting) from error


def _reason(error: asyncpg.ClientConfigurationError) -> str:
    """asyncpg's words, but for those that name a method in place of the values."""
    if str(error).startswith("target_session_attrs"):
        return f"target_session_attrs is one of {', '.join(SESSIONS)}"
    return str(error)


@contextlib.contextmanager
def _read() -> Iterator[None]:
    """Raise StoreUnavailable for a URL, or a PG* variable, that asyncpg cannot read. What it raises for them is not
    said, for it quotes what may be a part of a password."""
    try:
        yield
    except asyncpg.InterfaceError:
        raise
    except (ValueError, IndexError):
        raise StoreUnavailable("store.url, or a PG* variable, cannot be read", lasting=True) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Bounds on waiting for the database: for a connection, a statement, and a whole commit of events."""

    connect: timedelta = timedelta(seconds=5)
    statement: timedelta = timedelta(seconds=15)
    commit: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which database, and with which bounds. Its `repr` holds no password."""

    where: dict[str, Any] = field(repr=False)
    timeouts: Timeouts = Timeouts()

    @classmethod
    def from_url(cls, url: str, timeouts: Timeouts = Timeouts()) -> "Target":
        """A database somewhere: libpq's URL; what it leaves out comes from libpq's PG* variables."""
        return cls(where={"dsn": url}, timeouts=timeouts)

    @classmethod
    def from_address(cls, address: Address, timeouts: Timeouts = Timeouts()) -> "Target":
        """The embedded server, whatever PG* variables say."""
        return cls(where=address.arguments(), timeouts=timeouts)

    async def connect(
        self, purpose: str, *, unbounded: bool = False, planned_once: bool = False, indexed: bool = False
    ) -> Connection:
        """A connection of one's own, to be closed by the caller. Raises StoreUnavailable.

        `unbounded`: statements may take as long as they do. `planned_once`: a statement keeps its first plan; for those
        that are asked all the time and whose plan cannot depend on what is asked (the queue's dequeue is planned in
        0.8 ms and carried out in 0.3). `indexed`: what is read is found by an index, however small its table was when
        the statement was planned.
        """
        arguments = self._arguments(purpose)
        if planned_once:
            arguments["server_settings"]["plan_cache_mode"] = "force_generic_plan"
        if indexed:
            arguments["server_settings"]["enable_seqscan"] = "off"
        if unbounded:
            arguments["command_timeout"] = None
            arguments["server_settings"]["statement_timeout"] = "0"
        with translated(), _read():
            connection: Connection = await asyncpg.connect(**arguments)
            return connection

    async def pool(self, purpose: str, size: int, *, by_key: bool = False) -> "Pool":
        """A pool of at most `size` connections. Raises StoreUnavailable.

        `by_key`: for statements that find a few rows by their keys, always the same: they are planned once, and no
        statistics of a table that was empty a moment ago can talk PostgreSQL into reading all of it. Its connections
        are kept once they are open.
        """
        arguments = self._arguments(purpose)
        idle = 0 if by_key else IDLE
        if by_key:
            arguments["server_settings"] |= _BY_KEY
        with translated():
            # No least number of connections: in an outage asyncpg logs a traceback each time it tries to have it back.
            return Pool(
                await asyncpg.create_pool(
                    **arguments, min_size=0, max_size=size, reset=_leave, max_inactive_connection_lifetime=idle
                ),
                self.timeouts,
            )

    def _arguments(self, purpose: str) -> dict[str, Any]:
        statement = self.timeouts.statement.total_seconds()
        return self.where | {
            "timeout": self.timeouts.connect.total_seconds(),
            # Ours, in case the server cannot answer any more; a little later than its own.
            "command_timeout": statement + 1,
            "server_settings": {
                "application_name": f"tocsin {purpose}",
                "statement_timeout": f"{statement * 1000:.0f}",
                "idle_in_transaction_session_timeout": "60000",
                "timezone": "UTC",
                "jit": "off",
            },
        }


IDLE = 300.0
"""Seconds after which a connection that nobody used is closed."""

_BY_KEY = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


async def _leave(connection: object) -> None:
    """What a pool does to a returned connection: nothing, we leave no state in sessions (asyncpg: a round trip)."""


class Pool:
    """Lends connections; a database that cannot be used now is StoreUnavailable throughout."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", timeouts: Timeouts) -> None:
        self._pool = pool
        self._wait = timeouts.connect.total_seconds()

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Record]:
        """All rows."""
        async with self._lent() as connection:
            return await connection.fetch(sql, *arguments)

    async def first(self, sql: str, *arguments: object) -> Record | None:
        """The first row, None without one."""
        async with self._lent() as connection:
            return await connection.fetchrow(sql, *arguments)

    async def value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row, None without one."""
        async with self._lent() as connection:
            return await connection.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: object) -> int:
        """No rows; how many were written."""
        async with self._lent() as connection:
            status = await connection.execute(sql, *arguments)
        return int(status.rpartition(" ")[2])

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction, committed at the end, rolled back on an exception."""
        async with self._lent() as connection, connection.transaction():
            yield connection

    @contextlib.asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        with translated():
            async with self._pool.acquire(timeout=self._wait) as connection:
                yield cast("Connection", connection)  # a proxy with all the same methods

    async def open(self) -> None:
        """Open every connection now. Raises StoreUnavailable where one is not to be had."""
        with translated():
            async with contextlib.AsyncExitStack() as lent:
                for _ in range(self._pool.get_max_size()):
                    await lent.enter_async_context(self._pool.acquire(timeout=self._wait))

    async def close(self, within: float | None = None) -> None:
        """Close every connection; those that do not come back soon, or within so many seconds, are cut."""
        try:
            async with asyncio.timeout(self._wait if within is None else min(within, self._wait)):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()
