"""Events in files, in the order of time: JSON (one event, a list of them, a page of Stripe's API) or JSON lines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

import orjson

from engine.errors import MalformedEvent
from engine.model.event import Event, Json, Scope
from engine.receive.normalize import created_in, normalize
from engine.receive.parse import parse

ENDINGS = (".json", ".jsonl", ".ndjson")
LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoEndpoint:
    """Where an event from a file came in: nowhere, so that its scope is inferred."""

    name: str = "file"
    scope: Scope | None = None
    livemode: bool | None = None


_NOWHERE = _NoEndpoint()


class _Place(NamedTuple):
    """Where an event stands: in a file of lines, or with its bytes at hand."""

    created: float
    file: int
    offset: int
    length: int
    body: bytes | None


@dataclass(slots=True)
class EventFiles:
    """The events of a file, of all files in a folder, or of standard input (`-`).

    They are looked through once for when they were created; of those in JSON lines only that is held in memory, and
    they are read again one by one. `skipped` counts what is no event, and says where the first of them stands.
    """

    path: str
    read_input: Callable[[], bytes]
    concerns: Callable[[str], bool]
    count: int = 0
    skipped: int = 0
    first_skipped: str | None = None
    files: list[Path] = field(default_factory=list)
    _places: list[_Place] = field(default_factory=list)

    def look(self, told: Callable[[int], None] = lambda count: None) -> None:
        """Find the events and their order. Raises OSError."""
        if self.path == "-":
            self._look_at_document(self.read_input(), "standard input")
        else:
            root = Path(self.path)
            self.files = [root] if root.is_file() else _files_in(root)
            for number, file in enumerate(self.files):
                if file.suffix in LINES:
                    self._look_at_lines(file, number, told)
                else:
                    self._look_at_document(file.read_bytes(), str(file))
        self._places.sort(key=lambda place: place.created)

    def __iter__(self) -> Iterator[Event]:
        """The events that concern, each as if it had come when it was created."""
        with ExitStack() as stack:
            opened = [stack.enter_context(file.open("rb")) for file in self.files if file.suffix in LINES]
            by_number = dict(zip((n for n, f in enumerate(self.files) if f.suffix in LINES), opened, strict=True))
            for place in self._places:
                body = place.body if place.body is not None else _read(by_number[place.file], place)
                try:
                    yield normalize(body, _NOWHERE, datetime.fromtimestamp(place.created, UTC))
                except MalformedEvent as error:
                    self._skip(str(self.files[place.file]) if self.files else self.path, str(error))

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last event that concerns was created, None where there is none."""
        if not self._places:
            return None
        return (
            datetime.fromtimestamp(self._places[0].created, UTC),
            datetime.fromtimestamp(self._places[-1].created, UTC),
        )

    def _look_at_lines(self, file: Path, number: int, told: Callable[[int], None]) -> None:
        with file.open("rb") as lines:
            offset = 0
            for line_number, line in enumerate(lines, 1):
                if line.strip():
                    self._note(line, f"{file}:{line_number}", number, offset)
                offset += len(line)
                if line_number % 10_000 == 0:
                    told(self.count)

    def _note(self, line: bytes, where: str, number: int, offset: int) -> None:
        try:
            root = orjson.loads(line)
        except ValueError:
            self._skip(where, "it is not JSON")
            return
        created = self._created(root, where)
        if created is not None:
            self._places.append(_Place(created, number, offset, len(line), None))

    def _look_at_document(self, text: bytes, where: str) -> None:
        try:
            root = parse(text)
        except (ValueError, RecursionError):
            self._look_at_text(text, where)
            return
        for place, event in enumerate(_events_in(root)):
            created = self._created(event, f"{where}, event {place + 1}")
            if created is not None:
                self._places.append(_Place(created, 0, 0, 0, orjson.dumps(event)))

    def _look_at_text(self, text: bytes, where: str) -> None:
        """JSON lines, though the name does not say so."""
        lines = [line for line in text.splitlines() if line.strip()]
        for number, line in enumerate(lines, 1):
            try:
                event = orjson.loads(line)
            except ValueError:
                self._skip(f"{where}:{number}", "it is not JSON")
                if number == 1:
                    return
                continue
            created = self._created(event, f"{where}:{number}")
            if created is not None:
                self._places.append(_Place(created, 0, 0, 0, line))

    def _created(self, root: Json, where: str) -> float | None:
        """When an event was created, None where it concerns nobody or is none."""
        type_ = root.get("type") if isinstance(root, dict) else None
        created = created_in(root) if isinstance(root, dict) else None
        if not isinstance(type_, str) or created is None:
            self._skip(where, "it is no event of Stripe's")
            return None
        self.count += 1
        return created.timestamp() if self.concerns(type_) else None

    def _skip(self, where: str, why: str) -> None:
        self.skipped += 1
        self.first_skipped = self.first_skipped or f"{where}: {why}"


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix in ENDINGS and file.is_file())


def _events_in(root: Json) -> Sequence[Json]:
    if isinstance(root, dict) and root.get("object") == "list" and isinstance(root.get("data"), list):
        found: Sequence[Json] = root["data"]
        return found
    return root if isinstance(root, list) else [root]


def _read(file: IO[bytes], place: _Place) -> bytes:
    file.seek(place.offset)
    return file.read(place.length)
