"""The cap over what rules may change at Stripe: so many writes of an operation in so long, over all processes."""

from datetime import datetime, timedelta

from engine.store.connect import Pool

# One operation's claims are made one after another, or two processes could both see the last free place.
LOCK_OPERATION = "select pg_advisory_xact_lock(hashtextextended('tocsin.writes ' || $1, 0))"

IS_CLAIMED = "select true from tocsin.writes where delivery = $1"

COUNT_CLAIMS = """
    select count(*) from tocsin.writes where operation = $1 and claimed > $2 and claimed <= $3 and not released
"""

CLAIM = "insert into tocsin.writes (delivery, operation, claimed) values ($1, $2, $3)"


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
    ) -> bool:
        """Whether this delivery may write: it has claimed before, was released by a person, or is within the cap.

        The cap is `max` claims in any `every` that ends now.
        """
        async with self._pool.transaction() as connection:
            await connection.execute(LOCK_OPERATION, operation)
            if await connection.fetchval(IS_CLAIMED, delivery_id):
                return True
            if await connection.fetchval(COUNT_CLAIMS, operation, now - every, now) >= max:
                return False
            await connection.execute(CLAIM, delivery_id, operation, now)
            return True
