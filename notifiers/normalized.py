"""What a callback sends when its step says nothing of a body."""

from typing import Any

from engine.model.delivery import Delivery
from engine.model.event import Json
from engine.model.outcome import Scene

VERSION = "1"


def default_body(delivery: Delivery, scene: Scene) -> dict[str, Json]:
    """The body, in this order of keys. A new version only for what would break a reader; keys may be added.

    - `version`: "1"; `id`: the delivery (also `webhook-id`: the same at every attempt); `firing`: the firing, the same
      for every step of the rule;
    - `rule`: id, description, severity, owner, tags, runbook;
    - `account`: the account the event is about: id (null: the platform), name, url, is_platform;
    - `event`: id, type, base_type, payload, scope, account and context as received, livemode, created (epoch seconds),
      api_version, request_id, idempotency_key, endpoint, received (ISO), url (dashboard);
      then `object` and `previous` (previous_attributes), null where there is none, and `related_object` of thin events.
    """
    return {
        "version": VERSION,
        "id": delivery.id,
        "firing": delivery.firing,
        "rule": _pick(scene["rule"], "id", "description", "severity", "owner", "tags", "runbook"),
        "account": _pick(scene["account"], "id", "name", "url", "is_platform"),
        "event": _event(scene),
    }


_EVENT_KEYS = (
    "id", "type", "base_type", "payload", "scope", "account", "context", "livemode", "created", "api_version",
    "request_id", "idempotency_key", "endpoint", "received", "url",
)  # fmt: skip


def _event(scene: Scene) -> Json:
    event = scene["event"]
    if type(event) is not dict:
        return None
    return {
        **_pick(event, *_EVENT_KEYS),
        "object": _there(scene["object"]),
        "previous": _there(scene["previous"]),
        "related_object": event.get("related_object"),
    }


def _there(value: Any) -> Json:
    """A map of the scene, None for one that is absent (the scene marks it with the reason)."""
    return value if type(value) is dict else None  # an absent map is of a type of its own


def _pick(source: Any, *keys: str) -> dict[str, Json]:
    return {key: source.get(key) for key in keys}
