"""The form of `where`: paths, tests and operators, from the operators' own table."""

from collections.abc import Mapping

from engine.editor.forms import Schema, described, duration, either, flag, listed, number, record, ref, text
from engine.match import OPERATORS
from engine.match.operators import Operand
from engine.rulebook.conditions import BLOCKS, CHANGES
from engine.rulebook.money import MONEY
from engine.rulebook.operands import SIZES

VARIABLE = text("the value of a variable: $vars.big", r"^\$vars\.")

_BLOCKS = {
    "any": "at least one of these maps of conditions holds",
    "all": "each of these maps of conditions holds",
    "none": "none of these maps of conditions holds",
}
_CHANGES = {
    "from": "a test of the value before",
    "to": "a test of the value now",
    "added": "true, or a test of one of the elements that came",
    "removed": "true, or a test of one of the elements that went",
}
_PLAIN: Schema = {"type": ["string", "number", "boolean"]}
_BOUND = either(
    {"type": "number"},
    text(pattern=rf"^({MONEY.pattern}|\d{{4}}-\d{{2}}-\d{{2}}.*|\$[A-Za-z_.\[].*)$"),
    description="a number, money like 500 USD, a time like 2026-01-31T09:00:00Z, or a $name",
)
_COUNT = number(0, 10**9)


def _two(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 2, "maxItems": 2}


def _sizes() -> Schema:
    return record({name: _two(_COUNT) if name == "between" else _COUNT for name in SIZES})


_ELEMENT: Schema = {"allOf": [ref("test"), {"not": {"const": False}}]}


def _changes() -> Schema:
    always: Schema = {"const": True}
    tests = {
        name: ref("test", _CHANGES.get(name)) if name in ("from", "to") else either(always, _ELEMENT)
        for name in CHANGES
    }
    return either(always, record(tests), description="true, or what changed")


_OPERANDS: Mapping[Operand, Schema] = {
    Operand.VALUE: _PLAIN,
    Operand.TEST: ref("test"),
    Operand.BOUND: either(_BOUND, listed(either({"const": "others"}, _BOUND), "one bound a currency, and 'others'")),
    Operand.PAIR: either(_two(_BOUND), VARIABLE),
    Operand.FLAG: either(flag(), VARIABLE),
    Operand.TEXT: text(),
    Operand.PATTERN: text(),
    Operand.REGEX: text(),
    Operand.NETWORK: text(),
    Operand.AGE: either(duration(), VARIABLE),
    Operand.PATH: text(),
    Operand.TABLE: text(),
    Operand.SIZE: either(_COUNT, _sizes(), VARIABLE),
    Operand.CHANGE: _changes(),
    Operand.CONDITIONS: ref("where"),
}


def where_definitions() -> Mapping[str, Schema]:
    """`where` and what it is made of, to stand under `$defs`."""
    blocks = {name: listed(ref("where"), _BLOCKS.get(name)) for name in BLOCKS}
    where: Schema = {
        "description": "paths and the tests that must all hold",
        "type": "object",
        "properties": blocks,
        "additionalProperties": ref("test"),
        "minProperties": 1,
    }
    operators = {
        operator.name: described(_OPERANDS[operator.operand], f"{operator.doc} ({operator.on})")
        for operator in OPERATORS.values()
    }
    options = either(_PLAIN, ref("operators"))
    test = either(
        *options["anyOf"], listed(options), description="a value, a list of tests of which one must hold, or operators"
    )
    return {"where": where, "test": test, "operators": record(operators, description="operators, which must all hold")}
