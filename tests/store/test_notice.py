"""Workers of other processes are told of what is queued, and of nothing else."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.model.delivery import Delivery, Plan
from engine.model.rule import Verb
from engine.store import Store, adapter, notice
from tests.builders import event
from tests.store.plans import REVISION, Database, delivery, firing, until
from tests.store.test_handoff import Deliverer, working
from tests.store.working import emptied


@pytest.fixture
async def heard(database: str, store: Store) -> AsyncIterator[list[frozenset[str]]]:
    """The classes of jobs that were told of, notice by notice."""
    found: list[frozenset[str]] = []
    connection = await asyncpg.connect(database)
    await connection.add_listener(notice.CHANNEL, lambda *told: found.append(notice.kinds(told[3])))
    yield found
    await connection.close()


async def commit(store: Store, *verbs: Verb) -> list[Delivery]:
    """A delivery of each of those verbs, of one event."""
    sent = event()
    fired = firing(sent)
    made = tuple(delivery(fired, f"step-{n}", verb=verb) for n, verb in enumerate(verbs))
    assert await store.committer.commit(sent, Plan(firings=(fired,), deliveries=made), REVISION)
    return list(made)


async def test_what_a_process_takes_itself_nobody_else_is_told_of(
    store: Store, look: Database, heard: list[frozenset[str]]
) -> None:
    """Neither when it is committed nor when it is done. What is queued afterwards ends the wait for a notice."""
    handle = Deliverer(store, look)
    async with working(store, handle):
        await commit(store, Verb.CALLBACK, Verb.CALLBACK)
        await handle.reach(2)
        assert await emptied(look)
        await commit(store, Verb.NOTIFY)

        async def told() -> bool:
            return bool(heard)

        assert await until(told)
    assert set(handle.statuses) == {"picked"}
    assert heard == [{Verb.NOTIFY}]


async def test_a_notice_names_the_classes_that_have_something_new(store: Store, heard: list[frozenset[str]]) -> None:
    """One for all that is committed at once."""
    await commit(store, Verb.NOTIFY, Verb.CALLBACK, Verb.NOTIFY)

    async def told() -> bool:
        return bool(heard)

    assert await until(told)
    assert heard == [{Verb.NOTIFY, Verb.CALLBACK}]


async def test_pgqueuers_own_trigger_stays_silent(
    database: str, store: Store, look: Database, heard: list[frozenset[str]]
) -> None:
    """Also when an upgrade of PgQueuer has made it anew; ours is made once."""
    await look.execute("alter table tocsin_queue.pgqueuer enable trigger tg_pgqueuer_changed")
    connection = await asyncpg.connect(database)
    try:
        await adapter.install(connection)
        await adapter.install(connection)
    finally:
        await connection.close()
    await commit(store, Verb.CALLBACK)
    await look.execute("delete from tocsin_queue.pgqueuer")
    await commit(store, Verb.NOTIFY)

    async def told() -> bool:
        return len(heard) > 1

    assert await until(told)
    assert heard == [{Verb.CALLBACK}, {Verb.NOTIFY}]
