"""Too few connections are told at the start, with what to change."""

import asyncpg
import pytest
from structlog.testing import capture_logs

from engine.errors import StoreUnavailable
from engine.store import Store
from engine.store.capacity import OWN, capacity
from engine.store.connect import Target
from tests.store.plans import Database


async def test_a_process_that_can_never_have_its_connections_does_not_start(database: str, look: Database) -> None:
    connection = await asyncpg.connect(database)
    most = (await capacity(connection, 1)).most
    await connection.close()
    with pytest.raises(
        StoreUnavailable, match=rf"allows {most} connections, and a process needs up to {most + OWN} "
    ) as e:
        await Store.connect(Target.from_url(database), pool_size=most)
    assert e.value.lasting


async def test_a_limit_of_the_database_itself_counts(database: str, look: Database) -> None:
    (name,) = (await look.rows("select current_database()"))[0]
    await look.execute(f'alter database "{name}" connection limit 9')
    connection = await asyncpg.connect(database)
    with capture_logs() as logs:
        found = await capacity(connection, 9 - OWN)
    await connection.close()
    assert (found.most, found.needed) == (9, 9)
    assert [each["event"] for each in logs] == ["connections_scarce"]
    with pytest.raises(StoreUnavailable, match="allows 9 connections"):
        await Store.connect(Target.from_url(database), pool_size=8)


async def test_a_command_asks_for_no_more_than_it_uses(database: str, look: Database) -> None:
    """A listing has no use for the connections of a process that serves, and does not warn of too few."""
    (name,) = (await look.rows("select current_database()"))[0]
    await look.execute(f'alter database "{name}" connection limit 9')
    with capture_logs() as logs:
        store = await Store.connect(Target.from_url(database), pool_size=8, serves=False)
    assert await store.deliveries.ls() == []
    await store.close()
    assert logs == []
