"""Everything stored can be taken elsewhere: to another PostgreSQL, or to a file and back, and nothing is missing."""

import asyncio
import re
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from engine.errors import SchemaTooNew, StoreError
from engine.model.delivery import DeliveryStatus
from engine.model.rule import Verb
from engine.store import Store
from engine.store.adapter import install
from engine.store.connect import Target
from engine.store.dump import DATE_WRITES, HOLD_WRITES, backup, restore
from engine.store.embedded import Address, EmbeddedServer
from engine.store.migrate import migrate
from engine.store.move import move
from engine.stripe_api.operations import operations
from tests.builders import event
from tests.store.conftest import ROOT
from tests.store.plans import REVISION, Database, attempt, plan, until

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


async def fill(database: str, events: int = 3) -> list[str]:
    """Events, each with a delivery: the first was attempted. The keys of the events."""
    store = await Store.connect(Target.from_url(database))
    sent = [event(account=f"acct_{number}") for number in range(events)]
    plans = [plan(each) for each in sent]
    await asyncio.gather(*(store.committer.commit(e, p, REVISION) for e, p in zip(sent, plans, strict=True)))
    tried = plans[0].deliveries[0]
    await store.deliveries.record(
        tried.id,
        attempt(tried, excerpt="ü\\N\t"),
        status=DeliveryStatus.DEAD,
        reason="no",
        next_attempt=None,
        result=None,
    )
    await store.close()
    return [each.dedupe_key for each in sent]


async def test_everything_arrives_at_another_database(database: str, empty_database: str) -> None:
    """And what was due is due there."""
    keys = await fill(database)
    copied: list[int] = []
    moved = await move(Target.from_url(database), Target.from_url(empty_database), copied.append)
    assert moved.rows["events"] == moved.rows["deliveries"] == 3
    assert moved.rows["attempts"] == 1
    assert copied == sorted(copied)
    assert copied[-1] > 1000
    there = await Store.connect(Target.from_url(empty_database))
    try:
        for key in keys:
            found = await there.events.get(key)
            assert found is not None
            assert found.body == event(id=found.id, account=found.account).body
        assert await there.deliveries.sweep() == 2
    finally:
        await there.close()


async def test_nothing_is_moved_to_where_something_is(database: str, empty_database: str) -> None:
    await fill(database)
    await fill(empty_database, 1)
    with pytest.raises(StoreError, match="not empty: it has 1 rows in"):
        await move(Target.from_url(database), Target.from_url(empty_database))
    with pytest.raises(StoreError, match="not empty"):
        await move(Target.from_url(database), Target.from_url(database))


async def test_nothing_is_moved_while_tocsin_runs(store: Store, database: str, empty_database: str) -> None:
    await store.health()
    with pytest.raises(StoreError, match="is running on the database to move from"):
        await move(Target.from_url(database), Target.from_url(empty_database))


async def test_there_has_to_be_something_to_move(database: str, empty_database: str) -> None:
    with pytest.raises(StoreError, match="there is nothing of Tocsin's"):
        await move(Target.from_url(empty_database), Target.from_url(database))


async def test_a_move_that_breaks_off_leaves_nothing(database: str, empty_database: str) -> None:
    """And can be made again."""
    await fill(database)
    connection = await asyncpg.connect(empty_database)
    await migrate(connection, install)
    await connection.execute("alter table tocsin.firings add constraint small check (rule = 'none')")
    with pytest.raises(asyncpg.CheckViolationError):
        await move(Target.from_url(database), Target.from_url(empty_database))
    assert await connection.fetchval("select count(*) from tocsin.attempts") == 0
    await connection.execute("alter table tocsin.firings drop constraint small")
    await connection.close()
    assert (await move(Target.from_url(database), Target.from_url(empty_database))).rows["firings"] == 3


async def test_a_backup_under_load_misses_nothing_that_was_acknowledged_before(folder: Path) -> None:
    """Backed up while events are committed, restored elsewhere, and what was to be delivered is."""
    first, second, file = folder / "first", folder / "second", folder / "tocsin.dump"
    server = EmbeddedServer(first)
    address = await server.start()
    store = await Store.connect(Target.from_address(address))
    acknowledged: list[str] = []

    async def load() -> None:
        while True:
            sent = event(account=f"acct_{len(acknowledged) % 7}")
            await store.committer.commit(sent, plan(sent), REVISION)
            acknowledged.append(sent.dedupe_key)

    async def more(number: int) -> bool:
        return len(acknowledged) >= number

    loads = [asyncio.create_task(load()) for _ in range(4)]
    try:
        await until(lambda: more(50))
        before = set(acknowledged)
        assert await backup(server, address, file) > 1000
        await until(lambda: more(len(before) + 50))
    finally:
        for each in loads:
            each.cancel()
        await asyncio.gather(*loads, return_exceptions=True)
        await store.close()
        await server.stop()
    assert file.stat().st_mode & 0o777 == 0o600
    await restored(second, file, before)


async def test_a_backup_of_a_newer_tocsin_is_refused_before_anything_is_restored(folder: Path) -> None:
    """And the database that was to take it takes another."""
    right, newer = folder / "right.dump", folder / "newer.dump"
    async with running(folder / "first") as (server, address):
        await (await Store.connect(Target.from_address(address))).close()
        await backup(server, address, right)
        connection = await Target.from_address(address).connect("look")
        await connection.execute("insert into tocsin.migrations values (9999, '9999_later.sql')")
        await connection.close()
        await backup(server, address, newer)
    async with running(folder / "second") as (server, address):
        with pytest.raises(SchemaTooNew, match=r"newer\.dump is at migration 9999"):
            await restore(server, address, newer)
        await (await Store.connect(Target.from_address(address))).close()
        assert (await restore(server, address, right)).rows["events"] == 0


WRITES = {
    # name: (operation, status, days since it was made, attempted then)
    "old": ("refunds.create", "pending", 2, False),
    "fresh": ("refunds.create", "pending", 0, False),
    "read": ("charges.retrieve", "pending", 2, False),
    "waiting": ("refunds.create", "waiting", 2, False),
    "held": ("refunds.create", "held", 2, False),
    "tried": ("refunds.create", "pending", 2, True),
    "done": ("refunds.create", "delivered", 2, True),
}


async def fill_writes(database: str) -> None:
    """Stripe calls of all kinds."""
    store = await Store.connect(Target.from_url(database))
    (planned,) = plan(sent := event()).deliveries
    now = datetime.now(UTC)
    made = [
        replace(
            planned,
            id=name,
            verb=Verb.STRIPE,
            destination=operation,
            status=DeliveryStatus(status),
            created=now - timedelta(days=days),
            first_attempt=now - timedelta(hours=1) if tried else None,
        )
        for name, (operation, status, days, tried) in WRITES.items()
    ]
    await store.committer.commit(sent, replace(plan(sent), deliveries=tuple(made)), REVISION)
    await store.close()


async def test_what_docs_say_holds_the_writes_that_may_have_been_made(database: str, look: Database) -> None:
    """As restoring the embedded database does; what the keys at Stripe still cover goes on."""
    await fill_writes(database)
    for statement in (DATE_WRITES, HOLD_WRITES):
        told = textwrap.dedent(statement).strip()
        assert f"{told};" in OPERATIONS
        await look.execute(told)
    rows = {row["id"]: row for row in await look.rows("select * from tocsin.deliveries")}
    assert {name: row["status"] for name, row in rows.items()} == {
        name: "held" if name == "old" else status for name, (_, status, _, _) in WRITES.items()
    }
    assert "it may have been made since" in rows["old"]["reason"]
    assert rows["old"]["next_attempt"] is None
    for name in ("old", "fresh", "waiting", "held"):
        assert rows[name]["first_attempt"] == rows[name]["created"]
    assert rows["tried"]["first_attempt"] > rows["tried"]["created"]


def test_reads_are_told_from_writes_by_their_names() -> None:
    """By those that the SDK has."""
    (pattern,) = re.findall(r"!~ '(.*)'", HOLD_WRITES)
    assert [name for name, each in operations().items() if bool(re.search(pattern, name)) is each.is_write] == []


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[tuple[EmbeddedServer, Address]]:
    """A server on that folder."""
    server = EmbeddedServer(data)
    try:
        yield server, await server.start()
    finally:
        await server.stop()


async def restored(data: Path, file: Path, before: set[str]) -> None:
    """The file, read into a database of its own, has all of those and a job for each."""
    server = EmbeddedServer(data)
    address = await server.start()
    try:
        rows = (await restore(server, address, file)).rows
        store = await Store.connect(Target.from_address(address))
        try:
            assert rows["events"] == rows["deliveries"] >= len(before)
            assert before <= set(await store.events.many(sorted(before)))
            assert await store.deliveries.sweep() == rows["deliveries"]
            with pytest.raises(StoreError, match="Tocsin is running"):
                await restore(server, address, file)
        finally:
            await store.close()
        with pytest.raises(StoreError, match="not empty"):
            await restore(server, address, file)
        with pytest.raises(StoreError, match="is there already"):
            await backup(server, address, file)
        file.write_text("no backup")  # noqa: ASYNC240  two words
    finally:
        await server.stop()
    await refused(data.with_name("third"), file)


async def refused(data: Path, file: Path) -> None:
    """A file that is none of backup's leaves a database that can be used."""
    server = EmbeddedServer(data)
    address = await server.start()
    try:
        with pytest.raises(StoreError, match="pg_restore failed"):
            await restore(server, address, file)
        await (await Store.connect(Target.from_address(address))).close()
    finally:
        await server.stop()
