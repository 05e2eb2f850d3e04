"""The cap over what rules may change at Stripe: so many writes of an operation in so long, over all processes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.model.delivery import Delivery
from engine.store.connect import Connection, Pool

# One operation's claims are made one after another, or two processes could both see the last free place.
LOCK_OPERATION = "select pg_advisory_xact_lock(hashtextextended('tocsin.writes ' || $1, 0))"

SELECT_CLAIM = "select claimed from tocsin.writes where delivery = $1"

# Whoever claims read its clock before it had its turn, and clocks differ: what is claimed already is never later than
# now. Otherwise it would not count, or, if a clock was set far ahead, count for as long.
DATE_BACK_CLAIMS = "update tocsin.writes set claimed = $2 where operation = $1 and claimed > $2 and not released"

COUNT_CLAIMS = "select count(*) from tocsin.writes where operation = $1 and claimed > $2 and not released"

CLAIM = "insert into tocsin.writes (delivery, operation, claimed) values ($1, $2, $3)"

# A held write is let through, beyond the cap and not counted in it.
RELEASE_WRITE = """
    insert into tocsin.writes (delivery, operation, claimed, released)
    select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::boolean[])
    on conflict (delivery) do nothing
"""

# A write that begins anew may have been claimed long ago.
RENEW_CLAIMS = "update tocsin.writes set claimed = $2 where delivery = any($1)"

# A claim says since when its delivery may write, for as long as there is one.
FORGET_WRITES = """
    delete from tocsin.writes where delivery in (
        select delivery from tocsin.writes w
        where claimed < $1 and not exists (select from tocsin.deliveries d where d.id = w.delivery)
        limit $2
    )
"""


async def let_through(connection: Connection, held: Sequence[Delivery], now: datetime) -> None:
    """Let held writes pass their cap; part of the caller's transaction."""
    if held:
        ids, operations = [each.id for each in held], [each.destination for each in held]
        await connection.execute(RELEASE_WRITE, ids, operations, [now] * len(held), [True] * len(held))


async def renew(connection: Connection, writes: Sequence[Delivery], now: datetime) -> None:
    """Have writes count as claimed now, since they begin anew; part of the caller's transaction."""
    await connection.execute(RENEW_CLAIMS, [each.id for each in writes], now)


class Writes:
    """Claims on the caps. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(
        self,
        operation: str,
        delivery_id: str,
        *,
        max: int,  # noqa: A002  the word of the configuration
        every: timedelta,
        now: datetime,
    ) -> datetime | None:
        """Since when this delivery may write: it has claimed before, was released by a person, or is within the cap.
        None: it may not.

        The cap is `max` claims in any `every` that ends now; what is claimed already counts, also by a clock ahead.
        """
        async with self._pool.transaction() as connection:
            await connection.execute(LOCK_OPERATION, operation)
            claimed: datetime | None = await connection.fetchval(SELECT_CLAIM, delivery_id)
            if claimed is not None:
                return claimed
            await connection.execute(DATE_BACK_CLAIMS, operation, now)
            if await connection.fetchval(COUNT_CLAIMS, operation, now - every) >= max:
                return None
            await connection.execute(CLAIM, delivery_id, operation, now)
            return now
