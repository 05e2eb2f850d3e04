"""Numbered SQL files, applied in order at start, by one process at a time."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection
from importlib import resources

from engine.errors import SchemaTooNew, StoreUnavailable
from engine.store.connect import Connection

LOCK = 0x70C51A
"""The advisory lock that migrating processes queue on."""

PATIENCE = 120.0
"""Seconds to wait for another process that migrates."""

READ_APPLIED = "select number from tocsin.migrations order by number"

RECORD_APPLIED = "insert into tocsin.migrations (number, name) values ($1, $2)"

PREPARE = """
    create schema if not exists tocsin;
    create table if not exists tocsin.migrations (
        number  integer primary key,
        name    text not null,
        applied timestamptz not null default now()
    )
"""


async def migrate(connection: Connection, install_queue: Callable[[Connection], Awaitable[None]]) -> None:
    """Bring the database to the schema of this code; `install_queue` does the same for the job queue's own tables.

    Raises SchemaTooNew when newer code was here, StoreUnavailable when another process keeps the lock.
    """
    await _take_lock(connection)
    try:
        await connection.execute(PREPARE)
        applied = await _applied(connection)
        for number, name, sql in migrations():
            if number not in applied:
                async with connection.transaction():
                    await connection.execute(sql)
                    await connection.execute(RECORD_APPLIED, number, name)
        await install_queue(connection)
    finally:
        if not connection.is_closed():
            await connection.execute("select pg_advisory_unlock($1)", LOCK)


def migrations() -> list[tuple[int, str, str]]:
    """Every migration of this code: number, file name, SQL; in order."""
    folder = resources.files("engine.store").joinpath("migrations")
    named = ((re.fullmatch(r"(\d{4})_\w+\.sql", file.name), file) for file in folder.iterdir())
    return sorted((int(name[1]), name[0], file.read_text()) for name, file in named if name)


async def _take_lock(connection: Connection) -> None:
    # Asked for again and again: waiting inside PostgreSQL would run into statement_timeout.
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
            return
        await asyncio.sleep(0.05)
    raise StoreUnavailable(f"another process has been migrating the database for {PATIENCE:.0f} seconds")


async def _applied(connection: Connection) -> set[int]:
    applied = {row["number"] for row in await connection.fetch(READ_APPLIED)}
    refuse_newer(applied, "the database")
    return applied


def refuse_newer(applied: Collection[int], what: str) -> None:
    """Raises SchemaTooNew where newer code than this has applied a migration; `what` is what it was applied to."""
    known = migrations()[-1][0]
    if applied and max(applied) > known:
        raise SchemaTooNew(
            f"{what} is at migration {max(applied)}, this code knows {known}: "
            "it was used by a newer Tocsin; run that one"
        )
