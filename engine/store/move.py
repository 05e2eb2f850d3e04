"""Moving everything from one database to another, in one transaction of each: all of it or nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass

import asyncpg

from engine.errors import StoreError
from engine.store.adapter import install
from engine.store.connect import Connection, Target, translated
from engine.store.migrate import migrate

CHUNKS = 16
"""Pieces of a copy that are read ahead of what is written: a few megabytes."""

# What is not copied: where the migrations stand, and jobs, which are wake-ups and no more. The sweep makes them anew.
LIST_TABLES = """
    select c.relname as name,
        (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
    from pg_class c
    where c.relnamespace = 'tocsin'::regnamespace and c.relkind = 'r' and c.relname <> 'migrations'
    order by c.relname
"""

# Copied before what refers to them.
LIST_PARENTS = """
    select c.relname as parent from pg_constraint r join pg_class c on c.oid = r.confrelid
    where r.contype = 'f' and r.connamespace = 'tocsin'::regnamespace
"""

# Everyone of Tocsin's names its connections so; we have two of our own at most on one server.
COUNT_USERS = """
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name like 'tocsin %' and application_name <> 'tocsin move'
"""

# Nobody may write meanwhile: whoever starts now waits, and its events are answered 503 until it is over.
LOCK = "set local lock_timeout = '10s'; lock table {tables} in exclusive mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Rows by table, as they were counted on both sides."""

    rows: Mapping[str, int]


async def move(source: Target, target: Target, progress: Callable[[int], None] = lambda copied: None) -> Moved:
    """Copy everything of Tocsin's from `source` to `target`, which has none yet, and count it on both sides.

    `progress` is told how many bytes have been copied. The source stays as it was. Raises StoreError when a process of
    Tocsin's uses the source, when the target holds anything of Tocsin's, or when the counts differ; StoreUnavailable.
    """
    async with _Ends(source, target) as (here, there):
        with translated():
            if await here.fetchval("select to_regclass('tocsin.migrations') is null"):
                raise StoreError("there is nothing of Tocsin's in the database to move from")
            if users := await here.fetchval(COUNT_USERS):
                raise StoreError(f"Tocsin is running on the database to move from ({users} connections): stop it first")
            await migrate(here, install)
            await migrate(there, install)
            tables = {row["name"]: list(row["columns"]) for row in await here.fetch(LIST_TABLES)}
            await refuse_rows(there, tables)
            parents = {row["parent"] for row in await here.fetch(LIST_PARENTS)}
            ordered = dict(sorted(tables.items(), key=lambda table: (table[0] not in parents, table[0])))
            async with here.transaction(isolation="repeatable_read"), there.transaction():
                return await _copy_all(here, there, ordered, progress)


class _Ends:
    """A connection to each, for as long as the block."""

    def __init__(self, source: Target, target: Target) -> None:
        self._targets = (source, target)
        self._made: list[Connection] = []

    async def __aenter__(self) -> tuple[Connection, Connection]:
        try:
            for each in self._targets:
                self._made.append(await each.connect("move", unbounded=True))
        except BaseException:
            await self.__aexit__()
            raise
        return self._made[0], self._made[1]

    async def __aexit__(self, *_: object) -> None:
        for each in self._made:
            await each.close()


async def _copy_all(
    here: Connection, there: Connection, tables: Mapping[str, list[str]], progress: Callable[[int], None]
) -> Moved:
    for connection in (here, there):
        try:
            await connection.execute(LOCK.format(tables=", ".join(f'tocsin."{name}"' for name in tables)))
        except asyncpg.LockNotAvailableError as error:
            raise StoreError("one of the two databases is in use, or they are the same") from error
    await refuse_rows(there, tables)
    copied = 0

    def told(size: int) -> None:
        nonlocal copied
        copied += size
        progress(copied)

    for name, columns in tables.items():
        await _copy(here, there, name, columns, told)
    before, after = await counts(here, tables), await counts(there, tables)
    if before != after:
        raise StoreError(f"not everything has arrived: {before} there were, {after} there are; nothing was kept")
    for name in tables:
        await there.execute(f'analyze tocsin."{name}"')
    return Moved(rows=after)


async def _copy(
    here: Connection, there: Connection, name: str, columns: list[str], told: Callable[[int], None]
) -> None:
    """One table, read ahead of being written by a few pieces."""
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(CHUNKS)

    async def read() -> None:
        try:
            await here.copy_from_table(
                name, schema_name="tocsin", columns=columns, format="binary", output=pieces.put, timeout=None
            )
        finally:
            await pieces.put(None)

    async def written() -> AsyncIterator[bytes]:
        while (piece := await pieces.get()) is not None:
            told(len(piece))
            yield piece

    reading = asyncio.create_task(read())
    try:
        await there.copy_to_table(
            name, schema_name="tocsin", columns=columns, format="binary", source=written(), timeout=None
        )
        await reading
    finally:
        reading.cancel()
        await asyncio.wait({reading})


async def refuse_rows(there: Connection, tables: Iterable[str], doing: str = "move") -> None:
    """Raises StoreError where one of these tables has rows."""
    for name, number in (await counts(there, tables)).items():
        if number:
            raise StoreError(f"the database to {doing} to is not empty: it has {number:,} rows in tocsin.{name}")


async def counts(connection: Connection, tables: Iterable[str]) -> dict[str, int]:
    """Rows by table."""
    found: dict[str, int] = {}
    for name in tables:
        found[name] = await connection.fetchval(f'select count(*) from tocsin."{name}"')  # noqa: S608  of the catalog
    return found
