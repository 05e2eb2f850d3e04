"""The schema: made once, however many start at once, and never by older code over newer."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta

import asyncpg
import pytest

from engine.errors import SchemaTooNew
from engine.model.delivery import NOTHING
from engine.store import Store, migrate
from engine.store.connect import Target
from tests.builders import event
from tests.store.conftest import ROOT
from tests.store.plans import REVISION, Database, plan


async def test_many_that_start_at_once_migrate_once(empty_database: str) -> None:
    """Six processes on an empty database: one migrates, the others wait for it, all of them work."""
    stores = await asyncio.gather(*(Store.connect(Target.from_url(empty_database)) for _ in range(6)))
    try:
        for each in stores:
            assert await each.committer.commit(event(), NOTHING, REVISION)
        connection = await asyncpg.connect(empty_database)
        applied = [row["number"] for row in await connection.fetch(migrate.READ_APPLIED)]
        await connection.close()
        assert applied == [number for number, _, _ in migrate.migrations()]
    finally:
        for each in stores:
            await each.close()


async def test_opening_again_keeps_what_is_there(database: str, store: Store, second: Store) -> None:
    """A migrated database is left as it is."""
    sent = event()
    await store.committer.commit(sent, NOTHING, REVISION)
    assert await second.events.get(sent.id) == sent


async def test_a_newer_schema_is_refused(database: str, look: Database) -> None:
    """Older code does not touch what newer code has made, and says which to run."""
    await look.execute("insert into tocsin.migrations (number, name) values (9999, '9999_tomorrow.sql')")
    with pytest.raises(SchemaTooNew, match="at migration 9999"):
        await Store.connect(Target.from_url(database))


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each migration is one transaction, and the next start tries it again."""
    whole = migrate.migrations()
    broken = [*whole, (9000, "9000_broken.sql", "create table tocsin.half (); select no_such_thing")]
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: broken)
        with pytest.raises(asyncpg.UndefinedColumnError):
            await Store.connect(Target.from_url(empty_database))
    store = await Store.connect(Target.from_url(empty_database))
    assert await store.committer.commit(event(), NOTHING, REVISION)
    await store.close()


def test_migrations_are_numbered_without_a_gap() -> None:
    """Two branches that both add number 7 are noticed here."""
    numbers = [number for number, _, _ in migrate.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


HOSTILE = {
    "CHANNEL": "elsewhere",
    "FUNCTION": "fn_elsewhere",
    "STATISTICS_TABLE": "stats_elsewhere",
    "QUEUE_STATUS_TYPE": "type_elsewhere",
    "QUEUE_TABLE": "queue_elsewhere",
    "QUEUE_TABLE_LOG": "log_elsewhere",
    "TRIGGER": "trigger_elsewhere",
    "SCHEDULES_TABLE": "schedules_elsewhere",
    "DURABILITY": "volatile",
    "WIDEN_ID": "no",
}


async def test_the_environment_does_not_rename_or_weaken_the_queue(empty_database: str) -> None:
    """PgQueuer reads bare names like CHANNEL and DURABILITY; whoever has them set has not meant us."""
    hostile = {f"{prefix}{name}": value for name, value in HOSTILE.items() for prefix in ("", "PGQUEUER_")}
    environment = {**os.environ, **hostile, "PGQUEUER_SCHEMA": "elsewhere", "PGQUEUER_PREFIX": "x_"}
    script = (
        "import asyncio, sys\nfrom tests.store.test_migrate import work_once\nasyncio.run(work_once(sys.argv[1]))\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, empty_database],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    handled, deliveries = json.loads(done.stdout.splitlines()[-1])
    assert handled == deliveries
    connection = await asyncpg.connect(empty_database)
    try:
        tables = await connection.fetch(
            "select relname, relpersistence::text as kept from pg_class join pg_namespace n on n.oid = relnamespace "
            "where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema', 'tocsin') "
            "and nspname not like 'pg_toast%'"
        )
        assert {row["relname"] for row in tables} == {
            "pgqueuer",
            "pgqueuer_log",
            "pgqueuer_statistics",
            "pgqueuer_schedules",
        }
        assert {row["kept"] for row in tables if row["relname"] == "pgqueuer"} == {"p"}
    finally:
        await connection.close()


async def work_once(url: str) -> None:
    """In a process of its own: commit an event with its job, run the job, and print what was handled."""
    store = await Store.connect(Target.from_url(url))
    sent = event()
    wanted = plan(sent)
    await store.committer.commit(sent, wanted, REVISION)
    handled: list[str] = []
    stop = asyncio.Event()

    async def handle(delivery: str) -> None:
        handled.append(delivery)
        stop.set()

    async with asyncio.timeout(20):
        await store.jobs.run({"callback": handle}, stop, timedelta(seconds=5))
    await store.close()
    print(json.dumps([handled, [d.id for d in wanted.deliveries]]))
