"""What more processes on one external PostgreSQL give: events a second, and what each costs.

    python benchmarks/scale.py [--processes 1,2,4] [--rounds 3] [--seconds 5] [--share 0.05 | --paced 100] [--apart]
        [--svg FILE]

Each process is `uvicorn engine.main:app` on the same database, with a load generator of its own that keeps 48
connections busy; bodies of 3.6 KB, one event in twenty fires a rule and is delivered. Processes, database and load
generators share the cores of this machine, so that events a second say where these are used up; what says how it would
go on with more is the CPU that an event costs, in the processes and in the database: where that stays the same, twice
the cores are twice the events. `--paced` posts so many events a second, over all processes, and every one fires a rule
without a memory: at a rate that keeps nobody busy, what differs is what the number of processes costs. `--apart` adds
receivers and workers, each in a process of its own. The limit beside it: a process that verifies and parses, and stores
nothing.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
from bars import Bar, draw
from bodies import Requests, run_name, template
from ingest import postmaster_of
from latency import Poster
from load import quantile
from servers import Server, answers, configuration, cpu_seconds, folder, load, one_request, say, serve, settle, tree

from engine.store.embedded import EmbeddedServer

CONNECTIONS, SHARE = 48, 0.05
OURS = "engine.main:app"
PATIENCE = 120.0
FIRING = "invoice.voided"
"""A type that no ready-made rule is for."""

RULES = f"rules: [{{id: paced, when: {FIRING}, then: {{notify: payments, title: An invoice, text: is void}}}}]"

# Work that is left: deliveries, and what will be decided in some seconds.
LEFT = """
    select exists (select from tocsin.deliveries where status = 'pending') or exists (select from tocsin_queue.pgqueuer)
      or exists (select from tocsin.timers where due < now() + interval '30 seconds')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Processes that share the work: `receivers` of them are posted to."""

    name: str
    receivers: list[Server]
    others: list[Server]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is posted: as much as is answered, of which `share` fires a rule, or `paced` events a second."""

    seconds: float
    share: float
    paced: float | None

    async def post(self, group: Group) -> list[dict[str, Any]]:
        """What the load generators saw."""
        if self.paced is None:
            job = {"path": "/webhooks/stripe", "seconds": self.seconds, "share": self.share}
            return await asyncio.gather(
                *(load({**job, "port": one.port, "connections": CONNECTIONS}, one.pid, None) for one in group.receivers)
            )
        return [await post_paced(group.receivers, self.paced, self.seconds)]


async def post_paced(receivers: list[Server], rate: float, seconds: float) -> dict[str, Any]:
    """Post firing events to each receiver by turn, at `rate` over all; as the load generator reports."""
    requests = Requests("/webhooks/stripe", int(time.time()))
    requests.add(template(FIRING))
    posters, run = [Poster(one.port) for one in receivers], run_name()

    async def post(number: int) -> float:
        sent = time.perf_counter()
        return await posters[number % len(posters)].post(requests.request(FIRING, f"evt_{run}e{number:011d}")) - sent

    posts: list[asyncio.Task[float]] = []
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(began + number / rate - time.perf_counter(), 0))
        posts.append(asyncio.create_task(post(number)))
    waits = await asyncio.gather(*posts)
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    for poster in posters:
        poster.close()
    return {
        "requests": len(waits),
        "rate": len(waits) / elapsed,
        "p99": quantile(waits, 0.99),
        "statuses": {"200": len(waits)},
        "load_cpu": cpu / len(waits),
    }


async def drained(database: asyncpg.Connection) -> None:
    """Wait until all that was posted is delivered: its CPU is part of what an event costs."""
    async with asyncio.timeout(PATIENCE):
        while await database.fetchval(LEFT):  # noqa: ASYNC110  it happens in other processes
            await asyncio.sleep(0.1)


async def measure(
    group: Group, postmaster: int | None, database: asyncpg.Connection | None, posted: Load
) -> dict[str, float]:
    """One round: events a second over all, and CPU seconds an event by part."""
    everyone = [*group.receivers, *group.others]

    def used() -> tuple[float, float]:
        apart = set(tree(postmaster)) if postmaster else set()
        return sum(cpu_seconds([each.pid]) for each in everyone), cpu_seconds(list(apart))

    before, began = used(), time.perf_counter()
    results = await posted.post(group)
    if database is not None:
        await drained(database)
    after, elapsed = used(), time.perf_counter() - began
    answered = sum(sum(result["statuses"].values()) for result in results)
    load_cpu = sum(result["load_cpu"] * result["requests"] for result in results) / sum(r["requests"] for r in results)
    return {
        "rate": sum(result["rate"] for result in results),
        "p99": max(result["p99"] for result in results),
        "server_cpu": (after[0] - before[0]) / answered,
        "database_cpu": (after[1] - before[1]) / answered,
        "load_cpu": load_cpu,
        "failed": float(answered - sum(result["statuses"].get("200", 0) for result in results)),
        "seconds": elapsed,
    }


async def run(processes: list[int], rounds: int, apart: bool, posted: Load) -> dict[str, Any]:
    """All groups in turn, as often as `rounds`; medians."""
    busy = os.getloadavg()[0]
    async with contextlib.AsyncExitStack() as stack:
        place = stack.enter_context(folder())
        database = EmbeddedServer(place / "database")  # to the processes it is an external one
        address = await database.start()
        stack.push_async_callback(database.stop)
        postmaster = await postmaster_of(address)
        url = f"postgresql://{address.user}@/{address.database}?host={address.host}"
        found: dict[str, list[dict[str, float]]] = {}
        for number in range(rounds):
            for name, roles, app in _groups(processes, apart, verifying=posted.paced is None):
                say(f"round {number + 1} of {rounds}: {name}")
                with contextlib.ExitStack() as running:
                    group = await _started(running, place, name, roles, app, url)
                    for server in (*group.receivers, *group.others):
                        await settle(server.pid)  # what is imported behind the start is no part of any event's cost
                    connection = None if app != OURS else await asyncpg.connect(**address.arguments())
                    found.setdefault(name, []).append(await measure(group, postmaster, connection, posted))
                    if connection is not None:
                        await connection.close()
        say("")
        connection = await asyncpg.connect(**address.arguments())
        stored = await connection.fetchval("select count(*) from tocsin.events")
        await connection.close()
    figures = {name: {key: median(one[key] for one in ones) for key in ones[0]} for name, ones in found.items()}
    return {"cpus": os.cpu_count(), "load": busy, "groups": figures, "stored": stored}


def _groups(processes: list[int], apart: bool, *, verifying: bool) -> list[tuple[str, list[str], str]]:
    groups = [("verify and parse, 1 process", ["all"], "rivals:verifying")] if verifying else []
    groups += [(f"{n} process{'es' * (n > 1)}", ["all"] * n, OURS) for n in processes]
    if apart:
        groups.append(("1 receives, 1 works", ["receive", "work"], OURS))
        groups.append(("2 receive, 1 works", ["receive", "receive", "work"], OURS))
    return groups


async def _started(
    running: contextlib.ExitStack, place: Path, name: str, roles: list[str], app: str, url: str
) -> Group:
    own = configuration(place, f"store: {{url: {json.dumps(url)}}}", rules=RULES) if app == OURS else {}
    servers: list[Server] = []
    for number, role in enumerate(roles):
        log = place / f"{name.replace(' ', '-').replace(',', '')}-{number}.log"
        environ = {**own, "TOCSIN_ROLE": role} if own else {}
        servers.append(running.enter_context(serve(name, app, log, environ)))
        if role == "work":
            await _ready(servers[-1])
        else:
            await answers(servers[-1], one_request(), log)
    receivers = [server for server, role in zip(servers, roles, strict=True) if role != "work"]
    return Group(name=name, receivers=receivers, others=[each for each in servers if each not in receivers])


async def _ready(server: Server) -> None:
    request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(request)
                line = await reader.readline()
                writer.close()
                if b" 200 " in line:
                    return
            await asyncio.sleep(0.05)


def show(found: dict[str, Any]) -> str:
    """The table for people, and for docs/scaling.md."""
    lines = [
        f"{found['cpus']} cores, load before {found['load']:.1f}; µs of CPU an event",
        "| | events/s | p99 | processes | database | load | ceiling of these cores without the load |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in found["groups"].items():
        cost = one["server_cpu"] + one["database_cpu"]
        ceiling = (found["cpus"] or 1) / cost if cost else 0
        lines.append(
            f"| {name} | {one['rate']:,.0f} | {one['p99'] * 1e3:.0f} ms | {one['server_cpu'] * 1e6:.0f} | "
            f"{one['database_cpu'] * 1e6:.0f} | {one['load_cpu'] * 1e6:.0f} | {ceiling:,.0f} |"
        )
    return "\n".join(lines)


def picture(found: dict[str, Any]) -> str:
    """What an event costs by processes, as an SVG; with what was taken a second."""
    bars = [
        Bar(
            name,
            {"processes": one["server_cpu"] * 1e6, "database": one["database_cpu"] * 1e6},
            f"{(one['server_cpu'] + one['database_cpu']) * 1e6:,.0f} · {one['rate']:,.0f}/s",
        )
        for name, one in found["groups"].items()
    ]
    return draw(bars, title="µs of CPU an event")


def main() -> int:
    """Exit code 1: a request was not answered 200."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--processes", default="1,2,4")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--share", type=float, default=SHARE, help="of the events, fires a rule")
    parser.add_argument("--paced", type=float, help="events a second over all processes, all of which fire a rule")
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--svg", type=Path, help="where to draw the cost of an event by processes")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    numbers = [int(number) for number in chosen.processes.split(",")]
    posted = Load(seconds=chosen.seconds, share=chosen.share, paced=chosen.paced)
    found = asyncio.run(run(numbers, chosen.rounds, chosen.apart, posted))
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    if chosen.svg is not None:
        chosen.svg.write_text(picture(found), encoding="utf-8")
    return int(any(one["failed"] for one in found["groups"].values()))


if __name__ == "__main__":
    sys.exit(main())
