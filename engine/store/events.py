"""The events table: every event once, as received, with the columns that people search by."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from engine.model.delivery import Firing
from engine.model.event import Event, Json, Payload, Scope, ScopeSource, object_of, previous_of
from engine.store.columns import from_json, joined, to_json
from engine.store.connect import Connection, Pool, Record
from engine.store.firings import Hits, hits_of, of_event
from engine.store.listing import Asked, is_like

# The arrays of a batch as rows: see `arguments` for how they are sent.
ROWS = """
    unnest(
        string_to_array($1, E'\\x1f', E'\\x1e'), string_to_array($2, E'\\x1f', E'\\x1e'),
        string_to_array($3, E'\\x1f', E'\\x1e'), string_to_array($4, E'\\x1f', E'\\x1e'),
        string_to_array($5, E'\\x1f', E'\\x1e'), string_to_array($6, E'\\x1f', E'\\x1e'),
        string_to_array($7, E'\\x1f', E'\\x1e'), string_to_array($8, E'\\x1f', E'\\x1e'),
        string_to_array($9, E'\\x1f', E'\\x1e'), string_to_array($10, E'\\x1f', E'\\x1e'),
        string_to_array($11, E'\\x1f', E'\\x1e'), string_to_array($12, E'\\x1f', E'\\x1e'),
        string_to_array($13, E'\\x1f', E'\\x1e'), string_to_array($14, E'\\x1f', E'\\x1e'),
        string_to_array($15, E'\\x1f', E'\\x1e'), string_to_array($16, E'\\x1f', E'\\x1e'),
        string_to_array($17, E'\\x1f', E'\\x1e'), string_to_array($18, E'\\x1f', E'\\x1e'),
        string_to_array($19, E'\\x1f', E'\\x1e')::timestamptz[],
        string_to_array($20, E'\\x1f', E'\\x1e')::timestamptz[],
        $21::boolean[], $22::bytea[]
    ) as s (
        dedupe_key, id, payload, type, base_type, scope, scope_source, conflict, account, raw_account, context,
        api_version, request_id, idempotency_key, object_id, object_type, endpoint, revision, created, received,
        livemode, body
    )
"""

# Locks the keys in the order given, so callers sort: two processes with the same keys in other orders would deadlock.
# A key that another transaction is inserting is waited for, and then is a duplicate.
INSERT_EVENTS = f"""
    insert into tocsin.events (
        dedupe_key, id, payload, type, base_type, scope, scope_source, conflict, account, raw_account, context,
        api_version, request_id, idempotency_key, object_id, object_type, endpoint, revision, created, received,
        livemode, body
    )
    select * from {ROWS}
    on conflict (dedupe_key) do nothing
    returning dedupe_key
"""  # noqa: S608  put together from what stands here

# A snapshot arrived after its thin twin: the row becomes the snapshot's. Locks rows in no order of its own; the rows
# are few, and a deadlock is retried by the committer.
SUPPLEMENT_EVENTS = f"""
    update tocsin.events e set
        thin_id = e.id, id = s.id, payload = s.payload, type = s.type, base_type = s.base_type, scope = s.scope,
        scope_source = s.scope_source, conflict = s.conflict, account = s.account, raw_account = s.raw_account,
        context = s.context, livemode = s.livemode, created = s.created, api_version = s.api_version,
        request_id = s.request_id, idempotency_key = s.idempotency_key, object_id = s.object_id,
        object_type = s.object_type, endpoint = s.endpoint, received = s.received, revision = s.revision, body = s.body
    from {ROWS}
    where e.dedupe_key = s.dedupe_key and e.payload = 'thin' and s.payload = 'snapshot'
    returning e.dedupe_key
"""  # noqa: S608  put together from what stands here

SELECT_EVENT = """
    select * from tocsin.events where dedupe_key = $1
    union all
    select * from tocsin.events where id = $1 and id <> dedupe_key
    union all
    select * from tocsin.events where thin_id = $1
    limit 1
"""

LIST_EVENTS = "select * from tocsin.events {where} order by received desc limit {limit}"

# Of each type the newest, out of events_type: the planner would rather look through all events until enough of them
# are of these types, which after a flood of another is all of that flood. So type and time are compared and ordered by
# as one, which no other index gives. Which they are is found before any is read.
NEWEST_OF_TYPES = """
    select e.* from (
        select newest.dedupe_key, newest.received
        from unnest({types}::text[]) as wanted (type)
        cross join lateral (
            select dedupe_key, received from tocsin.events {where} order by type desc, received desc limit {limit}
        ) as newest
        order by newest.received desc
        limit {limit}
    ) as chosen
    cross join lateral (select * from tocsin.events where dedupe_key = chosen.dedupe_key offset 0) as e
    order by chosen.received desc
"""

# As they came. The planner takes events_received where most events are wanted, events_type where few are.
STREAM_EVENTS = """
    select * from tocsin.events
    where received >= $1 and received < $2 and ($3::text[] is null or type = any($3))
    order by received, dedupe_key
"""

# Out of the index events_type alone; of few types no more of it than theirs.
COUNT_TYPES = """
    select type, count(*) as count, max(received) as latest
    from tocsin.events
    where received >= $1 and ($2::text[] is null or type = any($2))
    group by type
"""

# From one type to the next through the index: a look-up for each type, however many events there are.
NAME_TYPES = """
    with recursive named (type) as (
        (select type from tocsin.events order by type limit 1)
        union all
        select later.type
        from named
        cross join lateral (select type from tocsin.events where type > named.type order by type limit 1) as later
    )
    select type from named
"""

LOCK_FETCHED = "select fetched from tocsin.events where dedupe_key = $1 for update"
SET_FETCHED = "update tocsin.events set fetched = $2 where dedupe_key = $1"

SELECT_REVISION = "select revision from tocsin.events where dedupe_key = $1"

_TEXTS = attrgetter(
    "dedupe_key",
    "id",
    "payload",
    "type",
    "base_type",
    "scope",
    "scope_source",
    "conflict",
    "account",
    "raw_account",
    "context",
    "api_version",
    "request_id",
    "idempotency_key",
    "object_id",
    "object_type",
    "endpoint",
)

SCAN_BATCH = 500
"""Events that are read at once when many are looked through: 2 MB."""

Parse = Callable[[bytes], Json]
"""A body to its JSON value, as `normalize` read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """How many events of a type were received since a moment, and when the latest was."""

    count: int
    latest: datetime


async def insert(connection: Connection, events: Sequence[Event], revisions: Sequence[str]) -> set[str]:
    """Insert events, sorted by key, each key once; the keys of those that were not there in any form.

    `revisions` are those of the rules that judged them.
    """
    return {row["dedupe_key"] for row in await connection.fetch(INSERT_EVENTS, *arguments(events, revisions))}


async def supplement(connection: Connection, events: Sequence[Event], revisions: Sequence[str]) -> set[str]:
    """Let snapshots take over the rows of their thin twins; the keys of those that did."""
    return {row["dedupe_key"] for row in await connection.fetch(SUPPLEMENT_EVENTS, *arguments(events, revisions))}


def arguments(events: Sequence[Event], revisions: Sequence[str]) -> list[object]:
    """The 22 parameters of INSERT_EVENTS and SUPPLEMENT_EVENTS."""
    return [
        *map(joined, zip(*map(_TEXTS, events), strict=True)),
        joined(revisions),
        joined([event.created.isoformat() for event in events]),
        joined([event.received.isoformat() for event in events]),
        [event.livemode for event in events],
        [event.body for event in events],
    ]


class Events:
    """What is asked of stored events. Raises StoreUnavailable."""

    def __init__(self, pool: Pool, parse: Parse = json.loads) -> None:
        self._pool = pool
        self._parse = parse

    async def get(self, event: str) -> Event | None:
        """The event of that id (of either twin) or dedupe key."""
        row = await self._pool.first(SELECT_EVENT, event)
        return None if row is None else self._event(row)

    async def many(self, keys: Sequence[str]) -> dict[str, Event]:
        """The events of those dedupe keys, by key."""
        found = await self._pool.fetch("select * from tocsin.events where dedupe_key = any($1::text[])", keys)
        return {row["dedupe_key"]: self._event(row) for row in found}

    async def ls(
        self,
        *,
        type: str | None = None,  # noqa: A002  Stripe's word for it
        account: str | None = None,
        livemode: bool | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 50,
    ) -> list[Event]:
        """Events received from `since` on and before `before`, newest first. In `type`, `*` stands for anything."""
        asked = Asked()
        types = None
        if type is not None and account is None:
            types = [type] if "*" not in type else [name for name in await self.type_names() if is_like(name, type)]
        else:
            asked.alike("type", type)
        asked.compare("account", "=", account)
        if livemode is not None:
            asked.that("livemode" if livemode else "not livemode")
        rows = await self._pool.fetch(*newest(asked, types, since, limit, before))
        return [self._event(row) for row in rows]

    async def scan(
        self, *, since: datetime, most: int, types: Collection[str] | None = None
    ) -> AsyncGenerator[list[Event]]:
        """Events received from `since` on, newest first, `most` at most, of those types alone if given; in batches.

        As they were when it began: what arrives meanwhile is not among them. It holds a connection of the pool, and no
        more than one batch, until it is exhausted or closed.
        """
        async with self._pool.transaction() as connection:
            cursor = await connection.cursor(*newest(Asked(), types, since, most))
            while rows := await cursor.fetch(SCAN_BATCH):
                yield [self._event(row) for row in rows]

    async def stream(
        self, *, since: datetime, before: datetime, types: Collection[str] | None = None
    ) -> AsyncGenerator[list[Event]]:
        """Events received from `since` on and before `before`, as they came, of those types alone if given; in batches.

        It holds a connection of the pool, and no more than two batches, until it is exhausted or closed: the next one
        is asked for while this one is worked on.
        """
        async with self._pool.transaction() as connection:
            cursor = await connection.cursor(STREAM_EVENTS, since, before, None if types is None else list(types))
            rows = await cursor.fetch(SCAN_BATCH)
            while rows:
                later = asyncio.ensure_future(cursor.fetch(SCAN_BATCH))
                await asyncio.sleep(0)  # so that it is on its way
                try:
                    yield [self._event(row) for row in rows]
                    rows = await later
                finally:
                    if not later.done():
                        await asyncio.wait([later])

    async def types(self, since: datetime, among: Collection[str] | None = None) -> dict[str, Received]:
        """The types of the events received from `since` on, of those in `among` if given."""
        return {
            row["type"]: Received(count=row["count"], latest=row["latest"])
            for row in await self._pool.fetch(COUNT_TYPES, since, None if among is None else list(among))
        }

    async def type_names(self) -> list[str]:
        """Every type of which an event is stored, in order."""
        return [row["type"] for row in await self._pool.fetch(NAME_TYPES)]

    async def hits(self, rules: Sequence[str], since: datetime) -> dict[str, Hits]:
        """How often each of those rules held for an event received from `since` on."""
        return await hits_of(self._pool, rules, since)

    async def keep_fetched(self, event_key: str, fetched: Mapping[str, Json]) -> Mapping[str, Json] | None:
        """Keep what was read for an event; all that is kept for it now. None: there is no such event.

        Of each thing what was read first stays: rules may have been judged on it.
        """
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(LOCK_FETCHED, event_key)
            if row is None:
                return None
            kept: dict[str, Json] = {**fetched, **(from_json(row["fetched"]) or {})}
            await connection.execute(SET_FETCHED, event_key, to_json(kept))
            return kept

    async def revision_of(self, event_key: str) -> str | None:
        """The revision of the rules that judged the event of that dedupe key."""
        found: str | None = await self._pool.value(SELECT_REVISION, event_key)
        return found

    async def firings(self, event_key: str) -> list[Firing]:
        """The rules that held for the event of that dedupe key, those in shadow included."""
        return await of_event(self._pool, event_key)

    def _event(self, row: Record) -> Event:
        data = self._parse(row["body"])
        return Event(
            id=row["id"],
            dedupe_key=row["dedupe_key"],
            payload=Payload(row["payload"]),
            type=row["type"],
            base_type=row["base_type"],
            scope=Scope(row["scope"]),
            scope_source=ScopeSource(row["scope_source"]),
            conflict=row["conflict"],
            account=row["account"],
            raw_account=row["raw_account"],
            context=row["context"],
            livemode=row["livemode"],
            created=row["created"],
            api_version=row["api_version"],
            request_id=row["request_id"],
            idempotency_key=row["idempotency_key"],
            object_id=row["object_id"],
            object_type=row["object_type"],
            object=object_of(data),
            previous=previous_of(data),
            endpoint=row["endpoint"],
            received=row["received"],
            data=data,
            body=row["body"],
            fetched=from_json(row["fetched"]),
        )


def newest(
    asked: Asked, types: Collection[str] | None, since: datetime | None, most: int, before: datetime | None = None
) -> tuple[str, *tuple[object, ...]]:
    """The statement for the newest events like that, of those types (None: of any), and its parameters."""
    sql, named = LIST_EVENTS, ""
    if types is not None:
        sql, named = NEWEST_OF_TYPES, asked.given(list(types))
        for bound, moment in ((">=", since), ("<", before)):
            end = "'-infinity'" if bound == ">=" else "'infinity'"
            at = end if moment is None else asked.given(moment)
            asked.that(f"(type, received) {bound} (wanted.type, {at}::timestamptz)")
    else:
        asked.compare("received", ">=", since)
        asked.compare("received", "<", before)
    return sql.format(types=named, where=asked.where, limit=asked.given(most)), *asked.arguments
