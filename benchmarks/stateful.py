"""What rules with a memory cost: decided in memory, decided in the store, and how that grows.

    python benchmarks/stateful.py [--quick] [--json]

Three questions. How many events a second are decided by 1,000 rules with thresholds, sequences, absences and throttles
over 10,000 accounts, on the stepped clock of `backtest` (no database). What a commit of such events costs in the store,
beside the same events for the same rules without their memory, in the same run. And how the cost of one event grows
with the number of keys, with what a window holds, and for one that comes late on a full key. Seconds are of this
process's processor (and, in the store, of the wall: the database is another process).
"""

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from engine.decide import window
from engine.decide.memory import State
from engine.model.condition import Money, Operation, PathTest, Reference
from engine.model.event import Event
from engine.model.rule import Rule, Severity, Step, Verb, When
from engine.model.timing import NO_TIMING, Absence, Other, Ratio, Threshold, Throttle, Timing
from engine.pipeline import Pipeline
from engine.receive.normalize import normalize
from engine.rulebook import Rulebook
from engine.settings import Endpoint
from engine.store import Store
from engine.store.connect import Target
from engine.store.embedded import EmbeddedServer
from engine.testing.world import World
from notifiers import Destination

RULES = 1_000
ACCOUNTS = 10_000
KINDS = 4
START = datetime(2026, 11, 2, tzinfo=UTC)
SAME = ((Reference(path="$account.id"), Reference(path="$account.id")),)
TYPES = ("charge.failed", "charge.succeeded", "payout.failed", "payout.paid", "account.updated")
LIMIT = 20_000
"""Events a second that `backtest` is to decide."""

_ENDPOINT = Endpoint(name="e", path="/e", secrets=(), scope=None, livemode=None)


def rules(number: int, *, memory: bool = True) -> tuple[Rule, ...]:
    """Rules of four kinds in turn, each for the accounts of one country: so that an event concerns a few of them."""
    found = []
    for place in range(number):
        where = PathTest(path="metadata.group", operations=(Operation(operator="eq", operand=place // KINDS),))
        types, timing = _kind(place % KINDS, where)
        when = When(types=(types,), livemode=None, where=where)
        step = Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk",))
        found.append(Rule(id=f"r{place}", when=(when,), steps=(step,), timing=timing if memory else NO_TIMING))
    return tuple(found)


def _kind(place: int, where: PathTest) -> tuple[str, Timing]:
    return (
        ("charge.failed", Timing(threshold=Threshold(within=timedelta(minutes=10), count=5))),
        ("payout.failed", Timing(not_followed_by=(Absence(other=_other("payout.paid", where, hours=24)),))),
        ("charge.succeeded", Timing(preceded_by=_other("account.updated", where, hours=1))),
        ("account.updated", Timing(throttle=Throttle(max=1, every=timedelta(hours=6)))),
    )[place]


def _other(types: str, where: PathTest, *, hours: int) -> Other:
    when = When(types=(types,), livemode=None, where=where)
    return Other(when=(when,), same=SAME, within=timedelta(hours=hours))


def events(number: int, *, groups: int, seconds: float = 1.0, run: str = "a") -> list[Event]:
    """Events of accounts at random, so many seconds apart."""
    random.seed(7)
    found = []
    for place in range(number):
        account, type_ = random.randrange(ACCOUNTS), random.choice(TYPES)
        moment = START + timedelta(seconds=place * seconds)
        object_ = {"id": f"obj_{account}", "object": type_.split(".")[0], "metadata": {"group": account % groups}}
        root = {
            "id": f"evt_{run}{place:08d}",
            "object": "event",
            "type": type_,
            "account": f"acct_{account}",
            "created": int(moment.timestamp()),
            "livemode": True,
            "data": {"object": {**object_, "amount": 100, "currency": "usd"}},
            "api_version": "2026-10-28.endive",
            "pending_webhooks": 1,
            "request": None,
        }
        body = json.dumps(root).encode()
        found.append(normalize(body, _ENDPOINT, moment))
    return found


def expand(step: Step, severity: Severity, livemode: bool) -> tuple[Destination, ...]:
    return (Destination(name="risk", skipped="measured without sending"),)


def in_memory(number: int) -> dict[str, Any]:
    """Events a second of processor, decided on the stepped clock."""
    book = Rulebook(revision="r" * 64, rules=rules(RULES))
    given = events(number, groups=RULES // KINDS)
    world = World(book, expand, START, brief=True, unique=True)
    gc.collect()
    gc.disable()  # as backtest has it
    begun = time.process_time()
    for event in given:
        world.feed(event)
    took = time.process_time() - begun
    gc.enable()
    kept = len(world.firings)
    return {"events": number, "rules": RULES, "accounts": ACCOUNTS, "per_second": number / took, "kept": kept}


async def in_store(number: int) -> dict[str, Any]:
    """The cost of committing the same events with and without the rules' memory."""
    found: dict[str, Any] = {"events": number}
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        os.chmod(name, 0o755)  # the server runs as a user of its own
        server = EmbeddedServer(Path(name))
        store = await Store.connect(Target.from_address(await server.start()), server=None)
        try:
            for run, memory in (("warm", True), ("without", False), ("with", True)):
                book = Rulebook(revision="r" * 64, rules=rules(RULES, memory=memory))
                pipeline = Pipeline(rulebook=partial(_same, book), expand=expand, committer=store.committer)
                given = events(number, groups=RULES // KINDS, run=run)
                wall, own = time.perf_counter(), time.process_time()
                await _send(pipeline, given)
                found[run] = {
                    "per_second": number / (time.perf_counter() - wall),
                    "cpu_us": (time.process_time() - own) / number * 1e6,
                }
        finally:
            await store.close()
            await server.stop()
    del found["warm"]
    return found


def _same(book: Rulebook) -> Rulebook:
    return book


async def _send(pipeline: Pipeline, given: Sequence[Event], at_once: int = 48) -> None:
    waiting = iter(given)

    async def one() -> None:
        for event in waiting:
            await pipeline.accept(event)

    await asyncio.gather(*(one() for _ in range(at_once)))


def growth(quick: bool) -> dict[str, dict[str, float]]:
    """Microseconds an event, by the number of keys there are, and by what the window of one key holds."""
    rule = rules(1)[0]
    by_keys = {}
    for keys in (100, 1_000, 10_000) if quick else (100, 1_000, 10_000, 100_000):
        book = Rulebook(
            revision="r" * 64, rules=(replace(rule, when=(When(types=("charge.failed",), livemode=None),)),)
        )
        given = [replace(e, type="charge.failed", base_type="charge.failed") for e in events(2_000, groups=1)]
        world = World(book, expand, START, brief=True, unique=True)
        for place in range(keys):
            world.feed(replace(given[0], account=f"acct_k{place}", dedupe_key=f"k{place}"))
        begun = time.process_time()
        for event in given:
            world.feed(event)
        by_keys[f"{keys:,}"] = (time.process_time() - begun) / len(given) * 1e6
    by_held = {}
    given = events(200, groups=1)
    for held in (10, 100, 1_000, 5_000):
        threshold = Threshold(within=timedelta(hours=2), count=10**9)
        state: State = {}
        base = events(1, groups=1)[0]
        for second in range(held):
            window.take(threshold, state, replace(base, created=START + timedelta(seconds=second)), window.MATCH)
        end = START + timedelta(seconds=held)
        begun = time.process_time()
        for place, event in enumerate(given):
            window.take(threshold, state, replace(event, created=end + timedelta(seconds=place)), window.MATCH)
        by_held[f"{held:,}"] = (time.process_time() - begun) / len(given) * 1e6
    return {"keys": by_keys, "held": by_held, "late": late_on_a_full_key()}


def late_on_a_full_key(held: int = 3_000, given: int = 20) -> dict[str, float]:
    """Microseconds for an event that comes nearly an hour late, on a key with matches in so many later seconds: it
    counts in the windows of all of them."""
    ratio = Ratio(of=(), gte=Decimal("0.9"), min=10**9)
    code = Reference(path="failure_code")
    money = Money(amount=Decimal(10**9), currency="usd", minor=10**11)
    found = {}
    for name, asked in {
        "count": Threshold(within=timedelta(hours=1), count=10**9),
        "sum": Threshold(within=timedelta(hours=1), sums=((Reference(path="amount"), money),)),
        "ratio": Threshold(within=timedelta(hours=1), ratio=ratio),
        "distinct": Threshold(within=timedelta(hours=1), distinct=((code, 10**9),)),
    }.items():
        state: State = {}
        base = events(1, groups=1)[0]
        for second in range(held):
            later = START + timedelta(seconds=60 + second)
            window.take(asked, state, _coded(base, second, later), window.MATCH | window.AMONG)
        begun = time.process_time()
        for second in range(given):
            late = START + timedelta(seconds=second)
            window.take(asked, state, _coded(base, -1 - second, late), window.MATCH | window.AMONG)
        found[name] = (time.process_time() - begun) / given * 1e6
    return found


def _coded(base: Event, number: int, created: datetime) -> Event:
    found = {**(base.object or {}), "failure_code": f"code {number}"}
    data = {**base.data, "data": {"object": found}}
    return replace(base, id=f"evt_c{number}", created=created, object=found, data=data)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the events")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    given = arguments.parse_args()
    number = 10_000 if given.quick else 100_000
    found = {
        "memory": in_memory(number),
        "store": asyncio.run(in_store(max(number // 10, 5_000))),
        "growth": growth(given.quick),
    }
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)
    sys.exit(found["memory"]["per_second"] < LIMIT)


def _print(found: dict[str, Any]) -> None:
    memory, store = found["memory"], found["store"]
    print(f"on the stepped clock: {memory['per_second']:,.0f} events/s ({RULES:,} rules, {ACCOUNTS:,} accounts)")
    plain, with_ = store["without"], store["with"]
    print(
        f"in the store: {with_['per_second']:,.0f} events/s, {with_['cpu_us']:.0f} us of processor; without memory "
        f"{plain['per_second']:,.0f}, {plain['cpu_us']:.0f} us: {with_['per_second'] / plain['per_second']:.2f} of it"
    )
    for what, name in (
        ("keys", "keys"),
        ("held", "events in the window"),
        ("late", "what is asked, for an event an hour late among 3,000"),
    ):
        rows = ", ".join(f"{size}: {cost:.0f} us" for size, cost in found["growth"][what].items())
        print(f"by {name}: {rows}")


if __name__ == "__main__":
    main()
