"""Rules by the thousand, in the shapes that real and hostile rule sets have, and the events they are asked about.

A rule is written down once, as a `Spec`, from which each engine gets its own form. Every shape is made so that the
number of rules that hold for an event does not grow with the number of rules.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from engine.model.condition import All, Condition, Nothing, Operation, PathTest
from engine.model.condition import Any as AnyOf
from engine.model.event import Event
from engine.model.rule import Rule, When
from engine.receive.normalize import normalize
from engine.settings import Endpoint

AMOUNT = 1_000_000
ONE_TYPE = "charge.failed"
TYPES = (ONE_TYPE, *(f"charge.kind_{number}" for number in range(1, 20)))

Test = tuple[str, str, Any]
"""Field of the object, operator of the rule language, operand."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One rule: all of `tests`, and one of `one_of` if there are any, for a type and perhaps an account."""

    type: str
    tests: tuple[Test, ...] = ()
    one_of: tuple[Test, ...] = ()
    account: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """`make` gives rule number i; `linear` says why its cost has to grow with the number of rules, None if it need
    not. `types` are those of the events."""

    name: str
    make: Callable[[int], Spec]
    linear: str | None = None
    types: tuple[str, ...] = (ONE_TYPE,)


def _account(number: int) -> Spec:
    return Spec(ONE_TYPE, (("amount", "gte", 500),), account=f"acct_{number}")


def _threshold(number: int) -> Spec:
    return Spec(ONE_TYPE, (("amount", "gte", AMOUNT - 9 + number),))


def _band(number: int) -> Spec:
    low = AMOUNT - 5_000 + number * 100
    return Spec(ONE_TYPE, (("amount", "gte", low), ("amount", "lt", low + 100)))


def _prefix(number: int) -> Spec:
    return Spec(ONE_TYPE, (("description", "prefix", f"order {number}:"),))


def _either(number: int) -> Spec:
    return Spec(ONE_TYPE, one_of=(("customer", "eq", f"cus_{number}"), ("payment_intent", "eq", f"pi_{number}")))


_KINDS = (_account, _threshold, _band, _prefix, _either)


def mixed_of_one_type(number: int) -> Spec:
    """Of each kind in turn."""
    return _KINDS[number % len(_KINDS)](number)


def _mixed(number: int) -> Spec:
    kind, place = divmod(number, len(TYPES))
    made = _KINDS[kind % len(_KINDS)](number)
    return Spec(TYPES[place], made.tests, made.one_of, made.account)


def _glob(number: int) -> Spec:
    return Spec(ONE_TYPE, (("description", "glob", f"*part {number}:*"),))


def _type_glob(number: int) -> Spec:
    return Spec(f"*.kind_{number}*", (("amount", "gte", 500),))


def _negation(number: int) -> Spec:
    return Spec(ONE_TYPE, (("amount", "lt", 2 * AMOUNT + number),), negated=True)


def _path(number: int) -> Spec:
    return Spec(ONE_TYPE, ((f"metadata.key_{number % 500}", "eq", f"value {number}"),))


def _plane(number: int) -> Spec:
    half = number * 7_919 % 20_001  # half of the rules pass in one field, the other half in the other
    return Spec(ONE_TYPE, (("amount", "gte", AMOUNT - 10_000 + half), ("amount_refunded", "gte", 20_000 - half)))


MIXED = Shape("mixed rules, 20 types", _mixed, types=TYPES)
SHAPES = (
    MIXED,
    Shape("one type, by account", _account),
    Shape("thresholds", _threshold),
    Shape("bands", _band),
    Shape("prefixes", _prefix),
    Shape("any of two values", _either),
    Shape("500 different paths", _path),
    Shape("distinct globs of types", _type_glob, types=TYPES),
    Shape("distinct globs in a text", _glob, "a part may stand anywhere"),
    Shape("only negations", _negation, "what is missing passes too"),
    Shape("ranges in two fields", _plane, "by one of them, a part of the rules is left"),
)


def events(types: Sequence[str]) -> list[Event]:
    """Twenty, of those types in turn."""
    return [_event(number, types[number % len(types)]) for number in range(20)]


def flat(event: Event) -> dict[str, Any]:
    """The fields that rules look at, for engines that take a plain map."""
    found = event.object or {}
    names = ("amount", "amount_refunded", "description", "customer", "payment_intent")
    return {"type": event.type, "account": event.account, **{name: found.get(name) for name in names}}


def _event(number: int, type_: str) -> Event:
    found = {
        "id": f"ch_{number}",
        "object": "charge",
        "amount": AMOUNT,
        "amount_refunded": 10_000,
        "currency": "usd",
        "customer": f"cus_{80 + number}",
        "payment_intent": "pi_none",
        "description": f"order {60 + number}: part 7: two chairs",
        "metadata": {f"key_{key}": f"value {key if key < 2 else None}" for key in range(5)},
        **{f"attribute_{each}": {"enabled": True, "reason": None} for each in range(20)},
    }
    root = {
        "id": f"evt_{number}",
        "object": "event",
        "type": type_,
        "account": f"acct_{number}",
        "created": 1_767_225_600,
        "livemode": True,
        "data": {"object": found},
    }
    endpoint = Endpoint(name="connect", path="/webhooks/stripe", scope=None, livemode=None, secrets=())
    return normalize(orjson.dumps(root), endpoint, datetime(2026, 1, 1, tzinfo=UTC))


def rules(specs: Iterable[Spec]) -> list[Rule]:
    """As Tocsin holds them once they are loaded, without steps."""
    return [Rule(id=f"rule-{number}", when=(_when(spec),), steps=()) for number, spec in enumerate(specs)]


def _when(spec: Spec) -> When:
    parts: list[Condition] = []
    by_path: dict[str, list[Operation]] = {}
    for path, operator, operand in spec.tests:
        by_path.setdefault(path, []).append(Operation(operator=operator, operand=operand))
    parts += [PathTest(path=path, operations=tuple(found)) for path, found in by_path.items()]
    if spec.one_of:
        alternatives = [(path, Operation(operator=name, operand=operand)) for path, name, operand in spec.one_of]
        parts.append(AnyOf(children=tuple(PathTest(path=path, operations=(each,)) for path, each in alternatives)))
    where: Condition = Nothing(children=tuple(parts)) if spec.negated else All(children=tuple(parts))
    return When(types=(spec.type,), accounts=None if spec.account is None else (spec.account,), where=where)
