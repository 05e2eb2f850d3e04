"""What the store costs with millions of stored events, beside the same at ten thousand.

    python benchmarks/growth.py [--events 10000000] [--data FOLDER] [--rounds 15] [--svg FILE] [--json]

Two databases on one server, filled by stored.py in the same proportions; every operation is asked of one and of the
other in turn, and the medians are compared. Beyond 1.5 is exit code 1, but where what is asked for is itself more: what
counts everything of a month. Then old events are forgotten while others are committed, beside the same without.
`--data` keeps the databases there for the next time; 10 million take 15 GB and ten minutes to make.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
from curves import Curve, draw
from load import quantile
from servers import folder, say
from stored import RARE_ACCOUNT, RARE_TYPE, RULES, TYPES, fill

from engine.model.delivery import Attempt, Delivery, DeliveryStatus, Firing, Plan, delivery_id, firing_id
from engine.model.event import Event
from engine.model.rule import RuleMode, Severity, Verb
from engine.receive.normalize import normalize
from engine.settings import Endpoint
from engine.store import Store
from engine.store.again import Choice
from engine.store.connect import Target
from engine.store.embedded import Address, EmbeddedServer

LIMIT = 1.5
REVISION = "f" * 64
SMALL = 10_000
BATCH = 50

Operation = Callable[[Store], Awaitable[object]]


class Events:
    """New events, each with an id of its own."""

    def __init__(self) -> None:
        self._number = time.time_ns()

    def one(self) -> Event:
        """A payout that failed, of just now."""
        self._number += 1
        body = {
            "id": f"evt_9{self._number}",
            "object": "event",
            "type": "payout.failed",
            "account": "acct_7",
            "created": int(time.time()),
            "livemode": True,
            "data": {"object": {"id": "po_1", "object": "payout", "amount": 5000, "currency": "eur"}},
        }
        endpoint = Endpoint(name="connect", path="/", scope=None, livemode=None, secrets=())
        return normalize(json.dumps(body).encode(), endpoint, datetime.now(UTC))

    def planned(self) -> tuple[Event, Plan]:
        """One for which a rule fired, with a delivery."""
        event = self.one()
        firing = Firing(
            id=firing_id("rule-01", event.dedupe_key),
            rule="rule-01",
            revision=REVISION,
            event=event.dedupe_key,
            account=event.account,
            severity=Severity.HIGH,
            mode=RuleMode.LIVE,
            replay=0,
            created=event.received,
        )
        delivery = Delivery(
            id=delivery_id(firing.id, "notify", "payments"),
            firing=firing.id,
            event=event.dedupe_key,
            rule=firing.rule,
            revision=REVISION,
            step="notify",
            verb=Verb.NOTIFY,
            destination="payments",
            account=event.account,
            livemode=True,
            next_attempt=event.received,
            created=event.received,
        )
        return event, Plan(firings=(firing,), deliveries=(delivery,))


def operations(events: Events) -> dict[str, Operation]:
    """What is measured, by what it is called; those whose name ends in `*` count what there is."""
    month = timedelta(days=30)

    async def commit(store: Store) -> None:
        await store.committer.commit(events.one(), Plan(), REVISION)

    async def batch(store: Store) -> None:
        await asyncio.gather(*(store.committer.commit(events.one(), Plan(), REVISION) for _ in range(BATCH)))

    async def fired(store: Store) -> None:
        event, plan = events.planned()
        await store.committer.commit(event, plan, REVISION)
        (delivery,) = plan.deliveries
        now = datetime.now(UTC)
        attempt = Attempt(
            delivery=delivery.id,
            number=1,
            started=now,
            duration=timedelta(),
            outcome="delivered",
            reason=None,
            status=200,
            excerpt=None,
        )
        await store.deliveries.begin(delivery.id)
        await store.deliveries.set_request(delivery.id, {"title": "A payout failed"})
        await store.deliveries.record(
            delivery.id, attempt, status=DeliveryStatus.DELIVERED, reason=None, next_attempt=None, result=None
        )

    async def duplicate(store: Store) -> None:
        (event,) = await store.events.ls(limit=1)
        await store.committer.commit(event, Plan(), REVISION)

    async def explain(store: Store) -> None:
        (event,) = await store.events.ls(limit=1)
        found = await store.events.get(event.id)
        assert found is not None
        await store.events.revision_of(found.dedupe_key)
        await store.events.firings(found.dedupe_key)
        await store.deliveries.ls(event=found.dedupe_key, limit=10_000)

    async def shown(store: Store) -> None:
        since = datetime.now(UTC) - month
        await store.events.hits(["rule-01"], since)
        async with contextlib.aclosing(store.events.scan(since=since, most=1_000, types=["payout.failed"])) as batches:
            async for _ in batches:
                pass

    async def coverage(store: Store) -> None:
        since = datetime.now(UTC) - month
        await store.events.types(since)
        await store.events.hits(list(RULES), since)

    async def timers(store: Store) -> None:
        now = datetime.now(UTC)
        await store.timers.next_due()
        await store.timers.ripen(now, nobody)
        await store.timers.forget(now)

    async def nobody(due: Any) -> Any:
        return []

    async def reports(store: Store) -> None:
        now = datetime.now(UTC)
        await store.dead.between(now - timedelta(minutes=5), now)

    return {
        "events ls": lambda store: store.events.ls(),
        "events ls --type (common)": lambda store: store.events.ls(type=TYPES[0]),
        "events ls --type (rare)": lambda store: store.events.ls(type=RARE_TYPE, limit=2),
        "events ls --type charge.*": lambda store: store.events.ls(type="charge.*"),
        "events ls --type (none)": lambda store: store.events.ls(type="no.such"),
        "events ls --account (rare)": lambda store: store.events.ls(account=RARE_ACCOUNT, limit=2),
        "events ls --account --type": lambda store: store.events.ls(account="acct_7", type="payout.failed", limit=5),
        "events ls --account (none)": lambda store: store.events.ls(account="acct_none"),
        "events ls --test": lambda store: store.events.ls(livemode=False, limit=3),
        "events show, explain": explain,
        "deliveries ls": lambda store: store.deliveries.ls(),
        "deliveries ls --rule": lambda store: store.deliveries.ls(rule="rule-07", limit=10),
        "deliveries ls --rule (none)": lambda store: store.deliveries.ls(rule="no-such"),
        "deliveries ls --channel (none)": lambda store: store.deliveries.ls(destination="no-such"),
        "deliveries ls --account (none)": lambda store: store.deliveries.ls(account="acct_none"),
        "deliveries ls --status dead": lambda store: store.deliveries.ls(status=[DeliveryStatus.DEAD], limit=2),
        "retry --failed --count --since": lambda store: store.again.count(
            Choice(statuses=[DeliveryStatus.DEAD], since=datetime.now(UTC) - timedelta(hours=2), now=datetime.now(UTC))
        ),
        "retry --failed, a page": lambda store: store.again.page(
            Choice(statuses=[DeliveryStatus.DEAD], now=datetime.now(UTC)), None, 2
        ),
        "sweep": lambda store: store.deliveries.sweep(),
        "health *": lambda store: store.health(),
        "timers": timers,
        "reports of dead deliveries": reports,
        "mutes ls": lambda store: store.mutes.ls(datetime.now(UTC)),
        "an account": lambda store: store.accounts.get("acct_7", True),
        "rules show *": shown,
        "retention, nothing old": lambda store: store.forget(datetime.now(UTC) - timedelta(days=90)),
        "commit": commit,
        f"commit of {BATCH}": batch,
        "commit, deliver, record": fired,
        "a duplicate": duplicate,
        "mutes ls, silenced *": lambda store: store.mutes.silenced(["mut_1"]),
        "reports of silence *": lambda store: store.silences.between(
            datetime.now(UTC) - timedelta(days=7), datetime.now(UTC)
        ),
        "retry --failed --count *": lambda store: store.again.count(
            Choice(statuses=[DeliveryStatus.DEAD], now=datetime.now(UTC))
        ),
        "coverage *": coverage,
        "rules ls *": lambda store: store.events.hits(list(RULES), datetime.now(UTC) - month),
    }


async def compare(stores: tuple[Store, Store], rounds: int, only: str | None) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each operation on each store, asked in turn."""
    found: dict[str, tuple[float, float]] = {}
    for name, operation in operations(Events()).items():
        if only and only not in name:
            continue
        say(name)
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds + 2):
            for store, kept in zip(stores, times, strict=True):
                began = time.perf_counter()
                await operation(store)
                if number > 1:
                    kept.append((time.perf_counter() - began) * 1000)
                if sum(kept) > 20_000:
                    break
        found[name] = (median(times[0]), median(times[1]))
    return found


async def forgetting(store: Store, seconds: float) -> dict[str, float]:
    """Milliseconds of commits, first with nothing else going on, then while old events are forgotten."""
    events = Events()
    quiet: list[float] = []
    busy: list[float] = []

    async def commits(kept: list[float], until: asyncio.Event) -> None:
        while not until.is_set():
            began = time.perf_counter()
            await store.committer.commit(events.one(), Plan(), REVISION)
            kept.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.005)

    stop = asyncio.Event()
    ingest = asyncio.create_task(commits(quiet, stop))
    await asyncio.sleep(seconds)
    stop.set()
    await ingest
    stop = asyncio.Event()
    ingest = asyncio.create_task(commits(busy, stop))
    began, forgotten, longest = time.perf_counter(), 0, 0.0
    while time.perf_counter() - began < seconds:
        started = time.perf_counter()
        forgotten += await store.forget(datetime.now(UTC) - timedelta(days=80))
        longest = max(longest, time.perf_counter() - started)
        await asyncio.sleep(0.2)
    stop.set()
    await ingest
    return {
        "commit p50": quantile(quiet, 0.5),
        "commit p99": quantile(quiet, 0.99),
        "commit p50, forgetting": quantile(busy, 0.5),
        "commit p99, forgetting": quantile(busy, 0.99),
        "forgotten a second": forgotten / seconds,
        "longest batch": longest * 1000,
    }


async def database(address: Address, name: str, events: int) -> Store:
    """A store on the database of that name, which is made and filled where it is not there."""
    admin = await asyncpg.connect(**address.arguments())
    there = await admin.fetchval("select true from pg_database where datname = $1", name)
    if not there:
        await admin.execute(f'create database "{name}"')
    await admin.close()
    target = Target(where=address.arguments() | {"database": name})
    store = await Store.connect(target)
    if not there:
        say(f"making {events:,} events")
        connection = await asyncpg.connect(**target.where)
        size = await fill(connection, events, REVISION)
        await connection.close()
        print(f"{name}: {size.bytes / 2**30:.1f} GiB, {', '.join(f'{n:,} {t}' for t, n in size.rows.items())}")
    return store


async def run(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Everything, on a server of its own."""
    server = EmbeddedServer(data)
    address = await server.start()
    try:
        stores = await database(address, "small", SMALL), await database(address, "big", options.events)
        try:
            times = await compare(stores, options.rounds, options.only)
            pause = {} if options.only else await forgetting(stores[1], 20)
        finally:
            for store in stores:
                await store.close()
    finally:
        await server.stop()
    return {"ms": times, "retention": pause}


@contextlib.contextmanager
def _kept(data: Path | None) -> Iterator[Path]:
    if data is None:
        with folder() as made:
            yield made
    else:
        yield data


DRAWN = (
    f"commit of {BATCH}",
    "commit, deliver, record",
    "commit",
    "events ls",
    "events show, explain",
    "deliveries ls --rule",
    "retention, nothing old",
    "health *",
    "rules ls *",
    "coverage *",
)


def picture(times: dict[str, tuple[float, float]], events: int) -> str:
    """How some of the costs grow, as an SVG; what counts everything thinner."""
    curves = [
        Curve(f"{name.removesuffix(' *')} × {big / small:.1f}", [(SMALL, small), (events, big)], own=name[-1] != "*")
        for name, (small, big) in times.items()
        if name in DRAWN
    ]
    return draw(curves, x="stored events", y="ms")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", help="operations whose name has this in it")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--svg", type=Path, help="where to draw how the costs grow")
    options = parser.parse_args()
    with _kept(options.data) as data:
        found = asyncio.run(run(data, options))
    if options.json:
        print(json.dumps(found))
    else:
        print(f"| ms, median | {SMALL:,} events | {options.events:,} | |\n|---|---|---|---|")
        for name, (small, big) in found["ms"].items():
            print(f"| {name} | {small:.2f} | {big:.2f} | {big / small:.2f} |")
        for name, value in found["retention"].items():
            print(f"{name}: {value:.1f}")
    if options.svg is not None:
        options.svg.write_text(picture(found["ms"], options.events), encoding="utf-8")
    slow = [name for name, (small, big) in found["ms"].items() if big > LIMIT * small and not name.endswith("*")]
    if slow:
        print(f"more than {LIMIT} times: {', '.join(slow)}", file=sys.stderr)
    return bool(slow)


if __name__ == "__main__":
    raise SystemExit(main())
