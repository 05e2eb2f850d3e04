"""The scene: the names that a text may use, built from an event and the rule that fired for it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engine.model.event import Event, Json, Payload
from engine.model.outcome import Scene
from engine.model.rule import Rule
from engine.render.dashboard import account_url, owner_of, url_of
from engine.render.sandbox import Absent

PLATFORM_NAME = "the platform"


REMEMBERED = {
    "window": "only a rule with a threshold has a window",
    "incident": "only a rule with an incident has one",
    "digest": "only a rule with a digest has one",
    "reminder": "only a rule with remind has one",
}
"""Names that stand for what a rule remembers, and why a rule has none."""


def scene(
    event: Event | None,
    rule: Rule,
    *,
    account: Mapping[str, Json] | None = None,
    steps: Mapping[str, Mapping[str, Json]] | None = None,
    failed: Mapping[str, Json] | None = None,
    now: datetime | None = None,
    context: Mapping[str, Json] | None = None,
) -> Scene:
    """The names of a text, as plain JSON but for `now`.

    - `event`: the event's root as received, and with it base_type, payload, scope, endpoint, received, url, and null
      for what this kind of event lacks (account, context, api_version, request_id, idempotency_key);
    - `object`, `previous`: empty, and saying why when read, where the event has none;
    - `changed`: `{path: {path, old, new}}`, one for each leaf of `previous`;
    - `account`: id (null: the platform), name, label (`Acme GmbH (acct_1A..)`), url, country, email, is_platform; what
      `account` gives wins; and all fields of Stripe's account, where the rule had them read;
    - `rule`: id, description, severity, owner, tags, runbook; `steps`: step id to `{result: ..}`;
    - `failed`: in the steps of `on_failure` the delivery that was given up (step, verb, destination, reason, attempts);
    - `vars`, `tables`: the global names that the rule's texts read, of a table the row of the event's account;
    - `window`, `incident`, `reminder`, `digest`: what the rule remembers, from `context`, in rules that have the key;
    - `now`: when the text is written (default: when the event was received), for `ago`.

    `event` None is for Tocsin's own reports, which are about no event.
    """
    if event is None:
        about: dict[str, Any] = {name: Absent("this message is about no event") for name in ("event", "object")}
        about |= {"previous": Absent("this message is about no event"), "changed": {}}
        about["account"] = _platform(True)
    else:
        found = event.object if event.object is not None else Absent(_why_no_object(event))
        previous = event.previous if event.previous is not None else Absent("the event does not say what changed")
        about = {"event": _event(event), "object": found, "previous": previous, "changed": changes(event)}
        about["account"] = _account(event)
    return {
        **about,
        "account": _labelled({**_read(event), **about["account"], **_given(account)}),
        "rule": _rule(rule),
        "steps": dict(steps or {}),
        "failed": failed if failed is not None else Absent("only the steps of on_failure know what failed"),
        "vars": dict(rule.shared.vars),
        **{name: (context or {}).get(name) or Absent(why) for name, why in REMEMBERED.items()},
        "tables": rule.shared.rows_of(event.account if event is not None else None),
        "now": now or (event.received if event is not None else datetime.now(UTC)),
    }


def changes(event: Event) -> dict[str, dict[str, Json]]:
    """What changed, by dotted path: `{"payouts_enabled": {"path": .., "old": True, "new": False}}`.

    Stripe gives only changed leaves of maps, and changed lists whole; `new` is null where the field is gone.
    """
    found: dict[str, dict[str, Json]] = {}
    _collect(event.previous or {}, event.object or {}, "", found, 0)
    return found


def _collect(old: Json, new: Json, path: str, found: dict[str, dict[str, Json]], depth: int) -> None:
    if isinstance(old, dict) and old and isinstance(new, dict) and depth < 20:
        for key, value in old.items():
            _collect(value, new.get(key), f"{path}.{key}" if path else key, found, depth + 1)
    elif path:
        found[path] = {"path": path, "old": old, "new": new}


def _why_no_object(event: Event) -> str:
    if event.payload is Payload.THIN:
        return f"{event.type} is a thin event, which carries no object; event.related_object says where it is"
    return f"this {event.type} came without an object"


def _event(event: Event) -> dict[str, Json]:
    root = {key: value for key, value in event.data.items() if isinstance(key, str)}
    return {
        **root,
        "id": event.id,
        "type": event.type,
        "base_type": event.base_type,
        "payload": str(event.payload),
        "scope": str(event.scope),
        "account": event.raw_account,
        "context": event.context,
        "livemode": event.livemode,
        "created": event.created.timestamp() if event.created.microsecond else int(event.created.timestamp()),
        "api_version": event.api_version,
        "request_id": event.request_id,
        "idempotency_key": event.idempotency_key,
        "endpoint": event.endpoint,
        "received": event.received.isoformat(),
        "url": url_of(
            event.id,
            account=owner_of({"account": event.raw_account, "context": event.context}),
            livemode=event.livemode,
        ),
    }


def _rule(rule: Rule) -> dict[str, Json]:
    return {
        "id": rule.id,
        "description": rule.description,
        "severity": str(rule.severity),
        "owner": rule.owner,
        "tags": list(rule.tags),
        "runbook": rule.runbook,
    }


def _account(event: Event) -> dict[str, Json]:
    if event.account is None:
        return _platform(event.livemode)
    itself = event.object if event.object is not None and event.object_id == event.account else _read(event)
    return {
        "id": event.account,
        "name": account_name(itself) or event.account,
        "url": account_url(event.account, event.livemode),
        "country": _text(itself, "country"),
        "email": _text(itself, "email") or _text(itself, "contact_email"),
        "is_platform": False,
    }


def _read(event: Event | None) -> dict[str, Json]:
    """The fields of the account, where they were read for the rule."""
    found = (event.fetched or {}).get("account") if event is not None else None
    return dict(found) if isinstance(found, dict) else {}


def told_of(account: Mapping[str, Json] | None) -> dict[str, Json] | None:
    """What `scene` may be given of an account that was seen before: name, country and email."""
    if account is None:
        return None
    email = _text(account, "email") or _text(account, "contact_email")
    return {"name": account_name(account), "country": _text(account, "country"), "email": email}


def _given(account: Mapping[str, Json] | None) -> dict[str, Json]:
    return {key: value for key, value in (account or {}).items() if value is not None}


def _labelled(account: dict[str, Json]) -> dict[str, Json]:
    name, identifier = account["name"], account["id"]
    return {"label": name if identifier in (None, name) else f"{name} ({identifier})", **account}


def _platform(livemode: bool) -> dict[str, Json]:
    url = "https://dashboard.stripe.com/" + ("" if livemode else "test/") + "dashboard"
    return {"id": None, "name": PLATFORM_NAME, "url": url, "country": None, "email": None, "is_platform": True}


def account_name(account: Mapping[str, Json]) -> str | None:
    """What people call an account: the business's name, else the company's, the person's, the dashboard's, the
    e-mail (v1 and v2 shapes). None when the account says none."""
    named = (
        ("business_profile", "name"),
        ("settings", "dashboard", "display_name"),
        ("company", "name"),
        ("display_name",),
        ("identity", "business_details", "registered_name"),
    )
    for path in named:
        found = _text(account, *path)
        if found:
            return found
    person = " ".join(
        filter(None, (_text(account, "individual", "first_name"), _text(account, "individual", "last_name")))
    )
    return person or _text(account, "email") or _text(account, "contact_email")


def _text(value: Json, *path: str) -> str | None:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value.strip()[:200] or None if isinstance(value, str) else None
