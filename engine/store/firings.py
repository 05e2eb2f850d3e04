"""The firings table: a row for each rule that held for an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from engine.model.delivery import OWN_RULE, Firing, FiringStatus, Settled
from engine.model.rule import RuleMode, Severity
from engine.store.columns import columns, from_json, text, to_json
from engine.store.connect import Connection, Pool, Record

# Locks ids in the order given, so callers sort. A firing that is there already stays as it is.
INSERT_FIRINGS = """
    insert into tocsin.firings (
        id, rule, revision, event, account, severity, mode, replay, created, status, reason, context
    )
    select * from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[],
        $9::timestamptz[], $10::text[], $11::text[], $12::text[]
    ) as f (id, rule, revision, event, account, severity, mode, replay, created, status, reason, context)
    {where}
    on conflict (id) do nothing
    returning id
"""

SELECT_FIRINGS = "select * from tocsin.firings where event = $1 and rule <> $2 order by replay, created, rule"

SELECT_OF_EVENTS = "select * from tocsin.firings where event = any($1::text[]) and replay = 0"

SELECT_CONTEXT = "select context from tocsin.firings where id = $1"

# What has fired stays so, and may have more to say.
SETTLE_FIRINGS = """
    update tocsin.firings f set status = s.status, reason = s.reason, context = coalesce(s.context, f.context)
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as s (id, status, reason, context)
    where f.id = s.id and (f.status <> 'fired' or s.status = 'fired')
"""

# Each rule is looked up in firings_rule, so that ten thousand rules that never fired cost next to nothing.
SELECT_HITS = """
    select rule, fired, would, (
        select max(created) from tocsin.firings where rule = asked.rule and status = 'fired'
    ) as latest
    from unnest($1::text[]) as asked (rule)
    cross join lateral (
        select
            count(*) filter (where mode = 'live') as fired,
            count(*) filter (where mode = 'shadow') as would
        from tocsin.firings
        where rule = asked.rule and created >= $2 and status = 'fired'
    ) as counted
"""

COLUMNS = (
    attrgetter("id"),
    attrgetter("rule"),
    attrgetter("revision"),
    attrgetter("event"),
    attrgetter("account"),
    attrgetter("severity"),
    attrgetter("mode"),
    attrgetter("replay"),
    attrgetter("created"),
    attrgetter("status"),
    lambda firing: text(firing.reason),
    lambda firing: to_json(firing.context),
)


_INSERT_ALL = INSERT_FIRINGS.format(where="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """How often a rule fired, and in shadow would have, since a moment; `latest` is of all time, None: never."""

    fired: int
    would: int
    latest: datetime | None


async def insert(connection: Connection, firings: Sequence[Firing]) -> set[str]:
    """Insert firings, sorted by id; the ids that were new."""
    return {row["id"] for row in await connection.fetch(_INSERT_ALL, *columns(firings, *COLUMNS))}


async def of_event(pool: Pool, event_key: str) -> list[Firing]:
    """The firings of the event of that dedupe key."""
    return [_firing(row) for row in await pool.fetch(SELECT_FIRINGS, event_key, OWN_RULE)]


async def of_events(connection: Connection, event_keys: Sequence[str]) -> dict[str, dict[str, Firing]]:
    """The firings of those events, by event and id, replays left out."""
    found: dict[str, dict[str, Firing]] = {}
    for row in await connection.fetch(SELECT_OF_EVENTS, event_keys):
        found.setdefault(row["event"], {})[row["id"]] = _firing(row)
    return found


async def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """Record what became of matches that had not fired."""
    rows = sorted(settled, key=lambda each: each.firing)
    await connection.execute(
        SETTLE_FIRINGS,
        [each.firing for each in rows],
        [str(each.status) for each in rows],
        [text(each.reason) for each in rows],
        [to_json(each.context) for each in rows],
    )


def _firing(row: Record) -> Firing:
    return Firing(
        id=row["id"],
        rule=row["rule"],
        revision=row["revision"],
        event=row["event"],
        account=row["account"],
        severity=Severity(row["severity"]),
        mode=RuleMode(row["mode"]),
        replay=row["replay"],
        created=row["created"],
        status=FiringStatus(row["status"]),
        reason=row["reason"],
        context=from_json(row["context"]),
    )


async def hits_of(pool: Pool, rules: Sequence[str], since: datetime) -> dict[str, Hits]:
    """The hits of each of those rules."""
    return {
        row["rule"]: Hits(fired=row["fired"], would=row["would"], latest=row["latest"])
        for row in await pool.fetch(SELECT_HITS, rules, since)
    }
