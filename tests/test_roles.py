"""Receivers only receive, workers only deliver; together they are the whole."""

import asyncio

from tests.builders import signed, snapshot_body
from tests.crash.service import Service, deployment

RULES = """
rules:
  - id: payout-failed
    when: payout.failed
    then: {notify: payments}
"""


async def test_receivers_and_workers_apart(database: str) -> None:
    """What one acknowledges the other delivers; each says what it does, and does nothing else."""
    store = {"url": database}
    with (
        deployment(RULES, {"store": store, "role": "receive"}) as front,
        deployment(RULES, {"store": store, "role": "work"}) as back,
    ):
        receiver, worker = Service(front), Service(back)
        receiver.start()
        try:
            checks = (await receiver.ready())["checks"]
            assert checks["role"]["reason"] == "receives; others deliver"
            body = snapshot_body("payout.failed", id="evt_role")
            assert await receiver.post(body, signed(body)) == 200
            worker.start()
            checks = (await worker.ready())["checks"]
            assert checks["role"]["reason"] == "delivers; others receive"
            assert "ingest" not in checks
            assert await worker.post(body, signed(body)) == 404
            async with asyncio.timeout(20):
                while "payout.failed · evt_role" not in worker.log:  # noqa: ASYNC110  another process writes it
                    await asyncio.sleep(0.02)
            assert "payout.failed · evt_role" not in receiver.log
            assert "role        receive" in receiver.log
            assert "/webhooks/stripe" not in worker.log
        finally:
            ended = receiver.terminate(), worker.terminate()
        assert set(ended) <= {0, -15}
