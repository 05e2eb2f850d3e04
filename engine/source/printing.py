"""Mistakes as people, scripts and GitHub read them (rule-language, section 6)."""

import json
import re
from collections.abc import Iterable, Mapping
from unicodedata import east_asian_width

from engine.model.mistake import Mistake, MistakeLevel
from engine.source.reader import split_lines

_WIDTH = 140
_CREDENTIAL = re.compile(
    r"(?<![A-Za-z0-9])((?:whsec|[srp]k_live|[srp]k_test)_)[A-Za-z0-9+/=_-]+"
    r"|([A-Za-z][A-Za-z0-9+.-]*://)[^\s\"'/@]+@"
    r"|(?<![A-Za-z0-9])((?!https?://)[A-Za-z][A-Za-z0-9+.-]*://)(?!\.\.\.)[^\s\"',}]+"
)
_COLORS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "dim": "\x1b[2m", "caret": "\x1b[1;36m", "off": "\x1b[0m"}


def print_mistakes(mistakes: Iterable[Mistake], sources: Mapping[str, str], *, color: bool = False) -> str:
    """Each mistake as its one line, the line of the file with what is meant underlined, and what to write.

    `sources` is file name -> text; without the text of its file a mistake is one line. What looks like a secret is
    not shown, nor are control characters. The result ends with a newline unless it is empty.
    """
    lines = {file: split_lines(text.removeprefix("\ufeff")) for file, text in sources.items()}
    shown = [_shown(mistake, lines, color) for mistake in mistakes]
    return "".join(f"{text}\n" for text in shown)


def to_json(mistakes: Iterable[Mistake]) -> str:
    """A JSON list of `{level, code, message, hint, file, line, column, length}`; place keys are null without one."""
    return json.dumps([_as_dict(mistake) for mistake in mistakes], ensure_ascii=False, indent=2)


def to_github(mistakes: Iterable[Mistake]) -> str:
    """Workflow commands that GitHub shows as annotations in a pull request, a line each."""
    return "".join(f"{_annotation(mistake)}\n" for mistake in mistakes)


def counted(mistakes: Iterable[Mistake]) -> str:
    """`2 errors, 1 warning`, or `no mistakes`."""
    levels = [mistake.level for mistake in mistakes]
    counts = [(levels.count(level), str(level)) for level in MistakeLevel]
    parts = [f"{count} {name}{'s' * (count != 1)}" for count, name in counts if count]
    return ", ".join(parts) or "no mistakes"


def redact(text: str) -> str:
    """The text with what looks like a secret, and credentials in URLs, starred out character for character."""

    def stars(found: re.Match[str]) -> str:
        kept = found[1] or found[2] or found[3] or ""
        return kept + "*" * (len(found[0]) - len(kept))

    return _CREDENTIAL.sub(stars, text)


def _shown(mistake: Mistake, lines: Mapping[str, list[str]], color: bool) -> str:
    paint = _COLORS if color else dict.fromkeys(_COLORS, "")
    place = mistake.position
    source = lines.get(place.file) if place else None
    where = f"{place}  " if place else ""
    level = f"{paint[mistake.level]}{mistake.level}[{mistake.code}]{paint['off']}"
    head = f"{where}{level}  {_printable(mistake.message)}"
    if place is None or source is None or place.line > len(source):
        return head + (f"; {_printable(mistake.hint)}" if mistake.hint else "")
    text, caret = _excerpt(source[place.line - 1], place.column - 1, place.length)
    number = f"{place.line:>4} | "
    margin = f"{'':>4} | "
    hint = f"  {_printable(mistake.hint)}" if mistake.hint else ""
    return (
        f"{head}\n{paint['dim']}{number}{paint['off']}{text}\n"
        f"{paint['dim']}{margin}{paint['off']}{paint['caret']}{caret}{paint['off']}{hint}"
    ).rstrip()


def _excerpt(line: str, column: int, length: int) -> tuple[str, str]:
    """The line, cut to a window around the column where it is long, and the carets to stand below it."""
    line = redact(line)
    cut = max(0, column - _WIDTH // 2) if len(line) > _WIDTH else 0
    window = _printable(line[cut : cut + _WIDTH])
    lead = "…" if cut else ""
    before = lead + window[: column - cut]
    marked = window[column - cut : column - cut + length]
    tail = "…" if cut + _WIDTH < len(line) else ""
    return (lead + window + tail).rstrip(), " " * _cells(before) + "^" * max(1, _cells(marked))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " if char in "\t\n" else "\ufffd" for char in text)


def _cells(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _as_dict(mistake: Mistake) -> dict[str, str | int | None]:
    place = mistake.position
    return {
        "level": str(mistake.level),
        "code": mistake.code,
        "message": mistake.message,
        "hint": mistake.hint,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "length": place.length if place else None,
    }


def _annotation(mistake: Mistake) -> str:
    place = mistake.position
    fields = [f"title={_escaped(mistake.code, inside_property=True)}"]
    if place:
        spot = [f"line={place.line}", f"col={place.column}", f"endColumn={place.column + place.length - 1}"]
        fields = [f"file={_escaped(place.file, inside_property=True)}", *spot, *fields]
    message = mistake.message + (f"; {mistake.hint}" if mistake.hint else "")
    return f"::{mistake.level} {','.join(fields)}::{_escaped(message)}"


def _escaped(text: str, *, inside_property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if inside_property else text
