"""The event that a test gives, as it would arrive: always the same one, at a fixed moment."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from engine.errors import MalformedEvent
from engine.model.event import Event, Json, Scope, object_of
from engine.receive.normalize import created_in, normalize
from engine.receive.parse import parse
from engine.samples import sample
from engine.samples.paths import assign
from engine.testing.trial import CREATED, Given

DELAY = timedelta(seconds=5)
EVENT_ID = "evt_1STestOfARule"


class CannotBeGiven(ValueError):
    """An event that cannot be made as the test says; the message is for its author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """Where the event of a test comes in."""

    scope: Scope | None
    name: str = "test"
    livemode: bool | None = None


def event_of(given: Given) -> Event:
    """The event, received five seconds after it was created. Raises CannotBeGiven."""
    event = _event(given, _captured(given.file, given) if given.file else _sample(given, CREATED, EVENT_ID))
    return replace(event, received=event.created + DELAY)


def event_at(given: Given, number: int, *, created: datetime, received: datetime) -> Event:
    """The event, the so many-th of a timeline, at its time. Raises CannotBeGiven."""
    id_ = f"{EVENT_ID}{number:04}"
    if given.file is None:
        root = _sample(given, created, id_)
    else:
        root = _captured(given.file, given)
        thin = isinstance(root.get("created"), str)
        root |= {"id": id_, "created": f"{created:%Y-%m-%dT%H:%M:%S}.000Z" if thin else int(created.timestamp())}
        root.pop("snapshot_event", None)  # of the twin that it had
    return replace(_event(given, root), received=received)


def _event(given: Given, root: dict[str, Json]) -> Event:
    try:
        body = json.dumps(root).encode()
        return normalize(body, _Endpoint(scope=given.scope), created_in(root) or CREATED)
    except MalformedEvent as error:
        raise CannotBeGiven(f"{given.file} is no event of Stripe's: {error}") from None


def _sample(given: Given, created: datetime, id_: str) -> dict[str, Json]:
    assert given.event is not None
    try:
        return _made(given, given.event, created, id_)
    except ValueError as error:
        raise CannotBeGiven(str(error)) from None


def _made(given: Given, type_: str, created: datetime, id_: str) -> dict[str, Json]:
    return sample(
        type_,
        account=given.account,
        livemode=given.livemode is not False,
        scope=given.scope,
        set=given.set,
        previous=given.previous,
        created=int(created.timestamp()),
        id=id_,
    )


def _captured(file: Path, given: Given) -> dict[str, Json]:
    """The root of the event in a file, with what the test sets."""
    try:
        root = parse(file.read_bytes())
    except OSError as error:
        raise CannotBeGiven(f"cannot read {file}: {(error.strerror or 'no reason given').lower()}") from None
    except (ValueError, RecursionError):
        raise CannotBeGiven(f"{file} is not JSON") from None
    if not isinstance(root, dict):
        raise CannotBeGiven(f"{file} is no event of Stripe's: it holds no JSON object")
    found = object_of(root)
    for path, value in given.set.items():
        whole = path.startswith("$.")
        assign(root if whole or found is None else found, path[2:] if whole else path, value)
    return root
