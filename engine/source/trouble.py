"""YAML's own complaints, in plain words; and what only needs quotes, with the quoted form to write.

libyaml says "did not find expected alphabetic or numeric character" where somebody wrote `when: *.failed`. This
module finds the whole value that was meant. Lines and columns in here count from 0, as libyaml's do.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position

_LEADING = {
    "*": "in YAML a leading * is an alias",
    "&": "in YAML a leading & is an anchor",
    "!": "in YAML a leading ! is a tag",
    "%": "in YAML a leading % is a directive",
    "@": "YAML keeps a leading @ for itself",
    "`": "YAML keeps a leading ` for itself",
    "|": "in YAML a leading | begins a block of text on the next line",
    ">": "in YAML a leading > begins a block of text on the next line",
    "{": "in YAML a leading { opens a map",
    "[": "in YAML a leading [ opens a list",
    "}": "in YAML } closes a map",
    "]": "in YAML ] closes a list",
    ",": "in YAML a comma separates",
    "?": "in YAML a leading ? begins a key",
    "-": "in YAML a leading - begins a list item",
    "#": "in YAML a # after a space begins a comment",
    '"': "YAML expects nothing after a closing quote",
    "'": "YAML expects nothing after a closing quote",
    "\\": "between double quotes a backslash begins an escape",
}
_COLON = "in YAML a colon and a space begin a value"
_BRACKET = "inside [ ] and { } YAML reads brackets and commas as its own"
_OPENERS = frozenset("[{(")
MASK = "\U0010fffd"
"""Stands for the characters of a value that wants quotes while the rest of its file is read; no file may hold it."""
_TEMPLATE = re.compile(r"(?:^[ \t]*|(?:^|[ \t])-[ \t]+|:[ \t]+|[\[,][ \t]*)(\{\{)")
_SHOWN = 200
"""Longer values are cut where they are shown."""

_MISSING_SPACE = re.compile(r"\s*(?:- )*([A-Za-z_][\w.-]*):(?=[^\s/])")


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of one line that has to be put in quotes. `text` is what it is meant to say."""

    line: int
    start: int
    end: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A piece of a file that YAML cannot read, said in plain words."""

    line: int
    column: int
    message: str
    hint: str | None = None


def quoted(text: str) -> str:
    """The text as YAML wants it: in double quotes, or in single ones where it has double quotes or backslashes."""
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def value_quote(lines: list[str], line: int, column: int, *, flow: bool, end_from: int | None = None) -> Quote | None:
    """The value around a place of a line, as something to be quoted; None where there is nothing to quote."""
    text = lines[line] if line < len(lines) else ""
    if column >= len(text):
        return None
    flow = flow or _inside_flow(text, column)
    start = _flow_start(text, column) if flow else _block_start(text, column)
    end = _flow_end(text, start, end_from or start) if flow else _block_end(text, start)
    meant = text[start:end]
    if not meant:
        return None
    return Quote(line=line, start=start, end=end, text=meant, reason=_reason(meant))


def diagnose(error: yaml.MarkedYAMLError, lines: list[str], *, flow: bool) -> Quote | Trouble:
    """What a complaint of libyaml's means in these lines. `flow`: it came inside brackets or braces."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Trouble(line=0, column=0, message=f"YAML cannot read this: {error.problem or error}")
    line, column = _clamp(lines, mark.line, mark.column)
    begun = error.context_mark or mark
    place = _Place(lines, line, column, *_clamp(lines, begun.line, begun.column), flow, error.context or "")
    template = _template(place)
    if template:
        return template
    explain = _EXPLAIN.get((error.problem or "").replace("}", "]"))
    if explain is None:
        return Trouble(line=line, column=column, message=f"YAML cannot read this: {error.problem}")
    return explain(place)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where libyaml gave up (`line`, `column`), and where what it was reading began."""

    lines: list[str]
    line: int
    column: int
    begun_line: int
    begun_column: int
    flow: bool
    context: str

    @property
    def text(self) -> str:
        return self.lines[self.line]

    @property
    def rest(self) -> str:
        return self.text[self.column :]

    @property
    def leads_line(self) -> bool:
        return not self.text[: self.column].strip()

    def trouble(self, message: str, hint: str | None = None) -> Trouble:
        return Trouble(line=self.line, column=self.column, message=message, hint=hint)

    def quote(self, line: int, column: int, end_from: int | None = None) -> Quote | Trouble:
        found = value_quote(self.lines, line, column, flow=self.flow, end_from=end_from)
        return found or Trouble(line=line, column=column, message="YAML cannot read this; put the value in quotes")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def place_at(file: str, line: int, column: int, length: int = 1) -> Position:
    """The position of a line and column that count from 0."""
    return Position(file=file, line=line + 1, column=column + 1, length=max(1, length))


def quote_mistake(file: str, quote: Quote) -> Mistake:
    """The mistake that a missing pair of quotes is."""
    return Mistake(
        level=MistakeLevel.ERROR,
        code="quote-this",
        message=f"put quotes around {_short(quote.text)}: {quote.reason}",
        position=place_at(file, quote.line, quote.start, quote.end - quote.start),
        hint=f"write {quoted(quote.text)}" if len(quote.text) <= _SHOWN else None,
    )


def _template(place: _Place) -> Quote | None:
    """The bare `{{ .. }}` that trouble further on in its line comes from, None where there is none."""
    for line, column in ((place.begun_line, place.begun_column), (place.line, place.column)):
        text = place.lines[line]
        for found in _TEMPLATE.finditer(text, 0, column + 2):
            before = text[: found.start(1)]
            if before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
                return value_quote(place.lines, line, found.start(1), flow=False)
    return None


def _begun(place: _Place) -> Quote | Trouble:
    return place.quote(place.begun_line, place.begun_column)


def _here(place: _Place) -> Quote | Trouble:
    if place.rest.startswith("\t"):
        return place.trouble("a tab stands where YAML wants spaces", "indent with spaces")
    return place.quote(place.line, place.column)


def _tab(place: _Place) -> Trouble:
    return place.trouble("a tab stands where YAML wants spaces", "indent with spaces")


def _colon(place: _Place) -> Quote | Trouble:
    """`a: b: c` wants quotes; a colon on a line that continues the text above is a wrong indentation above."""
    start = _block_start(place.text, place.column)
    if start < place.column and place.text[:start].rstrip().endswith(":"):
        found = place.quote(place.line, start)
        return Quote(found.line, found.start, found.end, found.text, _COLON) if isinstance(found, Quote) else found
    above = place.line - 1
    missing = _MISSING_SPACE.match(place.lines[above]) if above >= 0 else None
    if missing:
        return _missing_space(above, missing)
    return place.trouble(
        "a key cannot stand here: this line continues the value above it",
        "give it the same indentation as the other keys of its map",
    )


def _missing_space(line: int, found: re.Match[str]) -> Trouble:
    return Trouble(line=line, column=found.end() - 1, message=f"write a space after the colon of '{found[1]}'")


def _no_colon(place: _Place) -> Trouble:
    text = place.lines[place.begun_line]
    missing = _MISSING_SPACE.match(text)
    if missing:
        return _missing_space(place.begun_line, missing)
    return Trouble(line=place.begun_line, column=place.begun_column, message="expected 'key: value' here")


def _no_key(place: _Place) -> Quote | Trouble:
    if place.leads_line:
        return place.trouble(
            "the indentation of this line fits no level above it", "align it with the other keys of its map"
        )
    if not place.rest.strip("]} \t"):
        return place.trouble(f"'{place.rest[:1]}' closes nothing that is open")
    start = _block_start(place.text, place.column)
    return place.quote(place.line, min(start, place.column))


def _no_dash(place: _Place) -> Trouble:
    return place.trouble(
        "this line is not an item of the list above it", "begin it with '- ', or indent it as its map wants"
    )


def _no_separator(place: _Place) -> Quote | Trouble:
    """Inside brackets: never closed, a comma forgotten, or a value with brackets or a colon in it."""
    opener = place.lines[place.begun_line][place.begun_column :][:1]
    before = place.text[: place.column]
    if place.leads_line or not place.rest or (place.line > place.begun_line and re.fullmatch(r"\s*[\w.-]+", before)):
        return Trouble(
            line=place.begun_line,
            column=place.begun_column,
            message=f"this '{opener}' is not closed, or a comma is missing after it",
        )
    if place.rest[0] == ":":
        found = place.quote(place.line, max(0, place.column - 1), place.column + 1)
        return Quote(found.line, found.start, found.end, found.text, _COLON) if isinstance(found, Quote) else found
    if before[-1:].isspace() and place.rest[0] not in "[{":
        return place.trouble("a comma is missing before this")
    found = place.quote(place.line, max(0, place.column - 1))
    return Quote(found.line, found.start, found.end, found.text, _BRACKET) if isinstance(found, Quote) else found


def _no_node(place: _Place) -> Quote | Trouble:
    if place.flow or "flow" in place.context or not place.rest or place.leads_line:
        what = f"'{place.rest[0]}'" if place.rest else "the end"
        return place.trouble(f"expected a value before {what}")
    return place.quote(place.line, place.column)


def _open_quote(place: _Place) -> Trouble:
    return Trouble(line=place.begun_line, column=place.begun_column, message="this quote is never closed")


def _escape(place: _Place) -> Quote | Trouble:
    """`"\\d+"`: a regular expression between double quotes; single quotes keep the backslash."""
    line, start = place.begun_line, place.begun_column
    found = re.compile(r'"((?:[^"\\]|\\.)*)"').match(place.lines[line], start)
    if found is None:
        return place.trouble("between double quotes a backslash begins an escape, and this is none", "write \\\\")
    return Quote(line=line, start=start, end=found.end(), text=found[1], reason=_LEADING["\\"])


def _inline_dash(place: _Place) -> Quote | Trouble:
    if place.rest[:2].strip() == "-" and place.rest[2:].strip():
        return place.trouble("a list cannot begin here", "put its items on the next lines, or write [a, b]")
    return place.quote(place.line, place.column)


def _second_root(place: _Place) -> Trouble:
    return place.trouble("nothing may follow the value that ends above or before this", "one file holds one map")


_EXPLAIN: dict[str, Callable[[_Place], Quote | Trouble]] = {
    "did not find expected alphabetic or numeric character": _begun,
    "found undefined tag handle": _begun,
    "did not find expected comment or line break": _begun,
    "found character that cannot start any token": _here,
    "mapping keys are not allowed in this context": _here,
    "found a tab character that violates indentation": _tab,
    "found a tab character where an indentation space is expected": _tab,
    "mapping values are not allowed in this context": _colon,
    "could not find expected ':'": _no_colon,
    "did not find expected key": _no_key,
    "did not find expected '-' indicator": _no_dash,
    "did not find expected ',' or ']'": _no_separator,
    "did not find expected node content": _no_node,
    "found unexpected end of stream": _open_quote,
    "found unexpected document indicator": _open_quote,
    "found unknown escape character": _escape,
    "did not find expected hexdecimal number": _escape,
    "block sequence entries are not allowed in this context": _inline_dash,
    "did not find expected <document start>": _second_root,
}


def _clamp(lines: list[str], line: int, column: int) -> tuple[int, int]:
    """A mark may stand after the last line; then the end of the last line that has something is meant."""
    if line >= len(lines):
        line = max(0, len(lines) - 1)
        column = len(lines[line])
    return line, min(column, len(lines[line]))


def _reason(meant: str) -> str:
    if meant.startswith("{{"):
        return "in YAML a leading { opens a map"
    return _LEADING.get(meant[0], _COLON if ": " in meant else _BRACKET)


def _inside_flow(text: str, column: int) -> bool:
    """Whether a bracket or brace that opens a list or map stands before the column and is still open there."""
    depth = 0
    for index in range(min(column, len(text))):
        char = text[index]
        if char in "[{" and (depth or index == 0 or text[index - 1] in " \t"):
            depth += 1
        elif char in "]}" and depth:
            depth -= 1
    return depth > 0


def _flow_start(text: str, column: int) -> int:
    start = column
    while start > 0:
        before = text[start - 1]
        if before in " \t,{" or (before in "[(" and (start < 2 or text[start - 2] in " \t,[{(:")):
            break
        start -= 1
    return start


def _flow_end(text: str, start: int, end_from: int) -> int:
    depth = 0
    end = start
    for end in range(start, len(text) + 1):
        rest = text[end : end + 2]
        if rest[:1] in _OPENERS:
            depth += 1
        elif depth and rest[:1] in "]})":
            depth -= 1
        elif not depth and (not rest or rest[0] in ",]}" or rest == " #" or (rest in (": ", ":") and end >= end_from)):
            break
    return start + len(text[start:end].rstrip())


def _block_start(text: str, column: int) -> int:
    """The column after the indentation, the dashes and the first key of a line, but never beyond `column`."""
    start = len(text) - len(text.lstrip())
    while re.match(r"-[ \t]+", text[start:]):
        start += 1 + len(text[start + 1 :]) - len(text[start + 1 :].lstrip())
    key = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'#\[{][^#]*?):[ \t]+""").match(text, start)
    if key and key.end() <= column:
        start = key.end()
    return min(start, column)


def _block_end(text: str, start: int) -> int:
    comment = re.compile(r"[ \t]+#").search(text, start)
    return start + len(text[start : comment.start() if comment else len(text)].rstrip())
