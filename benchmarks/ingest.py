"""How many events a second become durable, beside what bounds it and what one would write instead.

    python benchmarks/ingest.py [--quick] [--connections 48] [--json]

Four servers run side by side under the same uvicorn options, and one after the other is put under the same load,
round after round, so that whatever else the machine does hits all alike; medians over the rounds. Tocsin has the
ready-made rules loaded, and one event in twenty matches and is notified: of a type for which a rule looks at the event
alone, and in a load of its own of one that another rule remembers, too. The bars are for the first. The load generator,
PostgreSQL and the server share the machine.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from servers import Server, answers, configuration, folder, load, one_request, parent, say, serve, settle

from engine.store.embedded import Address, EmbeddedServer

CONNECTIONS = 48
SHARE = 0.05
BARS = {"bare": 1 / 3, "verify and parse": 0.6, "hand-written": 10.0}
"""What Tocsin's rate has to be, as a multiple of each rival's."""

TOCSIN, REMEMBERING = "Tocsin", "Tocsin, remembering"
MATCHING = {TOCSIN: "refund.failed", REMEMBERING: "payout.failed"}
"""What one event in twenty is: of a type with one rule and no memory, and of one with a rule that waits besides."""

FIGURES = ("rate", "p50", "p99", "server_cpu", "database_cpu", "load_cpu")


@dataclass
class Measured:
    """One server and what its rounds gave."""

    server: Server
    log: Path
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def median(self, figure: str) -> float:
        """Over the rounds."""
        return float(statistics.median(each[figure] for each in self.rounds))

    def answered(self) -> dict[str, int]:
        """How many answers of each status there were, warming up included."""
        found: dict[str, int] = {}
        for each in self.rounds:
            for status, number in each["statuses"].items():
                found[status] = found.get(status, 0) + number
        return found


async def measure(rounds: int, seconds: float, connections: int) -> dict[str, Any]:
    """Start everything, go round, end everything."""
    async with AsyncExitStack() as stack:
        place = stack.enter_context(folder())
        database = EmbeddedServer(place / "data")
        address = await database.start()
        stack.push_async_callback(database.stop)
        postmaster = await postmaster_of(address)
        environ = {"BENCHMARK_DATABASE": json.dumps(address.arguments())}
        measured: dict[str, Measured] = {}
        for name, app, own in [
            ("bare", "rivals:bare", {}),
            ("verify and parse", "rivals:verifying", {}),
            (TOCSIN, "engine.main:app", configuration(place)),
            ("hand-written", "rivals:hand_written", environ),
        ]:
            log = place / f"{name.replace(' ', '-')}.log"
            measured[name] = Measured(stack.enter_context(serve(name, app, log, own)), log)
            if name == TOCSIN:
                measured[REMEMBERING] = Measured(measured[TOCSIN].server, log)
        for one in measured.values():
            await answers(one.server, one_request(), one.log)
        job = {"path": "/webhooks/stripe", "connections": connections, "seconds": seconds, "share": SHARE}
        for number in range(rounds):
            for name, one in measured.items():
                say(f"round {number + 1} of {rounds}: {name}")
                kind = {"matching": MATCHING[name]} if name in MATCHING else {}
                result = await load({**job, **kind, "port": one.server.port}, one.server.pid, postmaster)
                one.rounds.append(result)
                await settle(one.server.pid)
        say("")
        return report(measured, await _stored(address))


async def postmaster_of(address: Address) -> int | None:
    """The process that all of the database's own are below; None where there is no /proc."""
    connection = await asyncpg.connect(**address.arguments())
    try:
        backend = await connection.fetchval("select pg_backend_pid()")
        return parent(backend)  # while the connection holds its process
    finally:
        await connection.close()


async def _stored(address: Address) -> dict[str, int]:
    connection = await asyncpg.connect(**address.arguments())
    try:
        return {
            "events": await connection.fetchval("select count(*) from tocsin.events"),
            "deliveries": await connection.fetchval("select count(*) from tocsin.deliveries"),
        }
    finally:
        await connection.close()


def report(measured: dict[str, Measured], stored: dict[str, int]) -> dict[str, Any]:
    """The figures, the ratios against their bars, and what was acknowledged against what is stored."""
    own, remembering = measured[TOCSIN].median("rate"), measured[REMEMBERING].median("rate")
    # And the first requests, which waited for the start.
    acknowledged = sum(measured[name].answered().get("200", 0) + 1 for name in MATCHING)
    return {
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0]},
        "servers": {
            name: {figure: one.median(figure) for figure in FIGURES}
            | {"rates": [each["rate"] for each in one.rounds], "statuses": one.answered()}
            for name, one in measured.items()
        },
        "ratios": {
            name: {
                "ratio": own / measured[name].median("rate"),
                "remembering": remembering / measured[name].median("rate"),
                "bar": bar,
                "reached": own >= bar * measured[name].median("rate"),
            }
            for name, bar in BARS.items()
        },
        "durable": {"acknowledged": acknowledged, **stored, "complete": stored["events"] >= acknowledged},
    }


def show(found: dict[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"{'':<20}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}   CPU a request, µs: server  database  load",
    ]
    for name, one in found["servers"].items():
        lines.append(
            f"{name:<20}{one['rate']:>11,.0f}{one['p50'] * 1e3:>9.1f}{one['p99'] * 1e3:>9.1f}"
            f"{one['server_cpu'] * 1e6:>28.0f}{one['database_cpu'] * 1e6:>10.0f}{one['load_cpu'] * 1e6:>6.0f}"
            + _others(one["statuses"])
        )
    lines.append("")
    for name, ratio in found["ratios"].items():
        verdict = "reached" if ratio["reached"] else "MISSED"
        lines.append(
            f"Tocsin is {ratio['ratio']:.2f} times {name} ({ratio['remembering']:.2f} remembering); "
            f"the bar is {ratio['bar']:.2f}: {verdict}"
        )
    durable = found["durable"]
    verdict = "nothing lost" if durable["complete"] else "EVENTS LOST"
    lines.append(
        f"acknowledged {durable['acknowledged']:,}, stored {durable['events']:,}: {verdict}; "
        f"{durable['deliveries']:,} deliveries came of them"
    )
    return "\n".join(lines)


def _others(statuses: dict[str, int]) -> str:
    others = {status: number for status, number in statuses.items() if status != "200"}
    return f"  also answered {others}" if others else ""


def main() -> int:
    """Exit code 0: every bar reached and nothing lost; 1: not so."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds: a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round and server")
    chosen = parser.parse_args()
    rounds, seconds = (2, 1.5) if chosen.quick else (chosen.rounds, chosen.seconds)
    found = asyncio.run(measure(rounds, seconds, chosen.connections))
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    return 0 if found["durable"]["complete"] and all(one["reached"] for one in found["ratios"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
