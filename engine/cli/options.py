"""Options that several commands share, so that they are written and explained the same everywhere."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

JsonOut = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Usage(typer.BadParameter):
    """A command line that cannot be meant: told in its own words, with exit code 2."""

    def format_message(self) -> str:
        """The message alone; a parameter's name in front of it would say less than it does."""
        return self.message


Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, metavar="N", help="At most so many.")]

Days = Annotated[int, typer.Option("--days", min=1, max=3_650, metavar="N", help="Looks so many days back.")]

Most = Annotated[
    int, typer.Option("--most", min=1, max=10_000_000, metavar="N", help="Judges at most so many events, the newest.")
]

Account = Annotated[str | None, typer.Option("--account", metavar="ACCT", help="About this connected account.")]

Live = Annotated[bool | None, typer.Option("--live/--test", help="Live or test mode only.", show_default=False)]

Since = Annotated[
    timedelta | None,
    typer.Option("--since", metavar="SPAN", parser=lambda text: _span(text), help="Not older than this: 30m 2h 7d."),
]


LISTED = 20
"""Names that are listed where none of them is near to what was written."""


def _span(text: str) -> timedelta:
    from engine.source import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise Usage(str(error)) from None


def start_of(since: timedelta | None) -> datetime | None:
    """The moment `since` reaches back to, None for no limit."""
    return datetime.now(UTC) - since if since else None


def chosen(word: str, what: str, known: "list[str]") -> str:
    """`word` if it is one of `known`; else a usage error that lists them and names the nearest."""
    from engine.source.nearest import did_you_mean

    if word in known:
        return word
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    hint = did_you_mean(word, known) or f"there are: {', '.join(known[:LISTED]) or 'none'}{more}"
    raise Usage(f"no {what} '{word}'; {hint}")
