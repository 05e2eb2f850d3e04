"""How destinations stand, shared between processes; and the deliveries that wait for one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.decide.breaker import Breaker, BreakerState, Counts
from engine.model.rule import Verb
from engine.store.columns import text
from engine.store.connect import Pool, Record

# What has been quiet for an hour is as good as unknown. `waiting`: whether a delivery waits for it to be let through.
SELECT_STANDING = """
    select *, exists (
        select from tocsin.deliveries d where d.gate = s.name and d.status = 'pending' and d.turn = d.next_attempt
    ) as waiting
    from tocsin.destinations s
    where state <> 'closed' or changed > now() - interval '1 hour'
"""

SELECT_ONE = "select *, false as waiting from tocsin.destinations where name = $1"

# Whoever changes a row names the version it has seen ($2, 0: none); of two that have seen the same, one changes it.
SAVE = """
    insert into tocsin.destinations as s (
        name, version, state, since, until, openings, began,
        requests, failures, earlier_requests, earlier_failures, reason, changed
    )
    values ($1, $2 + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now())
    on conflict (name) do update set
        version = excluded.version, state = excluded.state, since = excluded.since, until = excluded.until,
        openings = excluded.openings, began = excluded.began, requests = excluded.requests,
        failures = excluded.failures, earlier_requests = excluded.earlier_requests,
        earlier_failures = excluded.earlier_failures, reason = excluded.reason, changed = excluded.changed,
        released = case when s.since is distinct from excluded.since then 0 else s.released end
    where s.version = $2
    returning *, false as waiting
"""

PUT_OFF = """
    update tocsin.deliveries set reason = $2, next_attempt = $3, turn = $3, gate = $4
    where id = $1 and status = 'pending'
"""

# The row of the destination is locked first, so that of two processes the second sees what the first has let go.
LOCK_RELEASED = "select released from tocsin.destinations where name = $1 for update"

# A delivery that is being put off just now has no job that could be called for: it is let go the next time.
SELECT_WAITING = """
    select id from tocsin.deliveries d
    where gate = $1 and status = 'pending' and turn = next_attempt
      and exists (select from tocsin_queue.pgqueuer j where j.dedupe_key = d.id and j.status = 'queued')
    order by created, id
    limit $2
    for update skip locked
"""

RELEASE_WAITING = """
    update tocsin.deliveries d set next_attempt = r.at, turn = null, gate = null, reason = null
    from unnest($1::text[], $2::timestamptz[]) as r (id, at)
    where d.id = r.id
"""

# Their jobs are due when they are.
RELEASE_JOBS = """
    update tocsin_queue.pgqueuer j set execute_after = r.at
    from unnest($1::text[], $2::timestamptz[]) as r (id, at)
    where j.dedupe_key = r.id and j.status = 'queued'
"""

COUNT_RELEASED = "update tocsin.destinations set released = released + $2 where name = $1"

SELECT_PENDING = """
    select
        verb, destination, livemode, count(*) as number, min(created) as oldest,
        count(*) filter (where turn = next_attempt) as put_off
    from tocsin.deliveries
    where status = 'pending'
    group by verb, destination, livemode
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a destination stands. `version` 0: nothing is on record. `waiting`: deliveries wait for it."""

    name: str
    breaker: Breaker = field(default_factory=Breaker)
    version: int = 0
    waiting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What is still to be delivered to one place; `put_off` of them wait for its breaker or its rate."""

    verb: Verb
    destination: str
    livemode: bool
    number: int
    put_off: int
    oldest: datetime


class Destinations:
    """Reads and writes how destinations stand. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def all(self) -> list[Standing]:
        """Every destination that there is something to know of."""
        return [_standing(row) for row in await self._pool.fetch(SELECT_STANDING)]

    async def get(self, name: str) -> Standing:
        """The destination of that name."""
        row = await self._pool.first(SELECT_ONE, name)
        return Standing(name=name) if row is None else _standing(row)

    async def save(self, name: str, breaker: Breaker, version: int) -> Standing | None:
        """Write it down as the successor of `version`; None: somebody else has changed it since."""
        row = await self._pool.first(
            SAVE,
            name,
            version,
            breaker.state,
            breaker.since,
            breaker.until,
            breaker.openings,
            breaker.began,
            breaker.current.requests,
            breaker.current.failures,
            breaker.earlier.requests,
            breaker.earlier.failures,
            text(breaker.reason),
        )
        return None if row is None else _standing(row)

    async def put_off(self, delivery_id: str, until: datetime, reason: str, gate: str | None) -> None:
        """Have a delivery wait, without a try: for its destination's breaker (`gate`) or for its turn."""
        await self._pool.execute(PUT_OFF, delivery_id, text(reason), until, gate)

    async def release(self, name: str, at: Callable[[int], datetime], most: int) -> int:
        """Let go of up to `most` deliveries that wait for that breaker, the oldest first; how many.

        `at` says when each is due, by its number since the breaker has closed, from 0.
        """
        async with self._pool.transaction() as connection:
            released = await connection.fetchval(LOCK_RELEASED, name) or 0
            ids = [row["id"] for row in await connection.fetch(SELECT_WAITING, name, most)]
            if ids:
                times = [at(released + place) for place in range(len(ids))]
                await connection.execute(RELEASE_WAITING, ids, times)
                await connection.execute(RELEASE_JOBS, ids, times)
                await connection.execute(COUNT_RELEASED, name, len(ids))
        return len(ids)

    async def pending(self) -> Sequence[Pending]:
        """What is still to be delivered, by where it goes."""
        return [
            Pending(
                verb=Verb(row["verb"]),
                destination=row["destination"],
                livemode=row["livemode"],
                number=row["number"],
                put_off=row["put_off"],
                oldest=row["oldest"],
            )
            for row in await self._pool.fetch(SELECT_PENDING)
        ]


def _standing(row: Record) -> Standing:
    return Standing(
        name=row["name"],
        breaker=Breaker(
            state=BreakerState(row["state"]),
            since=row["since"],
            until=row["until"],
            openings=row["openings"],
            began=row["began"],
            current=Counts(requests=row["requests"], failures=row["failures"]),
            earlier=Counts(requests=row["earlier_requests"], failures=row["earlier_failures"]),
            reason=row["reason"],
        ),
        version=row["version"],
        waiting=row["waiting"],
    )
