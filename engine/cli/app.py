"""The commands put together, their global options, and how failures are told."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from engine.cli.help import FAILED, INTERRUPTED, ending
from engine.errors import ConfigError, TocsinError

SETTINGS_VARIABLE = "TOCSIN_CONFIG"


SUMMARIES = {
    "check": "Find every mistake in configuration and rules.",
    "test": "Run the rules' own tests.",
    "new": "Write a first rule for an event type.",
    "serve": "Receive events, match rules, deliver.",
    "simulate": "Post a signed, plausible event of any type.",
    "events": "What Stripe sent, and what came of it.",
    "explain": "Why each rule did or did not fire.",
    "rules": "The rules, how often they fired, and why not.",
    "coverage": "What the rules leave out of what Stripe sends.",
    "render": "What a rule would send, and to whom.",
    "backtest": "What rules would have done over past events.",
    "diff": "Alerts lost and gained by a change to the rules.",
    "deliveries": "What was sent, what was not, and why.",
    "destinations": "Which places take deliveries, and what waits.",
    "retry": "Send again what was given up or held.",
    "replay": "Stored events once more, dry unless asked.",
    "incidents": "What goes on, and who is at it.",
    "mute": "Silence messages for a while.",
    "database": "Back up, restore, or move what is stored.",
    "send-test": "Send a test message to a channel.",
    "sign": "The signature header of a body.",
    "verify": "Whether a signature holds, or exactly why not.",
    "schema": "JSON Schemas for editors.",
}
"""The commands as the help lists them: in the order of a newcomer's day. Each is in the module of its name, which is
imported when the command is asked for."""

GROUPS = {
    "events": ("ls", "show"),
    "rules": ("ls", "show"),
    "deliveries": ("ls", "show"),
    "destinations": ("ls", "show"),
    "incidents": ("ls", "show", "ack", "resolve"),
    "mute": ("add", "ls", "end"),
    "database": ("backup", "restore", "move"),
}
"""Those that have commands of their own."""


class Commands(TyperGroup):
    """All commands. What Tocsin says it cannot do ends in its reason and an exit code, not in a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        """As in SUMMARIES."""
        return list(SUMMARIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, its module imported if it was not before."""
        if cmd_name not in self.commands and cmd_name in SUMMARIES:
            self.commands[cmd_name] = _command(cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is meant; the error of an unknown name knows all that there are."""
        if args[0] not in SUMMARIES:
            for name in SUMMARIES:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands in the help, for which none is imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`--config` may stand anywhere on the line, as people write it after the command as often as before."""
        return super().parse_args(ctx, hoisted(args, "--config"))

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; ends with exit code 1 and the reason where Tocsin says why it cannot."""
        try:
            return super().invoke(ctx)
        except TocsinError as error:
            _tell(error)
            raise typer.Exit(FAILED) from None
        except BrokenPipeError:
            _close_quietly()
            raise typer.Exit(FAILED) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _command(name: str) -> Any:
    """The command, or the group of commands, of that name."""
    word = name.replace("-", "_")
    module = import_module(f"engine.cli.{word}")
    if name in GROUPS:
        return get_command(module.app)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    run = module.run_tests if name == "test" else getattr(module, word)
    alone.command(name, epilog=module.ENDING, short_help=SUMMARIES[name])(run)
    return get_command(alone)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tocsin {version('tocsin')}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"max_content_width": 100},
    rich_markup_mode=None,  # plain help: a third of the time to the first line, and the same text when piped
    pretty_exceptions_enable=False,
    epilog=ending("tocsin simulate payout.failed --account acct_demo"),
)


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="PATH", help="The configuration file. [env: TOCSIN_CONFIG, else config.yaml]"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Rules and alerts for Stripe Connect webhooks.

    Each command has its own help, with an example: tocsin COMMAND --help
    """
    if config is not None:
        _use(context, config)


def _use(context: typer.Context, config: Path) -> None:
    """Names the configuration file for this run alone."""
    before = os.environ.get(SETTINGS_VARIABLE)

    def restore() -> None:
        os.environ.pop(SETTINGS_VARIABLE, None)
        if before is not None:
            os.environ[SETTINGS_VARIABLE] = before

    os.environ[SETTINGS_VARIABLE] = str(config)
    context.call_on_close(restore)


def hoisted(args: Sequence[str], option: str) -> list[str]:
    """`args` with `option` and its value moved to the front, wherever they stood before a `--`."""
    end = args.index("--") if "--" in args else len(args)
    front: list[str] = []
    rest: list[str] = []
    place = 0
    while place < end:
        if args[place] == option and place + 1 < end:
            front += args[place : place + 2]
            place += 2
        elif args[place].startswith(f"{option}="):
            front.append(args[place])
            place += 1
        else:
            rest.append(args[place])
            place += 1
    return [*front, *rest, *args[end:]]


def _tell(error: TocsinError) -> None:
    """The reason on standard error: of a configuration every mistake with its place, of all else a line."""
    if isinstance(error, ConfigError):
        from engine.source import print_mistakes

        color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        typer.echo(print_mistakes(error.mistakes, error.sources, color=color), nl=False, err=True)
    else:
        typer.echo(f"error: {error}", err=True)


def _close_quietly() -> None:
    """Whoever read our output has left; Python must not complain of it at exit."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
