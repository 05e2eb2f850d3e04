"""The queue's tables as far as we write them ourselves; everything else about them is PgQueuer's (engine.store.jobs).

The jobs of a batch of events are rows of the one statement that commits it (engine.store.commit): PgQueuer's own
enqueue would be a round trip of its own.
"""

from datetime import timedelta
from urllib.parse import urlsplit

from engine.model.delivery import Delivery
from engine.model.rule import Verb
from engine.store.connect import Pool
from engine.store.turns import Turns

# As PgQueuer's enqueue has it, without the row that its log keeps of each job that was queued. A job with a taker is
# picked from the start: that worker of this process begins it as soon as it is committed (engine.store.handoff).
INSERT_JOBS = """
    insert into tocsin_queue.pgqueuer (priority, entrypoint, payload, dedupe_key, headers, queue_manager_id, status)
    select
        priority, verb, convert_to(delivery, 'UTF8'), delivery, jsonb_build_object('lane', lane), taker,
        case when taker is null then 'queued' else 'picked' end::tocsin_queue.pgqueuer_status
    from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::integer[])
        as j (delivery, verb, lane, taker, priority)
    {where}
    on conflict do nothing
    returning id, dedupe_key
"""

DELETE_JOBS = "delete from tocsin_queue.pgqueuer where id = any($1::bigint[])"

# Jobs that go wrong or run again leave rows in the log for ever. An hour of them is kept to look at.
PRUNE = """
    delete from tocsin_queue.pgqueuer_log where id in (
        select id from tocsin_queue.pgqueuer_log where created < now() - $1::interval order by created limit $2
    )
"""

TURNS = Turns()
"""One a process, whoever makes its jobs."""

# After the clock was set back, jobs were made or picked "in the future": what is due would wait until the clock has
# come there again, and a dead worker's jobs would be nobody's for as long. They keep what they had still to wait.
FOLLOW_CLOCK = """
    update tocsin_queue.pgqueuer set
        execute_after = execute_after - (updated - now()), heartbeat = least(heartbeat, now()), updated = now()
    where status in ('queued', 'picked') and updated > now() + interval '5 seconds'
"""

LOG_KEPT = timedelta(hours=1)
PRUNE_BATCH = 5_000
PRUNE_BATCHES = 20


async def prune(pool: Pool) -> None:
    """Delete what is old in the queue's log, in short statements and a bounded number of them."""
    for _ in range(PRUNE_BATCHES):
        if await pool.execute(PRUNE, LOG_KEPT, PRUNE_BATCH) < PRUNE_BATCH:
            return


async def follow_clock(pool: Pool) -> None:
    """Where the database's clock was set back, let no job wait for it."""
    await pool.execute(FOLLOW_CLOCK)


def kind(delivery: Delivery) -> str:
    """The class of jobs that a delivery is of.

    What is read for rules goes with all else that goes to Stripe: each class has a manager of its own, and every one of
    them is woken by every commit that leaves jobs.
    """
    return kind_of(delivery.verb)


def kind_of(verb: Verb) -> str:
    """The class of jobs of that verb's deliveries."""
    return Verb.STRIPE if verb is Verb.FETCH else verb


def lane(delivery: Delivery) -> str:
    """What hangs together: a channel with all its recipients, a host, a name in the configuration."""
    if "://" in delivery.destination:
        return urlsplit(delivery.destination).netloc
    return delivery.destination.partition("/")[0]


def priority(delivery: Delivery) -> int:
    """What its job is to be queued with; to be asked once a job."""
    return TURNS.priority(delivery.account, lane(delivery))
