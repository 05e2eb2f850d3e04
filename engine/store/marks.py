"""How far something that looks back has come, by its name."""

from datetime import datetime

from engine.store.connect import Pool

INSERT_MARK = "insert into tocsin.marks (name, at) values ($1, $2) on conflict (name) do nothing"
SELECT_MARK = "select at from tocsin.marks where name = $1"
# Whoever comes second has done the same, and changes nothing.
MOVE_MARK = "update tocsin.marks set at = $3 where name = $1 and at = $2"


class Mark:
    """A moment that moves on. Raises StoreUnavailable."""

    def __init__(self, pool: Pool, name: str) -> None:
        self._pool = pool
        self._name = name

    async def reported(self, now: datetime) -> datetime:
        """Up to when it has come; from `now` on where it never was anywhere."""
        found: datetime | None = await self._pool.value(SELECT_MARK, self._name)
        if found is None:
            await self._pool.execute(INSERT_MARK, self._name, now)
            found = await self._pool.value(SELECT_MARK, self._name)
        assert found is not None
        return found

    async def mark(self, since: datetime, until: datetime) -> None:
        """Move it on between these moments."""
        await self._pool.execute(MOVE_MARK, self._name, since, until)
