"""The accounts table: every account that events are about, as it was last seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.model.event import Json
from engine.store.columns import from_json, to_json
from engine.store.connect import Pool

# Sorted by the caller, so that two processes lock in the same order. What is older than what is known changes nothing.
KEEP = """
    insert into tocsin.accounts (account, livemode, object, as_of)
    select * from unnest($1::text[], $2::boolean[], $3::text[], $4::timestamptz[])
    on conflict (account, livemode) do update set object = excluded.object, as_of = excluded.as_of
    where accounts.as_of < excluded.as_of
"""

SELECT = "select object, as_of from tocsin.accounts where account = $1 and livemode = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAccount:
    """An account as it was at `as_of`: Stripe's object."""

    account: str
    livemode: bool
    object: Mapping[str, Json]
    as_of: datetime


class Accounts:
    """What is known of accounts. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, account: str, livemode: bool) -> SeenAccount | None:
        """The account as it was last seen in that mode, None if it never was."""
        row = await self._pool.first(SELECT, account, livemode)
        if row is None:
            return None
        return SeenAccount(account=account, livemode=livemode, object=from_json(row["object"]), as_of=row["as_of"])

    async def keep(self, seen: Sequence[SeenAccount]) -> None:
        """Keep what was seen, each account and mode once, where it is newer than what is known."""
        each = sorted(seen, key=lambda one: (one.account, one.livemode))
        await self._pool.execute(
            KEEP,
            [one.account for one in each],
            [one.livemode for one in each],
            [to_json(one.object) for one in each],
            [one.as_of for one in each],
        )
