"""What digests are made of, for tests: failed payouts and others, gathered within an hour."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.model.event import Json
from engine.model.outcome import Scene
from engine.model.rule import Rule, Severity
from engine.receive.normalize import normalize
from engine.render import Item, digest_scene
from engine.samples import sample
from tests.builders import endpoint

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
FIRST = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)
RULE = Rule(id="payout-failed", when=(), steps=(), severity=Severity.HIGH, owner="finance")
NAMES = {"acct_1": "Nordwind Coffee GmbH", "acct_2": "東京ベーカリー", "acct_3": "Smith & Sons | Bakers"}
REASONS = (
    ("account_closed", "The bank account has been closed."),
    ("insufficient_funds", "There is not enough money in the balance."),
)


def item(number: int = 0, type_: str = "payout.failed", *, name: str | None = None, **given: Any) -> Item:
    """The alert number so and so: accounts, amounts and reasons take turns."""
    account = given.pop("account", f"acct_{number % 3 + 1}")
    code, message = REASONS[number % 2]
    default: dict[str, Json] = {
        "amount": 420_050 + 1_000 * number,
        "currency": "eur" if number % 4 else "usd",
        "failure_code": code,
        "failure_message": message,
    }
    when = FIRST + timedelta(minutes=5 * number)
    arguments = {"id": f"evt_{number}", "created": int(when.timestamp()), "livemode": given.pop("livemode", True)}
    root = sample(type_, account=account, set={**(default if type_ == "payout.failed" else {}), **given}, **arguments)
    event = normalize(json.dumps(root).encode(), endpoint(), when)
    known = name or NAMES.get(account)
    told: dict[str, Json] | None = {"name": known} if known else None
    return Item(event=event, rule=RULE.id, when=when, account=told)


def gathered(count: int = 4, **options: Any) -> Scene:
    """The scene of so many failed payouts."""
    return digest_scene([item(number) for number in range(count)], RULE, now=options.pop("now", NOW), **options)
