"""A flood of one account: acknowledged at once, delivered in the time that others leave, and nobody else waits."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.builders import signed, snapshot_body
from tests.crash.ledger import PATIENCE, RULES, until
from tests.crash.service import Service, deployment
from tests.crash.trouble import CALLBACK_SECRET
from tests.fakes.http_sink import Answer, HttpSink, http_sink

FLOOD, QUIET = 400, 10

TAKES = 0.25
"""Seconds of the destination for each: slower than the flood comes, however slow the machine."""

MOST_MEMORY = 400 * 1024 * 1024


async def post(service: Service, keys: list[str], account: str, acknowledged: dict[str, float]) -> None:
    """Post all of them, one after the other, and keep how long each answer took."""
    while keys:
        key = keys.pop(0)
        body = snapshot_body("payout.failed", id=key, account=account)
        began = time.monotonic()
        assert await service.post(body, signed(body), within=30) == 200
        acknowledged[key] = time.monotonic() - began


def arrived(sink: HttpSink) -> list[str]:
    """The events that were delivered, in the order they came."""
    return [str(request.json["event"]["id"]) for request in sink.requests]


@pytest.mark.timeout(240)
async def test_a_flood_of_one_account_makes_nobody_else_wait() -> None:
    """The others' events come when the flood is stored and hardly begun; they are delivered before most of it."""
    async with http_sink() as sink:
        sink.always(Answer(after=TAKES))
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            service = Service(folder)
            try:
                service.start()
                await service.ready()
                acknowledged: dict[str, float] = {}
                flood = [f"evt_flood_{number}" for number in range(FLOOD)]
                quiet = [f"evt_quiet_{number}" for number in range(QUIET)]
                await asyncio.gather(*(post(service, flood, "acct_noisy", acknowledged) for _ in range(24)))
                left = FLOOD - len(set(arrived(sink)))
                await post(service, quiet, "acct_quiet", acknowledged)
                assert memory(service.pid) < MOST_MEMORY
                await until(lambda: len(set(arrived(sink))) >= FLOOD + QUIET, "the backlog drains", 2 * PATIENCE)
            finally:
                service.kill()
    order = arrived(sink)
    last = max(order.index(f"evt_quiet_{number}") for number in range(QUIET))
    after = len({key for key in order[last:] if key.startswith("evt_flood_")})
    waits = sorted(acknowledged.values())
    print(
        f"{len(acknowledged)} acknowledged, p99 {waits[int(len(waits) * 0.99)]:.3f} s; {left} of the flood were left "
        f"when the others came, {after} when all of theirs were delivered"
    )
    assert after > left / 3, "the others come before most of what was left"


def memory(pid: int) -> int:
    """Bytes that the process has in memory; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
