"""Opening, recovering and closing the whole store."""

import asyncio
import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest

from engine.errors import StoreUnavailable
from engine.model.delivery import NOTHING
from engine.settings import Settings, load_settings
from engine.store import Store
from engine.store.capacity import WRITING
from engine.store.connect import Target, Timeouts
from tests.builders import event
from tests.store.conftest import postmaster, running
from tests.store.plans import REVISION, Database, plan


@pytest.fixture
def settings(data: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings without a configuration, on a data folder of this test's."""
    monkeypatch.chdir(data)
    return replace(load_settings(), data=data)


async def test_the_default_settings_open_a_database_of_our_own(settings: Settings) -> None:
    """Started on opening, stopped on closing, and everything kept in between."""
    sent = event()
    store = await Store.open(settings)
    assert await store.committer.commit(sent, plan(sent), REVISION)
    await store.close()
    assert not running(settings.data)
    store = await Store.open(settings)
    assert await store.events.get(sent.id) == sent
    await store.close()
    assert not running(settings.data)


async def test_a_database_that_dies_is_brought_back_and_everything_goes_on(settings: Settings) -> None:
    """SIGKILL of the postmaster: commits wait and succeed, jobs run, queries work, and nothing is lost."""
    store = await Store.open(settings)
    before, after = event(), event()
    missing = {plan(sent).deliveries[0].id for sent in (before, after)}
    both, stop = asyncio.Event(), asyncio.Event()

    async def handle(delivery: str) -> None:
        missing.discard(delivery)
        if not missing:
            both.set()

    running_jobs = asyncio.create_task(store.jobs.run({"callback": handle}, stop, timedelta(seconds=5)))
    try:
        assert await store.committer.commit(before, plan(before), REVISION)
        os.kill(postmaster(settings.data), signal.SIGKILL)
        assert await store.committer.commit(after, plan(after), REVISION)
        await asyncio.wait_for(both.wait(), 10)
        assert await asyncio.wait_for(_found(store, before.id), 20) == before
    finally:
        stop.set()
        await running_jobs
        await store.close()
    assert not running(settings.data)


async def _found(store: Store, event_id: str) -> object:
    """The event, as soon as the database answers: backends may outlive their postmaster for a moment."""
    while True:
        try:
            return await store.events.get(event_id)
        except StoreUnavailable:
            await asyncio.sleep(0.1)


async def test_a_database_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    """The reason, without a password."""
    target = Target.from_url(f"postgresql://kim:hunter2@/db?host={tmp_path}", Timeouts(connect=timedelta(seconds=1)))
    with pytest.raises(StoreUnavailable, match="cannot be used") as caught:
        await Store.connect(target)
    assert "hunter2" not in f"{caught.value!r} {target!r}"


@pytest.mark.parametrize("url", ["postgresql://u:[hunter2]x@h/d", "postgresql://u:p@x:hunter2@h", "postgresql://h,/d"])
async def test_a_url_that_cannot_be_read_is_said_without_any_of_it(url: str) -> None:
    """Whatever asyncpg makes of it."""
    with pytest.raises(StoreUnavailable, match=r"store\.url, or a PG\* variable, cannot be read") as caught:
        await Store.connect(Target.from_url(url))
    assert caught.value.lasting
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_which_of_several_hosts_to_take_is_said_by_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of libpq is read by asyncpg alone."""
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "rw")
    with pytest.raises(StoreUnavailable, match=r"target_session_attrs is one of any, primary, .*read-write, read-only"):
        await Store.connect(Target.from_url("postgresql://h/d"))


async def test_a_wrong_role_or_database_is_unavailable_not_a_crash(database: str) -> None:
    """PostgreSQL's own words reach the reader."""
    with pytest.raises(StoreUnavailable, match="no_such_db"):
        await Store.connect(Target.from_url(database.replace("/tocsin_test_", "/no_such_db_")))


async def test_a_query_that_takes_too_long_is_cut(database: str) -> None:
    """A lock that somebody holds cannot hold a worker for ever."""
    store = await Store.connect(Target.from_url(database, Timeouts(statement=timedelta(seconds=0.3))))
    holder = await asyncpg.connect(database)
    try:
        await holder.execute("begin; lock table tocsin.revisions in access exclusive mode")
        with pytest.raises(StoreUnavailable):
            await store.revisions.last_good()
        await holder.execute("rollback")
        assert await store.revisions.last_good() == {}
    finally:
        await holder.close()
        await store.close()


async def test_the_bounds_of_the_settings_hold(settings: Settings, database: str) -> None:
    """The connections and the times come from the configuration."""
    short = replace(
        settings,
        store=replace(settings.store, url=database, connections=1, statement_timeout=timedelta(seconds=7)),
        receive=replace(settings.receive, commit_timeout=timedelta(seconds=2)),
    )
    store = await Store.open(short)
    try:
        assert await store._pool.value("show statement_timeout") == "7s"
        assert store._pool._pool.get_max_size() == 1
        assert store.committer._patience == 2
        assert await store.committer.commit(event(), NOTHING, REVISION)
    finally:
        await store.close()


async def test_whoever_attempts_deliveries_holds_what_it_records_them_on(store: Store, look: Database) -> None:
    """Before the first is attempted: when the database has no connection to spare later, there still are these."""
    count = "select count(*) as held from pg_stat_activity where application_name = 'tocsin deliveries'"
    [before] = await look.rows(f"{count} and datname = current_database()")
    await store.stand_by()
    [after] = await look.rows(f"{count} and datname = current_database()")
    assert (before["held"], after["held"]) == (0, WRITING)


async def test_of_several_hosts_the_first_that_serves_is_taken(database: str) -> None:
    """libpq's form for a failover: one is away, the other may be written to."""
    parts = urlsplit(database)
    there = parse_qs(parts.query)["host"][0] if parts.query else parts.hostname or ""
    user = parts.netloc.rpartition("@")[0]
    hosts = f"127.0.0.1:1,{quote(there, safe='')}:{parts.port or 5432}"
    store = await Store.connect(
        Target.from_url(f"postgresql://{user}@{hosts}{parts.path}?target_session_attrs=read-write")
    )
    try:
        assert await store.health()
    finally:
        await store.close()
