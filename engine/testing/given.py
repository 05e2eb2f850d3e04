"""The event that a test gives, as it would arrive: always the same one, at a fixed moment."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.errors import MalformedEvent
from engine.model.event import Event, Json, Scope, object_of
from engine.receive.normalize import normalize
from engine.receive.parse import parse
from engine.samples import sample
from engine.samples.paths import assign
from engine.testing.trial import Given

CREATED = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
"""When the event of every test was created, unless it sets `$.created`."""

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
    try:
        body = json.dumps(_captured(given.file, given) if given.file else _sample(given)).encode()
        event = normalize(body, _Endpoint(scope=given.scope), CREATED)
    except MalformedEvent as error:
        raise CannotBeGiven(f"{given.file} is no event of Stripe's: {error}") from None
    except ValueError as error:
        raise CannotBeGiven(str(error)) from None
    return replace(event, received=event.created + DELAY)


def _sample(given: Given) -> dict[str, Json]:
    assert given.event is not None
    return sample(
        given.event,
        account=given.account,
        livemode=given.livemode is not False,
        scope=given.scope,
        set=given.set,
        previous=given.previous,
        created=int(CREATED.timestamp()),
        id=EVENT_ID,
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
