"""How the database and the queue are, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from engine.model.delivery import DeliveryStatus
from engine.model.rule import Verb
from engine.store.connect import Pool, Record
from engine.store.queue import kind_of

# The oldest job that is due and not yet begun, of each class: from an index, however long the queue.
QUEUE_AGE = """
    select kind, now() - (
        select min(execute_after) from tocsin_queue.pgqueuer
        where entrypoint = kind and status = 'queued' and execute_after <= now()
    ) as age
    from unnest(array['notify', 'callback', 'stripe', 'internal']) as kind
"""

# The delivery that has been due for longest and is in nobody's hands: it may have no job, and nobody who would give it
# one. From the index deliveries_due, past those that are being attempted: a few hundred, whatever there is. What waits
# for a breaker or for its turn at a rate is not due. A job whose worker is dead is in nobody's hands.
DELIVERY_AGE = """
    select verb, now() - next_attempt as age from tocsin.deliveries d
    where status = 'pending' and next_attempt <= now()
      and not exists (
          select from tocsin_queue.pgqueuer j
          where j.dedupe_key = d.id and j.status = 'picked' and j.heartbeat > now() - $1::interval
      )
    order by next_attempt
    limit 1
"""

TIMER_AGE = "select now() - min(due) from tocsin.timers"

READ_ONLY = "select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only"

DEAD_AFTER = timedelta(seconds=10)
"""A job that gave no sign of life for so long has no worker: one that lives would have been given it by then."""

# Out of the index deliveries_status alone.
COUNT_DELIVERIES = """
    select status, count(*) as count from tocsin.deliveries
    where status in ('pending', 'dead', 'held')
    group by status
"""


TIMERS = "timers"
"""What the age of timers is called among those of classes of jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`queue_age`: of each class of jobs with something due, for how long its oldest has been due, whether it has a job
    or not; `timers`: the same of what rules wait for.

    `pending`, `dead` and `held` count deliveries. `read_only` says why nothing can be written, None: it can.
    """

    queue_age: Mapping[str, timedelta]
    read_only: str | None = None
    pending: int
    dead: int
    held: int


async def health(pool: Pool) -> Health:
    """The numbers of this moment."""
    ages = {row["kind"]: row["age"] for row in await pool.fetch(QUEUE_AGE) if row["age"] is not None}
    oldest = await pool.first(DELIVERY_AGE, DEAD_AFTER)
    if oldest is not None:
        kind = kind_of(Verb(oldest["verb"]))
        ages[kind] = max(oldest["age"], ages.get(kind, oldest["age"]))
    timers = await pool.value(TIMER_AGE)
    if timers is not None and timers > timedelta():
        ages[TIMERS] = timers
    counts = {row["status"]: row["count"] for row in await pool.fetch(COUNT_DELIVERIES)}
    return Health(
        queue_age=ages,
        read_only=_read_only(await pool.first(READ_ONLY)),
        pending=counts.get(DeliveryStatus.PENDING, 0),
        dead=counts.get(DeliveryStatus.DEAD, 0),
        held=counts.get(DeliveryStatus.HELD, 0),
    )


def _read_only(found: Record | None) -> str | None:
    if found is None or not found["read_only"]:
        return None
    return "it is a standby" if found["standby"] else "its transactions are read-only"
