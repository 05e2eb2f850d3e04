"""The mutes table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.model.mute import MOST, Mute
from engine.model.rule import Severity
from engine.store.connect import Pool, Record

INSERT_MUTE = """
    insert into tocsin.mutes (id, rule, account, severity, tag, start, "end", author, comment, created)
    select $1, $2, $3, $4, $5, $6::timestamptz, $7, $8, $9, $10::timestamptz
    where (select count(*) from tocsin.mutes where "end" > $10) < $11
"""

SELECT_MUTES = """
    select * from tocsin.mutes where $1::timestamptz is null or "end" > $1 order by "end", id
"""

END_MUTE = """
    update tocsin.mutes set "end" = $2 where id = $1 and "end" > $2 returning *
"""

COUNT_SILENCED = """
    select silence, count(*) as number, max(created) as latest
    from tocsin.deliveries where silence = any($1::text[]) group by silence
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """What a mute has kept quiet: how many messages, and when the latest was."""

    number: int
    latest: datetime | None


class Mutes:
    """What is asked of mutes. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, mute: Mute, now: datetime) -> bool:
        """Keep a mute; its id is new. False: there are MOST already that have not ended."""
        severity = None if mute.severity is None else str(mute.severity)
        added = await self._pool.execute(
            INSERT_MUTE,
            mute.id,
            mute.rule,
            mute.account,
            severity,
            mute.tag,
            mute.start,
            mute.end,
            mute.author,
            mute.comment,
            now,
            MOST,
        )
        return added > 0

    async def ls(self, since: datetime | None = None) -> list[Mute]:
        """Mutes that end after `since`, also those that have still to begin; those that end first before others."""
        return [_mute(row) for row in await self._pool.fetch(SELECT_MUTES, since)]

    async def end(self, mute_id: str, now: datetime) -> Mute | None:
        """End a mute now, also one that has still to begin; None where there is none that has not ended."""
        row = await self._pool.first(END_MUTE, mute_id, now)
        return None if row is None else _mute(row)

    async def silenced(self, ids: Sequence[str]) -> dict[str, Silenced]:
        """What each of those mutes has kept quiet, by id; left out where it was nothing."""
        rows = await self._pool.fetch(COUNT_SILENCED, [f"mute {id_}" for id_ in ids])
        return {row["silence"][5:]: Silenced(number=row["number"], latest=row["latest"]) for row in rows}


def _mute(row: Record) -> Mute:
    return Mute(
        id=row["id"],
        rule=row["rule"],
        account=row["account"],
        severity=None if row["severity"] is None else Severity(row["severity"]),
        tag=row["tag"],
        start=row["start"],
        end=row["end"],
        author=row["author"],
        comment=row["comment"],
    )
