"""How the database and the queue are: what is due is seen whether it has a job or not."""

from datetime import timedelta

from engine.store import Store
from engine.store.connect import Target
from engine.store.health import DELIVERY_AGE, TIMER_AGE, health
from tests.store.plans import Database
from tests.store.working import commit


async def test_it_sees_what_is_due_and_has_no_job(store: Store, look: Database) -> None:
    """As after a restore, until somebody works: jobs are made anew by those who do."""
    first, second = await commit(store, 2)
    await look.execute("delete from tocsin_queue.pgqueuer")
    await look.execute("update tocsin.deliveries set next_attempt = now() - interval '1 minute' where id = $1", first)
    await look.execute("update tocsin.deliveries set next_attempt = now() + interval '1 minute' where id = $1", second)
    age = (await store.health()).queue_age
    assert list(age) == ["callback"]
    assert timedelta(seconds=60) <= age["callback"] < timedelta(seconds=90)
    await look.execute("update tocsin.deliveries set next_attempt = now() + interval '1 minute'")
    assert (await store.health()).queue_age == {}, "one that waits for its next attempt, a breaker or a rate is not due"


async def test_it_sees_what_is_in_the_hands_of_a_dead_worker_and_not_what_is_being_attempted(
    store: Store, look: Database
) -> None:
    await commit(store, 1)
    await look.execute("update tocsin.deliveries set next_attempt = now() - interval '1 minute'")
    await look.execute("update tocsin_queue.pgqueuer set status = 'picked', heartbeat = now()")
    assert (await store.health()).queue_age == {}
    await look.execute("update tocsin_queue.pgqueuer set heartbeat = now() - interval '11 seconds'")
    assert list((await store.health()).queue_age) == ["callback"]


async def test_it_sees_timers_that_are_due(store: Store, look: Database) -> None:
    """Digests, escalations, reminders and absences, where no process works."""
    timer = (
        "insert into tocsin.timers (id, rule, part, key, due, livemode) values ($1, 'r', 'p', 'k', now() + $2, true)"
    )
    await look.execute(timer, "later", timedelta(minutes=1))
    assert (await store.health()).queue_age == {}
    await look.execute(timer, "late", timedelta(minutes=-1))
    age = (await store.health()).queue_age
    assert list(age) == ["timers"]
    assert timedelta(seconds=60) <= age["timers"] < timedelta(seconds=90)


async def test_it_is_asked_of_indexes(look: Database) -> None:
    """However much is stored, and however much of it is pending and put off."""
    columns = "id, rule, revision, step, verb, destination, livemode, needs, attempts, created"
    await look.execute(
        f"insert into tocsin.deliveries ({columns}, status, next_attempt) "
        "select 'dlv_' || n, 'r', '', 's', 'callback', 'd', true, '{}', 0, now(), "
        "case when n % 2 = 0 then 'pending' else 'delivered' end, now() + interval '1 hour' "
        "from generate_series(1, 20000) as n"
    )
    await look.execute("analyze tocsin.deliveries")
    for sql, given, index in ((DELIVERY_AGE, [timedelta()], "deliveries_due"), (TIMER_AGE, [], "timers_due")):
        plan = str(await look.rows(f"explain {sql}", *given))
        assert index in plan
        assert "Seq Scan on deliveries" not in plan


async def test_it_knows_that_nothing_can_be_written(database: str, store: Store, look: Database) -> None:
    assert (await store.health()).read_only is None
    (name,) = (await look.rows("select current_database()"))[0]
    await look.execute(f'alter database "{name}" set default_transaction_read_only = on')
    pool = await Target.from_url(database).pool("work", 1)
    assert (await health(pool)).read_only == "its transactions are read-only"
    await pool.close()
