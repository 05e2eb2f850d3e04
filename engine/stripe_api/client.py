"""Calls of Stripe's API, made by Stripe's own SDK, with one classification of what can go wrong.

stripe and aiohttp are imported with the first call (0.5 s), or by `StripeApi.warm`.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.errors import DestinationError
from engine.model.event import Json

if TYPE_CHECKING:
    import stripe

TIMEOUT = timedelta(seconds=20)
"""One request, as the SDK sends it. Stripe's own default is 80 s."""

SDK_RETRIES = 1
"""The SDK's own retries, for what passes in half a second (connections, 409, 5xx); longer waits are the engine's."""

CONNECTIONS = 16
MAX_ANSWER = 2 * 1024 * 1024
"""Bytes of an answer that are read. Stripe's largest pages of lists are below half of it."""

RESERVED = frozenset(
    {
        "api_key", "stripe_version", "stripe_account", "stripe_context", "max_network_retries", "idempotency_key",
        "content_type", "headers", "base",
    }
)  # fmt: skip
"""Names that the SDK's raw requests take for themselves, so that no parameter can have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `account` becomes `Stripe-Account`, `context` `Stripe-Context`; at most one of them is given, and
    with neither it is made as the platform. `path` has its ids filled in."""

    method: str
    path: str
    params: Mapping[str, Json] = field(default_factory=dict)
    account: str | None = None
    context: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """A 2xx. `data` is None when the answer was longer than MAX_ANSWER: what was asked for has been done anyway."""

    status: int
    data: Json
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Anything else.

    `retry`: trying again may help, after `after` if Stripe asked for that. `maybe_done`: the request was on its way
    when the answer was lost. `code` is Stripe's error code (`account_invalid`, `resource_missing`, `lock_timeout`);
    `reason` holds no key.
    """

    reason: str
    retry: bool
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    after: timedelta | None = None
    maybe_done: bool = False


class StripeApi:
    """One API address, and the connections to it; any number of keys, accounts and modes.

    `api_base` as in the configuration. `timeout` bounds one request; a call may take two of them and a second.
    """

    def __init__(self, api_base: str, *, timeout: timedelta = TIMEOUT) -> None:
        self._base = api_base
        self._timeout = timeout
        self._http: Any = None
        self._clients: dict[str, stripe.StripeClient] = {}

    async def call(self, key: str, call: Call, *, within: timedelta | None = None) -> Success | Failure:
        """One call with that key. Raises DestinationError for a parameter no call can have, nothing else for what may
        happen on the way or at Stripe. `within` bounds all of it, the SDK's own retry too."""
        _check(call)
        import stripe

        whole = (within or self._timeout * (SDK_RETRIES + 1) + timedelta(seconds=1)).total_seconds()
        try:
            async with asyncio.timeout(whole):
                answer = await self._client(key).raw_request_async(call.method, call.path, **_options(call))
        except stripe.StripeError as error:
            return _failure(error, key)
        except TimeoutError:
            return Failure(reason=f"no answer within {whole:g} s", retry=True, maybe_done=True)
        found = answer.data if isinstance(answer.data, dict) else None
        data = None if found is None or _TOO_LONG in found else found
        return Success(status=int(answer.code), data=data, request_id=answer.request_id)

    def address(self, call: Call) -> str:
        """Where a call goes. Raises DestinationError as `call` does."""
        _check(call)
        return f"{self._base.rstrip('/')}{call.path}"

    async def warm(self) -> None:
        """Import what the first call needs, in a thread."""
        await asyncio.to_thread(_stripe)

    async def close(self) -> None:
        """Close every connection."""
        self._clients.clear()
        if self._http is not None:
            await self._http.close_async()
            self._http = None

    def _client(self, key: str) -> "stripe.StripeClient":
        if key not in self._clients:
            sdk = _stripe()
            if self._http is None:
                self._http = _bounded_client()(timeout=self._timeout.total_seconds())
            self._clients[key] = sdk.StripeClient(
                key, http_client=self._http, max_network_retries=SDK_RETRIES, base_addresses={"api": self._base}
            )
        return self._clients[key]


_TOO_LONG = "tocsin_answer_too_long"


@cache
def _stripe() -> Any:
    """The SDK, told not to send or write telemetry (it would keep an id under ~/.config)."""
    import aiohttp  # noqa: F401  (imported here so that `warm` pays for it)
    import stripe

    stripe.enable_telemetry = False
    return stripe


@cache
def _bounded_client() -> type[Any]:
    """The SDK's aiohttp client with bounds: the size of an answer, connections, no redirects (a key must never follow
    one), no proxy or credentials of the environment."""
    import aiohttp

    class BoundedClient(_stripe().AIOHTTPClient):  # type: ignore[misc]  # a class made at run time
        def __init__(self, *, timeout: float) -> None:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
            limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(5.0, timeout))
            super().__init__(timeout=limits, session=session)

        async def request_async(
            self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
        ) -> tuple[bytes, int, Mapping[str, str]]:
            args, kwargs = self._get_request_args_kwargs(method, url, headers, post_data)
            try:
                async with self._session.request(*args, **kwargs, allow_redirects=False) as response:
                    body = bytearray()
                    async for piece in response.content.iter_any():
                        body += piece
                        if len(body) > MAX_ANSWER:
                            response.close()
                            return b'{"%s": true}' % _TOO_LONG.encode(), response.status, response.headers
                    return bytes(body), response.status, response.headers
            except Exception as error:
                self._handle_request_error(error)
                raise AssertionError("it raises") from error

        async def close_async(self) -> None:
            await self._session.close()

    return BoundedClient


def _check(call: Call) -> None:
    taken = sorted(RESERVED & call.params.keys())
    if taken:
        raise DestinationError(f"'{taken[0]}' cannot be a parameter: what it says is decided by as: and the endpoint")


def _options(call: Call) -> dict[str, Any]:
    given = {
        **call.params,
        "stripe_account": call.account,
        "stripe_context": call.context,
        "idempotency_key": call.idempotency_key,
    }
    return {name: value for name, value in given.items() if value is not None}


def _failure(error: "stripe.StripeError", key: str) -> Failure:
    """What a failed call means (reference: docs.stripe.com/api/errors, /error-low-level).

    | Stripe says | means |
    |---|---|
    | no answer | retry; it may have been done if the request had left |
    | 429, and 400 `rate_limit`; `lock_timeout` among them | retry |
    | 409 (the idempotency key is in use, or the object is) | retry |
    | 5xx | retry |
    | any other status, with `Stripe-Should-Retry: true` | retry |
    | any status but 429, with `Stripe-Should-Retry: false` | refused: a repeat would be answered the same |
    | 400 `idempotency_error` | refused: the key was used for another request |
    | 401, 402, 403, 404, other 400 | refused |
    """
    import stripe

    if isinstance(error, stripe.APIConnectionError):
        return _unanswered(error)
    status = error.http_status
    if status is None:
        return Failure(reason=f"the SDK could not make this call ({type(error).__name__})", retry=False)
    if 200 <= status <= 299:
        return Failure(reason="the answer was not Stripe's", retry=True, status=status, maybe_done=True)
    said = _error_of(error)
    code = said.get("code") or said.get("type")
    limited = status == 429 or (status == 400 and code == "rate_limit")
    should = _header(error.headers, "stripe-should-retry")  # what it says of this moment; a rate passes all the same
    retry = limited or should == "true" or (should != "false" and (status == 409 or status >= 500))
    return Failure(
        reason=_reason(status, said, key),
        retry=retry,
        status=status,
        code=code if isinstance(code, str) else None,
        request_id=error.request_id,
        after=_retry_after(error.headers) if retry else None,
    )


def _unanswered(error: "stripe.APIConnectionError") -> Failure:
    import aiohttp

    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return Failure(reason="the name of Stripe's API does not resolve", retry=True)
    if isinstance(cause, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return Failure(reason="no connection to Stripe's API", retry=True)
    if isinstance(cause, TimeoutError):
        return Failure(reason="Stripe's API did not answer in time", retry=True, maybe_done=True)
    return Failure(reason="the connection to Stripe's API broke", retry=True, maybe_done=True)


def _error_of(error: "stripe.StripeError") -> Mapping[str, Json]:
    body = error.json_body
    said = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(said, Mapping):
        return said
    return {"code": said} if isinstance(said, str) else {}


_EXPLAINED = {
    "account_invalid": "the account has disconnected, or this key has no access to it",
    "lock_timeout": "another request is working on the same object",
    "idempotency_error": "the idempotency key was used for another request, so this one was not made",
    "idempotency_key_in_use": "the same request is under way",
    "rate_limit": "too many requests",
    "api_key_expired": "the key has expired",
}
_BY_STATUS = {
    401: "the key is not valid (revoked, expired or mistyped)",
    403: "the key may not do this: check its permissions",
    404: "there is no such object for this account in this mode",
    409: "another request is working on the same object",
    429: "too many requests",
}


def _reason(status: int, said: Mapping[str, Json], key: str) -> str:
    """One line for people: what it means, Stripe's code, and Stripe's own words, without any key in them."""
    code, kind, message = said.get("code"), said.get("type"), said.get("message")
    meaning = _EXPLAINED.get(str(code)) or _EXPLAINED.get(str(kind)) or _BY_STATUS.get(status)
    label = f" {code}" if isinstance(code, str) else f" {kind}" if isinstance(kind, str) else ""
    parts = [f"Stripe answered {status}{label}", meaning, _without_keys(str(message), key) if message else None]
    return ": ".join(part for part in parts if part)


_KEY = re.compile(r"\b((?:sk|rk|pk)_(?:live|test|org)_)[A-Za-z0-9_*.]+")


def _without_keys(text: str, key: str) -> str:
    line = " ".join(text.replace(key, "***").split())[:500]
    return "".join(character if character.isprintable() else "\ufffd" for character in _KEY.sub(r"\1***", line))


def _header(headers: Any, wanted: str) -> str:
    """A header's value, empty where there is none."""
    return {str(name).lower(): str(value) for name, value in (headers or {}).items()}.get(wanted, "").strip()


def _retry_after(headers: Any) -> timedelta | None:
    """Stripe documents no Retry-After; what stands in front of it (a proxy, an edge) may send one."""
    found = _header(headers, "retry-after")
    if re.fullmatch(r"[0-9]{1,6}", found):
        wait = timedelta(seconds=int(found))
    else:
        try:
            date = parsedate_to_datetime(found)
        except (ValueError, TypeError, IndexError):
            return None
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)
    return min(wait, timedelta(hours=24)) if wait > timedelta() else None
