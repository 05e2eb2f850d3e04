"""Nodes out of libyaml's events."""

import re
from decimal import Decimal

import yaml
from yaml._yaml import Mark as CMark

from engine.model.mistake import Mistake, MistakeLevel
from engine.source.nodes import Entry, Mapping, Node, Scalar, Sequence
from engine.source.scalars import MAYBE_NO_TEXT, UnfitNumber, resolve
from engine.source.trouble import MASK, Quote, Trouble, diagnose, quote_mistake, quoted, value_quote

MAX_DEPTH = 64
MAX_EXPANSION = 100_000
"""How many nodes aliases may stand for, all together."""


class Builder:
    """Makes nodes of events. One per reading; `root` and `mistakes` are the result."""

    def __init__(self, text: str, file: str, lines: list[str], quotes: list[Quote]) -> None:
        self.file = file
        self.lines = lines
        self.masked = {(quote.line, quote.start): quote for quote in quotes}
        self.root: Node | None = None
        self.mistakes: list[Mistake] = []
        self.text = text
        self.frames: list[_Frame] = []
        self.frame: _Frame | None = None
        self.anchors: dict[str, Node] = {}
        self.expanded = 0
        self.documents = 0

    def build(self) -> Quote | Trouble | None:
        """Read everything. None when it went to the end, else what has to be quoted or stopped it."""
        loader = yaml.CSafeLoader(self.text)
        add, scalar = self._add, self._scalar
        try:
            while (event := loader.get_event()) is not None:
                stop: Quote | Trouble | None = None
                if isinstance(event, yaml.ScalarEvent):
                    add(scalar(event))
                elif isinstance(event, yaml.CollectionStartEvent):
                    stop = self._open(event)
                elif isinstance(event, yaml.CollectionEndEvent):
                    self._close(event)
                elif isinstance(event, yaml.AliasEvent):
                    stop = self._alias(event)
                elif isinstance(event, yaml.DocumentStartEvent) and self._second_document(event):
                    return None
                if stop is not None:
                    return stop
            return None
        except yaml.MarkedYAMLError as error:
            return diagnose(error, self.lines, flow=any(frame.flow for frame in self.frames))
        except yaml.YAMLError as error:
            return Trouble(line=0, column=0, message=f"YAML cannot read this: {str(error).splitlines()[0]}")
        finally:
            loader.dispose()

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text: str = event.value
        start, end = event.start_mark, event.end_mark
        assert start is not None, "libyaml marks every event"
        assert end is not None
        line, column = start.line, start.column
        if line >= len(self.lines):  # an empty value after the end: libyaml counts one line more
            line = len(self.lines) - 1
            column = len(self.lines[line])
        length = end.column - column if end.line == line else len(self.lines[line]) - column
        is_quoted = not event.implicit[0]
        if text[:1] == MASK and (line, column) in self.masked:
            text, is_quoted = self.masked[line, column].text, True
        value: bool | int | Decimal | str | None = text
        if not is_quoted and text[:1] in MAYBE_NO_TEXT:
            try:
                value = resolve(text)
            except UnfitNumber as problem:
                self._unfit(Scalar(text, text, False, self.file, line + 1, column + 1, length), problem)
        scalar = Scalar(value, text, is_quoted, self.file, line + 1, column + 1, length or 1)
        if text == "" and not is_quoted:
            self._swallowed(scalar, event)
        if event.tag is not None:
            self._tag(scalar)
        if event.anchor is not None:
            self.anchors[event.anchor] = scalar
        return scalar

    def _unfit(self, scalar: Scalar, problem: UnfitNumber) -> None:
        hint = f"write {quoted(scalar.text)} for text"
        if problem.number is None:
            self._mistake("number", scalar, str(problem), hint)
        else:
            message = f"put quotes around {scalar.text}: {problem}"
            self._mistake("quote-this", scalar, message, f"{hint}, {problem.number} for the number")

    def _swallowed(self, scalar: Scalar, event: yaml.ScalarEvent) -> None:
        """An empty value where a comment or an anchor ate what was meant: `notify: #risk`, `title: &co`."""
        rest = self.lines[scalar.line - 1][scalar.column - 1 :]
        meant = rest.strip()
        if event.anchor is not None or re.match(r"#[^\s#]", meant):
            column = scalar.column - 1 + len(rest) - len(rest.lstrip())
            quote = value_quote(self.lines, scalar.line - 1, column, flow=bool(self.frames and self.frames[-1].flow))
            if quote:
                self.mistakes.append(quote_mistake(self.file, quote))

    def _tag(self, scalar: Scalar) -> None:
        written = self.lines[scalar.line - 1][scalar.column - 1 :][: scalar.length]
        if written.startswith("!!"):
            self._mistake("tag", scalar, "tags like !!str have no meaning here", "put text in quotes instead")
        else:
            reason = "in YAML a leading ! is a tag"
            self._mistake("quote-this", scalar, f"put quotes around {written}: {reason}", f"write {quoted(written)}")

    def _open(self, event: yaml.CollectionStartEvent) -> Quote | Trouble | None:
        line, column = _spot(event.start_mark)
        flow = bool(event.flow_style)
        is_map = isinstance(event, yaml.MappingStartEvent)
        if self.frames and is_map and flow and self.frames[-1].opens_template(line, column):
            outer = any(frame.flow for frame in self.frames[:-1])
            template = value_quote(self.lines, line, column - 1, flow=outer)
            return template or Trouble(line, column, "put the value in quotes")
        if len(self.frames) >= MAX_DEPTH:
            return Trouble(line, column, f"nested more than {MAX_DEPTH} levels deep")
        if event.tag is not None:
            place = Scalar("", "", True, self.file, line + 1, column + 1, 1)
            self._mistake("tag", place, "tags have no meaning here", "leave it out")
        self.frame = _Frame(is_map, flow, line, column, event.anchor)
        self.frames.append(self.frame)
        return None

    def _close(self, event: yaml.CollectionEndEvent) -> None:
        frame = self.frames.pop()
        self.frame = self.frames[-1] if self.frames else None
        line, column = _spot(event.end_mark)
        length = column - frame.column if frame.flow and line == frame.line else 1
        node: Node
        if frame.is_map:
            if not frame.flow and frame.entries:
                length = frame.entries[0].key.length
            node = Mapping(tuple(frame.entries), self.file, frame.line + 1, frame.column + 1, length)
        else:
            node = Sequence(tuple(frame.items), self.file, frame.line + 1, frame.column + 1, length)
        if frame.anchor is not None:
            self.anchors[frame.anchor] = node
        self._add(node)

    def _alias(self, event: yaml.AliasEvent) -> Quote | Trouble | None:
        line, column = _spot(event.start_mark)
        node = self.anchors.get(event.anchor or "")
        flow = any(frame.flow for frame in self.frames)
        if node is None:
            quote = value_quote(self.lines, line, column, flow=flow)
            return quote or Trouble(line, column, f"there is no anchor '{event.anchor}'")
        size, depth = _measure(node, {})
        self.expanded += size
        if self.expanded > MAX_EXPANSION or len(self.frames) + depth > MAX_DEPTH:
            return Trouble(line, column, "aliases stand for more than a file may hold")
        self._add(node)
        return None

    def _second_document(self, event: yaml.DocumentStartEvent) -> bool:
        self.documents += 1
        if self.documents == 1:
            return False
        line, column = _spot(event.start_mark)
        place = Scalar("", "", True, self.file, line + 1, column + 1, 3)
        self._mistake("syntax", place, "'---' begins a second document; one file holds one")
        return True

    def _add(self, node: Node) -> None:
        frame = self.frame
        if frame is None:
            self.root = None if isinstance(node, Scalar) and node.value is None and not node.text else node
        elif not frame.is_map:
            frame.items.append(node)
        elif frame.key is not None:
            if frame.keep:
                frame.entries.append(Entry(frame.key, node))
            frame.key = None
        elif isinstance(node, Scalar) and node.value.__class__ is str and node.text not in frame.seen:
            frame.keep = True
            frame.key = frame.seen[node.text] = node
            if not node.quoted and (frame.flow or node.text == "<<"):
                self._merge_or_space(node, frame)
        else:
            frame.key = self._odd_key(node, frame)

    def _odd_key(self, node: Node, frame: "_Frame") -> Scalar:
        """The key as text of one that is no text or stands there twice; `frame.keep` says if its entry counts."""
        frame.keep = False
        key = Scalar("", "", True, self.file, node.line, node.column, node.length)
        if not isinstance(node, Scalar):
            self._mistake("syntax", node, "a key must be text, not a list or a map")
        elif node.text == "" and not node.quoted:
            self._mistake("syntax", node, "a key is missing before this colon")
        else:
            key = Scalar(node.text, node.text, node.quoted, self.file, node.line, node.column, node.length)
            if not isinstance(node.value, str):
                message = f"put quotes around {node.text}: a key must be text"
                self._mistake("quote-this", node, message, f"write {quoted(node.text)}")
            first = frame.seen.setdefault(node.text, key)
            frame.keep = first is key
            if first is not key:
                self._mistake("duplicate-key", node, f"'{node.text}' appears twice (first on line {first.line})")
        return key

    def _merge_or_space(self, key: Scalar, frame: "_Frame") -> None:
        if key.text == "<<":
            frame.keep = False
            self._mistake("merge-key", key, "YAML 1.2 has no merge key '<<'", "use defaults, or write the keys out")
        elif frame.flow and ":" in key.text and self.lines[key.line - 1][key.column - 1 + key.length :][:1] in ",}":
            name = key.text.partition(":")[0]
            self._mistake("syntax", key, f"write a space after the colon of '{name}'")
            frame.keep = False

    def _mistake(self, code: str, place: Node, message: str, hint: str | None = None) -> None:
        self.mistakes.append(
            Mistake(level=MistakeLevel.ERROR, code=code, message=message, position=place.position, hint=hint)
        )


class _Frame:
    """A list or map that is still open."""

    __slots__ = ("anchor", "column", "entries", "flow", "is_map", "items", "keep", "key", "line", "seen")

    def __init__(self, is_map: bool, flow: bool, line: int, column: int, anchor: str | None) -> None:
        self.is_map = is_map
        self.flow = flow
        self.line = line
        self.column = column
        self.anchor = anchor
        self.items: list[Node] = []
        self.entries: list[Entry] = []
        self.seen: dict[str, Scalar] = {}
        self.key: Scalar | None = None
        self.keep = True

    def opens_template(self, line: int, column: int) -> bool:
        """Whether a map that opens there is the second brace of `{{`."""
        first = self.is_map and self.flow and self.key is None and not self.entries
        return first and self.line == line and self.column == column - 1


def _spot(mark: "yaml.error.Mark | CMark | None") -> tuple[int, int]:
    assert mark is not None, "libyaml marks every event"
    return mark.line, mark.column


def _measure(node: Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many nodes it stands for, and how deep it is. Recursion is bounded by MAX_DEPTH."""
    if isinstance(node, Scalar):
        return 1, 0
    found = known.get(id(node))
    if found is None:
        children = node.items if isinstance(node, Sequence) else [entry.value for entry in node.entries]
        sizes = [_measure(child, known) for child in children]
        found = 1 + sum(size for size, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
        known[id(node)] = found
    return found
