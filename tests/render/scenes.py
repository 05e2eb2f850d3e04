"""Scenes for tests of texts: small, and with a fixed `now`."""

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def scene_with(object: Any = None, **names: Any) -> dict[str, Any]:  # noqa: A002 (the name in texts)
    """A scene with that object; other names can be given."""
    return {
        "event": {"id": "evt_1", "type": "charge.succeeded", "account": "acct_1", "context": None, "livemode": True},
        "object": object if object is not None else {"id": "ch_1", "amount": 42_000, "currency": "eur"},
        "previous": {},
        "changed": {},
        "account": {"id": "acct_1", "name": "Acme GmbH", "url": "https://dashboard.stripe.com/connect/accounts/acct_1"},
        "rule": {"id": "r", "severity": "high", "owner": None, "runbook": None},
        "steps": {},
        "vars": {},
        "tables": {},
        "now": NOW,
        **names,
    }
