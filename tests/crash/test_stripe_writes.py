"""A Stripe write happens once, however often its process is killed between request and record."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from tests.builders import signed, snapshot_body
from tests.crash.service import Service, deployment
from tests.fakes.stripe_api import LIVE, Fault, stripe_api

RULES = """
rules:
  - id: refund
    when: payout.failed
    then:
      stripe: refunds.create
      with: {charge: ch_1, reason: requested_by_customer}
      retry: {attempts: 50, backoff: [1s]}
"""
KILLS = 3
WRITES = 4


@pytest.mark.timeout(180)
async def test_a_write_is_made_once_however_often_its_process_is_killed() -> None:
    """Each time Stripe has done it, and the answer does not come: SIGKILL, and the next process asks again."""
    async with stripe_api() as api:
        api.connect("acct_1")
        stripe = {
            "keys": {"live": LIVE},
            "api_base": api.url,
            "allow": [{"operation": "refunds.create", "max": 20, "every": "1h"}],
        }
        with deployment(RULES, {"stripe": stripe}) as folder:
            service = Service(folder)
            try:
                service.start()
                await service.ready()
                api.fault(*[Fault(hang=True, after_effect=True)] * WRITES)
                for number in range(WRITES):
                    body = snapshot_body(
                        "payout.failed", id=f"evt_{number}", account="acct_1", created=int(time.time())
                    )
                    assert await service.post(body, signed(body)) == 200
                await asked(api.requests, WRITES)
                for kill in range(1, KILLS + 1):
                    service.kill()
                    if kill < KILLS:
                        api.fault(*[Fault(hang=True, after_effect=True)] * WRITES)
                    service.start()
                    await service.ready()
                    await asked(api.requests, WRITES * (kill + 1))
            finally:
                service.kill()
        keys = {request.idempotency_key for request in api.requests}
        print(f"asked {len(api.requests)} times for {len(keys)} writes, done {len(api.effects)}")
        assert len(keys) == WRITES
        assert len(api.effects) == WRITES


async def asked(requests: Sequence[object], number: int) -> None:
    """Wait until so many requests have come."""
    async with asyncio.timeout(60):
        while len(requests) < number:  # noqa: ASYNC110  the fake lives in this loop and has no event for it
            await asyncio.sleep(0.05)
