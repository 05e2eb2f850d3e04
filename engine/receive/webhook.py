"""Where Stripe posts to: a plain ASGI callable that reads the scope itself, since Request objects cost.

An answer of 200 means that the event and everything that must come of it is committed. 400 is for a signature that
does not hold, or a signed body that is no event; 405, 408, 413 and 415 for what cannot be Stripe; 503 asks Stripe
to send again; 500 is a fault of ours, and Stripe sends again as well. Of a refused request nothing is kept but a
count by reason: no body, header or secret reaches a log.
"""

import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

import structlog

from engine.errors import MalformedEvent, SignatureError, StoreUnavailable
from engine.model.event import Event
from engine.receive import normalize as normalizing
from engine.receive import replies
from engine.receive.body import BodyReader, Receive, Unread
from engine.receive.normalize import normalize
from engine.receive.replies import Reply, Send
from engine.receive.signature import TOLERANCE, SignatureReason, verify

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Accept = Callable[[Event], Awaitable[bool]]
"""Stores an event and its plan. True: new; False: a duplicate. Raises StoreUnavailable when nothing was stored."""

Malformed = Callable[[str, str], None]
"""Told the endpoint's name and the reason when a body that Stripe signed is refused: something is badly wrong. Of a
signature that is too old or too new the endpoint is any of its path's."""

MAX_BODY = 1024 * 1024
BODY_TIMEOUT = 20.0
"""Seconds a body may take to arrive; Stripe's come in one piece."""

_SECONDS_BETWEEN_LINES = 60.0

log = structlog.get_logger("tocsin.receive")


class Result(StrEnum):
    """What became of a request. A metric label: never renamed."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    ABANDONED = "abandoned"


class Secret(Protocol):
    """A secret that does not show itself (pydantic's SecretStr)."""

    def get_secret_value(self) -> str: ...


class Endpoint(normalizing.Endpoint, Protocol):
    """A configured endpoint, as far as the webhook reads it."""

    @property
    def path(self) -> str: ...

    @property
    def secrets(self) -> Sequence[Secret]: ...


class Metrics(Protocol):
    """Where requests are counted; `reason` is empty for accepted ones and duplicates."""

    def count(self, result: str, reason: str) -> None: ...


class Webhook:
    """One path. Several endpoints may share it: the secret that verifies names the endpoint."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        accept: Accept,
        metrics: Metrics,
        reader: BodyReader,
        *,
        tolerance: float = TOLERANCE,
        clock: Callable[[], float] = time.time,
        malformed: Malformed = lambda endpoint, reason: None,
    ) -> None:
        owned = [
            (secret.get_secret_value().encode(), endpoint) for endpoint in endpoints for secret in endpoint.secrets
        ]
        self._secrets = tuple(secret for secret, _ in owned)
        self._names = ", ".join(endpoint.name for endpoint in endpoints)
        self._owners = tuple(endpoint for _, endpoint in owned)
        self._accept = accept
        self._metrics = metrics
        self._reader = reader
        self._tolerance = tolerance
        self._clock = clock
        self._malformed = malformed
        self._refusals = _Refusals(endpoints[0].path if endpoints else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it (`scope["type"]` is `http`)."""
        if scope["method"] != "POST":
            return await self._refuse(send, "method", replies.METHOD)
        signature = length = encoding = None
        for name, value in scope["headers"]:
            if name == b"stripe-signature":
                signature = signature or value
            elif name == b"content-length":
                length = value
            elif name == b"content-encoding":
                encoding = value
        if encoding and encoding.strip().lower() != b"identity":
            return await self._refuse(send, "encoded", replies.ENCODED)
        body = await self._reader.read(receive, length)
        if isinstance(body, Unread):
            return await self._leave(send, body)
        now = self._clock()
        try:
            owner = self._owners[verify(body, signature, self._secrets, now=now, tolerance=self._tolerance)]
        except SignatureError as error:
            if error.reason in (SignatureReason.TOO_OLD, SignatureReason.TOO_NEW):
                self._malformed(self._names, error.reason)  # Stripe signed it: a clock is wrong, or it is a replay
            return await self._refuse(send, error.reason, replies.SIGNATURE[error.reason])
        try:
            event = normalize(body, owner, datetime.fromtimestamp(now, UTC))
        except MalformedEvent as error:
            self._malformed(owner.name, error.reason)
            return await self._refuse(send, error.reason, replies.MALFORMED[error.reason])
        return await self._store(send, event)

    async def _store(self, send: Send, event: Event) -> None:
        try:
            new = await self._accept(event)
        except StoreUnavailable:
            self._metrics.count(Result.UNAVAILABLE, "store")
            return await replies.UNAVAILABLE.send(send)
        except Exception as error:
            # The outermost loop of an event. An exception's text may quote the event, so only its kind is logged.
            self._metrics.count(Result.FAILED, "unexpected")
            log.error("event_failed", event_id=event.id, kind=type(error).__name__, at=_frames(error))
            return await replies.FAILED.send(send)
        self._metrics.count(Result.ACCEPTED if new else Result.DUPLICATE, "")
        return await replies.send_received(send, event.id, new)

    async def _leave(self, send: Send, unread: Unread) -> None:
        if unread is Unread.DISCONNECTED:
            self._metrics.count(Result.ABANDONED, unread)
            return
        await self._refuse(send, unread, replies.UNREAD[unread])

    async def _refuse(self, send: Send, reason: str, reply: Reply) -> None:
        self._metrics.count(Result.REFUSED, reason)
        self._refusals.note(reason, self._clock())
        await reply.send(send)


class WebhookPaths:
    """Every configured path, found by dictionary so that a webhook is reached without a router.

    A trailing slash makes no difference: a redirect would count as a failure at Stripe.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        accept: Accept,
        metrics: Metrics,
        *,
        max_body: int = MAX_BODY,
        tolerance: float = TOLERANCE,
        body_timeout: float = BODY_TIMEOUT,
        clock: Callable[[], float] = time.time,
        malformed: Malformed = lambda endpoint, reason: None,
    ) -> None:
        reader = BodyReader(limit=max_body, timeout=body_timeout)
        by_path: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            by_path.setdefault("/" + endpoint.path.strip("/"), []).append(endpoint)
        self._webhooks: dict[str, Webhook] = {}
        for path, sharing in by_path.items():
            webhook = Webhook(sharing, accept, metrics, reader, tolerance=tolerance, clock=clock, malformed=malformed)
            self._webhooks[path] = self._webhooks[path.rstrip("/") + "/"] = webhook

    def at(self, path: str) -> Webhook | None:
        """The webhook of a request path, None where none is configured."""
        return self._webhooks.get(path)

    def ahead_of(self, app: App) -> App:
        """An ASGI application that answers the webhooks itself and leaves everything else to `app`."""

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            webhook = self._webhooks.get(scope["path"]) if scope["type"] == "http" else None
            await (webhook or app)(scope, receive, send)

        return front


class _Refusals:
    """Tells the log of refusals, each reason at most once a minute with its number: a stranger cannot flood it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._since: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def note(self, reason: str, now: float) -> None:
        self._since[reason] = self._since.get(reason, 0) + 1
        if now - self._told.get(reason, float("-inf")) >= _SECONDS_BETWEEN_LINES:
            log.warning("webhook_refused", path=self._path, reason=str(reason), requests=self._since.pop(reason))
            self._told[reason] = now


def _frames(error: BaseException) -> list[str]:
    """Where it happened, innermost last: places in the code, never values."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-8:]]
