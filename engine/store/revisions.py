"""Every loaded revision of the rules, so that what was decided can be explained with the rules that decided it."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from engine.store.connect import Pool

# Locks the one row: two processes that load the same revision wait for each other.
INSERT_REVISION = """
    insert into tocsin.revisions (revision, default_livemode, loaded, in_force) values ($1, $2, $3, $3)
    on conflict (revision) do update set in_force = greatest(revisions.in_force, excluded.in_force)
    returning loaded = in_force as new
"""

# A text that is there already stays, whichever revision brought it. Inserted in the order of the hashes, so that two
# processes with different rules lock in the same order.
INSERT_TEXTS = """
    insert into tocsin.rule_texts (hash, text)
    select distinct on (hash) hash, text from unnest($1::text[], $2::text[]) as t (hash, text) order by hash
    on conflict (hash) do nothing
"""

INSERT_FILES = """
    insert into tocsin.revision_files (revision, file, hash)
    select $1, file, hash from unnest($2::text[], $3::text[]) as f (file, hash)
    on conflict (revision, file) do nothing
"""

SELECT_REVISION = "select default_livemode from tocsin.revisions where revision = $1"

SELECT_FILES = """
    select file, text from tocsin.revision_files join tocsin.rule_texts using (hash) where revision = $1 order by file
"""

SELECT_BEGINNING = "select revision from tocsin.revisions where starts_with(revision, $1) order by revision limit 2"

SELECT_NEWEST = "select revision from tocsin.revisions order by in_force desc limit 1"


class Revisions:
    """The revisions that were in force. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def remember(self, revision: str, files: Mapping[str, str], default_livemode: bool | None) -> None:
        """Keep a revision, files by name, and note that it is in force from now."""
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in files.values()]
        async with self._pool.transaction() as connection:
            if await connection.fetchval(INSERT_REVISION, revision, default_livemode, datetime.now(UTC)):
                await connection.execute(INSERT_TEXTS, hashes, list(files.values()))
                await connection.execute(INSERT_FILES, revision, list(files), hashes)

    async def get(self, revision: str) -> tuple[dict[str, str], bool | None] | None:
        """The files of a revision by name, and its default_livemode; None for one that was never loaded."""
        row = await self._pool.first(SELECT_REVISION, revision)
        return None if row is None else (await self._files(revision), row["default_livemode"])

    async def newest(self) -> str | None:
        """The revision that was last put in force, None before the first."""
        found: str | None = await self._pool.value(SELECT_NEWEST)
        return found

    async def beginning(self, start: str) -> list[str]:
        """The revisions whose names begin so, two at most."""
        return [row["revision"] for row in await self._pool.fetch(SELECT_BEGINNING, start)]

    async def last_good(self) -> dict[str, str]:
        """The files of the revision that was last put in force, by name; empty before the first."""
        revision = await self.newest()
        return {} if revision is None else await self._files(revision)

    async def _files(self, revision: str) -> dict[str, str]:
        return {row["file"]: row["text"] for row in await self._pool.fetch(SELECT_FILES, revision)}
