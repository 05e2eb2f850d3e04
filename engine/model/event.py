"""The event: one normalized shape for everything Stripe sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Json = Any
"""A parsed JSON value: None, bool, int, float, str, list or dict of the same."""


class Payload(StrEnum):
    """Stripe's two payload kinds: the snapshot carries its object, the thin event only points at it."""

    SNAPSHOT = "snapshot"
    THIN = "thin"


class Scope(StrEnum):
    """Where an event comes from, as Workbench's "Events from" and the rule language name it."""

    PLATFORM = "platform"
    CONNECTED = "connected"
    ORGANIZATION = "organization"


class ScopeSource(StrEnum):
    """How the scope is known: set for the endpoint in the configuration, or inferred from the event."""

    CONFIGURED = "configured"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One Stripe event, whichever payload kind brought it.

    `account` is the connected account that the event is about (rule-language: "the account"), None when it is
    the platform itself; `raw_account` and `context` are the fields as received. `dedupe_key` is the id of the
    snapshot twin where there is one, else `id`. `base_type` is `type` without the `v1.` of a thin twin.
    `object` is None for a thin event without data; `previous` is previous_attributes (thin: from `changes`).
    `conflict` says how the event contradicts its endpoint (scope or livemode), None when it does not.
    `body` is what was received, byte for byte; `data` its parsed root, never to be modified. `fetched` is what was
    read from Stripe for the rules that wanted it (`engine.model.fetch`), None before that.
    """

    id: str
    dedupe_key: str
    payload: Payload
    type: str
    base_type: str
    scope: Scope
    scope_source: ScopeSource
    conflict: str | None
    account: str | None
    raw_account: str | None
    context: str | None
    livemode: bool
    created: datetime
    api_version: str | None
    request_id: str | None
    idempotency_key: str | None
    object_id: str | None
    object_type: str | None
    object: dict[str, Json] | None
    previous: dict[str, Json] | None
    endpoint: str
    received: datetime
    data: dict[str, Json]
    body: bytes
    fetched: Mapping[str, Json] | None = None


def object_of(data: Mapping[str, Json]) -> dict[str, Json] | None:
    """The object an event root carries: `data.object` of a snapshot; None where there is none or it is no map."""
    inner = data.get("data")
    found = inner.get("object") if isinstance(inner, dict) else None
    return found if isinstance(found, dict) else None


def previous_of(data: Mapping[str, Json]) -> dict[str, Json] | None:
    """What an event root says changed: `data.previous_attributes`, thin: `changes.before`; None: it says nothing."""
    inner = data.get("data")
    found = inner.get("previous_attributes") if isinstance(inner, dict) else None
    if not isinstance(found, dict):
        changes = data.get("changes")
        found = changes.get("before") if isinstance(changes, dict) else None
    return found if isinstance(found, dict) else None
