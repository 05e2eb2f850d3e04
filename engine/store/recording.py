"""What is written of deliveries while they are attempted: the request that stands for each, and how attempts ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.model.delivery import DeliveryStatus
from engine.store.connect import Connection, Pool, Record

# The first rendering stays: what was once tried under a delivery's id is what its id stands for. Returned is what is
# kept where that is another than was given, null where it is the same.
SET_REQUESTS = """
    update tocsin.deliveries d set request = coalesce(d.request, r.request)
    from unnest($1::text[], $2::text[]) as r (id, request)
    where d.id = r.id
    returning d.id, nullif(d.request, r.request) as kept
"""

# Two steps of one firing may end at once, and a third may wait for both. Whoever ends a step locks all deliveries of
# the firing, in the order of their ids: the second sees what the first recorded, and one of them releases the third.
LOCK_SIBLINGS = """
    select * from tocsin.deliveries
    where id = $1 or firing = (select firing from tocsin.deliveries where id = $1)
    order by id
    for update
"""

# Numbered here, not by the caller: two workers may have tried at once, and both tries are on record.
RECORD_ATTEMPT = """
    insert into tocsin.attempts (delivery, number, started, duration, outcome, reason, status, excerpt)
    select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 from tocsin.attempts where delivery = $1
"""

# The row is locked by LOCK_SIBLINGS. What has ended stays so, but for a late success of what was given up.
RECORD_DELIVERY = """
    update tocsin.deliveries set
        attempts = attempts + 1,
        first_attempt = case when $3 = 'held' then first_attempt else coalesce(first_attempt, $2) end,
        status = case when is_open then $3 else status end,
        reason = case when is_open then $4 else reason end,
        next_attempt = case when is_open then $5 else next_attempt end,
        result = case when is_open then $6 else result end,
        finished = case when is_open then $7 else finished end
    from (
        select id as same, status in ('pending', 'waiting') or $3 = 'delivered' and status <> 'delivered' as is_open
        from tocsin.deliveries
        where id = $1
    ) as before
    where id = same
    returning is_open
"""

# What RECORD_DELIVERY and RECORD_ATTEMPT do, for many deliveries that nothing waits for, in one statement.
# Each row is judged as it is once it is locked. Rows are locked in the order of the group where the plan is the nested
# loop that it always is here; were it not, a deadlock would have the group written one by one. A second worker that
# recorded meanwhile has taken an attempt's number: then, too.
IS_OPEN = "(d.status in ('pending', 'waiting') or (t.becomes = 'delivered' and d.status <> 'delivered'))"
RECORD_MANY = f"""
    with tried as (
        select * from unnest(
            $1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[],
            $8::interval[], $9::text[], $10::text[], $11::integer[], $12::text[]
        ) as t (
            delivery, started, becomes, left_for, due, result, finished, duration, outcome, reason, status, excerpt
        )
    ), recorded as (
        update tocsin.deliveries d set
            attempts = d.attempts + 1,
            first_attempt =
                case when t.becomes = 'held' then d.first_attempt else coalesce(d.first_attempt, t.started) end,
            status = case when {IS_OPEN} then t.becomes else d.status end,
            reason = case when {IS_OPEN} then t.left_for else d.reason end,
            next_attempt = case when {IS_OPEN} then t.due else d.next_attempt end,
            result = case when {IS_OPEN} then t.result else d.result end,
            finished = case when {IS_OPEN} then t.finished else d.finished end
        from tried t
        where d.id = t.delivery
        returning t.delivery, t.started, t.duration, t.outcome, t.reason, t.status, t.excerpt
    )
    insert into tocsin.attempts (delivery, number, started, duration, outcome, reason, status, excerpt)
    select
        delivery, coalesce((select max(number) from tocsin.attempts a where a.delivery = recorded.delivery), 0) + 1,
        started, duration, outcome, reason, status, excerpt
    from recorded
"""  # noqa: S608  its parts are constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt, and what becomes of its delivery: texts as they are stored, `result` as JSON."""

    delivery: str
    started: datetime
    becomes: DeliveryStatus
    left_for: str | None
    due: datetime | None
    result: str | None
    finished: datetime | None
    duration: timedelta
    outcome: str
    reason: str | None
    status: int | None
    excerpt: str | None

    @property
    def change(self) -> tuple[object, ...]:
        """What RECORD_DELIVERY takes after the id and the start."""
        return (self.becomes, self.left_for, self.due, self.result, self.finished)

    @property
    def attempt(self) -> tuple[object, ...]:
        """What RECORD_ATTEMPT takes after the id and the start."""
        return (self.duration, self.outcome, self.reason, self.status, self.excerpt)


async def set_requests(pool: Pool, requests: Sequence[tuple[str, str | None]]) -> list[str | None]:
    """Keep what was rendered for each of those deliveries; what is kept, None where there is no such delivery."""
    rows = await pool.fetch(SET_REQUESTS, [delivery for delivery, _ in requests], [request for _, request in requests])
    kept = {row["id"]: row["kept"] for row in rows}
    return [kept[delivery] or request if delivery in kept else None for delivery, request in requests]


async def record_many(pool: Pool, tried: Sequence[Tried]) -> list[None]:
    """Record attempts of as many deliveries, none of which others wait for."""
    rows = [(each.delivery, each.started, *each.change, *each.attempt) for each in tried]
    await pool.execute(RECORD_MANY, *map(list, zip(*rows, strict=True)))
    return [None] * len(tried)


async def record_locked(connection: Connection, tried: Tried) -> tuple[Sequence[Record], bool]:
    """Record an attempt with all deliveries of its firing locked: those, as they stood, and whether this changed."""
    siblings = await connection.fetch(LOCK_SIBLINGS, tried.delivery)
    changed = await connection.fetchval(RECORD_DELIVERY, tried.delivery, tried.started, *tried.change)
    await connection.execute(RECORD_ATTEMPT, tried.delivery, tried.started, *tried.attempt)
    return siblings, bool(changed)
