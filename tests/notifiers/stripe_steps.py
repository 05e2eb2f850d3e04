"""What the tests of the stripe verb share: a notifier on the fake API, its caps, one step."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from engine.model.event import Event
from engine.model.outcome import Outcome
from engine.model.rule import Step, Verb
from engine.settings import AllowedWrite, Endpoint, StripeSettings
from engine.stripe_api.client import StripeApi
from notifiers.stripe import StripeNotifier
from tests.fakes.stripe_api import LIVE, TEST, Asked, stripe_api
from tests.fakes.stripe_api import StripeApi as FakeApi
from tests.notifiers.deliveries import rendered, step

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
KEYS = {"live": LIVE, "test": TEST}
HOURLY = timedelta(hours=1)


class Claims:
    """A cap in memory, with the promises of the store's: a delivery that has its place keeps it."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.since: datetime | None = None

    async def __call__(
        self,
        operation: str,
        delivery_id: str,
        *,
        max: int,  # noqa: A002  (the word of the configuration)
        every: timedelta,
        now: datetime,
    ) -> datetime | None:
        if delivery_id not in self.taken:
            if len(self.taken) >= max:
                return None
            self.taken.add(delivery_id)
        return self.since or now


def endpoint(name: str, **fields: Any) -> Endpoint:
    return Endpoint(
        **{"name": name, "path": "/webhooks/stripe", "scope": None, "livemode": None, "secrets": (), **fields}
    )


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    async with stripe_api() as running:
        running.connect("acct_1")
        for livemode in (True, False):
            payout = {"id": "po_1", "object": "payout", "livemode": livemode}
            running.put("/v1/payouts/po_1", payout, account="acct_1", livemode=livemode)
            running.put("/v1/balance", {"object": "balance", "owner": "platform"}, livemode=livemode)
            running.put("/v1/balance", {"object": "balance"}, account="acct_1", livemode=livemode)
        yield running


@asynccontextmanager
async def notifier(
    fake: FakeApi,
    *allow: AllowedWrite,
    keys: dict[str, str] | None = None,
    endpoints: tuple[Endpoint, ...] = (),
    claims: Claims | None = None,
    now: datetime = NOW,
) -> AsyncIterator[StripeNotifier]:
    wrapped = {name: SecretStr(key) for name, key in (KEYS if keys is None else keys).items()}
    settings = StripeSettings(keys=wrapped, api_base=fake.url, allow=allow)
    api = StripeApi(fake.url, timeout=timedelta(seconds=2))
    made = StripeNotifier(settings, endpoints, claims or Claims(), api=api, clock=lambda: now)
    try:
        yield made
    finally:
        await made.close()


def allowed(operation: str, limit: int = 5) -> AllowedWrite:
    return AllowedWrite(operation=operation, max=limit, every=HOURLY)


def stripe(operation: str, **options: Any) -> Step:
    """A step; `with` and `as` are written with a trailing underscore."""
    return step(Verb.STRIPE, operation, **{name.rstrip("_"): value for name, value in options.items()})


async def run(
    fake: FakeApi, operation: str, event: Event | None = None, **options: Any
) -> tuple[Outcome, Asked | None]:
    """One delivery of an allowed operation, and what the API was asked last."""
    async with notifier(fake, allowed(operation)) as made:
        outcome = await made.deliver(rendered(made, stripe(operation, **options), operation, event))
    return outcome, fake.requests[-1] if fake.requests else None
