"""The built-in channel: an alert printed to a stream, made to be seen among log lines and read in a second.

    ┏━ HIGH ━ Payout of $123.45 failed · Acme GmbH
    ┃
    ┃  Account: Acme GmbH (acct_1)
    ┃  Reason: The bank account has been closed.
    ┃  https://dashboard.stripe.com/acct_1/payouts/po_1
    ┃
    ┗━ payout.failed · evt_1 · acct_1 · rule payout-failed · to payments

A rail at the left instead of a box: lines of any length and script stay whole, links stay clickable, and `grep` finds
them. Colour only on a terminal. What an event carries is never trusted: no control or direction-changing character of
it reaches the terminal, and every line of it stands behind the rail, so that no text can pass for the log around it.
"""

import os
import shutil
import textwrap
import unicodedata
from dataclasses import dataclass
from typing import TextIO

from engine.model.rule import Severity

_COLORS = {
    Severity.CRITICAL: "1;97;41",
    Severity.HIGH: "1;91",
    Severity.MEDIUM: "1;93",
    Severity.LOW: "1;96",
    Severity.INFO: "1;94",
}
_RAILS = {Severity.CRITICAL: "91", Severity.HIGH: "91", Severity.MEDIUM: "93", Severity.LOW: "96", Severity.INFO: "94"}
_TEST = "[TEST]"
_NARROWEST, _WIDEST = 40, 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is printed. `event`, `type`, `account` and `rule` are None for Tocsin's own reports; `account` also for
    events about the platform."""

    title: str
    text: str
    severity: Severity
    live: bool
    channel: str
    rule: str | None
    event: str | None
    type: str | None
    account: str | None
    delivery: str


def write_alert(stream: TextIO, alert: Alert) -> None:
    """Print one alert in a single write, so that log lines do not come between. Raises what the stream raises."""
    stream.write(written_alert(stream, alert))
    stream.flush()


def written_alert(stream: TextIO, alert: Alert) -> str:
    """The alert as that stream shows and can write it. Raises ValueError for one that is closed."""
    color = _wants_color(stream)
    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST) if color else None
    text = print_alert(alert, color=color, width=width)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        text = text.translate(_ASCII).encode("ascii", "replace").decode()
    return text


def print_alert(alert: Alert, *, color: bool = False, width: int | None = None) -> str:
    """The alert as text, a blank line around it. Lines are wrapped at `width` columns, None: never."""
    paint = _paint if color else _plain
    rail = paint("┃", _RAILS[alert.severity])
    lines = [_head(alert, color), rail]
    lines += [f"{rail}  {line}" if line else rail for line in _body(alert.text, width)]
    lines += [rail] if alert.text else []
    lines.append(paint("┗━", _RAILS[alert.severity]) + " " + paint(_foot(alert), "2"))
    return "\n" + "\n".join(lines) + "\n\n"


def visible(text: str) -> str:
    """Text with everything that a terminal would obey, or that would hide or reorder what follows, made visible.

    Newlines and tabs become spaces: callers split lines first.
    """
    if text.isprintable():  # most are, and asking each character costs more than all the rest of an alert
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t\r":
        return " "
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and character not in "\u200d\u200c\u00ad"):
        return "\ufffd"
    return character


def _head(alert: Alert, color: bool) -> str:
    title = visible(alert.title)
    testing = title.startswith(_TEST)
    title = title.removeprefix(_TEST).strip() if testing else title
    severity = str(alert.severity).upper()
    if not color:
        return f"┏━ {severity} ━ {_TEST + ' ' if testing else ''}{title}"
    badge = _paint(f" {severity} ", _COLORS[alert.severity]) if alert.severity is Severity.CRITICAL else (
        _paint(severity, _COLORS[alert.severity])
    )  # fmt: skip
    rail = _RAILS[alert.severity]
    test = _paint(" TEST ", "1;30;105") + " " if testing else ""
    return f"{_paint('┏━', rail)} {badge} {_paint('━', rail)} {test}{_paint(title, '1')}"


def _body(text: str, width: int | None) -> list[str]:
    lines = [visible(line.rstrip()) for line in text.replace("\r\n", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if width is None:
        return lines
    wrapped: list[str] = []
    for line in lines:
        # A word, such as a link, is never broken: half a link is no link.
        wrapped += textwrap.wrap(line, width - 3, break_long_words=False, break_on_hyphens=False) or [""]
    return wrapped


def _foot(alert: Alert) -> str:
    if alert.rule is None:
        return f"Tocsin's own report · to {visible(alert.channel)}"
    account = alert.account or ("the platform" if alert.event else None)
    parts = [alert.type, alert.event, account, f"rule {alert.rule}", f"to {alert.channel}"]
    return " · ".join(visible(part) for part in parts if part)


def _wants_color(stream: TextIO) -> bool:
    """As no-color.org and terminals have it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _plain(text: str, code: str) -> str:
    return text


_ASCII = str.maketrans({"┏": "+", "┗": "+", "┃": "|", "━": "-", "·": "-", "…": "...", "→": "->"})
