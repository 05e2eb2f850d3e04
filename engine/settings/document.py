"""`config.yaml` as plain values: variables put in, secrets read from the files that `..._file` keys name."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position
from engine.settings.places import ALL_KEYS, Loc, is_map, is_public, is_twin, untwinned
from engine.source import Document, Node, Scalar, Sequence, did_you_mean, parse, split_lines
from engine.source import Mapping as Map

MAX_SECRET_BYTES = 64 * 1024
_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.ASCII | re.DOTALL)
_HIDDEN = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*|[\s'\"\[\]{},])|[^\s'\"\[\]{},]")
_FORM = "write ${NAME} or ${NAME:-default}"
_KEY = re.compile(r"\s*(?:- +)*(?:([a-z_]+):(?=\s|$))?\s*")


class Unread:
    """Stands for a value that could not be read: the mistake is on record already."""


class ConfigDocument:
    """The file, read once. `state` is what it says as plain values, `mistakes` what is wrong up to here.

    `variables` are those it refers to; `folder` is what its relative paths are relative to,
    `broken` the places of which YAML itself had something to say.
    """

    def __init__(self, text: str, file: str, folder: Path, environ: Mapping[str, str]) -> None:
        self.document: Document = parse(text, file)
        self.folder = folder
        self.environ = environ
        self.variables: dict[str, str] = {}
        self.mistakes = [_without_values(mistake) for mistake in self.document.mistakes]
        self.broken = {mistake.position for mistake in self.mistakes}
        self.state: dict[str, Any] = {}
        root = self.document.root
        if isinstance(root, Map):
            self.state = self._map(root, ())
        elif root is not None:
            self._mistake("type", "the configuration is a map, like 'endpoints: ..'", root.position)

    @property
    def root(self) -> Node | None:
        """The tree, for positions."""
        return self.document.root

    def printable(self) -> str:
        """The text with everything starred out that is or might be a secret; the rest is as in the file."""
        lines = split_lines(self.document.text.removeprefix("\ufeff"))
        if self.root is None:
            return "\n".join(_starred(line, 0) for line in lines)
        places = list(_scalars(self.root, ()))
        ends = [later.line - 1 for _, later in places[1:]] + [len(lines)]
        for (public, node), end in zip(places, ends, strict=False):
            if not public:
                first = node.line - 1
                lines[first] = _starred(lines[first], node.column - 1, node.column - 1 + node.length)
                lines[first + 1 : end] = [_starred(line, 0) for line in lines[first + 1 : end]]
        return "\n".join(lines)

    def _value(self, node: Node, loc: Loc) -> Any:
        if isinstance(node, Map):
            return self._map(node, loc)
        if isinstance(node, Sequence):
            return [self._value(item, (*loc, index)) for index, item in enumerate(node.items)]
        return self._filled(node) if isinstance(node.value, str) else node.value

    def _map(self, node: Map, loc: Loc) -> dict[str, Any]:
        """A key without a value counts as left out: what stood below it may be commented out."""
        found: dict[str, Any] = {}
        for entry in node.entries:
            here = (*loc, entry.name)
            if isinstance(entry.value, Scalar) and entry.value.value is None:
                continue
            if not is_twin(here):
                found[entry.name] = self._value(entry.value, here)
                continue
            key = str(untwinned(here)[-1])
            if node.entry(key):
                self._mistake("both", f"'{key}' and '{entry.name}' are both given; keep one", entry.key.position)
            else:
                found[key] = self._from_files(entry.value, here)
        return found

    def _from_files(self, node: Node, loc: Loc) -> Any:
        several = loc[-1] in ("secrets_file", "secret_file")
        items = node.items if isinstance(node, Sequence) and several else (node,)
        found: list[str] = []
        for item in items:
            name = self._filled(item) if isinstance(item, Scalar) and isinstance(item.value, str) else None
            if not isinstance(name, str):
                if name is None:
                    self._mistake("secret-file", "expected the path of a file", item.position)
                continue
            try:
                found += read_secrets(self.folder / name) if several else [read_secret(self.folder / name)]
            except ValueError as problem:
                self._mistake("secret-file", str(problem), item.position)
        # What could not be read has been said; the placeholder keeps the checks that follow from saying it again.
        return Unread() if not found else found if several else found[0]

    def _filled(self, node: Scalar) -> "str | Unread":
        """The text with its variables put in; `$${` stands for `${`."""
        before = len(self.mistakes)

        def replaced(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            inside = _INSIDE.fullmatch(found[1])
            if inside is None or not found[0].endswith("}"):
                self._mistake("variable", f"'{found[0][:40]}' is no variable", self._spot(node, found[0]), _FORM)
                return ""
            name, default = inside[1], inside[2]
            value = self.environ.get(name)
            self.variables[name] = value or ""
            if value or (value is not None and default is None):
                return value
            if default is None:
                hint = did_you_mean(name, self.environ) or f"set it, or write ${{{name}:-}} where it may be empty"
                self._mistake("unset-variable", f"the variable {name} is not set", self._spot(node, found[0]), hint)
            return default or ""

        text = _VARIABLE.sub(replaced, node.text)
        return text if len(self.mistakes) == before else Unread()

    def _spot(self, node: Scalar, written: str) -> Position:
        line = split_lines(self.document.text.removeprefix("\ufeff"))[node.line - 1 : node.line]
        at = line[0].find(written, node.column - 1) if line else -1
        if at < 0:
            return node.position
        return Position(file=node.file, line=node.line, column=at + 1, length=len(written))

    def _mistake(self, code: str, message: str, position: Position, hint: str | None = None) -> None:
        self.mistakes.append(
            Mistake(level=MistakeLevel.ERROR, code=code, message=message, position=position, hint=hint)
        )


def read_secret(path: Path) -> str:
    """The content of a secret file without blanks and line ends around it. Raises ValueError with what to say."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        text = content.decode().removeprefix("\ufeff").strip()
    except OSError as problem:
        raise ValueError(f"cannot read {path}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text") from None
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"{path} is too large for a secret")
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def read_secrets(path: Path) -> list[str]:
    """The secrets of a file, a line each. Raises ValueError with what to say."""
    return read_secret(path).split()


def _scalars(node: Node, loc: Loc) -> Iterator[tuple[bool, Scalar]]:
    """Every value in the order of the file, and whether it may be shown; keys too where no map belongs."""
    if isinstance(node, Scalar):
        yield is_public(loc), node
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _scalars(item, (*loc, index))
    else:
        for entry in node.entries:
            if not is_map(loc):
                yield False, entry.key
            yield from _scalars(entry.value, (*loc, entry.name))


def _starred(line: str, start: int, end: int | None = None) -> str:
    """The part of a line as stars, but for the names of variables; of a whole line a key we know stays as well."""
    if end is None:
        found = _KEY.match(line)
        known = found is not None and (found[1] is None or found[1] in ALL_KEYS)
        start = found.end() if found and known else start
    stars = _HIDDEN.sub(lambda part: part[1] or "*" * len(part[0]), line[start:end])
    return line[:start] + stars + ("" if end is None else line[end:])


def _without_values(mistake: Mistake) -> Mistake:
    """What is wrong with the YAML, without the value that it is wrong with: that may be a secret."""
    if mistake.code not in ("quote-this", "number"):
        return mistake
    reason = mistake.message.rpartition(": ")[2]
    return Mistake(
        level=mistake.level,
        code=mistake.code,
        message=f"put quotes around this value: {reason}",
        position=mistake.position,
    )
