"""What was sent, what was said of it, and what came of it: the account that every crash test has to balance."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.builders import signed, snapshot_body
from tests.crash.service import Service
from tests.fakes.http_sink import HttpSink

PATIENCE = 60.0
"""Seconds in which everything acknowledged has to be delivered, and a service that was killed to acknowledge again."""

RULES = """
rules:
  - id: payout-failed
    when: payout.failed
    then: {callback: sink, retry: {attempts: 50, backoff: [1s]}}
"""

COUNT = """
    with own as (select id, dedupe_key from tocsin.events where id like $2)
    select
        (select count(*) from own) as stored,
        (select count(*) from tocsin.firings where event in (select dedupe_key from own)) as fired,
        (select count(*) from tocsin.deliveries where event in (select dedupe_key from own) and status = 'delivered')
            as recorded,
        (select array_agg(id) from own where id = any($1)) as found
"""


@dataclass
class Ledger:
    """One load on some services. An event is sent again until it is acknowledged, as Stripe does."""

    prefix: str = "evt"
    sent: int = 0
    acknowledged: set[str] = field(default_factory=set)
    refused: Counter[int | None] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds of the slowest answer; what was cut off or refused at the door does not count."""
    pause: float = 0.005
    """Seconds between two events of one sender."""
    _came: Counter[tuple[str, str]] = field(default_factory=Counter)
    _read: int = 0

    async def post(self, service: Service, key: str) -> int | None:
        """Send one event, and note the answer."""
        body = snapshot_body("payout.failed", id=key)
        began = time.monotonic()
        status = await service.post(body, signed(body))
        if status is not None:
            self.slowest = max(self.slowest, time.monotonic() - began)
        if status == 200:
            self.acknowledged.add(key)
        else:
            self.refused[status] += 1
        return status

    def key(self) -> str:
        """The id of the next event."""
        self.sent += 1
        return f"{self.prefix}_{self.sent:06d}"

    async def send(self, services: Sequence[Service], stop: asyncio.Event) -> None:
        """Post to any of the services until told to stop, and then until everything is acknowledged."""
        waiting: list[str] = []
        deadline = 0.0
        while waiting or not stop.is_set():
            if stop.is_set():
                deadline = deadline or time.monotonic() + PATIENCE
                assert time.monotonic() < deadline, f"{len(waiting)} events are not acknowledged at the end"
            elif len(waiting) < 20:
                waiting.append(self.key())
            key = waiting.pop(0)
            if await self.post(random.choice(services), key) != 200:
                waiting.append(key)
                await asyncio.sleep(0.02)
            await asyncio.sleep(self.pause)

    async def flows(self, events: int = 50) -> None:
        """Wait until so many more events were acknowledged."""
        goal = len(self.acknowledged) + events
        await until(lambda: len(self.acknowledged) >= goal, "events are acknowledged again")

    @contextlib.asynccontextmanager
    async def load(self, services: Sequence[Service], senders: int = 8) -> AsyncIterator[None]:
        """A load for the time of the block; at its end everything is acknowledged."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self.send(services, stop)) for _ in range(senders)]
        try:
            yield
            stop.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def came(self, sink: HttpSink) -> Counter[tuple[str, str]]:
        """How often each of our events was delivered, by its id and the callback's."""
        for request in sink.requests[self._read :]:
            event = str(request.json["event"]["id"])
            if event.startswith(f"{self.prefix}_"):
                self._came[event, request.headers["webhook-id"]] += 1
        self._read = len(sink.requests)
        return self._came

    async def drained(self, sink: HttpSink, database: dict[str, Any]) -> "Balance":
        """Wait until everything acknowledged is delivered and recorded so, and balance the account."""
        deadline = time.monotonic() + PATIENCE
        while True:
            balance = await self._balance(sink, database)
            if not balance.lost and balance.recorded >= len(self.acknowledged):
                return balance
            assert time.monotonic() < deadline, f"acknowledged events were never delivered: {balance}"
            await asyncio.sleep(0.2)

    async def _balance(self, sink: HttpSink, database: dict[str, Any]) -> "Balance":
        connection = await asyncpg.connect(**database)
        try:
            row = await connection.fetchrow(COUNT, list(self.acknowledged), rf"{self.prefix}\_%")
        finally:
            await connection.close()
        assert row is not None
        came = self.came(sink)
        arrived = {event for event, _ in came}
        return Balance(
            sent=self.sent,
            acknowledged=len(self.acknowledged),
            stored=row["stored"],
            fired=row["fired"],
            recorded=row["recorded"],
            delivered=len(arrived),
            ids=len(came),
            lost=len(self.acknowledged - (arrived & set(row["found"] or ()))),
            repeated=sum(came.values()) - len(came),
            refused=dict(self.refused),
        )


@dataclass(frozen=True, kw_only=True)
class Balance:
    """The account at its end. `ids`: different webhook-ids that came, of the events delivered."""

    sent: int
    acknowledged: int
    stored: int
    fired: int
    recorded: int
    delivered: int
    ids: int
    lost: int
    repeated: int
    refused: dict[int | None, int]

    def __str__(self) -> str:
        return (
            f"sent {self.sent}, acknowledged {self.acknowledged}, stored {self.stored}, fired {self.fired}, "
            f"delivered {self.delivered}, lost {self.lost}, repeated {self.repeated}, refused {self.refused}"
        )

    def holds(self) -> None:
        """What must be true after any fault: nothing lost, nothing twice but under one and the same id."""
        print(self)
        assert self.lost == 0
        assert self.acknowledged <= self.stored <= self.sent, "what is stored was sent"
        assert self.fired == self.stored, "an event fires once"
        assert self.ids == self.delivered, "an event is always delivered under one and the same webhook-id"


async def until(true: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
    """Wait for it."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)
