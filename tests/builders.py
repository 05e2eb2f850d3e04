"""Events as Stripe would send them, for every test.

`snapshot` and `thin` give roots (dicts), `*_body` the bytes, `event` the Event that `normalize` makes of them, and
`signed` the header that goes with a body. Any root key can be given by name; `...` leaves a key out:

    event("payout.failed", object={"amount": 75000}, account="acct_9")
    event("account.updated", previous={"payouts_enabled": True}, account=None, livemode=False)
    event("v2.core.account[requirements].updated", context=None)
    event(endpoint=endpoint(scope=Scope.PLATFORM))
"""

import itertools
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import EllipsisType
from typing import Any

from pydantic import SecretStr

from engine.model.event import Event, Json
from engine.receive.normalize import normalize
from engine.receive.signature import sign
from engine.settings import Endpoint

SECRET = "whsec_" + "builders" * 4
CREATED = 1_767_225_600
"""2026-01-01T00:00:00Z, when every built event was created."""
RECEIVED = datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)

_numbers = itertools.count(1)


def endpoint(**fields: Any) -> Endpoint:
    """A configured endpoint, of any scope and livemode unless told; `secrets` may be given as strings."""
    given: dict[str, Any] = {"name": "connect", "path": "/webhooks/stripe", "scope": None, "livemode": None, **fields}
    secrets = given.pop("secrets", (SECRET,))
    return Endpoint(secrets=tuple(SecretStr(s) if isinstance(s, str) else s for s in secrets), **given)


def snapshot(
    type: str = "payout.failed",  # noqa: A002
    *,
    id: str | None = None,  # noqa: A002
    object: Mapping[str, Json] | EllipsisType | None = None,  # noqa: A002
    previous: Mapping[str, Json] | None = None,
    **root: Json,
) -> dict[str, Json]:
    """A snapshot event's root, connected and live. `object` is laid over a plausible one (`...`: no data at all)."""
    data: dict[str, Json] = {"object": {**_object(type), **(object or {})}} if object is not ... else {}
    if previous is not None:
        data["previous_attributes"] = dict(previous)
    built: dict[str, Json] = {
        "id": id or f"evt_{next(_numbers):08d}",
        "object": "event",
        "account": "acct_1",
        "api_version": "2026-10-28.endive",
        "created": CREATED,
        "data": data if object is not ... else ...,
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type,
    }
    return _given({**built, **root})


def thin(
    type: str = "v2.core.account[requirements].updated",  # noqa: A002
    *,
    id: str | None = None,  # noqa: A002
    **root: Json,
) -> dict[str, Json]:
    """A thin event's root, live, of the platform's own scope (no context). Keys as Stripe's: `related_object`..."""
    built: dict[str, Json] = {
        "id": id or f"evt_thin_{next(_numbers):08d}",
        "object": "v2.core.event",
        "type": type,
        "livemode": True,
        "created": "2026-01-01T00:00:00.000Z",
        "context": None,
        "reason": None,
        "related_object": {"id": "acct_1", "type": "v2.core.account", "url": "/v2/core/accounts/acct_1"},
    }
    return _given({**built, **root})


def snapshot_body(*args: Any, **fields: Any) -> bytes:
    """`snapshot` as Stripe writes it to the wire: indented JSON."""
    return json.dumps(snapshot(*args, **fields), indent=2).encode()


def thin_body(*args: Any, **fields: Any) -> bytes:
    """`thin` as Stripe writes it to the wire."""
    return json.dumps(thin(*args, **fields)).encode()


def event(
    type: str = "payout.failed",  # noqa: A002
    *,
    endpoint: Endpoint | None = None,
    received: datetime = RECEIVED,
    **fields: Any,
) -> Event:
    """The Event of such a root: thin where the type begins with `v1.` or `v2.`, a snapshot otherwise."""
    build = thin_body if type.startswith(("v1.", "v2.")) else snapshot_body
    return normalize(build(type, **fields), endpoint or _ENDPOINT, received)


def signed(body: bytes, secret: str = SECRET, timestamp: int | None = None) -> str:
    """The Stripe-Signature header of `body`, as of now unless a timestamp is given."""
    return sign(body, secret, int(time.time()) if timestamp is None else timestamp)


_ENDPOINT = endpoint()


def _given(root: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in root.items() if value is not ...}


def _object(event_type: str) -> dict[str, Json]:
    family = event_type.rpartition(".")[0]
    kind = {"account": "account", "charge.dispute": "dispute", "account.application": "application"}.get(family, family)
    kind = kind.rpartition(".")[2] or "object"
    common: dict[str, Json] = {"id": f"{kind[:2]}_1", "object": kind, "metadata": {}}
    if kind == "account":
        return {**common, "id": "acct_1", "charges_enabled": True, "payouts_enabled": True, "country": "US"}
    if kind == "payout":
        failure = {"failure_code": "account_closed", "failure_message": "The bank account has been closed."}
        return {**common, "amount": 12345, "currency": "usd", "status": "failed", "destination": "ba_1", **failure}
    return {**common, "amount": 12345, "currency": "usd", "status": "succeeded", "created": CREATED}
