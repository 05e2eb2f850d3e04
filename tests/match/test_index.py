"""Which rules look at a type, and which of those an event concerns."""

import dataclasses
import itertools
import tracemalloc
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from engine.match import (
    Found,
    Index,
    TypeIndex,
    compile_condition,
    compile_type_pattern,
    holds,
    nodes,
    probes,
    selector_of,
)
from engine.model.event import Event
from engine.model.rule import When
from tests.builders import event
from tests.match.conditions import about, condition


def test_a_v1_name_takes_its_thin_twin_and_not_the_other_way_round() -> None:
    """payout.failed and payout.* take v1.payout.failed; v1.payout.failed takes only the twin."""
    index = TypeIndex([(["payout.failed"], "name"), (["payout.*"], "glob"), (["v1.payout.failed"], "twin")])
    assert index["payout.failed"] == ("name", "glob")
    assert index["v1.payout.failed"] == ("name", "glob", "twin")


def test_only_the_star_is_special() -> None:
    """Brackets, dots and question marks are themselves."""
    name = "v2.core.account[requirements].updated"
    assert compile_type_pattern(name)(name)
    assert not compile_type_pattern(name)("v2.core.accountr.updated")
    assert compile_type_pattern("v2.core.account[*].updated")(name)
    assert not compile_type_pattern("payout?failed")("payout.failed")
    assert not compile_type_pattern("payout.*")("payouts.failed")


def test_a_pattern_never_takes_a_ping_but_its_name_does() -> None:
    """A ping is no business of a rule that says `*`."""
    ping = "v2.core.event_destination.ping"
    index = TypeIndex([(["*"], "all"), (["v2.*"], "v2"), ([ping], "name")])
    assert index[ping] == ("name",)


def test_a_hostile_pattern_is_linear() -> None:
    """Many stars against a long text that nearly fits: a backtracking matcher would not come back."""
    assert not compile_type_pattern("*a" * 100 + "b")("a" * 20_000)


def test_made_up_types_do_not_fill_the_memory() -> None:
    """What is remembered is bounded in number and in length, and real types keep working."""
    index = TypeIndex([(["payout.*"], "rule")])
    assert index["payout.failed"] == ("rule",)
    tracemalloc.start()
    for number in range(20_000):
        assert index[f"made.up.{number}"] == ()
    for number in range(200):
        assert index[f"payout.{number}" + "x" * 20_000] == ("rule",)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 1_000_000
    assert index["payout.failed"] == ("rule",)


TESTS = """
1 | true | false | "1" | a | "" | AB | [a, 1, true] | {eq: ab, ignore_case: true} | {eq: ß, ignore_case: true}
{gt: 1} | {gte: 1} | {lt: 1} | {lte: 1} | {gt: 0.5} | {lte: 0.5} | {between: [0, 1]} | {between: [0.5, 0.75]}
{gt: 0, lt: 2} | {gte: 0, lte: 1} | {gte: 2, lt: 1} | {gt: 0, lt: 1, not: 0.5} | {gte: 1767225600, lte: 1767225601}
{gte: 1 USD} | {lt: 1 USD} | {between: [1 USD, 2 USD]} | {gte: [1 USD, 2 EUR]} | {lt: [1 USD, others]}
{gt: "2026-01-01"} | {lte: "2026-01-01T00:00:00Z"} | {between: ["2025-12-31", "2026-01-02"]}
{prefix: a} | {prefix: ab} | {prefix: AB, ignore_case: true} | {suffix: b}
{suffix: B, ignore_case: true} | {glob: "a*"} | {glob: "*b"} | {glob: "a*b"} | {glob: "*"} | {glob: "*a*"} | {glob: ab}
{glob: "A*", ignore_case: true} | {contains: a} | {contains: 1} | {contains: AB, ignore_case: true} | {matches: "^a"}
{exists: true} | {exists: false} | {length: 2} | {length: {gt: 0}} | {cidr: 10.0.0.0/8} | {older_than: 1h} | {not: a}
{not: {gt: 1}} | {same_as: b} | {any_item: {.: a}} | {any_item: {b: 1, c: {gte: 1}}} | {any_item: {b: {gt: 1 USD}}}
{all_items: {.: 1}} | {no_item: {.: 1}} | {changed: true} | {changed: {to: a}} | {changed: {from: 1, to: {gt: 1}}}
{changed: {added: a}} | {changed: {to: {exists: false}}} | {gt: $event.created} | $account.id | {eq: $.data.object.b}
"""
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        2,
        -1,
        1.0,
        0.5,
        0.6,
        1.5,
        100,
        150,
        200,
        10**30,
        float("nan"),
        float("inf"),
        1767225600,
    ),
    *(
        1767225601,
        "",
        "1",
        "a",
        "ab",
        "AB",
        "aB",
        "b",
        "SS",
        "ß",
        "true",
        "10.0.0.1",
        "2026-01-01",
        "2026-01-01T00:00:00Z",
    ),
    *("usd", "acct_1", [], ["a"], ["AB", 1], [1], [True], [None], [[1]], [0.5, "ab"], list(range(50)), ["a"] * 50),
    *({}, {"b": 1, "c": 2}, {"value": 100, "currency": "USD"}, {"value": 150.5, "currency": "eur"}, {"value": 1}),
    *([{"b": 1}, {"c": 1}], [{"b": 1, "c": 1}], [{"b": 150, "currency": "usd"}], {"b": {"b": 1}}, [{"value": 1}]),
]
PLACES = ("a", "x.a", "x[0].a", "x[*].a", "x[*]", "x[-1]", "$.data.object.a", "$previous.a")


@pytest.fixture
def eager() -> Iterator[None]:
    """An index that looks everything up, where a few rules would not be worth it."""
    with patch.object(nodes, "_LEAF", 0), patch.object(nodes, "_CROWD", 2), patch.object(probes, "_FEW", 0):
        yield


def _asked() -> Iterator[Event]:
    for value, currency in itertools.product(VALUES, ("USD", None)):
        inner = {"a": value} if currency is None else {"a": value, "currency": currency}
        for found in (
            {"x": {"a": value}, **inner},
            {"x": [inner, value], "b": value},
            {"x": [value, {"a": "no"}], "a": [value]},
        ):
            yield about(found)
            yield about({"b": 1, "a": "a", "currency": "usd"}, previous=found)


def test_every_test_finds_every_value_that_it_holds_of(eager: None) -> None:
    """Each test of the language at each kind of path, together in one index, on each kind of value in each place."""
    tests = [test.strip() for line in TESTS.strip().splitlines() for test in line.split(" | ")]
    wheres = [
        f"'{place}': {test}"
        for place, test in itertools.product(PLACES, tests)
        if "changed" not in test or ("[*]" not in place and "$prev" not in place)
    ]
    rules = [When(types=("account.updated",), livemode=None, where=condition(where)) for where in wheres]
    index = Index(zip(rules, wheres, strict=True))
    each = [(compile_condition(rule.where), where) for rule, where in zip(rules, wheres, strict=True)]
    for subject in _asked():
        expected = [where for held, where in each if held(subject)]
        assert sorted(set(index.find(subject))) == sorted(expected), subject.data


def test_how_a_rule_is_found() -> None:
    """By the best of what it asks for; a scan where every event of its type has to be tested."""

    def found(where: str, **more: Any) -> tuple[Found, tuple[str, ...]]:
        said = selector_of(When(types=("t",), where=condition(where), **more))
        return said.found, said.paths

    assert found("{amount: {gte: 500 USD}, reason: fraudulent}") == (Found.VALUE, ("reason",))
    assert found("any: [{a.b: 1}, {c: {prefix: x}}]") == (Found.PART, ("a.b", "c"))
    assert found("lines.data: {any_item: {price.id: p}}") == (Found.VALUE, ("lines.data[*].price.id",))
    assert found("amount: {gte: 1, lt: 5}") == (Found.BAND, ("amount",))
    assert found("amount: {gte: 1}") == (Found.BOUND, ("amount",))
    assert found("a: {exists: true}") == (Found.PRESENCE, ("a",))
    assert found("a: {changed: true}") == (Found.PART, ("frame",))
    assert found("a: {matches: x}") == (Found.SCAN, ("a",))
    assert found("a: {not: x}") == (Found.SCAN, ())
    assert found("any: [{a: 1}, {b: {not: 1}}]") == (Found.SCAN, ())
    assert found("a: {not: x}", accounts=("acct_1",)) == (Found.VALUE, ("account",))
    assert selector_of(When(types=("t",))).found is Found.TYPE


def test_only_what_may_hold_is_judged() -> None:
    """Of thousands of rules of one type, an event that has what one asks for compiles that one, and no other."""
    wheres = {
        "equality": "reason: r{}",
        "alternatives": "any: [{{reason: r{}}}, {{kind: k{}}}]",
        "band": "amount: {{between: [{}00, {}99]}}",
        "prefix": "note: {{prefix: 'order {}:'}}",
        "paths": "metadata.key_{}: {{matches: x}}",
    }
    subject = {"reason": "r7", "amount": 750, "note": "order 7: x", "metadata": {"key_7": "x", "other": 1}}
    for name, where in wheres.items():
        rules = [When(types=("t",), livemode=None, where=condition(where.format(n, n))) for n in range(1, 300)]
        with patch("engine.match.whens.compile_when", side_effect=_compiled) as compiled:
            found = Index((when, place) for place, when in enumerate(rules, 1)).find(_of_type_t(subject))
        assert (found, compiled.call_count) == ([7], 1), name


def _compiled(when: When) -> Any:
    return lambda event: holds(when.where, event)


def _of_type_t(found: dict[str, Any]) -> Event:
    return dataclasses.replace(event(), type="t", object=found)


def test_a_hostile_list_does_not_fill_the_memory() -> None:
    """A hundred thousand elements that each find a thousand rules."""
    rules = [When(types=("t",), livemode=None, where=condition(f"a: {{gte: {n}}}")) for n in range(1_000)]
    index = Index((when, place) for place, when in enumerate(rules))
    subject = _of_type_t({"a": [1_000] * 2_000})
    index.find(subject)
    tracemalloc.start()
    assert len(index.find(subject)) == 1_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
