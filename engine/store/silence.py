"""Messages that were kept quiet, and how far they have been reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.store.connect import Pool
from engine.store.marks import Mark

# What a mute is called stands in its own list; here it is a mute like another.
SELECT_SILENCE = """
    select rule, split_part(silence, ' ', 1) as by, count(*) as number
    from tocsin.deliveries
    where silence is not null and created > $1 and created <= $2
    group by rule, by
    order by number desc, rule, by
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """How many messages of a rule were kept quiet, and by what: `throttle`, `mute`, `quiet`, `incident`."""

    rule: str
    by: str
    number: int


class Silences(Mark):
    """What was kept quiet. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, "silence-reported")

    async def between(self, since: datetime, until: datetime) -> Sequence[Silence]:
        """What was kept quiet after `since` and up to `until`, by rule and reason, the most first."""
        rows = await self._pool.fetch(SELECT_SILENCE, since, until)
        return [Silence(rule=row["rule"], by=row["by"], number=row["number"]) for row in rows]
