"""Deliveries that were given up, and how far they have been reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.model.delivery import OWN_RULE
from engine.model.rule import Verb
from engine.store.connect import Pool

MARK = "dead-reported"

INSERT_MARK = "insert into tocsin.marks (name, at) values ($1, $2) on conflict (name) do nothing"
SELECT_MARK = "select at from tocsin.marks where name = $1"
# Whoever comes second has reported the same, and changes nothing.
MOVE_MARK = "update tocsin.marks set at = $3 where name = $1 and at = $2"

# Reports that did not reach the ops channel are not reported there.
SELECT_DEAD = """
    select
        verb, destination, count(*) as number,
        (array_agg(distinct rule))[1:$4] as rules, count(distinct rule) as different_rules,
        (array_agg(reason order by finished desc))[1] as reason
    from tocsin.deliveries
    where status = 'dead' and finished > $1 and finished <= $2 and (rule <> $3 or verb <> 'notify')
    group by verb, destination
    order by number desc, verb, destination
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """What was given up for one destination: how many, some of the rules, and the latest reason."""

    verb: Verb
    destination: str
    number: int
    rules: tuple[str, ...]
    different_rules: int
    reason: str


class DeadDeliveries:
    """What was given up. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def reported(self, now: datetime) -> datetime:
        """Up to when dead deliveries have been reported; from `now` on where there was no report before."""
        found: datetime | None = await self._pool.value(SELECT_MARK, MARK)
        if found is None:
            await self._pool.execute(INSERT_MARK, MARK, now)
            found = await self._pool.value(SELECT_MARK, MARK)
        assert found is not None
        return found

    async def between(self, since: datetime, until: datetime, *, rules: int = 5) -> Sequence[Dead]:
        """What was given up after `since` and up to `until`, by destination, the most first."""
        return [
            Dead(
                verb=Verb(row["verb"]),
                destination=row["destination"],
                number=row["number"],
                rules=tuple(sorted(row["rules"])),
                different_rules=row["different_rules"],
                reason=row["reason"] or "no reason on record",
            )
            for row in await self._pool.fetch(SELECT_DEAD, since, until, OWN_RULE, rules)
        ]

    async def mark(self, since: datetime, until: datetime) -> None:
        """Note that what was given up between these moments has been reported."""
        await self._pool.execute(MOVE_MARK, MARK, since, until)
