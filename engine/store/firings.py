"""The firings table: a row for each rule that held for an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from engine.model.delivery import OWN_RULE, Firing
from engine.model.rule import RuleMode, Severity
from engine.store.columns import columns
from engine.store.connect import Connection, Pool

# Locks ids in the order given, so callers sort. A firing that is there already stays as it is.
INSERT_FIRINGS = """
    insert into tocsin.firings (id, rule, revision, event, account, severity, mode, replay, created)
    select * from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[],
        $9::timestamptz[]
    ) as f (id, rule, revision, event, account, severity, mode, replay, created)
    {where}
    on conflict (id) do nothing
    returning id
"""

SELECT_FIRINGS = "select * from tocsin.firings where event = $1 and rule <> $2 order by replay, created, rule"

# Each rule is looked up in firings_rule, so that ten thousand rules that never fired cost next to nothing.
SELECT_HITS = """
    select rule, fired, would, (select max(created) from tocsin.firings where rule = asked.rule) as latest
    from unnest($1::text[]) as asked (rule)
    cross join lateral (
        select
            count(*) filter (where mode = 'live') as fired,
            count(*) filter (where mode = 'shadow') as would
        from tocsin.firings
        where rule = asked.rule and created >= $2
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
    return [
        Firing(
            id=row["id"],
            rule=row["rule"],
            revision=row["revision"],
            event=row["event"],
            account=row["account"],
            severity=Severity(row["severity"]),
            mode=RuleMode(row["mode"]),
            replay=row["replay"],
            created=row["created"],
        )
        for row in await pool.fetch(SELECT_FIRINGS, event_key, OWN_RULE)
    ]


async def hits_of(pool: Pool, rules: Sequence[str], since: datetime) -> dict[str, Hits]:
    """The hits of each of those rules."""
    return {
        row["rule"]: Hits(fired=row["fired"], would=row["would"], latest=row["latest"])
        for row in await pool.fetch(SELECT_HITS, rules, since)
    }
