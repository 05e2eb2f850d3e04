"""Stripe's wire shapes to the one `Event`: the only code that knows them.

Snapshot events (`object: event`, API v1) carry their object; thin ones (`object: v2.core.event`) point at it, and
come both for API v2 and as `v1.` twins of snapshot types. Every odd shape is kept with what is known of it: only a
body that is no JSON object, or has no id or no type, is refused. Sources: Stripe API reference "The Event object"
and "v2 Event", docs "Event destinations", docs "Connect webhooks".
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from engine.errors import MalformedEvent
from engine.model.event import Event, Json, Payload, Scope, ScopeSource, object_of, previous_of
from engine.receive.conflict import conflict_of
from engine.receive.parse import parse

LONGEST = 255
"""Characters a column may hold; Stripe's ids are at most 255."""

AHEAD = timedelta(days=365)
"""How far after it was received an event may say that it was created: clocks differ, and those of Stripe's tests are
set ahead. What counts by time would take every other event of the account for a late one for so long."""

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)

_ACCOUNTS_V2 = "/v2/core/accounts/"


class MalformedReason(StrEnum):
    """Why a signed body is refused. A metric label and part of the reply: never renamed."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NO_ID = "no_id"
    NO_TYPE = "no_type"


class Endpoint(Protocol):
    """What has to be known of the endpoint whose secret verified an event; `engine.settings` has the real one."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> Scope | None: ...

    @property
    def livemode(self) -> bool | None: ...


def normalize(body: bytes, endpoint: Endpoint, received: datetime) -> Event:
    """The event in a verified body.

    Every text that becomes a column is cleaned: no NUL, no lone surrogate, at most LONGEST characters, so that one
    poisoned event cannot fail the batch it is stored with. `created` is `received` where Stripe's is missing,
    unreadable, or further ahead than AHEAD. Raises MalformedEvent with a MalformedReason, and nothing else, whatever
    the bytes.
    """
    data = _root(body)
    event_id, event_type = _key(data.get("id")), _key(data.get("type"))
    if event_id is None:
        raise MalformedEvent(MalformedReason.NO_ID)
    if event_type is None:
        raise MalformedEvent(MalformedReason.NO_TYPE)
    thin = _is_thin(data, event_type)
    raw_account = _key(data.get("account")) or _key(data.get("user_id"))  # user_id: its name before 2017
    context = _key(data.get("context"))
    related = _map(data.get("related_object"))
    found = object_of(data)
    subject = related if thin and related else found or related
    scope, source = endpoint.scope, ScopeSource.CONFIGURED
    if scope is None:
        scope, source = _inferred_scope(thin, raw_account, context), ScopeSource.INFERRED
    account = raw_account or _account_of_context(context, thin, endpoint.scope)
    if account is None and thin and event_type.startswith("v2.core.account"):
        account = _account_of_v2(data, related)
    livemode = data.get("livemode")
    request = _request(data)
    created = created_in(data)
    return Event(
        id=event_id,
        dedupe_key=(_key(data.get("snapshot_event")) or event_id) if thin else event_id,
        payload=Payload.THIN if thin else Payload.SNAPSHOT,
        type=event_type,
        base_type=event_type[3:] if thin and event_type.startswith("v1.") else event_type,
        scope=scope,
        scope_source=source,
        conflict=conflict_of(
            endpoint, thin=thin, account=raw_account, context=context, livemode=livemode, event_type=event_type
        ),
        account=account,
        raw_account=raw_account,
        context=context,
        livemode=livemode if isinstance(livemode, bool) else endpoint.livemode is True,
        created=created if created is not None and created - received <= AHEAD else received,
        api_version=_text(data.get("api_version")),
        request_id=_text(request.get("id")),
        idempotency_key=_text(request.get("idempotency_key")),
        object_id=_key(subject.get("id")) if subject else None,
        object_type=_text(subject.get("type" if subject is related else "object")) if subject else None,
        object=found,
        previous=previous_of(data),
        endpoint=endpoint.name,
        received=received,
        data=data,
        body=body,
    )


def _root(body: bytes) -> dict[str, Json]:
    try:
        data = parse(body)
    except (ValueError, RecursionError):
        raise MalformedEvent(MalformedReason.NOT_JSON) from None
    if not isinstance(data, dict):
        raise MalformedEvent(MalformedReason.NOT_AN_OBJECT)
    return data


def _is_thin(data: dict[str, Json], event_type: str) -> bool:
    kind = data.get("object")
    if kind == "v2.core.event" or kind == "event":
        return bool(kind != "event")
    return event_type.startswith(("v1.", "v2."))


def _inferred_scope(thin: bool, account: str | None, context: str | None) -> Scope:
    """As Stripe's own CLI decides: connected where a snapshot has an account, or a thin event a context.

    A snapshot's context of one segment may be the platform itself; one of two names an account connected to it.
    """
    connected = context is not None if thin else account is not None or (context is not None and "/" in context)
    return Scope.CONNECTED if connected else Scope.PLATFORM


def _account_of_context(context: str | None, thin: bool, configured: Scope | None) -> str | None:
    """The last segment of `acct_x` or `acct_x/acct_y`.

    Not for a snapshot of an endpoint known to be the platform's: there the context names the platform itself.
    """
    if context is None or (configured is Scope.PLATFORM and not thin):
        return None
    return next((part for part in reversed(context.split("/")) if part), None)


def _account_of_v2(data: dict[str, Json], related: dict[str, Json] | None) -> str | None:
    """Whom a `v2.core.account*` event of the platform's own scope is about, where no context says so.

    The related object is the account, or lives below it (a person), or is absent (account_link.returned, whose
    data names the account when it is sent along).
    """
    if related:
        related_id = _key(related.get("id"))
        if related_id and related_id.startswith("acct_"):
            return related_id
        url = related.get("url")
        if isinstance(url, str) and url.startswith(_ACCOUNTS_V2):
            return _key(url[len(_ACCOUNTS_V2) :].partition("/")[0].partition("?")[0])
    inner = _map(data.get("data"))
    return _key(inner.get("account_id")) if inner else None


def _request(data: dict[str, Json]) -> dict[str, Any]:
    """`request` of a snapshot: a map, null, or in very old API versions the id itself. Thin: `reason.request`."""
    request = data.get("request")
    if request is None:
        reason = _map(data.get("reason"))
        request = reason.get("request") if reason else None
    if isinstance(request, str):
        return {"id": request}
    return request if isinstance(request, dict) else {}


def created_in(data: Mapping[str, Json]) -> datetime | None:
    """When an event says that it was created, as aware UTC: epoch seconds (snapshot) or an ISO 8601 string (thin).

    None where it is neither, before 1970 or after the year 2999.
    """
    value = data.get("created")
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if _EARLIEST <= moment < _LATEST else None


def _map(value: Json) -> dict[str, Json] | None:
    return value if isinstance(value, dict) else None


def _key(value: Json) -> str | None:
    """A string that identifies something, None for anything else or an empty one.

    One that had to be altered to fit ends in a digest of what it was, so that two never become the same.
    """
    if not isinstance(value, str) or not value:
        return None
    if len(value) <= LONGEST and ((value.isascii() and "\0" not in value) or _is_clean(value)):
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{_clean(value)[: LONGEST - 17]}~{digest}"


def _text(value: Json) -> str | None:
    """A string for reading, cut and cleaned; None for anything else."""
    if not isinstance(value, str):
        return None
    if len(value) <= LONGEST and ((value.isascii() and "\0" not in value) or _is_clean(value)):
        return value
    return _clean(value)[:LONGEST]


def _is_clean(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _clean(value: str) -> str:
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
