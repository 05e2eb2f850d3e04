"""Tables of aligned columns that keep to the terminal's width.

In a terminal a cell that is too long goes on below itself, and a row may have a note under it. Piped, a row is one
line whatever its length, its note one more column, and empty cells are `-`, so that `awk '{print $1}'` works.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.cli.report import ENDLESS, console, print_line, printable, style_of, styled

GAP = "  "
_NARROWEST = 8
_BREAKS = " -./:_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `whole`: never folded, because people copy it."""

    title: str
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: a cell for each column, and a note that stands below it (piped: behind it)."""

    cells: tuple[str, ...]
    note: str = ""


def print_table(columns: Sequence[Column], rows: Iterable[Row], *, indent: int = 0) -> None:
    """The rows under their titles; words of closed sets in their colour."""
    width = console().width
    piped = width == ENDLESS
    shown = [_cleaned(row, piped) for row in rows]
    if piped and any(row.note for row in shown):
        columns = [*columns, Column(title="NOTE")]
        shown = [Row(cells=(*row.cells, row.note or "-")) for row in shown]
    widths = fitted(columns, shown, width - indent)
    margin = " " * indent
    print_line(styled((margin + _joined([column.title for column in columns], widths)).rstrip(), "bold"))
    for row in shown:
        for line in _lines(row, widths):
            _print_cells(margin, line, row.cells, widths)
        if row.note:
            print_line(styled(f"{margin}{GAP}{row.note}", "dim"))


def fitted(columns: Sequence[Column], rows: Sequence[Row], room: int) -> list[int]:
    """The width of each column: as its longest cell, unless there is no room; then the widest that may fold give."""
    widths = [
        max(len(column.title), *(len(row.cells[place]) for row in rows), 0) for place, column in enumerate(columns)
    ]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - room
    while excess > 0:
        foldable = [place for place, column in enumerate(columns) if not column.whole and widths[place] > _NARROWEST]
        if not foldable:
            break
        widest = max(foldable, key=lambda place: widths[place])
        widths[widest] -= 1
        excess -= 1
    return widths


def folded(text: str, width: int) -> list[str]:
    """`text` in pieces of at most `width`, broken behind a separator where one is in the second half."""
    pieces = []
    while len(text) > width:
        cut = max((text.rfind(mark, width // 2, width) for mark in _BREAKS), default=-1)
        end = cut + 1 if cut >= 0 else width
        pieces.append(text[:end].rstrip(" "))
        text = text[end:].lstrip(" ")
    return [*pieces, text]


def _cleaned(row: Row, piped: bool) -> Row:
    cells = tuple(" ".join(printable(cell).split()) or ("-" if piped else "") for cell in row.cells)
    return Row(cells=cells, note=" ".join(printable(row.note).split()))


def _lines(row: Row, widths: Sequence[int]) -> Iterable[list[str]]:
    columns = [folded(cell, width) for cell, width in zip(row.cells, widths, strict=True)]
    for place in range(max(map(len, columns))):
        yield [column[place] if place < len(column) else "" for column in columns]


def _print_cells(margin: str, pieces: Sequence[str], cells: Sequence[str], widths: Sequence[int]) -> None:
    line = styled(margin)
    for place, (piece, cell, width) in enumerate(zip(pieces, cells, widths, strict=True)):
        padded = piece.ljust(width) + GAP if any(pieces[place + 1 :]) else piece
        line.append_text(styled(padded, style_of(cell) if piece else ""))
    print_line(line)


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
