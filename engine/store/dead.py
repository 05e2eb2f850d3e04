"""Deliveries that were given up, and how far they have been reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.model.delivery import OWN_RULE
from engine.model.rule import Verb
from engine.store.connect import Pool
from engine.store.marks import Mark

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


class DeadDeliveries(Mark):
    """What was given up. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, "dead-reported")

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
