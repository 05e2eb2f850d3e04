"""How many past events a second `tocsin backtest` runs: out of the store, and out of a file of JSON lines.

    python benchmarks/backtest.py [--quick] [--json]

The rules are the ready-made ones, several of which have a memory; the events are samples of nine types in the shares
of a busy platform, of which three in five are of types that a rule looks at. Reading, parsing, matching, deciding and
counting are all in the figures. Rates are by the seconds of processor of this process, since others share the machine;
those of PostgreSQL, which reads ahead on another core, are not among them.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.backtest import Backtest, Selection, select
from engine.backtest.files import EventFiles
from engine.model.event import Event, Json
from engine.receive.normalize import normalize
from engine.receive.parse import parse
from engine.rulebook import Known, load, read_rule_files
from engine.samples import sample
from engine.settings import Endpoint
from engine.store import Store
from engine.store.connect import Target
from engine.store.embedded import EmbeddedServer
from engine.store.events import insert
from engine.testing.sending import everywhere

ROOT = Path(__file__).parent.parent
START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 30
SHARES = {
    "charge.succeeded": 30,
    "payment_intent.succeeded": 30,
    "customer.created": 6,
    "charge.failed": 12,
    "invoice.payment_failed": 5,
    "payout.paid": 10,
    "payout.failed": 1,
    "account.updated": 5,
    "charge.dispute.created": 1,
}
LIMIT = 20_000
"""Events a second that it is to run out of the store; those of a file are parsed twice."""

_ENDPOINT = Endpoint(name="e", path="/e", secrets=(), scope=None, livemode=None)


def selection() -> Selection:
    """The rules, none with a mistake."""
    files = read_rule_files([ROOT / "rules"], ROOT)
    known = Known(channels=("risk", "payments", "onboarding"), default_livemode=True)
    loaded = load(files, known)
    assert loaded.ok, loaded.mistakes
    return select(loaded.rulebook)


def roots(number: int) -> Iterator[tuple[datetime, dict[str, Json]]]:
    """Events in the order of time, of a few large and many small accounts; those of a type differ in little else."""
    random.seed(3)
    made = {name: sample(name, account="acct_1", livemode=True, created=0) for name in SHARES}
    names, weights = list(SHARES), list(SHARES.values())
    for place in range(number):
        moment = START + timedelta(days=DAYS) * place / number
        root = made[random.choices(names, weights)[0]]
        account = f"acct_{min(int(random.paretovariate(0.9)), 5_000)}"
        yield moment, {**root, "id": f"evt_{place:08d}", "account": account, "created": int(moment.timestamp())}


def backtest(chosen: Selection) -> Backtest:
    """One that has not begun."""
    return Backtest(chosen, everywhere, since=START, zone=ZoneInfo("UTC"), samples=1, unique=True)


async def fill(store: Store, number: int) -> None:
    """Store the events, as the receiver would."""
    batch: list[Event] = []
    for moment, root in roots(number):
        batch.append(replace(normalize(json.dumps(root).encode(), _ENDPOINT, moment), received=moment))
        if len(batch) == 500 or len(batch) == number:
            async with store._pool.transaction() as connection:
                await insert(connection, batch, ["r" * 64] * len(batch))
            batch = []


async def from_store(chosen: Selection, number: int) -> dict[str, Any]:
    """Out of PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    os.chmod(folder, 0o755)  # the server runs as a user of its own
    server = EmbeddedServer(folder)
    try:
        store = await Store.connect(Target.from_address(await server.start()), parse=parse)
        try:
            await fill(store, number)
            return await _run(store, chosen, number)
        finally:
            await store.close()
    finally:
        await server.stop()
        shutil.rmtree(folder)


async def _run(store: Store, chosen: Selection, number: int) -> dict[str, Any]:
    run = backtest(chosen)
    gc.collect()
    gc.disable()  # as the command has it
    own, wall = time.process_time(), time.perf_counter()
    types = [name for name in await store.events.type_names() if chosen.concerns(name)]
    before = START + timedelta(days=DAYS + 1)
    async for batch in store.events.stream(since=START, before=before, types=types):
        for event in batch:
            run.feed(event)
    run.finish(before)
    return _figures(run, number, time.process_time() - own, time.perf_counter() - wall)


def from_file(chosen: Selection, number: int) -> dict[str, Any]:
    """Out of a file of JSON lines."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        file = Path(name) / "events.jsonl"
        with file.open("w") as lines:
            lines.writelines(json.dumps(root) + "\n" for _, root in roots(number))
        run = backtest(chosen)
        gc.collect()
        gc.disable()
        own, wall = time.process_time(), time.perf_counter()
        files = EventFiles(path=str(file), read_input=lambda: b"", concerns=chosen.concerns)
        files.look()
        for event in files:
            run.feed(event)
        run.finish(START + timedelta(days=DAYS + 1))
        return _figures(run, number, time.process_time() - own, time.perf_counter() - wall)


def parsed_alone(number: int) -> float:
    """Events a second that are parsed and normalized, and nothing else: what all of it is held against."""
    bodies = [json.dumps(root).encode() for _, root in roots(number)]
    own = time.process_time()
    for body in bodies:
        normalize(body, _ENDPOINT, START)
    return number / (time.process_time() - own)


def _figures(run: Backtest, number: int, own: float, wall: float) -> dict[str, Any]:
    gc.enable()
    return {
        "events": number,
        "run": run.events,
        "fired": sum(tally.fired for tally in run.rules.values()),
        "per_second": number / own,
        "run_per_second": run.events / own,
        "wall_per_second": number / wall,
    }


def main() -> None:
    """Measure and print; exit code 1 where a limit is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the events")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    given = arguments.parse_args()
    number = 20_000 if given.quick else 200_000
    chosen = selection()
    found = {"store": asyncio.run(from_store(chosen, number)), "file": from_file(chosen, number)}
    alone = parsed_alone(20_000)
    if given.json:
        print(json.dumps({**found, "parsed_alone": alone}, indent=2))
    else:
        print(f"{number:,} events, {os.cpu_count()} processors, Python {sys.version.split()[0]}")
        for name, figures in found.items():
            print(
                f"{name:<6} {figures['per_second']:>9,.0f} events/s, of which {figures['run_per_second']:,.0f} were "
                f"judged; {figures['fired']:,} alerts; by the wall clock {figures['wall_per_second']:,.0f}"
            )
        print(f"parsing and normalizing alone: {alone:,.0f} events/s")
    if found["store"]["per_second"] < LIMIT:
        sys.exit(f"fewer than {LIMIT:,} events a second")


if __name__ == "__main__":
    main()
