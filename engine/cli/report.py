"""How results look: fields, moments, JSON. Colour and width follow the terminal; tables are in `engine.cli.table`.

Piped, or with NO_COLOR, there is no colour. Scripts that want structure take `--json`.
"""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from engine.model.event import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {
    "delivered": "green",
    "fired": "green",
    "valid": "green",
    "retry": "yellow",
    "held": "yellow",
    "waiting": "cyan",
    "pending": "cyan",
    "would": "cyan",
    "skipped": "dim",
    "no": "dim",
    "test": "dim",
    "dead": "red",
    "open": "red",
    "half-open": "yellow",
    "closed": "green",
    "refused": "red",
    "error": "red",
}
"""The colour of a closed set's word, wherever it stands alone."""

ENDLESS = 1_000_000
"""The width of what is no terminal: a row is one line of any length, so that grep and awk see whole values."""


def console(*, stderr: bool = False) -> "Console":
    """Where text goes: no markup, no guessed colours, no width limit when it is no terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if stream.isatty() else ENDLESS,
        color_system=None if os.environ.get("NO_COLOR") else "auto",  # rich alone would leave bold and dim
    )


def in_color() -> bool:
    """Whether standard output takes colour. Rich, which knows, is not loaded for a pipe that nothing is forced on."""
    forced = any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    return (to_terminal() or forced) and console().color_system is not None


def to_terminal() -> bool:
    """Whether people read standard output directly."""
    return sys.stdout.isatty()


def print_line(line: "Text") -> None:
    """One line; what a terminal is too narrow for goes on in the next."""
    console().print(line, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """A line of text to standard output."""
    console().print(printable(text), style=style, soft_wrap=True)


def note(text: str) -> None:
    """A line beside the result, on standard error so that it never mixes with it."""
    console(stderr=True).print(printable(text), style="dim", soft_wrap=True)


def print_fields(fields: Mapping[str, str | None], *, indent: int = 0) -> None:
    """A name and its value a line; None is left out."""
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        line = styled(" " * indent + f"{name:<{width}}  ", "dim")
        print_line(line.append_text(styled(value, style_of(value))))


def styled(text: str, style: str = "") -> "Text":
    """Text in a style, made safe to print. What is appended to it has a style of its own."""
    from rich.text import Text

    return Text().append(printable(text), style)


def style_of(word: str) -> str:
    """The colour of a word of a closed set, none for other text."""
    return STYLES.get(word.lower(), "")


def print_json(content: Json) -> None:
    """`content` as indented JSON: moments in ISO 8601 and UTC, durations in seconds, enumerations as their words."""
    import orjson

    text = orjson.dumps(content, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)
    sys.stdout.write(text.decode("utf-8", "replace") + "\n")


def _plain(value: object) -> Json:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def moment(when: datetime | None, now: datetime | None = None) -> str:
    """`14:02:11` today, else `11-23 14:02`, in another year `2025-11-23`; always UTC. Empty for None."""
    if when is None:
        return ""
    now = now or datetime.now(UTC)
    when = when.astimezone(UTC)
    if when.date() == now.date():
        return f"{when:%H:%M:%S}"
    return f"{when:%m-%d %H:%M}" if when.year == now.year else f"{when:%Y-%m-%d}"


def full_moment(when: datetime) -> str:
    """`2026-11-23 14:02:11Z`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def span(time: timedelta) -> str:
    """About how long: `12 ms`, `4.2 s`, `3 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = abs(time.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if not hours:
        return f"{minutes} min"
    if not days:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def mode_word(livemode: bool) -> str:
    """`live` or `test`."""
    return "live" if livemode else "test"


def printable(text: str) -> str:
    """Text that cannot move the cursor or change colours: what strangers wrote may hold escape sequences."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
