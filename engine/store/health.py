"""How the database and the queue are, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from engine.model.delivery import DeliveryStatus
from engine.store.connect import Pool

# The oldest job that is due and not yet begun, of each class: from an index, however long the queue.
QUEUE_AGE = """
    select kind, now() - (
        select min(execute_after) from tocsin_queue.pgqueuer
        where entrypoint = kind and status = 'queued' and execute_after <= now()
    ) as age
    from unnest(array['notify', 'callback', 'stripe', 'internal']) as kind
"""

# Out of the index deliveries_status alone.
COUNT_DELIVERIES = """
    select status, count(*) as count from tocsin.deliveries
    where status in ('pending', 'dead', 'held')
    group by status
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`queue_age`: of each class of jobs with something due, for how long its oldest has been due.

    `pending`, `dead` and `held` count deliveries.
    """

    queue_age: Mapping[str, timedelta]
    pending: int
    dead: int
    held: int


async def health(pool: Pool) -> Health:
    """The numbers of this moment."""
    ages = {row["kind"]: row["age"] for row in await pool.fetch(QUEUE_AGE) if row["age"] is not None}
    counts = {row["status"]: row["count"] for row in await pool.fetch(COUNT_DELIVERIES)}
    return Health(
        queue_age=ages,
        pending=counts.get(DeliveryStatus.PENDING, 0),
        dead=counts.get(DeliveryStatus.DEAD, 0),
        held=counts.get(DeliveryStatus.HELD, 0),
    )
