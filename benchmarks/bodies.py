"""Signed requests, each with an id of its own, at a cost that does not disturb what is being measured.

Id and account stand last in the body, so that the signature of the common part is computed once and only continued.
"""

import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

SECRET = "whsec_benchmark_only"
QUIET = "payment_intent.succeeded"
"""A type that the ready-made rules leave alone (its rule ships switched off)."""

BODY_BYTES = 3600


@dataclass(frozen=True, slots=True)
class Template:
    """The body of one event type up to its id and account; `account` is the one of whoever names none."""

    type: str
    prefix: bytes
    account: str

    def tail(self, event_id: str, account: str | None = None) -> bytes:
        """What completes the body."""
        return f'  "account": "{account or self.account}",\n  "id": "{event_id}"\n}}'.encode()


ACCOUNT = "acct_1RCVrQBenchmark0"


def account_of(number: int) -> str:
    """One of a platform's accounts, as long as ACCOUNT."""
    return f"acct_1RCVrQBen{number:07d}"


def template(event_type: str, size: int = BODY_BYTES, account: str = ACCOUNT) -> Template:
    """A connected, live event of that type that happens now, written as Stripe writes it, `size` bytes long with its id
    and account.

    It is filled with small maps of flags and nulls, about as many fields to the kilobyte as a charge has.
    """
    size -= len(Template(event_type, b"", account).tail("evt_" + "0" * 24))
    now = int(time.time())
    fields: dict[str, object] = {}
    made = prefix = _prefix(event_type, now, fields, "")
    while len(made) <= size:
        prefix = made
        fields[f"attribute_{len(fields)}"] = {"enabled": True, "limit": 1000 + len(fields), "reason": None}
        made = _prefix(event_type, now, fields, "")
    if fields:
        fields.popitem()
    return Template(event_type, _prefix(event_type, now, fields, "x" * max(size - len(prefix), 0)), account)


def run_name() -> str:
    """A part of ids that no other run has."""
    return secrets.token_hex(6)


class Requests:
    """Whole HTTP requests to one path, signed as of `timestamp`."""

    def __init__(self, path: str, timestamp: int, secret: str = SECRET) -> None:
        self._path = path
        self._timestamp = timestamp
        self._secret = secret.encode()
        self._begun: dict[str, tuple[Template, Any]] = {}

    def add(self, made: Template) -> None:
        """Prepare a template for use."""
        begun = hmac.new(self._secret, b"%d.%b" % (self._timestamp, made.prefix), "sha256")
        self._begun[made.type] = (made, begun)

    def request(self, event_type: str, event_id: str, account: str | None = None) -> bytes:
        """The bytes of one request, of the template's account if of no other."""
        made, begun = self._begun[event_type]
        tail = made.tail(event_id, account)
        signature = begun.copy()
        signature.update(tail)
        lines = [
            f"POST {self._path} HTTP/1.1",
            "Host: 127.0.0.1",
            "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept: */*; q=0.5, application/xml",
            "Cache-Control: no-cache",
            "Content-Type: application/json; charset=utf-8",
            f"Content-Length: {len(made.prefix) + len(tail)}",
            f"Stripe-Signature: t={self._timestamp},v1={signature.hexdigest()}",
        ]
        return b"".join(("\r\n".join(lines).encode(), b"\r\n\r\n", made.prefix, tail))


def _prefix(event_type: str, created: int, fields: dict[str, object], padding: str) -> bytes:
    kind = event_type.rpartition(".")[0].rpartition(".")[2] or "object"
    root = {
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": created,
        "data": {
            "object": {
                "id": f"{kind[:2]}_3OBenchmark00000000000000",
                "object": kind,
                "amount": 12500,
                "currency": "usd",
                "status": "failed" if event_type.endswith("failed") else "succeeded",
                "failure_code": "account_closed",
                "failure_message": "The bank account has been closed.",
                "failure_reason": "expired_or_canceled_card",
                "charge": "ch_3OBenchmark00000000000000",
                "created": created,
                "arrival_date": 1_767_398_400,
                "destination": "ba_1OBenchmark",
                "automatic": True,
                "metadata": {"order": "6735", "tenant": "emea-7", "note": padding},
                "details": fields,
            }
        },
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": "req_Benchmark", "idempotency_key": "8a4c33a1-benchmark"},
        "type": event_type,
    }
    return json.dumps(root, indent=2).encode()[:-2] + b",\n"
