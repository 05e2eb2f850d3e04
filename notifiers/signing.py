"""Signatures of callbacks, by Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks, specification).

A receiver computes HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>` with the bytes behind `whsec_`, and
compares with any `v1,` signature in the header. While a secret is rolled there is one for each.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """The bytes of a secret written `whsec_<base64>`. Raises ValueError, never showing the secret, for another form."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"a callback's secret begins with {PREFIX}")
    encoded = secret.removeprefix(PREFIX).strip()
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {PREFIX} in a callback's secret is not base64") from None
    if not key:
        raise ValueError(f"a callback's secret has something after {PREFIX}")
    return key


def signature_headers(message_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of one attempt; without secrets only the id and the timestamp."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
        headers["webhook-signature"] = " ".join(_signature(content, signing_key(secret)) for secret in secrets)
    return headers


def _signature(content: bytes, key: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
