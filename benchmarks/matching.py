"""What matching one event costs, as the rules grow from a hundred to a hundred thousand, beside other engines.

    python benchmarks/matching.py [--quick] [--json] [--svg FILE]

Each figure is the best of several rounds over the same events, so that what else the machine does counts least; all
engines have the same rules and events, and have to find the same number of rules. The parser, the network and the
store are left out: this is `Rulebook.match` alone.
"""

import argparse
import gc
import json
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curves import Curve, draw
from engines import RIVALS, Count, json_rules_engine, why_not
from shapes import MIXED, SHAPES, Shape, events, rules

from engine.match import Index
from engine.model.event import Event
from engine.rulebook import Rulebook

SIZES = (100, 1_000, 10_000, 100_000)
RIVAL_SIZES = {"a loop over Tocsin's closures": 100_000, "rule-engine": 1_000, "json-rules-engine": 1_000}
"""The most rules a rival is given; the others get 10,000. Beyond that a round would take minutes."""

TOCSIN = "Tocsin"
NODE = "json-rules-engine"
LIMIT = 5e-6
"""Seconds an event at 100,000 rules of a shape whose cost need not grow."""
GROWTH = 1.3
"""Times what it costs at `SMALL` rules."""
SMALL = 1_000
COMPILE = 25e-6
MEMORY = 2_000
"""Seconds, and bytes, a rule, for the index."""


def measure(sizes: Sequence[int], seconds: float) -> dict[str, Any]:
    """Every shape at every size, then the rivals on the mixed one. `seconds` is how long each figure is looked for."""
    shapes = {shape.name: [_shape(shape, size, seconds) for size in sizes] for shape in SHAPES}
    asked = events(MIXED.types)
    rivals: dict[str, list[dict[str, Any]]] = {}
    missing: dict[str, str] = {}
    for name in (*RIVALS, NODE):
        reason = why_not(name)
        if reason is not None:
            missing[name] = reason
            continue
        most = min(RIVAL_SIZES.get(name, 10_000), max(sizes))
        rivals[name] = [_rival(name, size, asked, seconds) for size in sizes if size <= most]
    _say("")
    return {
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0]},
        "shapes": shapes,
        "rivals": rivals,
        "missing": missing,
        "goals": _goals(shapes),
        "agree": _agree(shapes[MIXED.name], rivals),
    }


def _shape(shape: Shape, size: int, seconds: float) -> dict[str, Any]:
    _say(f"{TOCSIN}: {shape.name}, {size:,} rules")
    made = rules(map(shape.make, range(size)))
    waiting = [(when, rule) for rule in made for when in rule.when]
    built = min(_build(waiting) for _ in range(3))
    memory = _memory(lambda: Index(waiting)) if size <= 10_000 else None
    book = Rulebook(revision="benchmark", rules=tuple(made))
    gc.collect()
    gc.freeze()
    cost, held = _cost(lambda event: len(book.match(event)), events(shape.types), seconds)
    gc.unfreeze()
    return {"rules": size, "event": cost, "compile": built / size, "memory": memory and memory / size, "held": held}


def _build(waiting: Sequence[Any]) -> float:
    """Seconds of CPU that making the index takes."""
    gc.collect()
    gc.disable()  # as in a reload: the collector would look through the growing index again and again
    begun = time.process_time()
    index = Index(waiting)
    took = time.process_time() - begun
    del index
    gc.enable()
    return took


def _memory(make: Callable[[], Any]) -> int:
    """The bytes that what is made takes."""
    tracemalloc.start()
    made = make()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del made
    return taken


def _rival(name: str, size: int, asked: Sequence[Event], seconds: float) -> dict[str, Any]:
    _say(f"{name}: {size:,} rules")
    specs = [MIXED.make(number) for number in range(size)]
    if name == NODE:
        cost, held = json_rules_engine(specs, asked, rounds=3)
    else:
        cost, held = _cost(RIVALS[name](specs), asked, seconds)
    return {"rules": size, "event": cost, "held": held}


def _cost(count: Count, asked: Sequence[Event], seconds: float) -> tuple[float, list[int]]:
    """Seconds of CPU an event in the best round, and how many rules held for each event."""
    held = [count(event) for event in asked]
    begun = time.process_time()
    for event in asked:
        count(event)
    times = max(1, int(0.01 / max(time.process_time() - begun, 1e-6)))
    best, deadline = float("inf"), time.monotonic() + seconds
    while best == float("inf") or time.monotonic() < deadline:
        begun = time.process_time()
        for _ in range(times):
            for event in asked:
                count(event)
        best = min(best, (time.process_time() - begun) / times / len(asked))
    return best, held


def _goals(shapes: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    goals = []
    for shape in SHAPES:
        last = shapes[shape.name][-1]
        if shape.linear is None:
            growth = last["event"] / next(one["event"] for one in shapes[shape.name] if one["rules"] == SMALL)
            goals.append(_goal(f"{shape.name}: an event", last["event"], LIMIT))
            goals.append(_goal(f"{shape.name}: growth", growth, GROWTH))
        goals.append(_goal(f"{shape.name}: compile a rule", last["compile"], COMPILE))
        memory = _largest(shapes[shape.name])
        goals.append(_goal(f"{shape.name}: memory a rule", memory, MEMORY))
    return goals


def _largest(measured: list[dict[str, Any]]) -> float:
    """The memory of a rule, where there are enough of them to tell."""
    found: list[float] = [one["memory"] for one in measured if one["memory"] is not None and one["rules"] >= SMALL]
    return max(found)


def _goal(name: str, figure: float, most: float) -> dict[str, Any]:
    return {"name": name, "figure": figure, "most": most, "reached": figure <= most}


def _agree(own: list[dict[str, Any]], rivals: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether all found as many rules for every event."""
    expected = {one["rules"]: one["held"] for one in own}
    return all(one["held"] == expected[one["rules"]] for found in rivals.values() for one in found)


def show(found: dict[str, Any]) -> str:
    """The report for people."""
    sizes = [one["rules"] for one in found["shapes"][MIXED.name]]
    head = "".join(f"{f'{size:,}':>12}" for size in sizes)
    lines = [f"{'µs an event, by number of rules':<36}{head}   hits   compile, µs   memory, bytes (a rule)"]
    for shape in SHAPES:
        measured = found["shapes"][shape.name]
        hits = sum(measured[-1]["held"]) / len(measured[-1]["held"])
        memory = _largest(measured)
        lines.append(
            f"{shape.name:<36}{_costs(measured)}{hits:>7.1f}{measured[-1]['compile'] * 1e6:>14.1f}{memory:>16,.0f}"
            + ("" if shape.linear is None else f"   grows: {shape.linear}")
        )
    lines += ["", f"{'the mixed rules in other engines':<36}{head}"]
    lines += [f"{name:<36}{_costs(measured)}" for name, measured in found["rivals"].items()]
    lines += [f"{name}: left out: {reason}" for name, reason in found["missing"].items()]
    lines.append("")
    own = found["shapes"][MIXED.name]
    for name, measured in found["rivals"].items():
        ratio = measured[-1]["event"] / next(one for one in own if one["rules"] == measured[-1]["rules"])["event"]
        lines.append(f"at {measured[-1]['rules']:,} mixed rules, {name} takes {ratio:,.0f} times as long as Tocsin")
    missed = [goal for goal in found["goals"] if not goal["reached"]]
    lines += [f"MISSED: {goal['name']}: {goal['figure']:.3g}, at most {goal['most']:.3g}" for goal in missed]
    lines.append(f"{len(found['goals']) - len(missed)} of {len(found['goals'])} goals reached")
    lines.append("all engines agree" if found["agree"] else "THE ENGINES DO NOT AGREE")
    return "\n".join(lines)


def _costs(measured: list[dict[str, Any]]) -> str:
    return "".join(f"{one['event'] * 1e6:>12,.1f}" for one in measured) + " " * 12 * (len(SIZES) - len(measured))


def picture(found: dict[str, Any]) -> str:
    """How the cost grows, as an SVG."""
    own = {name: found["shapes"][name] for name in (MIXED.name, "thresholds", "distinct globs in a text")}
    curves = [
        Curve(f"{TOCSIN}: {name}", [(one["rules"], one["event"] * 1e6) for one in measured], own=True)
        for name, measured in own.items()
    ]
    curves += [
        Curve(name, [(one["rules"], one["event"] * 1e6) for one in measured], own=False)
        for name, measured in found["rivals"].items()
    ]
    return draw(curves, x="rules", y="µs an event")


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main() -> int:
    """Exit code 0: every goal reached, and all engines agree; 1: not so."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="up to 10,000 rules, briefly: a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw how the cost grows")
    chosen = parser.parse_args()
    found = measure(SIZES[:3] if chosen.quick else SIZES, 0.1 if chosen.quick else 1.0)
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    if chosen.svg is not None:
        chosen.svg.write_text(picture(found), encoding="utf-8")
    return 0 if found["agree"] and all(goal["reached"] for goal in found["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
