"""Nothing acknowledged is lost, whoever is killed: receivers, workers, the database."""

import asyncio
import base64
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.builders import signed, snapshot_body
from tests.crash.service import Service, deployment, kill_database
from tests.fakes.http_sink import HttpSink, http_sink

RULES = """
rules:
  - id: payout-failed
    when: payout.failed
    then: {callback: sink, retry: {attempts: 50, backoff: [1s]}}
"""
ROUNDS = 5
PATIENCE = 60.0


@dataclass
class Ledger:
    """What was sent, and what the receiver said of it."""

    sent: int = 0
    acknowledged: set[str] = field(default_factory=set)
    refused: Counter[int | None] = field(default_factory=Counter)


async def send(services: list[Service], ledger: Ledger, stop: asyncio.Event) -> None:
    """Post events to any of the services until told to stop, as Stripe would: again, until it is acknowledged."""
    waiting: list[str] = []
    while not stop.is_set():
        if not waiting or len(waiting) < 20:
            ledger.sent += 1
            waiting.append(f"evt_{ledger.sent:06d}")
        key = waiting.pop(0)
        body = snapshot_body("payout.failed", id=key)
        status = await random.choice(services).post(body, signed(body))
        if status == 200:
            ledger.acknowledged.add(key)
        else:
            ledger.refused[status] += 1
            waiting.append(key)
            await asyncio.sleep(0.02)


def delivered(sink: HttpSink) -> Counter[tuple[str, str]]:
    """How often each event came, by event and webhook-id."""
    return Counter((json.loads(r.body)["event"]["id"], r.headers["webhook-id"]) for r in sink.requests)


@pytest.mark.timeout(300)
async def test_a_loop_of_kills_loses_nothing_acknowledged() -> None:
    random.seed(20261124)
    secret = "whsec_" + base64.b64encode(b"crash-test-secret-crash-test").decode()
    async with http_sink() as sink:
        callback = {"url": sink.url("/hook"), "secret": secret, "allow_private": True, "timeout": "5s"}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            services = [Service(folder), Service(folder)]
            ledger, stop = Ledger(), asyncio.Event()
            try:
                for service in services:
                    service.start()
                for service in services:
                    await service.ready()
                senders = [asyncio.create_task(send(services, ledger, stop)) for _ in range(8)]
                await rounds(services, ledger)
                stop.set()
                await asyncio.gather(*senders)
                await drained(sink, ledger)
            finally:
                for service in services:
                    service.kill()
            report(ledger, delivered(sink))


async def rounds(services: list[Service], ledger: Ledger) -> None:
    """Kill one of the processes, the database, or all of them, each time in the middle of the work."""
    for number in range(ROUNDS):
        before = len(ledger.acknowledged)
        await asyncio.sleep(random.uniform(0.3, 1.0))
        match number % 4:
            case 0 | 1:
                services[number % 2].kill()
                services[number % 2].start()
            case 2:
                kill_database(services[0].folder)
            case 3:
                for service in services:
                    service.kill()
                kill_database(services[0].folder)
                for service in services:
                    service.start()
        for service in services:
            await service.ready()
        deadline = time.monotonic() + PATIENCE
        while len(ledger.acknowledged) < before + 50:
            assert time.monotonic() < deadline, "events are acknowledged again after a kill"
            await asyncio.sleep(0.05)


async def drained(sink: HttpSink, ledger: Ledger) -> None:
    """Wait until everything acknowledged has been delivered."""
    deadline = time.monotonic() + PATIENCE
    while missing := ledger.acknowledged - {event for event, _ in delivered(sink)}:
        assert time.monotonic() < deadline, f"{len(missing)} acknowledged events were never delivered: {min(missing)}"
        await asyncio.sleep(0.1)


def report(ledger: Ledger, came: Counter[tuple[str, str]]) -> None:
    """The ledger, and what must hold of it."""
    events = {event for event, _ in came}
    repeated = sum(count - 1 for count in came.values())
    lost = ledger.acknowledged - events
    print(
        f"sent {ledger.sent}, acknowledged {len(ledger.acknowledged)}, delivered {len(events)}, "
        f"lost {len(lost)}, repeated {repeated}, refused {dict(ledger.refused)}"
    )
    assert len(ledger.acknowledged) >= ROUNDS * 50
    assert not lost
    assert len(came) == len(events), "an event is always delivered under one and the same webhook-id"
    assert repeated < len(ledger.acknowledged) / 10, "only what was in flight at a kill comes twice"
