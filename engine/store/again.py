"""Deliveries that were given up or held, chosen to be sent after all: counted, and gone through in pages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.model.delivery import DeliveryStatus
from engine.model.rule import Verb
from engine.store.connect import Pool
from engine.store.deliveries import KEY_LIFE
from engine.store.listing import like

# A Stripe write whose idempotency key may have been forgotten ($6) is stale.
_CHOSEN = """
    from tocsin.deliveries
    where status in ('dead', 'held') and status = {status}
      and ($2::text is null or rule like $2)
      and ($3::text[] is null or destination like any($3))
      and ($4::timestamptz is null or created >= $4)
"""
_STALE = "(not $5::boolean and verb = 'stripe' and first_attempt is not null and first_attempt <= $6::timestamptz)"

COUNT = f"""
    select verb, destination, count(*) filter (where not {_STALE}) as ready, count(*) filter (where {_STALE}) as stale
    {_CHOSEN.format(status="any($1)")}
    group by verb, destination
    order by ready desc, verb, destination
"""

# Status by status, each in the order of an index from where the last page ended: a page costs what it has, and not what
# there is.
SELECT_PAGE = f"""
    select page.* from unnest($1::text[]) as asked (status) cross join lateral (
        select id, verb, destination, created {_CHOSEN.format(status="asked.status")} and not {_STALE}
          and created >= coalesce($7::timestamptz, '-infinity') and ($7 is null or (created, id) > ($7, $8))
        order by created, id
        limit $9::bigint
    ) as page
    order by created, id
    limit $9::bigint
"""  # noqa: S608  put together from constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which deliveries: of those statuses, and of those rules and destinations, in which `*` stands for anything.

    `again`: Stripe writes too whose idempotency key Stripe may have forgotten. `now` decides about that.
    """

    statuses: Collection[DeliveryStatus]
    rule: str | None = None
    destinations: Sequence[str] | None = None
    since: datetime | None = None
    again: bool = False
    now: datetime

    def arguments(self) -> list[Any]:
        """What the statements take first."""
        places = None if self.destinations is None else [like(each) for each in self.destinations]
        return [list(self.statuses), like(self.rule), places, self.since, self.again, self.now - KEY_LIFE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """Of one place, how many could be sent again, and how many are stale."""

    verb: Verb
    destination: str
    ready: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where going through them stands: the last delivery of a page. `lane` is the verb and the destination."""

    id: str
    lane: str
    created: datetime


class Again:
    """Looks at what was given up or held. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count(self, choice: Choice) -> list[Number]:
        """How many there are by place, the most first."""
        return [
            Number(verb=Verb(row["verb"]), destination=row["destination"], ready=row["ready"], stale=row["stale"])
            for row in await self._pool.fetch(COUNT, *choice.arguments())
        ]

    async def page(self, choice: Choice, after: Place | None, limit: int) -> list[Place]:
        """Those that can be sent again, the oldest first, after that one."""
        last = (None, None) if after is None else (after.created, after.id)
        rows = await self._pool.fetch(SELECT_PAGE, *choice.arguments(), *last, limit)
        return [Place(id=row["id"], lane=f"{row['verb']} {row['destination']}", created=row["created"]) for row in rows]
