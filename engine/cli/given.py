"""The event that a command is about: a stored one by its id, or one in a file or on standard input."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.inputs import read_body
from engine.errors import MalformedEvent, TocsinError
from engine.model.event import Event, Scope

if TYPE_CHECKING:
    from engine.model.event import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoEndpoint:
    """Where an event from a file came in: nowhere, so that its scope is inferred."""

    name: str = "file"
    scope: Scope | None = None
    livemode: bool | None = None


def is_file(event: str) -> bool:
    """An id is never a path with a folder or an ending, so those are files even when they do not exist."""
    return event == "-" or "/" in event or event.endswith(".json") or Path(event).is_file()


def source_of(file: str) -> str:
    """A file's name for people."""
    return "standard input" if file == "-" else file


def event_in(file: str) -> Event:
    """The event in a file, or on standard input for `-`. Raises TocsinError where there is none."""
    try:
        return event_of_bytes(read_body(file))
    except MalformedEvent as error:
        raise TocsinError(f"{source_of(file)} is no event of Stripe's: {error}") from None


def event_of_root(root: "dict[str, Json]") -> Event:
    """A sample as an event."""
    import json

    return event_of_bytes(json.dumps(root).encode())


def event_of_bytes(body: bytes) -> Event:
    """A body as an event that has just come in at no endpoint. Raises MalformedEvent."""
    from engine.receive.normalize import normalize

    return normalize(body, _NoEndpoint(), datetime.now(UTC))
