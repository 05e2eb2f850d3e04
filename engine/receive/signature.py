"""Stripe's webhook signature: HMAC-SHA256 over the raw body, checked without ever failing on hostile input.

The header is one line, `t=<unix seconds>,v1=<64 hex>[,v1=<hex>...][,v0=<hex>]`; what is signed is `<t>.<raw body>`
and the key is the whole secret string, `whsec_` included (Stripe docs, webhooks, "Verify webhook signatures
manually"). While a secret is rolled Stripe sends one `v1` per live secret, and one path may serve several
endpoints, so any `v1` may match any secret.

The SDK's `stripe.WebhookSignature` is the oracle in the tests. Three differences are deliberate: a timestamp from
the future is refused (the SDK accepts any), a timestamp is ASCII digits alone (the SDK takes whatever `int()` does,
`+5`, `1_0` and Arabic digits included), and bodies or headers that are no UTF-8 are refused or verified, where
the SDK raises UnicodeDecodeError or TypeError.
"""

import hmac
from collections.abc import Sequence
from enum import StrEnum

from engine.errors import SignatureError

TOLERANCE = 300.0
"""Seconds that a timestamp may be off, as in Stripe's libraries."""

_LONGEST_HEADER = 4096
"""Bytes. Stripe's own are about 80 and grow by 68 with each secret being rolled."""

_MOST_SIGNATURES = 32
_LONGEST_TIMESTAMP = 12


class SignatureReason(StrEnum):
    """Why a request is refused. A metric label and part of the reply: never renamed."""

    MISSING = "missing"
    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    NO_TIMESTAMP = "no_timestamp"
    NO_V1 = "no_v1"
    TOO_MANY_V1 = "too_many_v1"
    MISMATCH = "mismatch"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


def verify(
    body: bytes, header: str | bytes | None, secrets: Sequence[bytes], *, now: float, tolerance: float = TOLERANCE
) -> int:
    """The index of the secret that signed `body`.

    `now` and `tolerance` are in seconds. Blank secrets never match: anyone can sign with an empty key.
    Raises SignatureError with a SignatureReason, and nothing else, whatever the bytes.

    The signature is judged before the timestamp's age, so that `too_old` and `too_new` are only ever said of what
    Stripe really signed (a late replay, or a clock that is wrong), and a stranger learns nothing of our clock.
    """
    timestamp, signatures = _parse(header)
    signed = b"%d.%b" % (timestamp, body)
    for index, secret in enumerate(secrets):
        if not secret or secret.isspace():
            continue
        expected = hmac.digest(secret, signed, "sha256").hex().encode()
        for signature in signatures:
            if hmac.compare_digest(expected, signature):
                _check_age(timestamp, now, tolerance)
                return index
    raise SignatureError(SignatureReason.MISMATCH)


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header that Stripe would send for `body` at `timestamp` (unix seconds)."""
    digest = hmac.digest(secret.encode(), b"%d.%b" % (timestamp, body), "sha256")
    return f"t={timestamp},v1={digest.hex()}"


def _check_age(timestamp: int, now: float, tolerance: float) -> None:
    if timestamp < now - tolerance:
        raise SignatureError(SignatureReason.TOO_OLD)
    if timestamp > now + tolerance:
        raise SignatureError(SignatureReason.TOO_NEW)


def _parse(header: str | bytes | None) -> tuple[int, list[bytes]]:
    """The first `t` and every `v1`, as the SDK reads them: split at commas, then at `=`; the rest is ignored."""
    if not header:
        raise SignatureError(SignatureReason.MISSING)
    if len(header) > _LONGEST_HEADER:
        raise SignatureError(SignatureReason.TOO_LONG)
    raw = header if isinstance(header, bytes) else header.encode("utf-8", "backslashreplace")
    timestamps: list[bytes] = []
    signatures: list[bytes] = []
    for item in raw.split(b","):
        name, *values = item.split(b"=", 2)
        if name == b"v1":
            signatures += _value(values)
        elif name == b"t":
            timestamps += _value(values)
    return _timestamp(timestamps), _checked(signatures)


def _value(values: list[bytes]) -> list[bytes]:
    if not values:
        raise SignatureError(SignatureReason.MALFORMED)
    return values[:1]


def _timestamp(found: list[bytes]) -> int:
    if not found:
        raise SignatureError(SignatureReason.NO_TIMESTAMP)
    if not found[0].isdigit() or len(found[0]) > _LONGEST_TIMESTAMP:
        raise SignatureError(SignatureReason.MALFORMED)
    return int(found[0])


def _checked(signatures: list[bytes]) -> list[bytes]:
    if not signatures:
        raise SignatureError(SignatureReason.NO_V1)
    if len(signatures) > _MOST_SIGNATURES:
        raise SignatureError(SignatureReason.TOO_MANY_V1)
    return signatures
