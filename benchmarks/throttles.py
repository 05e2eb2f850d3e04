"""A throttle of one message an account in ten minutes, over the same stream: in Tocsin and in ansible-rulebook.

    python benchmarks/throttles.py [--events 20000] [--json]

ansible-rulebook (with Java 17, which it needs) is measured where it is installed: on the PATH, or named by
ANSIBLE_RULEBOOK. Both engines get 20,000 events of 1,000 accounts that are read and parsed already, and do nothing with
those that pass; Tocsin is measured twice, on the stepped clock of `backtest` and with every event made durable in
PostgreSQL, which the other does not do. Each stream begins with some that are not counted, so that what is compiled at
first is not either.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from stateful import START, expand

from engine.model.event import Event
from engine.model.rule import Rule, Step, Verb, When
from engine.model.timing import Throttle, Timing
from engine.pipeline import Pipeline
from engine.receive.normalize import normalize
from engine.rulebook import Rulebook
from engine.settings import Endpoint
from engine.store import Store
from engine.store.connect import Target
from engine.store.embedded import EmbeddedServer
from engine.testing.world import World

ACCOUNTS = 1_000
WARM = 4_000
PATIENCE = 600.0
AT_ONCE = 48

_ENDPOINT = Endpoint(name="e", path="/e", secrets=(), scope=None, livemode=None)
_BOOK = Rulebook(
    revision="r" * 64,
    rules=(
        Rule(
            id="throttled",
            when=(When(types=("payout.failed",), livemode=None),),
            steps=(Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk",)),),
            timing=Timing(throttle=Throttle(max=1, every=timedelta(minutes=10))),
        ),
    ),
)

_RULEBOOK = """
- name: throttled
  hosts: all
  sources:
    - stream: {events: EVENTS, warm: WARM}
  rules:
    - name: once
      condition: event.type == "payout.failed"
      throttle: {once_within: 10 minutes, group_by_attributes: [event.account]}
      action: {none: }
"""

_SOURCE = """
import json, sys, time

async def main(queue, args):
    with open(args["events"]) as lines:
        events = [json.loads(line) for line in lines]
    began = None
    for place, event in enumerate(events):
        if place == args["warm"]:
            began = time.perf_counter(), time.process_time()
        await queue.put(event)
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    print("MEASURED", json.dumps(took), flush=True)
"""


def roots(number: int) -> list[dict[str, Any]]:
    """Events as Stripe sends them, an account each in turn."""
    return [
        {
            "id": f"evt_{place:08d}",
            "object": "event",
            "type": "payout.failed",
            "account": f"acct_{place % ACCOUNTS}",
            "created": int(START.timestamp()) + place // 1_000,
            "livemode": True,
            "data": {"object": {"id": f"po_{place}", "object": "payout", "amount": 100, "currency": "usd"}},
            "api_version": "2026-10-28.endive",
            "pending_webhooks": 1,
            "request": None,
        }
        for place in range(number)
    ]


def on_stepped_clock(given: list[Event]) -> dict[str, float]:
    """Decided in memory."""
    world = World(_BOOK, expand, START, brief=True, unique=True)
    for event in given[:WARM]:
        world.feed(event)
    wall, own = time.perf_counter(), time.process_time()
    for event in given[WARM:]:
        world.feed(event)
    return _rates(len(given) - WARM, time.perf_counter() - wall, time.process_time() - own)


async def in_store(given: list[Event]) -> dict[str, float]:
    """Each event stored, decided and committed; the processor's time is of this process, without PostgreSQL's."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        os.chmod(name, 0o755)  # the server runs as a user of its own
        server = EmbeddedServer(Path(name))
        store = await Store.connect(Target.from_address(await server.start()), server=None)
        try:
            pipeline = Pipeline(rulebook=lambda: _BOOK, expand=expand, committer=store.committer)
            await _accept(pipeline, given[:WARM])
            wall, own = time.perf_counter(), time.process_time()
            await _accept(pipeline, given[WARM:])
            return _rates(len(given) - WARM, time.perf_counter() - wall, time.process_time() - own)
        finally:
            await store.close()
            await server.stop()


async def _accept(pipeline: Pipeline, given: list[Event]) -> None:
    waiting = iter(given)

    async def one() -> None:
        for event in waiting:
            await pipeline.accept(event)

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


def in_ansible_rulebook(command: str, given: list[dict[str, Any]]) -> dict[str, float]:
    """Its queue takes an event when there is room, so that what it takes it has worked off but for a few. The
    processor's time is of its one process, Java's threads included."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        place = Path(name)
        (place / "sources").mkdir()
        (place / "sources" / "stream.py").write_text(_SOURCE)
        (place / "events").write_text("".join(json.dumps(each) + "\n" for each in given))
        rulebook = _RULEBOOK.replace("EVENTS", str(place / "events")).replace("WARM", str(WARM))
        (place / "rulebook.yml").write_text(rulebook)
        (place / "inventory.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
        environ = dict(os.environ)
        java = shutil.which("java")
        if java is not None:
            environ.setdefault("JAVA_HOME", str(Path(java).resolve().parent.parent))
        environ["PATH"] = f"{Path(command).parent}{os.pathsep}{environ['PATH']}"
        done = subprocess.run(
            [command, "--rulebook", "rulebook.yml", "-i", "inventory.yml", "-S", "sources"],
            cwd=place,
            env=environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    measured = [line for line in done.stdout.splitlines() if line.startswith("MEASURED ")]
    if not measured:
        raise RuntimeError(f"ansible-rulebook measured nothing:\n{(done.stdout + done.stderr)[-2000:]}")
    wall, own = json.loads(measured[0].removeprefix("MEASURED "))
    return _rates(len(given) - WARM, wall, own)


def _rates(number: int, wall: float, own: float) -> dict[str, float]:
    return {"per_second": number / wall, "cpu_us": own / number * 1e6}


def measure(number: int) -> dict[str, dict[str, float]]:
    """What each makes of the stream; ansible-rulebook only where it is."""
    given = roots(number + WARM)
    events = [replace(normalize(json.dumps(root).encode(), _ENDPOINT, START), received=_came(root)) for root in given]
    found = {"Tocsin, stepped clock": on_stepped_clock(events), "Tocsin, durable": asyncio.run(in_store(events))}
    command = os.environ.get("ANSIBLE_RULEBOOK") or shutil.which("ansible-rulebook")
    if command is not None:
        found["ansible-rulebook"] = in_ansible_rulebook(command, given)
    return found


def _came(root: dict[str, Any]) -> Any:
    return START + timedelta(seconds=root["created"] - int(START.timestamp()))


def show(found: dict[str, dict[str, float]]) -> str:
    """The report for people."""
    lines = [f"{'':<24}{'events/s':>10}{'CPU an event':>16}"]
    for name, one in found.items():
        lines.append(f"{name:<24}{one['per_second']:>10,.0f}{one['cpu_us']:>13,.0f} µs")
    peer = found.get("ansible-rulebook")
    if peer is None:
        lines.append("ansible-rulebook is not installed: pip install ansible-rulebook ansible-core, and Java 17")
    else:
        for name in ("Tocsin, stepped clock", "Tocsin, durable"):
            lines.append(f"{name}: {found[name]['per_second'] / peer['per_second']:.1f} times ansible-rulebook's rate")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    chosen = parser.parse_args()
    found = measure(chosen.events)
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
