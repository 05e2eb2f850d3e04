"""A rule as it stands in its file."""

import textwrap

from engine.model.position import Position
from engine.source import split_lines


def rule_text(text: str, position: Position) -> str:
    """The lines of the rule whose id stands at `position` in the file `text`, from its dash on, moved to the left."""
    lines = split_lines(text)
    start = _start(lines, position.line - 1)
    return _block(lines, start, _indent(lines[start]))


def defaults_text(text: str) -> str | None:
    """The lines of the file's `defaults`, None where it has none."""
    lines = split_lines(text.removeprefix("\ufeff"))
    start = next((place for place, line in enumerate(lines) if line.startswith("defaults:")), None)
    return None if start is None else _block(lines, start, 0)


def _start(lines: list[str], at: int) -> int:
    """The line of the dash: at or above the id, further to the left than it and than any list within the rule."""
    keys = len(lines[at]) if lines[at].lstrip().startswith("-") else _indent(lines[at])
    for place in range(at, -1, -1):
        line = lines[place]
        if line.lstrip().startswith("-") and _indent(line) < keys:
            return place
    return at


def _block(lines: list[str], start: int, margin: int) -> str:
    """From `start` on, as long as lines are further to the right than `margin`; comments before what follows left."""
    end = start + 1
    for place in range(start + 1, len(lines)):
        line = lines[place]
        if line.strip() and _indent(line) <= margin:
            if not line.lstrip().startswith("#"):
                break
        elif line.strip():
            end = place + 1
    return textwrap.dedent("\n".join(lines[start:end])).rstrip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
