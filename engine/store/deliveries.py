"""The deliveries table, which is the truth about what is still to be done, and the attempts of each delivery."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta

from engine.model.delivery import Attempt, Delivery, DeliveryStatus, DueDigest, delivery_id
from engine.model.event import Json
from engine.model.rule import Verb
from engine.store.adapter import enqueue
from engine.store.columns import columns, from_json, text, to_json
from engine.store.connect import Connection, Pool
from engine.store.delivery_rows import COLUMNS, attempt, delivery
from engine.store.firings import SELECT_CONTEXT
from engine.store.grouped import Grouped
from engine.store.handoff import Handoff
from engine.store.listing import Asked
from engine.store.queue import follow_clock, prune
from engine.store.recording import Tried, record_locked, record_many, set_requests
from engine.store.writes import let_through, renew

# A delivery that is there already stays as it is.
INSERT_DELIVERIES = """
    insert into tocsin.deliveries (
        id, firing, event, rule, revision, step, verb, destination, account, livemode, needs, status, reason,
        attempts, next_attempt, first_attempt, request, result, created, finished, note, silence, digest
    )
    select
        id, firing, event, rule, revision, step, verb, destination, account, livemode, string_to_array(needs, ' '),
        status, reason, attempts, next_attempt, first_attempt, request, result, created, finished, note, silence, digest
    from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::boolean[], $11::text[], $12::text[], $13::text[], $14::integer[], $15::timestamptz[],
        $16::timestamptz[], $17::text[], $18::text[], $19::timestamptz[], $20::timestamptz[], $21::text[],
        $22::text[], $23::text[]
    ) as d (
        id, firing, event, rule, revision, step, verb, destination, account, livemode, needs, status, reason,
        attempts, next_attempt, first_attempt, request, result, created, finished, note, silence, digest
    )
    {where}
    on conflict (id) do nothing
    returning id
"""

# What was gathered for a digest, about an account or about any, is kept quiet where it is muted when that is due.
SILENCE_GATHERED = """
    update tocsin.deliveries
    set status = 'suppressed', finished = $2, silence = $3, reason = $4
    where digest = $1 and status = 'gathered' and ($5::text is null or account = $5)
"""

# What was gathered for a digest, by step and destination, is part of it from now on.
MERGE_GATHERED = """
    with merged as (
        update tocsin.deliveries
        set status = 'merged', finished = $2, reason = 'part of a digest'
        where digest = $1 and status = 'gathered'
        returning *
    )
    select
        step, verb, destination, max(rule) as rule, (array_agg(revision order by created desc))[1] as revision,
        case when count(distinct account) = 1 and count(account) = count(*) then max(account) end as account,
        bool_or(livemode) as livemode
    from merged
    group by step, verb, destination
    order by step, destination
"""

# Of one delivery of a digest, what is in it: the oldest first.
SELECT_MERGED = """
    select * from tocsin.deliveries
    where digest = $1 and step = $2 and destination = $3 and status = 'merged'
      and ($4::timestamptz is null or (created, id) > ($4, $5))
    order by created, id
    limit $6
"""

SELECT_DELIVERY = "select * from tocsin.deliveries where id = $1"

SELECT_SIBLINGS = "select * from tocsin.deliveries where firing = $1 order by id"

LIST_DELIVERIES = "select * from tocsin.deliveries {where} order by created desc, id limit {limit}"

OF_EVENT = "firing in (select id from tocsin.firings where event = {event})"

# The rows are locked by recording.LOCK_SIBLINGS.
RELEASE = """
    update tocsin.deliveries d set
        status = r.status, reason = r.reason,
        next_attempt = case when r.status = 'pending' then $4::timestamptz end,
        finished = case when r.status = 'pending' then null else $4::timestamptz end
    from unnest($1::text[], $2::text[], $3::text[]) as r (id, status, reason)
    where d.id = r.id and d.status = 'waiting'
    returning d.*
"""

SELECT_ATTEMPTS = "select * from tocsin.attempts where delivery = $1 order by number"

# Locks the rows in the order of their ids. A Stripe write whose idempotency key may have been forgotten is left alone
# unless $2; with $2 it begins anew, its first attempt forgotten.
RETRY = """
    with chosen as (
        select d.id, d.status, c.due
        from tocsin.deliveries d join unnest($1::text[], $4::timestamptz[]) as c (id, due) using (id)
        where status in ('dead', 'held')
          and ($2 or verb <> 'stripe' or first_attempt is null or first_attempt > $3)
        order by d.id
        for update of d
    )
    update tocsin.deliveries d set
        status = 'pending', reason = null, next_attempt = chosen.due, finished = null, attempts = 0,
        first_attempt = case when $2 or d.verb <> 'stripe' then null else d.first_attempt end
    from chosen
    where d.id = chosen.id
    returning d.*, chosen.status as was
"""

# Skips what another process is sweeping or recording just now: it is looked after.
SELECT_FORGOTTEN = """
    select * from tocsin.deliveries d
    where status = 'pending' and next_attempt <= now()
      and not exists (
          select from tocsin_queue.pgqueuer j where j.dedupe_key = d.id and j.status in ('queued', 'picked')
      )
    order by next_attempt
    limit $1
    for update skip locked
"""

OPEN = frozenset({DeliveryStatus.PENDING, DeliveryStatus.WAITING})

KEY_LIFE = timedelta(hours=23)
"""How long after its first attempt a Stripe write may be tried again under the same idempotency key."""

SWEEP_BATCH = 1000

Released = tuple[str, DeliveryStatus, str | None]
"""A waiting delivery that may go on (PENDING) or ends unsent: its id, new status, and the reason."""

Release = Callable[[Sequence[Delivery]], Sequence[Released]]
"""Given all deliveries of a firing as they stand, those that wait no longer; pure, for it is called with locks held."""


_INSERT_ALL = INSERT_DELIVERIES.format(where="")


async def insert(connection: Connection, deliveries: Sequence[Delivery]) -> set[str]:
    """Insert deliveries; the ids that were new. Their jobs are the caller's business."""
    rows = await connection.fetch(_INSERT_ALL, *columns(deliveries, *COLUMNS))
    return {row["id"] for row in rows}


async def merge(connection: Connection, digest: DueDigest, now: datetime) -> list[Delivery]:
    """Make of what was gathered for a digest, and is not kept quiet now, one delivery for each step and destination;
    those, inserted."""
    for each in digest.silencings:
        reason = text(each.reason)
        await connection.execute(SILENCE_GATHERED, digest.name, now, each.silence, reason, each.account)
    found = [
        Delivery(
            id=delivery_id(digest.name, row["step"], row["destination"]),
            firing=None,
            event=None,
            rule=row["rule"],
            revision=row["revision"],
            step=row["step"],
            verb=Verb(row["verb"]),
            destination=row["destination"],
            account=row["account"],
            livemode=row["livemode"],
            next_attempt=now,
            created=now,
            note=digest.note,
            digest=digest.name,
        )
        for row in await connection.fetch(MERGE_GATHERED, digest.name, now)
    ]
    if found:
        await insert(connection, found)
    return found


class Deliveries:
    """What is asked of deliveries and done to them; `writing` is a pool for rows by their keys. Raises
    StoreUnavailable."""

    def __init__(
        self, pool: Pool, writing: Pool, handoff: Handoff, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pool = pool
        self._handoff = handoff
        self._clock = clock
        self._requests = Grouped(
            lambda requests: set_requests(writing, requests), self._set_request, lambda request: request[0]
        )
        self._attempts: Grouped[Tried, None] = Grouped(
            lambda tried: record_many(writing, tried),
            lambda tried: self._record_with_siblings(tried, None),
            lambda tried: tried.delivery,
        )

    async def get(self, delivery_id: str) -> Delivery | None:
        """The delivery of that id."""
        row = await self._pool.first(SELECT_DELIVERY, delivery_id)
        return None if row is None else delivery(row)

    async def begin(self, delivery_id: str) -> Delivery | None:
        """The delivery of that id, whose job has begun: one that this process has just committed is not read again."""
        return self._handoff.take(delivery_id) or await self.get(delivery_id)

    async def siblings(self, firing: str) -> list[Delivery]:
        """All deliveries of a firing."""
        return [delivery(row) for row in await self._pool.fetch(SELECT_SIBLINGS, firing)]

    async def merged(self, digest: Delivery, after: Delivery | None = None, most: int = 100) -> list[Delivery]:
        """What is in a delivery of a digest, the oldest first, at most so many behind `after`."""
        behind = (None, None) if after is None else (after.created, after.id)
        rows = await self._pool.fetch(SELECT_MERGED, digest.digest, digest.step, digest.destination, *behind, most)
        return [delivery(row) for row in rows]

    async def context(self, firing: str) -> Json:
        """What the texts of a firing read of the rule's memory."""
        return from_json(await self._pool.value(SELECT_CONTEXT, firing))

    async def attempts(self, delivery_id: str) -> list[Attempt]:
        """The tries of a delivery, in order."""
        return [attempt(row) for row in await self._pool.fetch(SELECT_ATTEMPTS, delivery_id)]

    async def ls(
        self,
        *,
        status: Collection[DeliveryStatus] | None = None,
        rule: str | None = None,
        verb: Verb | None = None,
        destination: str | None = None,
        account: str | None = None,
        event: str | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """Deliveries created from `since` on and before `before`, newest first.

        In `rule` and `destination`, `*` stands for anything; `event` is a dedupe key.
        """
        asked = Asked()
        if status is not None:  # of a closed set, and written out: which index serves depends on it
            asked.that(f"status in ({', '.join(f'{str(DeliveryStatus(each))!r}' for each in status) or 'null'})")
        asked.alike("rule", rule)
        asked.compare("verb", "=", verb)
        asked.alike("destination", destination)
        asked.compare("account", "=", account)
        if event is not None:
            asked.that(OF_EVENT.format(event=asked.given(event)))
        asked.compare("created", ">=", since)
        asked.compare("created", "<", before)
        sql = LIST_DELIVERIES.format(where=asked.where, limit=asked.given(limit))
        rows = await self._pool.fetch(sql, *asked.arguments)
        return [delivery(row) for row in rows]

    async def insert(self, deliveries: Sequence[Delivery]) -> int:
        """Insert deliveries with their jobs; how many were new."""
        async with self._pool.transaction() as connection:
            new = await insert(connection, deliveries)
            await enqueue(connection, [d for d in deliveries if d.id in new and d.status is DeliveryStatus.PENDING])
        return len(new)

    async def set_request(self, delivery_id: str, request: Json) -> Json:
        """Keep what was rendered, and return what is to be sent: the first rendering, whoever made it."""
        return from_json(await self._requests.add((delivery_id, to_json(request))))

    async def record(
        self,
        delivery_id: str,
        attempt: Attempt,
        *,
        status: DeliveryStatus,
        reason: str | None,
        next_attempt: datetime | None,
        result: Json,
        release: Release | None = None,
    ) -> None:
        """Record an attempt and what becomes of the delivery; and when it ends, of those that waited for it.

        `release` None: nothing waits. `attempt.number` is not used, the store counts. A delivery that has ended stays
        as it ended, unless it was given up and this is its success.
        """
        tried = Tried(
            delivery=delivery_id,
            started=attempt.started,
            becomes=status,
            left_for=text(reason),
            due=next_attempt,
            result=to_json(result),
            finished=self._clock() if status not in OPEN else None,
            duration=attempt.duration,
            outcome=attempt.outcome,
            reason=text(attempt.reason),
            status=attempt.status,
            excerpt=text(attempt.excerpt),
        )
        if release is None:
            await self._attempts.add(tried)
        else:
            await self._record_with_siblings(tried, release)

    async def _set_request(self, request: tuple[str, str | None]) -> str | None:
        return (await set_requests(self._pool, [request]))[0]

    async def _record_with_siblings(self, tried: Tried, release: Release | None) -> None:
        async with self._pool.transaction() as connection:
            siblings, changed = await record_locked(connection, tried)
            ended = changed and tried.finished is not None
            if ended and release and any(row["status"] == DeliveryStatus.WAITING for row in siblings):
                await self._release(connection, siblings[0]["firing"], release)

    async def _release(self, connection: Connection, firing: str, release: Release) -> None:
        siblings = [delivery(row) for row in await connection.fetch(SELECT_SIBLINGS, firing)]
        released = release(siblings)
        rows = await connection.fetch(
            RELEASE,
            [delivery for delivery, _, _ in released],
            [status for _, status, _ in released],
            [text(reason) for _, _, reason in released],
            self._clock(),
        )
        freed = [delivery(row) for row in rows]
        await enqueue(connection, [d for d in freed if d.status is DeliveryStatus.PENDING])

    async def retry(self, ids: Sequence[str], *, again: bool = False, after: Sequence[timedelta] | None = None) -> int:
        """Make dead and held deliveries pending with a fresh run of attempts, now or each `after` so long; how many.

        A held Stripe write passes its cap. One whose idempotency key Stripe may have forgotten is left out unless
        `again`, which may do it a second time.
        """
        now = self._clock()
        waits = dict(zip(ids, after or [timedelta()] * len(ids), strict=True))
        async with self._pool.transaction() as connection:
            due = [now + wait for wait in waits.values()]
            rows = await connection.fetch(RETRY, list(waits), again, now - KEY_LIFE, due)
            retried = [delivery(row) for row in rows]
            held = [each for each, row in zip(retried, rows, strict=True) if row["was"] == DeliveryStatus.HELD]
            await let_through(connection, held, now)
            if again:
                await renew(connection, retried, now)
            await enqueue(connection, retried, [waits[each.id] for each in retried])
        return len(retried)

    async def sweep(self) -> int:
        """Give a job to every due delivery that has none; how many. Also keeps the queue's own log short, and lets it
        follow a clock that was set back."""
        async with self._pool.transaction() as connection:
            forgotten = [delivery(row) for row in await connection.fetch(SELECT_FORGOTTEN, SWEEP_BATCH)]
            await enqueue(connection, forgotten)
        await follow_clock(self._pool)
        await prune(self._pool)
        return len(forgotten)
