"""Which processes work on this database just now, so that they can share what only so many may do at once."""

import asyncio
import itertools
from datetime import timedelta
from uuid import uuid4

import structlog

from engine.errors import StoreError
from engine.store.connect import Pool

log = structlog.get_logger("tocsin.members")

BEAT = 1.0
"""Seconds between two signs of life."""

FORGET_EVERY = 600
"""Signs of life between two looks for those who are gone."""

GONE = timedelta(seconds=4)
"""Without a sign of life for so long a process counts as gone, and others have its seats: as soon as its jobs."""

SHOW_LIFE = """
    insert into tocsin.processes (id, seen) values ($1, now()) on conflict (id) do update set seen = excluded.seen
"""
COUNT_OTHERS = """
    select count(*) as others, count(*) filter (where id < $1) as before
    from tocsin.processes where id <> $1 and seen > now() - $2::interval
"""
FORGET_GONE = "delete from tocsin.processes where seen < now() - interval '1 hour'"
LEAVE = "delete from tocsin.processes where id = $1"


class Members:
    """This process among those that work. Alone until the first `beat`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._id = uuid4()
        self.place = 0
        self.number = 1

    def share(self, all_: int) -> int:
        """How many of `all_` are this process's: together the processes have just so many, and some may have none."""
        return all_ // self.number + (self.place < all_ % self.number)

    async def beat(self) -> None:
        """Give a sign of life, and see how many others there are. Raises StoreUnavailable."""
        await self._pool.execute(SHOW_LIFE, self._id)
        row = await self._pool.first(COUNT_OTHERS, self._id, GONE)
        assert row is not None
        self.place, self.number = row["before"], row["others"] + 1

    async def run(self, stop: asyncio.Event) -> None:
        """Give signs of life until `stop`, and then leave."""
        for beat in itertools.count():
            if stop.is_set():
                break
            try:
                await self.beat()
                if beat % FORGET_EVERY == 0:
                    await self._pool.execute(FORGET_GONE)
            except StoreError as error:
                log.warning("members_not_counted", reason=str(error))
            try:
                async with asyncio.timeout(BEAT):
                    await stop.wait()
            except TimeoutError:
                continue
        try:
            await self._pool.execute(LEAVE, self._id)
        except StoreError:
            return  # it is gone for the others in a moment
