"""Many alerts as one message: how many, how much, in what time, and a table of them, in the form of its channel."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from html import escape as escape_html

from engine.model.event import Json
from engine.model.outcome import Scene
from engine.render.columns import grid_of
from engine.render.default_message import source_line
from engine.render.grid import Grid, as_aligned, as_block, as_html, as_lines, one_line, tamed
from engine.render.message import Message
from engine.render.noise import span_text
from engine.render.text import MAX_TITLE, TEST, render_text, render_title
from engine.render.times import moment

TERMINAL_COLUMNS = 77
BLOCK_COLUMNS = 84
LONGEST = 30_000
"""Characters of a digest where its channel says nothing: no one reads more."""

_HTML_TEXT = "font:14px/1.4 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"


class Form(StrEnum):
    """How a channel shows tables."""

    TERMINAL = "terminal"  # letters of one width: aligned columns
    LINES = "lines"  # plain text in any letters: a line for each
    LIST = "list"  # Markdown without tables, or without room for them: a list
    BLOCK = "block"  # Markdown: aligned columns in a block of code
    HTML = "html"  # mail: a table


def render_digest(
    options: Mapping[str, Json], scene: Scene, form: Form = Form.LINES, *, limit: int = LONGEST
) -> Message:
    """The message of a digest, whose text has at most `limit` characters; `scene` is one of `digest_scene`.

    `options` are those of the step: `title` and `text` (with `format`), `table` (heading to path or text). Without a
    text there is a default one with a table; with a text, the table only where `table` names columns. Rows that do not
    fit are counted with those that were never listed: "and 37 more". Notes are said at the end, unless the text does.
    The format of the message is that of its text: `text`, `markdown` or `html`.
    Raises TemplateError where a title or text cannot be written.
    """
    title, columns = options.get("title"), options.get("table")
    own = render_text(str(options["text"]), scene).strip() if options.get("text") else None
    grid = grid_of(columns or None, scene) if own is None or columns else None
    markup = own is not None and options.get("format") == "markdown"
    notes = [] if "digest.notes" in str(options.get("text") or "") else scene["digest"]["notes"]
    made = _Made(own, markup, grid, notes, scene, form)
    return Message(
        title=_title(str(title) if title else None, scene, form),
        text=made.fitting(limit),
        format=made.format,
    )


class _Made:
    """The text of a digest, to be written with as many rows as there is room for."""

    def __init__(
        self, own: str | None, markup: bool, grid: Grid | None, notes: Sequence[Json], scene: Scene, form: Form
    ) -> None:
        self._own = own
        self._markup = markup
        self._grid = grid
        self._notes = [one_line(str(note), 400) for note in notes]
        self._scene = scene
        self._form = form

    @property
    def format(self) -> str:
        """What the whole text is written in."""
        if self._form is Form.HTML:
            return "markdown" if self._markup else "html"  # tables of HTML pass through Markdown as they are
        return "markdown" if self._markup or self._form in (Form.LIST, Form.BLOCK) else "text"

    def fitting(self, limit: int) -> str:
        """With the most rows that are not too long; without any, as much of the prose as there is room for."""
        low, high = 0, self._grid.rows if self._grid is not None else 0
        if len(text := self._with(high)) <= limit:
            return text
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if len(self._with(middle)) <= limit else (low, middle - 1)
        if len(text := self._with(low)) <= limit:
            return text
        longest = limit
        while len(text := self._prose(longest)) > limit:
            longest = longest * 3 // 4
        return text

    def _with(self, rows: int) -> str:
        parts = [self._prose()]
        if self._grid is not None:
            parts.append(self._table(self._grid.first(rows)) if rows else "")
        parts.append(self._plain(self._foot(rows)))
        return ("" if self.format == "html" else "\n\n").join(part for part in parts if part)

    def _prose(self, longest: int | None = None) -> str:
        prose = self._own if self._own is not None else intro(self._scene)
        if longest is not None and len(prose) > longest:
            prose = prose[: max(0, longest - 1)] + "…"[:longest]
        return prose if self._markup else self._plain(prose)

    def _foot(self, rows: int) -> str:
        digest = self._scene["digest"]
        more = digest["count"] - rows if self._grid is not None else 0
        lines = [f"and {more:,} more"] if more else []
        lines += self._notes
        if self._own is None:
            lines.append(_source(digest, self._scene["rule"]))
        return "\n".join(line for line in lines if line)

    def _plain(self, text: str) -> str:
        """Text that is no markup, as part of the whole."""
        if self.format == "html":
            return f'<p style="{_HTML_TEXT}">{escape_html(text).replace(chr(10), "<br>")}</p>' if text else ""
        return tamed(text) if self.format == "markdown" else text

    def _table(self, grid: Grid) -> str:
        match self._form:
            case Form.TERMINAL:
                return as_aligned(grid, widest=TERMINAL_COLUMNS)
            case Form.BLOCK:
                return as_block(grid, widest=BLOCK_COLUMNS)
            case Form.HTML:
                return as_html(grid)
            case Form.LIST:
                return tamed(as_lines(grid, bullet="- "))
            case Form.LINES:
                return self._plain(as_lines(grid))


def intro(scene: Scene) -> str:
    """`12 alerts of payout-failed between 09:12 and 10:07 UTC: €50,406.00, $12.00 in all`, and whose they are."""
    digest = scene["digest"]
    span = span_text(moment(digest["first"]), moment(digest["last"]), scene["now"], digest["timezone"])
    totals = f": {digest['totals']}{' in all' if digest['count'] > 1 else ''}" if digest["totals"] else ""
    lines = [f"{_count(digest['count'], 'alert')} of {_rules(digest)} {span}{totals}"]
    if digest["accounts"] == 1 and scene["account"].get("id"):
        lines.append(f"Account: {one_line(str(scene['account'].get('label') or scene['account']['id']))}")
    return "\n".join(lines)


def _title(own: str | None, scene: Scene, form: Form) -> str:
    if own is not None:
        title = render_title(own, scene)
    else:
        digest = scene["digest"]
        count = digest["count"]
        what = f"{count:,} × {digest['what']}" if digest["what"] and count > 1 else digest["what"]
        what = what or f"{_count(count, 'alert')} of {_rules(digest)}"
        who = one_line(str(scene["account"].get("name") or ""), 80) or None
        title = " · ".join(part for part in (what, digest["totals"], who) if part)
        title = (TEST if scene["event"].get("livemode") is False else "") + title
        title = title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"
    # Services that put a title into a text of Markdown or HTML do not always escape it.
    return title if form in (Form.TERMINAL, Form.LINES) else tamed(title)


def _rules(digest: Mapping[str, Json]) -> str:
    return str(digest["rules"][0]) if len(digest["rules"]) == 1 else _count(len(digest["rules"]), "rule")


def _source(digest: Mapping[str, Json], rule: Mapping[str, Json]) -> str:
    if len(digest["rules"]) > 1:
        return one_line(f"Rules: {', '.join(digest['rules'])}", 400)
    return source_line({}, rule) or ""


def _count(count: Json, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
