"""What the webhook answers. Stripe shows these bodies next to each delivery attempt, so they say what to do."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from engine.model.event import Json
from engine.receive.body import Unread
from engine.receive.normalize import MalformedReason
from engine.receive.signature import SignatureReason

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_CLOSE = (b"connection", b"close")
_JSON = (b"content-type", b"application/json")


class Reply:
    """One fixed answer, its bytes made once. Sending copies the headers, which middleware may add to."""

    __slots__ = ("_body", "_headers", "status")

    def __init__(self, status: int, document: Json, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self._body = orjson.dumps(document)
        self._headers: Headers = [_JSON, (b"content-length", b"%d" % len(self._body)), *headers]

    async def send(self, send: Send) -> None:
        """The whole answer."""
        await send({"type": "http.response.start", "status": self.status, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": self._body})


async def send_received(send: Send, event_id: str, new: bool) -> None:
    """200: the event is stored, now or before."""
    body = orjson.dumps({"received": event_id, "duplicate": not new})
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _refusal(status: int, reason: str, hint: str, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(status, {"error": reason, "hint": hint}, *headers)


_SIGNATURE_HINTS = {
    SignatureReason.MISSING: "There is no Stripe-Signature header. To post an event by hand, use `tocsin simulate`.",
    SignatureReason.TOO_LONG: "The Stripe-Signature header is longer than Stripe ever makes it.",
    SignatureReason.MALFORMED: "The Stripe-Signature header is not of the form t=<unix seconds>,v1=<hex>.",
    SignatureReason.NO_TIMESTAMP: "The Stripe-Signature header has no t=<unix seconds>.",
    SignatureReason.NO_V1: "The Stripe-Signature header has no v1=<hex>.",
    SignatureReason.TOO_MANY_V1: "The Stripe-Signature header has more v1 signatures than Stripe ever makes.",
    SignatureReason.MISMATCH: "No signing secret configured for this path made this signature. Compare the secret "
    "(whsec_...) of this endpoint at Stripe with the configuration, and see that no proxy changes the body.",
    SignatureReason.TOO_OLD: "The signature holds, but it was made too long ago. If Stripe sent it just now, the "
    "clock of this server is ahead.",
    SignatureReason.TOO_NEW: "The signature holds, but its time is in the future: the clock of this server is behind.",
}
_MALFORMED_HINTS = {
    MalformedReason.NOT_JSON: "The signature holds, but the body is not JSON.",
    MalformedReason.NOT_AN_OBJECT: "The signature holds, but the body is not a JSON object.",
    MalformedReason.NO_ID: "The signature holds, but the event has no id.",
    MalformedReason.NO_TYPE: "The signature holds, but the event has no type.",
}

SIGNATURE: dict[str, Reply] = {reason: _refusal(400, reason, hint) for reason, hint in _SIGNATURE_HINTS.items()}
MALFORMED: dict[str, Reply] = {reason: _refusal(400, reason, hint) for reason, hint in _MALFORMED_HINTS.items()}
UNREAD: dict[str, Reply] = {
    Unread.TOO_LARGE: _refusal(413, Unread.TOO_LARGE, "The body is larger than receive.max_body allows.", _CLOSE),
    Unread.TOO_SLOW: _refusal(408, Unread.TOO_SLOW, "The body did not arrive in time.", _CLOSE),
}
METHOD = _refusal(405, "method", "This is a webhook: it takes POST, from Stripe.", (b"allow", b"POST"), _CLOSE)
ENCODED = _refusal(
    415,
    "encoded",
    "The body is compressed, which Stripe never does; proxies must pass it on as it is.",
    _CLOSE,
)
UNAVAILABLE = _refusal(
    503, "unavailable", "The event could not be stored just now; send it again.", (b"retry-after", b"5")
)
FAILED = _refusal(500, "failed", "The event could not be handled; the reason is in Tocsin's log.")
