"""Tables in messages: for terminals and code blocks aligned, for mails HTML, elsewhere a line for each row.

Cells come from events and are never trusted: each becomes one line without anything that hides or turns what follows,
and nothing in it ends the block it stands in or is read as markup.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST_CELL = 160
"""Characters of a cell; in aligned tables the widest columns are cut further."""

_SHORT = 12  # columns of a day and a time, `22 Nov 23:12`

_NUMBER = re.compile(r"[-(]?\D{0,4}\d[\d,.  ]*( ?[A-Z]{3,5}| ?%|\))?\Z")
_LOOKALIKES = {"<": "‹", ">": "›", "`": "'", "*": "∗", "~": "∼", "@": "＠"}
_ENCODED = {"*": "%2A", "~": "%7E", "@": "%40"}
_MENTION = r"(?<!\w)@(?=[\w<‹])|@(?=(?:everyone|here|channel|all|room|online)\b)"
# As chats find one: without the punctuation after it.
_ADDRESS = r"https?://[^\s<>|`\[\]]*[^\s<>|`\[\]*~@.,;:!?)'\"]"
_MARK = re.compile(rf"({_ADDRESS})|[<>`]|(?<!\S )[*~]|[*~](?! \S)|{_MENTION}", re.IGNORECASE)
_MARK_IN_ADDRESS = re.compile(rf"[*~]|{_MENTION}", re.IGNORECASE)
_LINK = re.compile(r"\](?=[(\[:])")

_TABLE = "border-collapse:collapse;font:14px/1.4 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_HEAD = "border-bottom:2px solid #888"
_ROW = "border-bottom:1px solid #ccc"
_GROUP = "padding-top:14px"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The cells of one row, and where a reader finds more of it (an https address), None: nowhere."""

    cells: tuple[str, ...]
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows under a line of their own; `name` None where they have none."""

    rows: tuple[Row, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table: headings and groups of rows, each with as many cells."""

    headings: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(len(group.rows) for group in self.groups)

    def first(self, count: int) -> "Grid":
        """The same with the first rows only, and without groups of which nothing is left."""
        left: list[Group] = []
        for group in self.groups:
            if count <= 0:
                break
            left.append(Group(name=group.name, rows=group.rows[:count]))
            count -= len(group.rows)
        return Grid(headings=self.headings, groups=tuple(left))


def one_line(text: str, longest: int = LONGEST_CELL) -> str:
    """Text as one line, without characters that control, hide or turn what follows; cut visibly beyond `longest`."""
    text = text[: 20 * longest]
    if not text.isprintable():
        text = "".join(" " if each.isspace() else each for each in text if each.isspace() or _shows(each))
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def tamed(text: str) -> str:
    """Plain text as Markdown that makes nothing of it: no links, no emphasis, no code, nobody mentioned. Some services
    show the backslashes of escapes, so letters that look alike stand for the others; in addresses, which would lead
    elsewhere with those, percent-encoded ones."""
    return _LINK.sub("] ", _MARK.sub(_unmarked, text))


def _unmarked(found: re.Match[str]) -> str:
    if found[1] is None:
        return _LOOKALIKES[found[0]]
    return _MARK_IN_ADDRESS.sub(lambda mark: _ENCODED[mark[0]], found[1])


def as_aligned(grid: Grid, *, widest: int) -> str:
    """Columns under their headings, at most `widest` columns in all, numbers to the right; groups under their names."""
    cells = [[one_line(cell) for cell in row.cells] for group in grid.groups for row in group.rows]
    right = [_is_number(column) for column in _columns(grid, cells)]
    widths = _fit([_widest(grid.headings[index], column) for index, column in enumerate(_columns(grid, cells))], widest)
    lines = [_aligned(grid.headings, widths, right), _aligned(["-" * width for width in widths], widths, right)]
    rows = iter(cells)
    for number, group in enumerate(grid.groups):
        if group.name is not None:
            lines += [""] if number else []
            lines.append(_cut(one_line(group.name), widest))
        lines += [_aligned(next(rows), widths, right) for _ in group.rows]
    return "\n".join(lines)


def as_block(grid: Grid, *, widest: int) -> str:
    """The aligned table in a block of code of Markdown, which no cell can end."""
    return "```\n" + as_aligned(grid, widest=widest).replace("`", "'") + "\n```"


def as_lines(grid: Grid, *, bullet: str = "• ") -> str:
    """A line for each row, for where letters have widths of their own: cells that say something, joined."""
    blocks: list[str] = []
    for group in grid.groups:
        lines = [bullet + " · ".join(cell for cell in map(one_line, row.cells) if cell) for row in group.rows]
        blocks.append("\n".join(lines if group.name is None else [one_line(group.name), *lines]))
    return "\n\n".join(blocks)


def as_html(grid: Grid) -> str:
    """An HTML table with its looks in it, as mail programs want them, in attributes where those take less room. The
    first cell of a row leads to its link."""
    cells = [[one_line(cell) for cell in row.cells] for group in grid.groups for row in group.rows]
    right = [_is_number(column) for column in _columns(grid, cells)]
    head = "".join(_cell("th", html.escape(name), right[index]) for index, name in enumerate(grid.headings))
    parts = [f'<table cellpadding="6" style="{_TABLE}"><tr style="{_HEAD}">{head}</tr>']
    rows = iter(cells)
    for group in grid.groups:
        if group.name is not None:
            name = html.escape(one_line(group.name))
            parts.append(
                f'<tr style="{_ROW}"><th colspan="{len(grid.headings)}" align="left" style="{_GROUP}">{name}</th></tr>'
            )
        for row in group.rows:
            shown = [html.escape(cell) for cell in next(rows)]
            if row.link and shown:
                shown[0] = f'<a href="{html.escape(row.link)}">{shown[0] or "open"}</a>'
            filled = "".join(_cell("td", cell, right[index]) for index, cell in enumerate(shown))
            parts.append(f'<tr valign="top" style="{_ROW}">{filled}</tr>')
    parts.append("</table>")
    return "".join(parts)


def _cell(tag: str, content: str, right: bool) -> str:
    align = ' align="right"' if right else ' align="left"' if tag == "th" else ""
    return f"<{tag}{align}>{content}</{tag}>"


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def _columns(grid: Grid, cells: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[row[index] for row in cells] for index in range(len(grid.headings))]


def _is_number(column: Iterable[str]) -> bool:
    filled = [cell for cell in column if cell]
    return bool(filled) and all(_NUMBER.match(cell) and ":" not in cell for cell in filled)


def _widest(heading: str, column: Iterable[str]) -> int:
    return max([width(heading), *(width(cell) for cell in column)])


def _fit(widths: list[int], widest: int) -> list[int]:
    """The widths, the widest columns made narrower until the table is no wider than it may be; times and amounts are
    cut last."""
    widths = list(widths)
    for narrowest in (_SHORT, 1):
        while sum(widths) + 2 * (len(widths) - 1) > widest and max(widths) > narrowest:
            widths[widths.index(max(widths))] -= 1
    return widths


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    filled = (_filled(_cut(cell, widths[index]), widths[index], right[index]) for index, cell in enumerate(cells))
    return "  ".join(filled).rstrip()


def _filled(cell: str, columns: int, right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if right else cell + space


def _cut(cell: str, columns: int) -> str:
    if width(cell) <= columns:
        return cell
    kept, used = [], 1
    for character in cell:
        used += _wide(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def width(text: str) -> int:
    """How many columns of a terminal a text takes: two for wide letters, none for marks on others."""
    return len(text) if text.isascii() else sum(map(_wide, text))


def _wide(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
