"""Backing up the embedded database to a file, and restoring one, with PostgreSQL's own programs from the wheel."""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StoreError
from engine.store.adapter import install
from engine.store.connect import Connection, Target, translated
from engine.store.embedded import Address, EmbeddedServer
from engine.store.migrate import migrate, refuse_newer
from engine.store.move import COUNT_USERS, LIST_TABLES, counts, refuse_rows

# Whether a write was attempted since the backup is not known, and so neither how old its key is at Stripe: no older
# than the write itself.
DATE_WRITES = """
    update tocsin.deliveries set first_attempt = created
    where verb = 'stripe' and status in ('pending', 'waiting', 'held', 'dead') and first_attempt is null
"""

# Those whose key Stripe may have forgotten (deliveries.KEY_LIFE); a repeat of the others is none. Reads are let go.
HOLD_WRITES = r"""
    update tocsin.deliveries set
        status = 'held', next_attempt = null, finished = now(),
        reason = 'restored from a backup: it may have been made since, and Stripe may have forgotten its key; '
                 'look at Stripe, then run tocsin retry with --again'
    where verb = 'stripe' and status = 'pending' and first_attempt < now() - interval '23 hours'
      and destination !~ '^GET |\.(retrieve|retrieve_current|list|search|find|preview)$'
"""

# Both stand in docs/operations.md too, for databases that are restored by other tools.

_NUMBER = re.compile(r"^(\d+)\t", re.MULTILINE | re.ASCII)
"""At the start of a row of tocsin.migrations, as `copy` writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Rows by table; `held`: of them, Stripe writes that wait for a person to say whether they are still to be made."""

    rows: Mapping[str, int]
    held: int


async def backup(server: EmbeddedServer, address: Address, file: Path) -> int:
    """Write all that Tocsin has stored to `file`, as of one moment, while it goes on; its size in bytes.

    The file is readable by its owner only, and there as a whole or not at all. Jobs are not in it: they are made anew.
    Raises StoreError with what pg_dump said, also when the file is there already.
    """
    if file.exists():  # noqa: ASYNC240  a look
        raise StoreError(f"{file} is there already")
    part = file.with_name(f".{file.name}.part")
    try:
        await _run(
            server,
            "pg_dump",
            *("--format=custom", "--schema=tocsin", "--no-owner", "--no-privileges", f"--file={part}"),
            *_place(address),
            f"--dbname={address.database}",
        )
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(file)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size  # noqa: ASYNC240  a look


async def restore(server: EmbeddedServer, address: Address, file: Path) -> Restored:
    """Read what `backup` wrote into the embedded database, which has to be empty and in nobody's use.

    All of it or nothing. Stripe writes that may have been made since the backup are held. Raises StoreError with what
    pg_restore said, SchemaTooNew for a backup of newer code.
    """
    if not file.is_file():  # noqa: ASYNC240  a look
        raise StoreError(f"there is no file {file}")
    connection = await Target.from_address(address).connect("move", unbounded=True)
    try:
        with translated():
            if await connection.fetchval(COUNT_USERS):
                raise StoreError("Tocsin is running on this database: stop it first")
            await migrate(connection, install)
            await refuse_rows(connection, [row["name"] for row in await connection.fetch(LIST_TABLES)], "restore")
            refuse_newer(await _migrations(server, file), str(file))
            await connection.execute("drop schema tocsin cascade")
            await _run(
                server,
                "pg_restore",
                *("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"),
                *_place(address),
                f"--dbname={address.database}",
                str(file),
            )
            return await _settle(connection)
    finally:
        await connection.close()


async def _settle(connection: Connection) -> Restored:
    """What has to be done to what pg_restore has committed; without it nothing may stay."""
    try:
        await connection.execute(DATE_WRITES)
        held = len(await connection.fetch(f"{HOLD_WRITES} returning id"))
        await migrate(connection, install)
        await connection.execute("analyze")
        rows = await counts(connection, [row["name"] for row in await connection.fetch(LIST_TABLES)])
    except BaseException:
        await connection.execute("drop schema tocsin cascade")
        raise
    return Restored(rows=rows, held=held)


async def _migrations(server: EmbeddedServer, file: Path) -> list[int]:
    """The numbers of the migrations that a backup has. Raises StoreError where it has none."""
    written = await _run(
        server, "pg_restore", "--data-only", "--schema=tocsin", "--table=migrations", "--file=-", str(file)
    )
    found = [int(number) for number in _NUMBER.findall(written)]
    if not found:
        raise StoreError(f"{file} is no backup of Tocsin's")
    return found


def _place(address: Address) -> tuple[str, ...]:
    return (f"--host={address.host}", f"--port={address.port}", f"--username={address.user}", "--no-password")


async def _run(server: EmbeddedServer, name: str, *arguments: str) -> str:
    """What the program writes to standard output."""
    process = await asyncio.create_subprocess_exec(
        *(str(server.program(name)), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C"},  # no PG* variable of somebody's
        umask=0o077,
    )
    try:
        written, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise StoreError(f"{name} failed: {said.decode(errors='replace').strip()[-1000:]}")
    return written.decode(errors="replace")
