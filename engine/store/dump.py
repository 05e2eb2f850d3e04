"""Backing up the embedded database to a file, and restoring one, with PostgreSQL's own programs from the wheel."""

import asyncio
import os
from pathlib import Path

from engine.errors import StoreError
from engine.store.adapter import install
from engine.store.connect import Target, translated
from engine.store.embedded import Address, EmbeddedServer
from engine.store.migrate import migrate
from engine.store.move import COUNT_USERS, LIST_TABLES, counts, refuse_rows


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


async def restore(server: EmbeddedServer, address: Address, file: Path) -> dict[str, int]:
    """Read what `backup` wrote into the embedded database, which has to be empty and in nobody's use; rows by table.

    All of it or nothing. Raises StoreError with what pg_restore said.
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
            await connection.execute("drop schema tocsin cascade")
            await _run(
                server,
                "pg_restore",
                *("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"),
                *_place(address),
                f"--dbname={address.database}",
                str(file),
            )
            await migrate(connection, install)
            await connection.execute("analyze")
            return await counts(connection, [row["name"] for row in await connection.fetch(LIST_TABLES)])
    finally:
        await connection.close()


def _place(address: Address) -> tuple[str, ...]:
    return (f"--host={address.host}", f"--port={address.port}", f"--username={address.user}", "--no-password")


async def _run(server: EmbeddedServer, name: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(server.program(name)), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C"},  # no PG* variable of somebody's
        umask=0o077,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise StoreError(f"{name} failed: {said.decode(errors='replace').strip()[-1000:]}")
