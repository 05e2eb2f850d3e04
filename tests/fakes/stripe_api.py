"""A small fake of Stripe's API over real HTTP: what Tocsin's calls depend on, checked as Stripe checks it.

    async with stripe_api() as api:
        api.connect("acct_1")
        api.put("/v1/payouts/po_1", {"id": "po_1", "object": "payout"}, account="acct_1")
        ... something calls api.url with key "sk_test_platform" and Stripe-Account: acct_1 ...
        assert api.requests[0].account == "acct_1"

It checks keys (401), their modes (an object of the other mode is a 404 that says so), permissions of restricted keys
(403), that the account is connected (403 `account_invalid`), `Stripe-Account` and `Stripe-Context` (one of them; an
organization's key needs a context), idempotency keys (same request: same answer; another: `idempotency_error`), form
bodies for v1 and JSON for v2; it leaves out of a v2 account what `include` did not name. POST to a collection
creates, to an object updates; `fault` makes it misbehave.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

LIVE, TEST = "sk_live_platform", "sk_test_platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key. `permissions` (`payouts:read`, `refunds:write`) restrict it; None: it may do everything."""

    livemode: bool
    permissions: frozenset[str] | None = None
    organization: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came. `params` are the decoded parameters of query or body, nested."""

    method: str
    path: str
    key: str
    account: str | None
    context: str | None
    idempotency_key: str | None
    params: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one request. With `status` an error of that status, type and code is answered; `hang`
    never answers; `drop` closes the connection. `after_effect`: what was asked for is done first."""

    status: int | None = None
    code: str | None = None
    type: str = "api_error"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    hang: bool = False
    drop: bool = False
    after_effect: bool = False


class StripeError(Exception):
    """An error answer."""

    def __init__(self, status: int, kind: str, message: str, code: str | None = None) -> None:
        self.status, self.kind, self.message, self.code = status, kind, message, code
        super().__init__(message)


Owner = tuple[bool, str | None]
"""(livemode, account id or None for the platform)."""


class StripeApi:
    """The running fake; made by `stripe_api()`."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {LIVE: Key(livemode=True), TEST: Key(livemode=False)}
        self.requests: list[Asked] = []
        self.effects: list[Asked] = []
        """The writes that were really done, each once."""
        self.url = ""
        self._accounts: set[str] = set()
        self._objects: dict[tuple[Owner, str], dict[str, Any]] = {}
        self._idempotent: dict[tuple[str, Owner, str], tuple[str, int, dict[str, Any]]] = {}
        self._faults: deque[Fault] = deque()
        self._numbers = itertools.count(1)
        self._closing = asyncio.Event()

    def connect(self, account: str) -> None:
        """Connect an account to the platform, in both modes."""
        self._accounts.add(account)
        for livemode in (True, False):
            made = {"id": account, "object": "account", "metadata": {}}
            self._objects[(livemode, None), f"/v1/accounts/{account}"] = made
            self._objects[(livemode, None), f"/v2/core/accounts/{account}"] = {**made, "object": "v2.core.account"}

    def forget_keys(self) -> None:
        """What Stripe does with idempotency keys after a day."""
        self._idempotent.clear()

    def disconnect(self, account: str) -> None:
        """Revoke the platform's access to an account."""
        self._accounts.discard(account)

    def restrict(self, key: str, *permissions: str, livemode: bool = False) -> None:
        """Make a restricted key."""
        self.keys[key] = Key(livemode=livemode, permissions=frozenset(permissions))

    def put(self, path: str, value: Mapping[str, Any], *, account: str | None = None, livemode: bool = False) -> None:
        """Keep an object at that path, of that account."""
        self._objects[(livemode, account), path] = dict(value)

    def fault(self, *faults: Fault) -> None:
        """What goes wrong with the next requests, one each."""
        self._faults.extend(faults)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        body = await request.read()
        fault = self._faults.popleft() if self._faults else None
        asked = _asked(request, body)
        self.requests.append(asked)
        try:
            status, answer = self._faulty(asked, body, fault)
        except StripeError as error:
            status, answer = error.status, {"error": _error(error)}
        if fault is not None and (fault.hang or fault.drop):
            if fault.hang:
                await self._closing.wait()
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        headers = {"Request-Id": f"req_{next(self._numbers)}", **(fault.headers if fault else {})}
        if fault is not None and fault.body is not None:
            return web.Response(status=status, body=fault.body, headers=headers)
        return web.json_response(answer, status=status, headers=headers)

    def stop(self) -> None:
        """Let go of what hangs."""
        self._closing.set()

    def _faulty(self, asked: Asked, body: bytes, fault: Fault | None) -> tuple[int, dict[str, Any]]:
        if fault is None:
            return self._answer(asked, body)
        if fault.after_effect:
            self._answer(asked, body)
        if fault.status is not None:
            raise StripeError(fault.status, fault.type, "Something went wrong.", fault.code)
        return 200, {}

    def _answer(self, asked: Asked, body: bytes) -> tuple[int, dict[str, Any]]:
        key = self._authenticate(asked)
        owner = (key.livemode, self._account(asked, key))
        self._authorize(asked, key)
        if asked.method == "GET":
            return 200, _as_asked(self._get(asked.path, owner), asked)
        if asked.method != "POST" and asked.method != "DELETE":
            raise StripeError(405, "invalid_request_error", "Unsupported method")
        if asked.idempotency_key is None:
            return self._write(asked, owner)
        known = (asked.key, owner, asked.idempotency_key)
        fingerprint = f"{asked.method} {asked.path} {body.decode()}"
        if known in self._idempotent:
            before, status, answer = self._idempotent[known]
            if before != fingerprint:
                message = "Keys for idempotent requests can only be used with the same parameters they were first used"
                raise StripeError(400, "idempotency_error", message)
            return status, answer
        status, answer = self._write(asked, owner)
        self._idempotent[known] = (fingerprint, status, answer)
        return status, answer

    def _authenticate(self, asked: Asked) -> Key:
        key = self.keys.get(asked.key)
        if key is None:
            raise StripeError(401, "invalid_request_error", f"Invalid API Key provided: {asked.key}")
        if asked.account and asked.context:
            raise StripeError(400, "invalid_request_error", "Stripe-Account and Stripe-Context exclude each other")
        if key.organization and not asked.context:
            raise StripeError(400, "invalid_request_error", "Organization keys need a Stripe-Context header")
        return key

    def _account(self, asked: Asked, key: Key) -> str | None:
        account = asked.account or (asked.context.rpartition("/")[2] if asked.context else None)
        if account is not None and account not in self._accounts:
            masked = f"{asked.key[:8]}******"
            message = (
                f"The provided key '{masked}' does not have access to account '{account}' (or that account does not "
                "exist). Application access may have been revoked."
            )
            raise StripeError(403, "invalid_request_error", message, "account_invalid")
        return account

    def _authorize(self, asked: Asked, key: Key) -> None:
        if key.permissions is None:
            return
        resource = asked.path.split("/")[2]
        wanted = f"{resource}:{'read' if asked.method == 'GET' else 'write'}"
        if wanted not in key.permissions and f"{resource}:write" not in key.permissions:
            message = f"The provided key '{asked.key}' does not have the required permissions for this endpoint"
            raise StripeError(403, "invalid_request_error", message)

    def _get(self, path: str, owner: Owner) -> dict[str, Any]:
        found = self._objects.get((owner, path))
        if found is not None:
            return found
        prefix = path + "/"
        listed = [v for (own, at), v in self._objects.items() if own == owner and at.startswith(prefix)]
        if listed:
            return {"object": "list", "data": listed, "has_more": False, "url": path}
        raise self._missing(path, owner)

    def _missing(self, path: str, owner: Owner) -> StripeError:
        message = f"No such object: '{path.rpartition('/')[2]}'"
        if ((not owner[0], owner[1]), path) in self._objects:
            here, there = ("live", "test") if owner[0] else ("test", "live")
            message += (
                f"; a similar object exists in {there} mode, but a {here} mode key was used to make this request."
            )
        return StripeError(404, "invalid_request_error", message, "resource_missing")

    def _write(self, asked: Asked, owner: Owner) -> tuple[int, dict[str, Any]]:
        found = self._objects.get((owner, asked.path))
        if asked.method == "DELETE":
            if found is None:
                raise self._missing(asked.path, owner)
            del self._objects[owner, asked.path]
            self.effects.append(asked)
            return 200, {"id": found["id"], "object": found.get("object"), "deleted": True}
        if found is None and re.search(r"/[a-z]+_[A-Za-z0-9]+$", asked.path) and "/core/" not in asked.path:
            raise self._missing(asked.path, owner)
        self.effects.append(asked)
        if found is not None:
            found.update(asked.params)
            return 200, dict(found)
        kind = asked.path.rpartition("/")[2].rstrip("s")
        made = {"id": f"{kind[:2]}_{next(self._numbers)}", "object": kind, "livemode": owner[0], **asked.params}
        self._objects[owner, f"{asked.path}/{made['id']}"] = made
        return 200, dict(made)


def _as_asked(found: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """API v2 leaves out of an account what was not asked for by name: it is null."""
    if not asked.path.startswith("/v2/core/accounts/"):
        return found
    included = asked.params.get("include", [])
    left_out = [name for name in ("requirements", "configuration", "identity") if name not in included]
    return {**found, **{name: None for name in left_out if name in found}}


def _asked(request: web.Request, body: bytes) -> Asked:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.path.startswith("/v2/") and body:
        params = json.loads(body) if headers.get("content-type") == "application/json" else {}
    else:
        form = headers.get("content-type") == "application/x-www-form-urlencoded"
        params = _nested(parse_qsl(body.decode() if form else request.query_string, keep_blank_values=True))
    return Asked(
        method=request.method,
        path=request.path,
        key=headers.get("authorization", "").removeprefix("Bearer "),
        account=headers.get("stripe-account"),
        context=headers.get("stripe-context"),
        idempotency_key=headers.get("idempotency-key"),
        params=params,
        headers=headers,
    )


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b]=1&c[0]=2` as `{"a": {"b": "1"}, "c": ["2"]}`."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = re.findall(r"[^\[\]]+", name)
        place, key = root, first
        for part in rest:
            place = place.setdefault(key, {})
            key = part
        place[key] = value
    return {key: _listed(value) for key, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(item) for key, item in value.items()}


def _error(error: StripeError) -> dict[str, Any]:
    found = {"type": error.kind, "message": error.message}
    return {**found, "code": error.code} if error.code else found


@contextlib.asynccontextmanager
async def stripe_api() -> AsyncIterator[StripeApi]:
    """A running fake on a free port, with a live and a test key of the platform and no accounts."""
    api = StripeApi()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        api.stop()
        await runner.cleanup()
