"""The events table: every event once, as received, with the columns that people search by."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from engine.model.delivery import Firing
from engine.model.event import Event, Json, Payload, Scope, ScopeSource, object_of, previous_of
from engine.store.columns import columns
from engine.store.connect import Connection, Pool, Record
from engine.store.firings import of_event

# Locks the keys in the order given, so callers sort: two processes with the same keys in other orders would deadlock.
# A key that another transaction is inserting is waited for, and then is a duplicate.
INSERT_EVENTS = """
    insert into tocsin.events (
        dedupe_key, id, payload, type, base_type, scope, scope_source, conflict, account, raw_account, context,
        livemode, created, api_version, request_id, idempotency_key, object_id, object_type, endpoint, received,
        revision, body
    )
    select * from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::boolean[], $13::timestamptz[], $14::text[], $15::text[], $16::text[],
        $17::text[], $18::text[], $19::text[], $20::timestamptz[], $21::text[], $22::bytea[]
    )
    on conflict (dedupe_key) do nothing
    returning dedupe_key
"""

# A snapshot arrived after its thin twin: the row becomes the snapshot's. Locks rows in no order of its own; the rows
# are few, and a deadlock is retried by the committer.
SUPPLEMENT_EVENTS = """
    update tocsin.events e set
        thin_id = e.id, id = s.id, payload = s.payload, type = s.type, base_type = s.base_type, scope = s.scope,
        scope_source = s.scope_source, conflict = s.conflict, account = s.account, raw_account = s.raw_account,
        context = s.context, livemode = s.livemode, created = s.created, api_version = s.api_version,
        request_id = s.request_id, idempotency_key = s.idempotency_key, object_id = s.object_id,
        object_type = s.object_type, endpoint = s.endpoint, received = s.received, revision = s.revision, body = s.body
    from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::boolean[], $13::timestamptz[], $14::text[], $15::text[], $16::text[],
        $17::text[], $18::text[], $19::text[], $20::timestamptz[], $21::text[], $22::bytea[]
    ) as s (
        dedupe_key, id, payload, type, base_type, scope, scope_source, conflict, account, raw_account, context,
        livemode, created, api_version, request_id, idempotency_key, object_id, object_type, endpoint, received,
        revision, body
    )
    where e.dedupe_key = s.dedupe_key and e.payload = 'thin' and s.payload = 'snapshot'
    returning e.dedupe_key
"""

SELECT_EVENT = """
    select * from tocsin.events where dedupe_key = $1
    union all
    select * from tocsin.events where id = $1 and id <> dedupe_key
    union all
    select * from tocsin.events where thin_id = $1
    limit 1
"""

LIST_EVENTS = """
    select * from tocsin.events
    where ($1::text is null or type like $1)
      and ($2::text is null or account = $2)
      and ($3::boolean is null or livemode = $3)
      and ($4::timestamptz is null or received >= $4)
      and ($5::timestamptz is null or received < $5)
    order by received desc
    limit $6
"""

SELECT_REVISION = "select revision from tocsin.events where dedupe_key = $1"

COLUMNS = (
    attrgetter("dedupe_key"),
    attrgetter("id"),
    attrgetter("payload"),
    attrgetter("type"),
    attrgetter("base_type"),
    attrgetter("scope"),
    attrgetter("scope_source"),
    attrgetter("conflict"),
    attrgetter("account"),
    attrgetter("raw_account"),
    attrgetter("context"),
    attrgetter("livemode"),
    attrgetter("created"),
    attrgetter("api_version"),
    attrgetter("request_id"),
    attrgetter("idempotency_key"),
    attrgetter("object_id"),
    attrgetter("object_type"),
    attrgetter("endpoint"),
    attrgetter("received"),
)

Parse = Callable[[bytes], Json]
"""A body to its JSON value, as `normalize` read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserted:
    """Keys of events that were not there in any form, and of thin events that a snapshot took over."""

    new: set[str]
    supplemented: set[str]


async def insert(connection: Connection, events: Sequence[Event], revisions: Sequence[str]) -> Inserted:
    """Insert events, sorted by key, each key once; `revisions` are those of the rules that judged them."""
    new = {row["dedupe_key"] for row in await connection.fetch(INSERT_EVENTS, *_arguments(events, revisions))}
    late = [
        (event, revision)
        for event, revision in zip(events, revisions, strict=True)
        if event.dedupe_key not in new and event.payload is Payload.SNAPSHOT
    ]
    supplemented: set[str] = set()
    if late:
        arguments = _arguments([event for event, _ in late], [revision for _, revision in late])
        supplemented = {row["dedupe_key"] for row in await connection.fetch(SUPPLEMENT_EVENTS, *arguments)}
    return Inserted(new=new, supplemented=supplemented)


def _arguments(events: Sequence[Event], revisions: Sequence[str]) -> list[list[object]]:
    return [*columns(events, *COLUMNS), list(revisions), [event.body for event in events]]


class Events:
    """What is asked of stored events. Raises StoreUnavailable."""

    def __init__(self, pool: Pool, parse: Parse = json.loads) -> None:
        self._pool = pool
        self._parse = parse

    async def get(self, event: str) -> Event | None:
        """The event of that id (of either twin) or dedupe key."""
        row = await self._pool.first(SELECT_EVENT, event)
        return None if row is None else self._event(row)

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
        rows = await self._pool.fetch(LIST_EVENTS, like(type), account, livemode, since, before, limit)
        return [self._event(row) for row in rows]

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
        )


def like(pattern: str | None) -> str | None:
    """A pattern in which only `*` is special, as LIKE wants it; None for None."""
    if pattern is None:
        return None
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
