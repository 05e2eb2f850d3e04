"""What `tocsin check` costs as a whole process, and what of that is only the start.

    python benchmarks/check.py [--quick] [--json]

The rules are mixed ones on seven types, a hundred to a file. No two have the same text, and none shares all of what its
text reads with another. A command is run several times and the least is given: of CPU, which is its own, and of the
wall clock, which others share. The first run of each warms the file cache and is not counted.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from shapes import mixed_of_one_type

ROOT = Path(__file__).resolve().parent.parent
TOCSIN = [sys.executable, "-c", "from engine.cli import main; main()"]
A_FILE = 100
TYPES = ("failed", "succeeded", "refunded", "captured", "pending", "updated", "expired")
LIMITS = {1_000: 1.0, 10_000: 8.0}
"""Seconds of the wall clock for so many rules."""


def measure(sizes: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """The help, a check of the ready-made rules, and one of each number of rules."""
    found = [_run("tocsin --help", ["--help"], rounds), _run("tocsin check, 40 rules", ["check", "rules"], rounds)]
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            _write(Path(name), size)
            one = _run(f"tocsin check, {size:,} rules", ["check", name], rounds)
        found.append(one | {"limit": LIMITS[size], "reached": one["wall"] <= LIMITS[size]})
    return found


def _run(name: str, arguments: list[str], rounds: int) -> dict[str, Any]:
    times = []
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or every start compiles everything
    for _ in range(rounds + 1):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [*TOCSIN, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        times.append((after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall))
    return {"name": name, "cpu": min(cpu for cpu, _ in times[1:]), "wall": min(wall for _, wall in times[1:])}


def _write(folder: Path, size: int) -> None:
    for first in range(0, size, A_FILE):
        rules = [_rule(number) for number in range(first, first + A_FILE)]
        (folder / f"rules-{first:05}.yaml").write_text(yaml.dump({"rules": rules}, sort_keys=False))


def _rule(number: int) -> dict[str, Any]:
    spec = mixed_of_one_type(number)
    where: dict[str, Any] = {}
    for path, operator, operand in spec.tests:
        where.setdefault(path, {})[operator] = f"{operand / 100:.2f} USD" if path == "amount" else operand
    if spec.one_of:
        where["any"] = [{path: {operator: operand}} for path, operator, operand in spec.one_of]
    type_ = f"charge.{TYPES[number // 5 % len(TYPES)]}"
    text = (
        f"Rule {number}: {{{{ object.amount | money }}}} for {{{{ account.label }}}}, "
        f"order {{{{ object.metadata.order_{number} | default('unknown') }}}}"
    )
    when = {"type": type_, "where": where} | ({"account": spec.account} if spec.account else {})
    return {"id": f"rule-{number}", "when": when, "then": {"notify": "console", "text": text}}


def show(found: Sequence[dict[str, Any]]) -> str:
    """The report for people."""
    lines = [f"{'':<28}{'CPU':>9}{'wall':>9}"]
    for one in found:
        missed = "" if one.get("reached", True) else f"   MISSED: at most {one['limit']:g} s"
        lines.append(f"{one['name']:<28}{one['cpu']:>7.2f} s{one['wall']:>7.2f} s{missed}")
    return "\n".join(lines)


def main() -> int:
    """Exit code 0: every limit was kept; 1: not so."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1,000 rules: a look, not a measurement")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    chosen = parser.parse_args()
    found = measure([1_000] if chosen.quick else [1_000, 10_000], 2 if chosen.quick else 5)
    print(json.dumps(found, indent=2) if chosen.json else show(found))
    return 0 if all(one.get("reached", True) for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
