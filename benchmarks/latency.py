"""How long from Stripe's POST to the callback, beside a receiver that only forwards; and how Tocsin starts and rests.

    python benchmarks/latency.py [--quick] [--json]

Events are posted at a fixed rate, whatever the answers do (an open loop), and each is timed from when it was due, so a
server that falls behind cannot hide it. Every event matches one rule with one callback, to a sink in this process; the
ready-made rules are loaded too. The rival hands each body to the same sink over aiohttp before it answers, and stores
nothing: the difference is what durability and rules cost.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from bodies import Requests, run_name, template
from load import quantile
from servers import Server, answers, configuration, folder, memory, one_request, say, serve, tree

TYPE = "invoice.voided"
"""No ready-made rule is for it."""

RATES = (50, 500)
PATIENCE = 30.0
"""Seconds to wait for the last callbacks."""

IDLE = 5.0
_RULE = f"""
rules:
  - id: benchmark
    when: {TYPE}
    then: {{callback: sink}}
"""


class Sink:
    """An HTTP server that answers 200 and remembers when each event's callback came."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self._event = re.compile(rb"evt_[0-9a-f]{24}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client closes it."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                body = await read_message(reader)
                found = self._event.search(body)
                if found:
                    self.arrived.setdefault(found.group().decode(), time.perf_counter())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """The body of the next HTTP message, of a known length or chunked."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        parts = []
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(parts)
    length = re.search(rb"content-length: (\d+)", head)
    return await reader.readexactly(int(length.group(1)) if length else 0)


FRESH = 3.0
"""Seconds that a connection may have been idle to be used again: servers close theirs after five."""


class Poster:
    """Posts over kept-alive connections, opening another whenever all are waiting for an answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []  # the latest used last

    async def post(self, request: bytes) -> float:
        """When the answer of 200 had arrived; raises RuntimeError for another answer."""
        since, reader, writer = self._idle.pop() if self._idle else (0.0, None, None)
        if reader is None or writer is None or time.perf_counter() - since > FRESH:
            self.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        line = await reader.readuntil(b"\r\n")
        await read_message(reader)
        arrived = time.perf_counter()
        self._idle.append((arrived, reader, writer))
        if not line.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"answered {line.decode('latin-1').strip()}")
        return arrived

    def close(self) -> None:
        """Close the connections that are idle."""
        for _, _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def open_loop(server: Server, sink: Sink, rate: int, seconds: float) -> dict[str, list[float]]:
    """Post at `rate` for `seconds`; the seconds from when each was due to its answer and to its callback."""
    requests = Requests("/webhooks/stripe", int(time.time()))
    requests.add(template(TYPE))
    run, poster = run_name(), Poster(server.port)
    due: dict[str, float] = {}
    posts: list[asyncio.Task[float]] = []
    began = time.perf_counter() + 0.1
    for number in range(round(rate * seconds)):
        event_id = f"evt_{run}e{number:011d}"
        request = requests.request(TYPE, event_id)
        due[event_id] = began + number / rate
        await asyncio.sleep(max(due[event_id] - time.perf_counter(), 0))
        posts.append(asyncio.create_task(poster.post(request)))
    answered = await asyncio.gather(*posts)
    deadline = time.perf_counter() + PATIENCE
    while not due.keys() <= sink.arrived.keys() and time.perf_counter() < deadline:  # noqa: ASYNC110  # simplest
        await asyncio.sleep(0.01)
    poster.close()
    return {
        "answer": [at - start for at, start in zip(answered, due.values(), strict=True)],
        "callback": [sink.arrived[one] - start for one, start in due.items() if one in sink.arrived],
        "lost": [start for one, start in due.items() if one not in sink.arrived],
    }


async def measure(rounds: int, seconds: float, starts: int) -> dict[str, Any]:
    """Latencies of both in turn, then starts and memory."""
    async with _sink() as (sink, port):
        with folder() as place, _both(place, port) as servers:
            for server in servers:
                await answers(server, one_request(), place / f"{server.name}.log")
                await open_loop(server, sink, 100, 1.0)  # warm up
            seen: dict[tuple[str, int], dict[str, list[float]]] = {}
            for number in range(rounds):
                for rate in RATES:
                    for server in servers:
                        say(f"round {number + 1} of {rounds}: {server.name} at {rate}/s")
                        for name, values in (await open_loop(server, sink, rate, seconds)).items():
                            seen.setdefault((server.name, rate), {}).setdefault(name, []).extend(values)
        say("starting and resting")
        with folder() as place:
            rest = await start_and_rest(place, port, starts)
        say("")
    return {
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0]},
        "latency": [
            {"server": name, "rate": rate, "events": len(values["answer"]), "lost": len(values["lost"])}
            | {
                f"{kind}_{label}": quantile(values[kind], share)
                for kind in ("answer", "callback")
                for label, share in _QUANTILES
            }
            for (name, rate), values in seen.items()
        ],
        **rest,
    }


_QUANTILES = (("p50", 0.5), ("p99", 0.99))


@contextlib.asynccontextmanager
async def _sink() -> AsyncIterator[tuple[Sink, int]]:
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    try:
        yield sink, server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.contextmanager
def _both(place: Path, port: int) -> Iterator[tuple[Server, Server]]:
    with _forwarding(place, port) as rival, _tocsin(place, port) as own:
        yield rival, own


@contextlib.contextmanager
def _tocsin(place: Path, port: int) -> Iterator[Server]:
    secret = "whsec_" + base64.b64encode(b"benchmark-only, 32 bytes or more").decode()
    sink = f'{{url: "http://127.0.0.1:{port}/callback", secret: "{secret}", allow_private: true}}'
    environ = configuration(place, f"callbacks: {{sink: {sink}}}", rules=_RULE)
    with serve("Tocsin", "engine.main:app", place / "Tocsin.log", environ) as server:
        yield server


@contextlib.contextmanager
def _forwarding(place: Path, port: int) -> Iterator[Server]:
    environ = {"BENCHMARK_SINK": f"http://127.0.0.1:{port}/forwarded"}
    with serve("forwarding", "rivals:forwarding", place / "forwarding.log", environ) as server:
        yield server


async def start_and_rest(place: Path, port: int, starts: int) -> dict[str, Any]:
    """Seconds to the first 200 (once with an empty data folder, then with the one it made), and memory at rest."""
    seconds: list[float] = []
    rivals: list[float] = []
    resting: dict[str, dict[str, int | None]] = {}
    for number in range(starts + 1):
        with _tocsin(place, port) as server:
            seconds.append(await answers(server, one_request(), place / "Tocsin.log"))
            if number == starts:
                await asyncio.sleep(IDLE)
                resting["Tocsin"] = _memory(server)
        with _forwarding(place, port) as server:
            rivals.append(await answers(server, one_request(), place / "forwarding.log"))
            if number == starts:
                await asyncio.sleep(IDLE)
                resting["forwarding"] = _memory(server)
    return {
        "first_200": {"first start": seconds[0], "later start": statistics.median(seconds[1:])}
        | {"forwarding": statistics.median(rivals)},
        "idle_memory": resting,
    }


def _memory(server: Server) -> dict[str, int | None]:
    """Bytes: the Python process, and with everything below it (its pages shared among them counted once)."""
    return {"python_rss": memory([server.pid]), "tree_pss": memory(tree(server.pid), "Pss")}


def show(found: dict[str, Any]) -> str:
    """The report for people."""
    lines = [f"{'ms':<12}{'events/s':>9}   POST to 200: p50      p99   POST to callback: p50      p99   lost"]
    lines += [
        f"{one['server']:<12}{one['rate']:>9}{one['answer_p50'] * 1e3:>19.1f}{one['answer_p99'] * 1e3:>9.1f}"
        f"{one['callback_p50'] * 1e3:>24.1f}{one['callback_p99'] * 1e3:>9.1f}{one['lost']:>7}"
        for one in sorted(found["latency"], key=lambda one: (one["rate"], one["server"]))
    ]
    lines.append("")
    lines += [f"first 200, {name}: {seconds:.2f} s" for name, seconds in found["first_200"].items()]
    for name, one in found["idle_memory"].items():
        own, whole = _megabytes(one["python_rss"]), _megabytes(one["tree_pss"])
        lines.append(f"idle memory, {name}: Python process {own}, with every process below it {whole}")
    return "\n".join(lines)


def _megabytes(size: int | None) -> str:
    return "not known" if size is None else f"{size / 1e6:.0f} MB"


def main() -> int:
    """Exit code 0: every callback arrived; 1: not so."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round: a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round, server and rate")
    chosen = parser.parse_args()
    rounds, seconds, starts = (1, 2.0, 1) if chosen.quick else (chosen.rounds, chosen.seconds, 5)
    found = asyncio.run(measure(rounds, seconds, starts))
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    return 0 if not any(one["lost"] for one in found["latency"]) else 1


if __name__ == "__main__":
    sys.exit(main())
