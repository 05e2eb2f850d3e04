"""The same rules in other engines: each is a function of an event that gives how many rules hold.

A rival that is not installed is left out, by name: `pip install -e '.[bench]'` and, in `benchmarks`,
`npm install json-rules-engine`.
"""

import importlib.util
import json
import operator
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from shapes import Spec, flat, rules

from engine.match.whens import compile_when
from engine.model.event import Event

HERE = Path(__file__).parent
Count = Callable[[Event], int]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gte": operator.ge,
    "lt": operator.lt,
    "prefix": lambda value, part: isinstance(value, str) and value.startswith(part),
}
_SIGNS = {"eq": "==", "gte": ">=", "lt": "<"}


def closures(specs: Sequence[Spec]) -> Count:
    """Tocsin's own compiled conditions, one after the other."""
    pairs = [(when.types[0], compile_when(when)) for rule in rules(specs) for when in rule.when]

    def count(event: Event) -> int:
        return sum(1 for type_, holds in pairs if type_ == event.type and holds(event))

    return count


def jsonpath_ng(specs: Sequence[Spec]) -> Count:
    """jsonpath-ng's `find` for every field of every rule whose type it is, parsed beforehand."""
    from jsonpath_ng.parser import parse

    paths: dict[str, Any] = {}

    def read(test: tuple[str, str, Any]) -> tuple[Any, Callable[[Any, Any], bool], Any]:
        path, name, operand = test
        return paths.setdefault(path, parse(f"$.data.object.{path}")), _COMPARE[name], operand

    read_rules = [
        (spec.type, spec.account, [read(test) for test in spec.tests], [read(test) for test in spec.one_of])
        for spec in specs
    ]

    def passes(test: tuple[Any, Callable[[Any, Any], bool], Any], data: Any) -> bool:
        path, compare, operand = test
        return any(compare(found.value, operand) for found in path.find(data))

    def count(event: Event) -> int:
        held = 0
        for type_, account, tests, one_of in read_rules:
            if type_ == event.type and account in (None, event.account):
                held += all(passes(test, event.data) for test in tests) and (
                    not one_of or any(passes(test, event.data) for test in one_of)
                )
        return held

    return count


def rule_engine(specs: Sequence[Spec]) -> Count:
    """rule-engine: an expression a rule, compiled, one after the other."""
    import rule_engine as engine

    context = engine.Context(resolver=engine.resolve_item, default_value=None)
    compiled = [engine.Rule(_text(spec), context=context) for spec in specs]
    return lambda event: sum(map(operator.methodcaller("matches", flat(event)), compiled))


def _text(spec: Spec) -> str:
    def of(test: tuple[str, str, Any]) -> str:
        path, name, operand = test
        if name == "prefix":
            return f"{path}.starts_with({json.dumps(operand)})"
        return f"{path} {_SIGNS[name]} {json.dumps(operand)}"

    parts = [f"type == {json.dumps(spec.type)}"]
    if spec.account is not None:
        parts.append(f"account == {json.dumps(spec.account)}")
    parts += map(of, spec.tests)
    if spec.one_of:
        parts.append("(" + " or ".join(map(of, spec.one_of)) + ")")
    return " and ".join(parts)


def zen_engine(specs: Sequence[Spec]) -> Count:
    """zen-engine: one decision table that collects every row that holds."""
    import zen

    fields = ("type", "account", "amount", "description")
    columns = [{"id": name, "name": name, "type": "expression", "field": name} for name in fields]
    columns.append({"id": "also", "name": "also", "type": "expression"})  # without a field: a whole expression
    table = {
        "id": "table",
        "name": "table",
        "type": "decisionTableNode",
        "content": {
            "hitPolicy": "collect",
            "inputs": columns,
            "outputs": [{"id": "rule", "name": "rule", "type": "expression", "field": "rule"}],
            "rules": [_row(number, spec) for number, spec in enumerate(specs)],
        },
    }
    graph = {
        "contentType": "application/vnd.gorules.decision",
        "nodes": [
            {"id": "in", "name": "in", "type": "inputNode"},
            table,
            {"id": "out", "name": "out", "type": "outputNode"},
        ],
        "edges": [
            {"id": "1", "sourceId": "in", "targetId": "table", "type": "edge"},
            {"id": "2", "sourceId": "table", "targetId": "out", "type": "edge"},
        ],
    }
    decision = zen.ZenEngine().create_decision(json.dumps(graph))
    return lambda event: len(decision.evaluate(flat(event))["result"])


def _row(number: int, spec: Spec) -> dict[str, str]:
    def unary(name: str, operand: Any) -> str:
        if name == "prefix":
            return f"startsWith($, {json.dumps(operand)})"
        return json.dumps(operand) if name == "eq" else f"{_SIGNS[name]} {json.dumps(operand)}"

    row = {"_id": str(number), "type": json.dumps(spec.type), "rule": str(number), "account": "", "also": ""}
    row["account"] = "" if spec.account is None else json.dumps(spec.account)
    for column in ("amount", "description"):
        row[column] = " and ".join(unary(name, operand) for path, name, operand in spec.tests if path == column)
    row["also"] = " or ".join(f"{path} == {json.dumps(operand)}" for path, _, operand in spec.one_of)
    return row


def json_rules_engine(specs: Sequence[Spec], asked: Iterable[Event], rounds: int) -> tuple[float, list[int]]:
    """json-rules-engine, in a Node process: seconds an event, and how many rules held."""
    given = {"rules": [_conditions(spec) for spec in specs], "events": [flat(each) for each in asked], "rounds": rounds}
    done = subprocess.run(
        ["node", HERE / "json_rules.js"],
        input=json.dumps(given).encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "NODE_PATH": str(HERE / "node_modules")},
    )
    answer = json.loads(done.stdout)
    return float(answer["seconds"]), list(answer["held"])


def _conditions(spec: Spec) -> dict[str, Any]:
    names = {"eq": "equal", "gte": "greaterThanInclusive", "lt": "lessThan", "prefix": "startsWith"}

    def of(test: tuple[str, str, Any]) -> dict[str, Any]:
        path, name, operand = test
        return {"fact": path, "operator": names[name], "value": operand}

    parts: list[dict[str, Any]] = [of(("type", "eq", spec.type))]
    if spec.account is not None:
        parts.append(of(("account", "eq", spec.account)))
    parts += map(of, spec.tests)
    if spec.one_of:
        parts.append({"any": list(map(of, spec.one_of))})
    return {"all": parts}


RIVALS: dict[str, Callable[[Sequence[Spec]], Count]] = {
    "a loop over Tocsin's closures": closures,
    "jsonpath-ng in a loop": jsonpath_ng,
    "rule-engine": rule_engine,
    "zen-engine": zen_engine,
}
_MODULES = {"rule-engine": "rule_engine", "zen-engine": "zen"}


def why_not(rival: str) -> str | None:
    """Why a rival cannot be measured here, None if it can."""
    module = _MODULES.get(rival)
    if module is not None and importlib.util.find_spec(module) is None:
        return "not installed: pip install -e '.[bench]'"
    if rival == "json-rules-engine":
        if shutil.which("node") is None:
            return "there is no node here"
        if not (HERE / "node_modules" / "json-rules-engine").exists():
            return "not installed: npm install --prefix benchmarks json-rules-engine"
    return None
