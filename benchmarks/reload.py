"""How long a reload of one changed file takes, and how long it keeps everything else from running.

    python benchmarks/reload.py [--quick] [--json]

A loop that wants to run every millisecond stands for the requests: it notes how late it is woken while the rules are
read, compiled and put in force, and how late it is when nothing goes on, which is the machine's own doing. Of a delay
only the time that this process had a processor counts against the reload: the rest others had. The rules are mixed
ones on one type, a hundred to a file, so that the index of all of them has to be made anew.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from shapes import ONE_TYPE, Spec, mixed_of_one_type

from engine.rulebook import Known
from engine.rulebook.reload import Reloader

A_FILE = 100
TICK = 0.001
LIMIT = 10e-3
"""Seconds that a request may be kept waiting."""


async def measure(rules: int, rounds: int) -> dict[str, Any]:
    """Load the rules, change one file again and again, and watch the loop meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(rules // A_FILE):
            _write(folder, number, 0)
        reloader = Reloader(
            paths=[folder],
            base=folder,
            known=Known(channels=("console",), default_livemode=True),
            last_good=_nothing_stored,
            remember=_store_nothing,
            lasting=True,
        )
        _say(f"loading {rules:,} rules")
        begun = time.perf_counter()
        report = await reloader.reload()
        if not report.ok or len(report.rulebook.rules) != rules:
            raise SystemExit(report.summary())
        first = time.perf_counter() - begun
        quiet = await _watched(asyncio.sleep(1.0))
        took, late = [], []
        for number in range(rounds):
            _say(f"{rules:,} rules: reload {number + 1} of {rounds}")
            _write(folder, number % (rules // A_FILE), number + 1)
            begun = time.perf_counter()
            late.append(await _watched(_reload(reloader)))
            took.append(time.perf_counter() - begun)
        _say("")
        held = max(each["held"] for each in late)
        return {
            "rules": rules,
            "first_load": first,
            "reload": statistics.median(took),
            "quiet": quiet,
            "late": {figure: max(each[figure] for each in late) for figure in ("longest", "p99", "held")},
            "reached": held <= LIMIT,
        }


async def _reload(reloader: Reloader) -> None:
    report = await reloader.reload()
    assert report.changed


async def _watched(awaitable: Any) -> dict[str, float]:
    """How late a loop that sleeps for a millisecond is woken while something goes on, in seconds."""
    late: list[float] = []
    held: list[float] = []

    async def tick() -> None:
        while True:
            begun, worked = time.perf_counter(), time.process_time()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - begun - TICK)
            held.append(min(late[-1], time.process_time() - worked))

    ticking = asyncio.create_task(tick())
    await awaitable
    await asyncio.sleep(0.05)  # what comes of it afterwards counts too
    ticking.cancel()
    late.sort()
    return {"longest": late[-1], "p99": late[int(len(late) * 0.99)], "held": max(held)}


def _write(folder: Path, number: int, edition: int) -> None:
    """A file of rules; another edition differs in the texts of its rules."""
    first = number * A_FILE
    rules = [_rule(place, mixed_of_one_type(place), edition) for place in range(first, first + A_FILE)]
    (folder / f"rules-{number:05}.yaml").write_text(yaml.dump({"rules": rules}, sort_keys=False))


def _rule(number: int, spec: Spec, edition: int) -> dict[str, Any]:
    where: dict[str, Any] = {}
    for path, operator, operand in spec.tests:
        where.setdefault(path, {})[operator] = f"{operand / 100:.2f} USD" if path == "amount" else operand
    if spec.one_of:
        where["any"] = [{path: {operator: operand}} for path, operator, operand in spec.one_of]
    when = {"type": ONE_TYPE, "where": where} | ({"account": spec.account} if spec.account else {})
    return {"id": f"rule-{number}", "when": when, "then": {"notify": "console", "text": f"edition {edition}"}}


async def _nothing_stored() -> dict[str, str]:
    return {}


async def _store_nothing(revision: str, files: dict[str, str], default_livemode: bool | None) -> None:
    return None


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def show(found: list[dict[str, Any]]) -> str:
    """The report for people."""
    lines = [
        f"{'rules':>8}{'first load':>13}{'one file anew':>16}   a loop of 1 ms is late: longest{'p99':>9}"
        f"{'by the reload':>16}{'at rest: longest':>19}"
    ]
    lines += [
        f"{one['rules']:>8,}{one['first_load']:>11.2f} s{one['reload']:>14.2f} s{_ms(one['late']['longest']):>34}"
        f"{_ms(one['late']['p99']):>9}{_ms(one['late']['held']):>16}{_ms(one['quiet']['longest']):>19}"
        + ("" if one["reached"] else "   MISSED: at most 10 ms")
        for one in found
    ]
    return "\n".join(lines)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def main() -> int:
    """Exit code 0: no reload kept the loop waiting for longer than the limit; 1: one did."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1,000 rules: a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--rules", type=int, help="this many, instead of 1,000 and 10,000")
    chosen = parser.parse_args()
    sizes = [chosen.rules] if chosen.rules else [1_000] if chosen.quick else [1_000, 10_000]
    found = [asyncio.run(measure(size, 5)) for size in sizes]
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    return 0 if all(one["reached"] for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
