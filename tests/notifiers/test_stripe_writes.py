"""Writes of the stripe verb: allowed, capped, done once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.model.delivery import Delivery
from engine.model.outcome import Delivered, Held, Refused, Retry
from tests.fakes.stripe_api import Fault
from tests.fakes.stripe_api import StripeApi as FakeApi
from tests.notifiers.deliveries import rendered
from tests.notifiers.stripe_steps import NOW, Claims, allowed, fake, notifier, stripe

__all__ = ["fake"]


async def test_a_write_that_is_not_allowed_says_what_to_add(fake: FakeApi) -> None:
    async with notifier(fake) as made:
        outcome = await made.deliver(rendered(made, stripe("refunds.create"), "refunds.create"))
    assert isinstance(outcome, Refused)
    assert "{operation: refunds.create, max: 20, every: 1h}" in outcome.reason
    assert fake.requests == []


async def test_a_write_carries_the_id_of_the_delivery_at_every_attempt(fake: FakeApi) -> None:
    fake.fault(Fault(status=500, after_effect=True), Fault(status=500))
    async with notifier(fake, allowed("refunds.create")) as made:
        waiting = rendered(made, stripe("refunds.create", with_={"charge": "ch_1"}), "refunds.create")
        assert isinstance(await made.deliver(waiting), Retry)
        outcome = await made.deliver(replace(waiting, attempts=1, first_attempt=NOW))
    assert isinstance(outcome, Delivered)
    assert {asked.idempotency_key for asked in fake.requests} == {waiting.id}
    assert len(fake.effects) == 1


async def test_writes_beyond_the_cap_are_held_and_a_held_one_can_be_released(fake: FakeApi) -> None:
    claims = Claims()
    async with notifier(fake, allowed("refunds.create", 2), claims=claims) as made:
        for number in range(2):
            ready = rendered(made, stripe("refunds.create"), "refunds.create", id=f"dlv_{number}")
            assert isinstance(await made.deliver(ready), Delivered)
        third = rendered(made, stripe("refunds.create"), "refunds.create", id="dlv_2")
        held = await made.deliver(third)
        assert isinstance(held, Held)
        assert held.reason.startswith("refunds.create is allowed 2 times in 1h")
        assert len(fake.effects) == 2
        claims.taken.add("dlv_2")  # what `tocsin retry` does
        assert isinstance(await made.deliver(third), Delivered)


async def test_a_read_needs_no_claim(fake: FakeApi) -> None:
    claims = Claims()
    async with notifier(fake, claims=claims) as made:
        await made.deliver(rendered(made, stripe("GET /v1/balance"), "GET /v1/balance"))
    assert claims.taken == set()


@pytest.mark.parametrize(
    ("age", "sent"),
    [(timedelta(hours=22, minutes=59), True), (timedelta(hours=23), False), (timedelta(days=3), False)],
)
async def test_a_write_stops_before_stripe_forgets_its_key(fake: FakeApi, age: timedelta, sent: bool) -> None:
    async with notifier(fake, allowed("refunds.create")) as made:
        late = rendered(made, stripe("refunds.create"), "refunds.create", attempts=3, first_attempt=NOW - age)
        outcome = await made.deliver(late)
        assert isinstance(outcome, Delivered if sent else Refused)
        if isinstance(outcome, Refused):
            assert "idempotency window is over" in outcome.reason
            assert "--again" in outcome.reason
            again: Delivery = replace(late, first_attempt=None)  # what `tocsin retry --again` makes of it
            assert isinstance(await made.deliver(again), Delivered)


async def test_a_write_that_a_dead_process_may_have_made_stops_in_time_too(fake: FakeApi) -> None:
    """It has no first attempt on record, but a claim."""
    claims = Claims()
    claims.taken.add("dlv_0123456789abcdef")
    claims.since = NOW - timedelta(hours=23)
    async with notifier(fake, allowed("refunds.create"), claims=claims) as made:
        outcome = await made.deliver(rendered(made, stripe("refunds.create"), "refunds.create"))
    assert isinstance(outcome, Refused)
    assert "idempotency window is over" in outcome.reason
    assert fake.requests == []


async def test_reads_may_be_retried_for_ever(fake: FakeApi) -> None:
    async with notifier(fake) as made:
        late = rendered(
            made, stripe("GET /v1/balance"), "GET /v1/balance", attempts=3, first_attempt=NOW - timedelta(days=3)
        )
        assert isinstance(await made.deliver(late), Delivered)
