"""`tocsin database`: all that is stored, backed up, restored, or moved to another PostgreSQL."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from engine.cli.help import ending, plural
from engine.cli.options import JsonOut, Usage
from engine.cli.progress import progress
from engine.cli.report import note, print_json, say
from engine.cli.stored import quiet
from engine.errors import StoreError

if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.store.connect import Target
    from engine.store.embedded import Address, EmbeddedServer

MOVE_ENDING = ending(
    "tocsin database move --to postgresql://tocsin@db.example.com/tocsin",
    _0="moved; what was there before stays as it was",
    _1="nothing was moved: Tocsin is running, the other is not empty or cannot be reached",
    _2="usage: the URL is not one of PostgreSQL",
)
BACKUP_ENDING = ending(
    "tocsin database backup tocsin-2026-11-27.dump",
    _0="written",
    _1="the file is there already or cannot be written, or the database is not the embedded one",
)
RESTORE_ENDING = ending(
    "tocsin database restore tocsin-2026-11-27.dump",
    _0="restored",
    _1="nothing was restored: Tocsin runs, or is older than the backup, or the database is not empty",
)

Result = TypeVar("Result")

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Back up, restore, or move what is stored.")

_MB = 1_000_000


@app.command("move", epilog=MOVE_ENDING, short_help="Move to another PostgreSQL.")
def move(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where to: postgresql://user@host/database.")],
    as_json: JsonOut = False,
) -> None:
    """Copy everything to another PostgreSQL, which may hold nothing of Tocsin's yet, and count it on both sides.

    All of it arrives, or nothing. Stop Tocsin first; what arrives meanwhile is answered by nobody, and Stripe sends it
    again. A password is best left out of the URL: PGPASSWORD and ~/.pgpass are read.
    """
    from engine.store.connect import Target
    from engine.store.move import move as move_all

    target = _target(to)

    async def run(settings: "Settings") -> dict[str, int]:
        with progress("copied", "MB") as told:
            if not settings.store.embedded:
                source = Target.from_url(settings.store.url)
                return dict((await move_all(source, target, lambda size: told(size // _MB))).rows)

            async def on(server: "EmbeddedServer", address: "Address") -> dict[str, int]:
                source = Target.from_address(address)
                return dict((await move_all(source, target, lambda size: told(size // _MB))).rows)

            return await _embedded(settings, on)

    rows = _with_settings(run)
    if as_json:
        print_json({"rows": rows})
        return
    say(f"moved: {_told(rows)}", "green")
    note("now set store.url to it, in the configuration or as TOCSIN_STORE__URL, and start Tocsin")


@app.command("backup", epilog=BACKUP_ENDING, short_help="Back up to a file.")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")], as_json: JsonOut = False
) -> None:
    """Write all that is stored in the embedded database to a file, as of one moment; Tocsin may go on meanwhile."""
    from engine.store import dump

    async def run(settings: "Settings") -> int:
        return await _embedded(settings, lambda server, address: dump.backup(server, address, file))

    size = _with_settings(run)
    if as_json:
        print_json({"file": str(file), "bytes": size})
        return
    say(f"backed up: {file}, {size / _MB:,.1f} MB", "green")


@app.command("restore", epilog=RESTORE_ENDING, short_help="Restore from a file.")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What backup wrote.")], as_json: JsonOut = False
) -> None:
    """Read a backup into the embedded database, which has to be empty. All of it, or nothing. Stop Tocsin first.

    What was still to be delivered then is delivered when Tocsin is started. Stripe writes that are more than 23 hours
    old are held: they may have been made since, and Stripe may have forgotten their keys.
    """
    from engine.store import dump

    async def run(settings: "Settings") -> dump.Restored:
        return await _embedded(settings, lambda server, address: dump.restore(server, address, file))

    restored = _with_settings(run)
    if as_json:
        print_json({"rows": dict(restored.rows), "held": restored.held})
        return
    say(f"restored: {_told(restored.rows)}", "green")
    if restored.held:
        note(
            f"held: {plural(restored.held, 'Stripe write')} that may have been made since the backup; see "
            "'tocsin deliveries ls --status held', look at Stripe, then 'tocsin retry ID --again'"
        )


def _target(url: str) -> "Target":
    from engine.settings.store_url import store_url_problem
    from engine.store.connect import Target

    problem = store_url_problem(url)
    if problem is not None:
        said, hint = problem
        if hint is None:
            said = "wants a URL like postgresql://user@host/database"
        raise Usage(f"--to: {said}" + (f"; {hint}" if hint else ""))
    return Target.from_url(url)


def _told(rows: Mapping[str, int]) -> str:
    return f"{plural(rows['events'], 'event')}, {plural(rows['deliveries'], 'delivery')}"


def _with_settings(run: "Callable[[Settings], Awaitable[Result]]") -> Result:
    import asyncio

    from engine import wiring

    settings = wiring.load()
    quiet(settings)

    async def go() -> Result:
        return await run(settings)

    return asyncio.run(go())


async def _embedded(settings: "Settings", use: "Callable[[EmbeddedServer, Address], Awaitable[Result]]") -> Result:
    """What `use` makes of the embedded server, started if it is not running."""
    from engine.store.embedded import EmbeddedServer

    if not settings.store.embedded:
        raise StoreError(
            "store.url is not the embedded database: back that one up with its own tools (pg_dump, or what its host "
            "offers); see docs/operations.md"
        )
    server = EmbeddedServer(settings.data)
    address = await server.start()
    try:
        return await use(server, address)
    finally:
        await server.stop()
