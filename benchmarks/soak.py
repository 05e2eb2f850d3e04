"""A flood of one account's events, as fast as they are taken, and what it does to everybody else.

    python benchmarks/soak.py [--events 50000] [--connections 48] [--slow 0.5] [--quick] [--json]

One account sends everything at once, each event with a callback; a tenth of them to a system that takes `--slow`
seconds for an answer. Other accounts go on with a few events a second all the time, before it and through it, to the
same system as the flood and to one of their own. What is measured: how long Stripe waits for its 200, how long the
quiet accounts wait for their callbacks, alone and in the flood, the memory of the server, the age of the queue, and
how long the backlog takes to drain. Exit code 1: something acknowledged was never delivered, p99 of an answer was over
a second, or the quiet accounts waited longer than `PATIENT` seconds (p99) while the flood had to.
"""

import argparse
import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bodies import Requests, run_name, template
from latency import read_message
from load import quantile
from servers import Server, answers, configuration, folder, memory, one_request, say, serve

FLOOD, SLOW, SAME, OTHER = "invoice.voided", "invoice.finalized", "invoice.sent", "invoice.overdue"
"""Types that no ready-made rule is for: the flood, its part for the slow system, the quiet accounts' to the system of
the flood, and theirs to another."""

QUIET_RATE = 5.0
"""Events a second of the quiet accounts, of each of their two types."""

PATIENT = 5.0
PATIENCE = 1800.0

_RULES = f"""
rules:
  - {{id: flood, when: {FLOOD}, then: {{callback: busy}}}}
  - {{id: slow, when: {SLOW}, then: {{callback: slow}}}}
  - {{id: same, when: {SAME}, then: {{callback: busy}}}}
  - {{id: other, when: {OTHER}, then: {{callback: other}}}}
"""


@dataclass
class Run:
    """What was sent when, answered when, delivered when; by event id."""

    sent: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    memory: int = 0
    age: float = 0.0

    @property
    def missing(self) -> int:
        """How much of what was acknowledged has not been delivered."""
        return len(self.answered.keys() - self.arrived.keys())

    def waits(self, ids: list[str], until: dict[str, float]) -> list[float]:
        """Seconds from the POST of each to what happened then."""
        return [until[each] - self.sent[each] for each in ids if each in until]


class Sink:
    """The systems that are called back; one of them is slow."""

    def __init__(self, run: Run, slow: float) -> None:
        self._run = run
        self._slow = slow
        self._event = re.compile(rb"evt_[0-9a-f]{24}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client closes it."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                body = await read_message(reader)
                found = self._event.search(body)
                if found:
                    key = found.group().decode()
                    self._run.repeated += key in self._run.arrived
                    self._run.arrived.setdefault(key, time.perf_counter())
                if b'"rule":"slow"' in body or b'"slow"' in body:
                    await asyncio.sleep(self._slow)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


class Sender:
    """Posts events over connections of its own, and notes them in the run."""

    def __init__(self, server: Server, run: Run) -> None:
        self._server = server
        self._run = run
        self._name, self._numbers = run_name(), itertools.count()
        self._templates = [
            template(kind, account=account)
            for kind, account in (
                (FLOOD, "acct_noisy"),
                (SLOW, "acct_noisy"),
                (SAME, "acct_quiet"),
                (OTHER, "acct_calm"),
            )
        ]
        self._signed = 0.0

    async def flood(self, events: int, connections: int) -> list[str]:
        """All of them, as fast as they are answered; their ids."""
        kinds = [SLOW if number % 10 == 9 else FLOOD for number in range(events)]
        ids: list[str] = []
        await asyncio.gather(*(self._work(kinds, ids) for _ in range(connections)))
        return ids

    async def trickle(self, ids: list[str], stop: asyncio.Event) -> None:
        """The quiet accounts' events, at their rate, whatever the answers do."""
        posts: list[asyncio.Task[None]] = []
        began = time.perf_counter()
        for number in itertools.count():
            if stop.is_set():
                break
            posts += [asyncio.create_task(self._work([kind], ids)) for kind in (SAME, OTHER)]
            await asyncio.sleep(max(began + (number + 1) / QUIET_RATE - time.perf_counter(), 0))
        await asyncio.gather(*posts)

    def _request(self, kind: str, key: str) -> bytes:
        """Signed within the last minute: a flood may take longer than a signature holds."""
        if time.time() - self._signed > 60:
            self._signed = time.time()
            self._requests = Requests("/webhooks/stripe", int(self._signed))
            for each in self._templates:
                self._requests.add(each)
        return self._requests.request(kind, key)

    async def _work(self, kinds: list[str], ids: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        while kinds:
            kind, key = kinds.pop(), f"evt_{self._name}{next(self._numbers):012d}"
            ids.append(key)
            status = 0
            while status != 200:  # as Stripe does, though sooner
                self._run.sent[key] = time.perf_counter()
                writer.write(self._request(kind, key))
                line = await reader.readuntil(b"\r\n")
                await read_message(reader)
                status = int(line.split()[1])
                self._run.statuses[status] += 1
                if status != 200:
                    await asyncio.sleep(0.5)
            self._run.answered[key] = time.perf_counter()
        writer.close()


async def watch(server: Server, run: Run) -> None:
    """Keep the largest memory and queue age that were seen."""
    while True:
        run.memory = max(run.memory, memory([server.pid]) or 0)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            found = re.search(rb"^tocsin_queue_age_seconds ([0-9.e+-]+)", await reader.read(), re.MULTILINE)
            run.age = max(run.age, float(found[1]) if found else 0.0)
            writer.close()
        await asyncio.sleep(1)


async def measure(events: int, connections: int, slow: float, alone: float) -> dict[str, Any]:
    """The quiet accounts alone, then with the flood, until everything is delivered."""
    run = Run()
    listener = await asyncio.start_server(Sink(run, slow).serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with contextlib.AsyncExitStack() as stack:
        place = stack.enter_context(folder())
        server = stack.enter_context(serve("Tocsin", "engine.main:app", place / "log", _configured(place, port)))
        await answers(server, one_request(), place / "log")
        sender, calm, stop = Sender(server, run), asyncio.Event(), asyncio.Event()
        say("the quiet accounts alone")
        busy = os.getloadavg()[0]
        before: list[str] = []
        trickling = asyncio.create_task(sender.trickle(before, calm))
        await asyncio.sleep(alone)
        calm.set()
        await trickling
        await asyncio.sleep(1)
        at_rest = memory([server.pid]) or 0
        say(f"{events} events of one account")
        watching = asyncio.create_task(watch(server, run))
        quiet: list[str] = []
        trickling = asyncio.create_task(sender.trickle(quiet, stop))
        began = time.perf_counter()
        noisy = await sender.flood(events, connections)
        taken = time.perf_counter() - began
        while run.missing and time.perf_counter() - began < PATIENCE:
            say(f"all acknowledged, {run.missing} to deliver")
            await asyncio.sleep(0.5)
            if not set(noisy) - run.arrived.keys():
                stop.set()
        stop.set()
        await trickling
        drained = time.perf_counter() - began
        await asyncio.sleep(2)
        watching.cancel()
        say("")
    listener.close()
    return {
        "load before": busy,
        "events": events,
        "acknowledged": len(run.answered),
        "statuses": dict(run.statuses),
        "lost": run.missing,
        "repeated": run.repeated,
        "events a second": events / taken,
        "drained": drained,
        "answer": _spread(run.waits(noisy + quiet, run.answered)),
        "callback of the flood": _spread(run.waits(noisy, run.arrived)),
        "callback of the quiet, alone": _spread(run.waits(before, run.arrived)),
        "callback of the quiet, in the flood": _spread(run.waits(quiet, run.arrived)),
        "memory at rest": at_rest,
        "memory at most": run.memory,
        "queue age at most": run.age,
    }


def _configured(place: Path, port: int) -> dict[str, str]:
    secret = "whsec_" + base64.b64encode(b"benchmark-only, 32 bytes or more").decode()
    names = ("busy", "slow", "other")
    sinks = [
        f'{name}: {{url: "http://127.0.0.1:{port}/{name}", secret: "{secret}", allow_private: true}}' for name in names
    ]
    return configuration(place, f"callbacks: {{{', '.join(sinks)}}}", rules=_RULES)


def _spread(values: list[float]) -> dict[str, float]:
    return {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99), "most": max(values, default=0.0)}


def show(found: dict[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"load of the machine before: {found['load before']:.1f}",
        f"{found['events']} events, {found['events a second']:.0f} a second acknowledged {found['statuses']}, "
        f"all delivered after {found['drained']:.0f} s; lost {found['lost']}, repeated {found['repeated']}",
        f"{'seconds':<38}{'p50':>9}{'p99':>9}{'most':>9}",
    ]
    for name in (each for each in found if isinstance(found[each], dict) and each != "statuses"):
        lines.append(f"{name:<38}" + "".join(f"{found[name][which]:>9.3f}" for which in ("p50", "p99", "most")))
    lines.append(
        f"memory {found['memory at rest'] / 1e6:.0f} MB at rest, {found['memory at most'] / 1e6:.0f} MB at most; "
        f"queue age {found['queue age at most']:.0f} s at most"
    )
    return "\n".join(lines)


def holds(found: dict[str, Any]) -> bool:
    """Whether the flood harmed nobody."""
    return (
        not found["lost"]
        and found["answer"]["p99"] < 1
        and found["callback of the quiet, in the flood"]["p99"] < PATIENT
    )


def main() -> int:
    """Exit code 0: nothing lost, and nobody kept waiting; 1: not so."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=48)
    parser.add_argument("--slow", type=float, default=0.5, help="seconds that the slow system takes for an answer")
    parser.add_argument("--quick", action="store_true", help="3,000 events: a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    chosen = parser.parse_args()
    events, alone = (3_000, 2.0) if chosen.quick else (chosen.events, 5.0)
    found = asyncio.run(measure(events, chosen.connections, chosen.slow, alone))
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    return 0 if holds(found) else 1


if __name__ == "__main__":
    sys.exit(main())
