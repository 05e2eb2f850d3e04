"""`tocsin serve`: the service, started with a checked configuration."""

import os
from math import ceil
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.check import examine
from engine.cli.help import ending
from engine.cli.options import chosen
from engine.cli.report import note
from engine.model.mistake import MistakeLevel

if TYPE_CHECKING:
    from engine.settings import Settings

ENDING = ending(
    "tocsin serve --port 8080",
    _0="it was asked to stop, and has",
    _1="the configuration has mistakes",
    _3="it could not start (the port is taken, the database is away), and said why",
)

ROLE_VARIABLE = "TOCSIN_ROLE"
APPLICATION = "engine.main:app"
PROTOCOL = "engine.connections:PatientProtocol"

WORKER_PATIENCE = 90
"""Seconds for a worker to be ready: longer than it waits for a database that is away."""


def serve(
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", envvar="PORT", min=1, max=65535, metavar="PORT", help="The port to listen at.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", min=1, metavar="N", help="Processes that share the port and the work.")
    ] = 1,
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="ROLE", help="all, receive or work. [default: role of the configuration]"),
    ] = None,
) -> None:
    """Check the configuration, then serve: receive events, match rules, deliver.

    The same as `uvicorn engine.main:app`, but a mistake in the configuration is told before anything starts, also
    with several workers. Rule files with errors do not stop it: their last good version runs on. With the role
    `receive` it only answers Stripe, with `work` it only delivers; other processes on the same database do the rest.
    """
    import uvicorn

    from engine.observe import logs
    from engine.settings import Role

    if role is not None:
        os.environ[ROLE_VARIABLE] = chosen(role, "role", [str(each) for each in Role])
    settings = _check()
    os.environ["PORT"] = str(port)  # what `tocsin simulate`, and the banner that names it, go by
    # uvicorn's own log waits for whoever reads it, and so would the parent of several workers, whatever signal it gets.
    logs.configure(log_format=settings.logs.format, level=settings.logs.level, secrets=settings.secrets(), apart=True)
    try:
        uvicorn.run(
            APPLICATION,
            host=host,
            port=port,
            workers=workers if workers > 1 else None,
            http=PROTOCOL,
            log_config=None,
            access_log=False,
            timeout_worker_healthcheck=WORKER_PATIENCE,
            timeout_graceful_shutdown=ceil(settings.receive.commit_timeout.total_seconds()) + 1,
        )
    finally:
        logs.finish()


def _check() -> "Settings":
    """The configuration; mistakes in rules are printed. Raises ConfigError for one that cannot be used."""
    from engine import wiring
    from engine.source import print_mistakes

    settings = wiring.load()
    found = examine([])
    errors = [mistake for mistake in found.mistakes if mistake.level is MistakeLevel.ERROR]
    if errors:
        typer.echo(print_mistakes(errors, found.sources), err=True, nl=False)
        note("serving all the same: of files with errors the last good version runs, if there was one")
    return settings
