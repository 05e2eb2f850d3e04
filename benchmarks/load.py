"""The load generator: a process of its own that keeps N connections busy and prints what it saw as JSON.

    python benchmarks/load.py '{"port": 8000, "path": "/webhooks/stripe", "connections": 48, "seconds": 5}'

It signs its requests, prints `ready`, begins when it reads a line, and ends by itself. Sockets and bytes only: an HTTP
client library would cost more than the servers it measures.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop
from bodies import QUIET, Requests, account_of, run_name, template

WARM_UP = 0.5
ACCOUNTS = 1_000
"""Accounts that the events are of, in turn."""


@dataclass
class Tally:
    """What came back, and how long each answer took; `counting` is off while warming up and after the end."""

    counting: bool = False
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def add(self, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        if self.counting:
            self.seconds.append(seconds)


class Connection(asyncio.Protocol):
    """One kept-alive connection: the next request leaves when the answer has arrived, until `more` gives None."""

    def __init__(self, more: Callable[[], bytes | None], tally: Tally) -> None:
        self._more = more
        self._tally = tally
        self._buffer = b""
        self._sent = 0.0
        self.ended = asyncio.get_running_loop().create_future()
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's own class is not a subclass of it

    def begin(self) -> None:
        """Send the next request, or end."""
        request = self._more()
        if request is None:
            self.ended.set_result(None)
            return
        assert self.transport is not None
        self._sent = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer = b""
        self._tally.add(int(head[9:12]), time.perf_counter() - self._sent)
        self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError("the server closed a connection"))


class Source:
    """Requests with ids of their own, every `1 / share`th of a matching type, signed as they are needed."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._requests = Requests(job["path"], int(time.time()))
        self._matching = job.get("matching", "payout.failed")
        for name in {QUIET, self._matching}:
            self._requests.add(template(name, job.get("bytes", 3600)))
        self._every = round(1 / job["share"]) if job.get("share") else 0
        self._run = run_name()
        self._number = 0
        self.open = True

    def __call__(self) -> bytes | None:
        if not self.open:
            return None
        self._number += 1
        matches = self._every and self._number % self._every == 0
        account = account_of(self._number // (self._every or 1) % ACCOUNTS)
        kind = self._matching if matches else QUIET
        return self._requests.request(kind, f"evt_{self._run}e{self._number:011d}", account)


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """Keep the server busy for the job's seconds, and say how it went."""
    loop = asyncio.get_running_loop()
    source, tally = Source(job), Tally()
    made = [
        await loop.create_connection(lambda: Connection(source, tally), "127.0.0.1", job["port"])
        for _ in range(job["connections"])
    ]
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    for _, connection in made:
        connection.begin()
    await asyncio.sleep(job.get("warm_up", WARM_UP))
    tally.counting, began, cpu = True, time.perf_counter(), time.process_time()
    await asyncio.sleep(job["seconds"])
    tally.counting = False
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    source.open = False
    await asyncio.gather(*(connection.ended for _, connection in made))
    for transport, _ in made:
        transport.close()
    return {
        "requests": len(tally.seconds),
        "rate": len(tally.seconds) / elapsed,
        "p50": quantile(tally.seconds, 0.5),
        "p99": quantile(tally.seconds, 0.99),
        "statuses": dict(tally.statuses),
        "load_cpu": cpu / max(len(tally.seconds), 1),
    }


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))))
