"""The index finds what judging every rule by the letter finds, on any rules and events."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any as Anything
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.match import Index, compile_pattern, compile_type_pattern, holds, nodes, probes, selector_of
from engine.match.values import folded, identity
from engine.model.condition import All, Any, Bounds, Changed, Members, Money, Nothing, Operation, PathTest, Time
from engine.model.event import Event, Scope
from engine.model.rule import When
from tests.properties import test_match as language

TYPES = ("t.updated", "t.*", "*", "u.created", "*.updated", "t*d")
ACCOUNTS = ("acct_1", "acct_2", "acct_*", "*1", "a*t*2", "x")

whens = st.builds(
    When,
    types=st.lists(st.sampled_from(TYPES), min_size=1, max_size=2).map(tuple),
    scopes=st.one_of(st.none(), st.sets(st.sampled_from(Scope), max_size=2).map(frozenset)),
    livemode=st.sampled_from([None, True, False]),
    accounts=st.one_of(st.none(), st.lists(st.sampled_from(ACCOUNTS), min_size=1, max_size=3).map(tuple)),
    where=language.conditions,
)
events = st.builds(
    lambda event, type_, account, livemode, scope: dataclasses.replace(
        event, type=type_, account=account, livemode=livemode, scope=scope
    ),
    language.events,
    st.sampled_from(("t.updated", "v1.t.updated", "u.created", "t.ping")),
    st.sampled_from([None, "acct_1", "acct_2", "x"]),
    st.booleans(),
    st.sampled_from(Scope),
)

# Rules that differ in little and meet often: what makes an index choose, nest and look up.
LEVELS = (0, 1, 2, True, False, Decimal("1.0"), Decimal("0.5"))
TEXTS = ("", "a", "ab", "AB", "ß", "SS", "1", "2026-01-01T00:00:00Z")
CURRENCIES = ("usd", "eur")
narrow_values = st.one_of(
    st.sampled_from([True, False, 0, 1, 2, 0.5, *TEXTS]),
    st.sampled_from([None, True, False, 1.0, float("nan"), float("inf"), 10**30, 1767225600]),
    st.fixed_dictionaries({"value": st.integers(0, 2), "currency": st.sampled_from(("usd", "EUR", 1, None))}),
)
narrow_objects = st.fixed_dictionaries(
    {
        "currency": st.sampled_from(("usd", "EUR", None)),
        "a": st.recursive(
            narrow_values,
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(("b", "amount", "currency", "0")), inner, max_size=3),
            ),
            max_leaves=5,
        ),
        "b": narrow_values,
    },
    optional={"amount": narrow_values, "c": st.lists(narrow_values, max_size=40)},
)
PATHS = (*"abc", "amount", "a.b", "a[*].b", "a[*]", "a[0]", "a[-1].amount", "a.amount", "a[*].amount", "a.b[*].b")
ROOTS = ("", "$.data.object.", "$previous.")
MONEY = [Money(amount=Decimal(n), currency=c, minor=n) for n in (0, 1, 2) for c in CURRENCIES]
MOMENT = Time(at=datetime(2026, 1, 1, tzinfo=UTC), text="2026-01-01")
TABLES = [
    Members(name="t", keys=frozenset(map(identity, found)), folded=frozenset(identity(folded(each)) for each in found))
    for found in (("a", "SS", 1), ("acct_1", "ab", Decimal("0.5")))
]
ends = st.sampled_from([n for n in LEVELS if type(n) is not bool] + [MOMENT, *MONEY])


def _operation(operator: str, operand: Anything, fold: bool = False) -> Operation:
    return Operation(operator=operator, operand=operand, fold=fold)


narrow_operations = st.one_of(
    st.builds(_operation, st.just("eq"), st.sampled_from([*LEVELS, *TEXTS]), st.booleans()),
    st.builds(_operation, st.just("eq"), st.lists(st.sampled_from([*LEVELS, *TEXTS]), min_size=2).map(tuple)),
    st.builds(_operation, st.sampled_from(("gt", "gte", "lt", "lte")), ends),
    st.builds(_operation, st.just("between"), st.tuples(ends, ends)),
    st.builds(_operation, st.sampled_from(("prefix", "suffix")), st.sampled_from(TEXTS), st.booleans()),
    st.builds(_operation, st.just("glob"), st.sampled_from(("*", "a*", "*b", "a*c", "ab", "S*", "*b*")), st.booleans()),
    st.builds(_operation, st.just("contains"), st.sampled_from([*LEVELS, *TEXTS])),
    st.builds(_operation, st.just("exists"), st.booleans()),
    st.builds(_operation, st.just("matches"), st.just("b")),
    st.builds(_operation, st.just("in_table"), st.sampled_from(TABLES), st.booleans()),
    st.builds(
        lambda operator, bounds, others: _operation(operator, Bounds(bounds=(bounds,), others=others)),
        st.sampled_from(("gte", "lt")),
        st.sampled_from(MONEY),
        st.booleans(),
    ),
)


def _narrow_tests(paths: st.SearchStrategy[str]) -> st.SearchStrategy[PathTest]:
    operations = st.lists(narrow_operations, min_size=1, max_size=2).map(tuple)
    return st.builds(lambda path, found: PathTest(path=path, operations=found), paths, operations)


narrow_paths = st.builds(lambda root, path: root + path, st.sampled_from(ROOTS), st.sampled_from(PATHS))
within = _narrow_tests(st.sampled_from((".", "b", "amount", "a.b", "$account.id")))
narrow_tests = st.one_of(
    _narrow_tests(st.sampled_from(PATHS)),
    _narrow_tests(narrow_paths),
    _narrow_tests(st.just("$account.id")),
    st.builds(
        lambda path, inner: PathTest(path=path, operations=(_operation("any_item", inner),)),
        st.sampled_from(("a", "b", "a.b", "a[*]", "$previous.a", "$.data.object.a")),
        st.one_of(within, st.builds(All, children=st.tuples(within, within))),
    ),
    st.builds(
        lambda path, old, new: PathTest(path=path, operations=(_operation("changed", Changed(old=old, new=new)),)),
        st.sampled_from(("a", "b", "a.b", "$.data.object.amount")),
        st.one_of(st.none(), _narrow_tests(st.just("."))),
        st.one_of(st.none(), _narrow_tests(st.just("."))),
    ),
)
narrow_conditions = st.recursive(
    narrow_tests,
    lambda inner: st.builds(
        lambda kind, children: kind(children=children),
        st.sampled_from((All, All, Any, Any, Nothing)),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=4,
)
narrow_whens = st.builds(
    When,
    types=st.just(("t.updated",)),
    livemode=st.sampled_from([None, True]),
    accounts=st.sampled_from([None, None, ("acct_1",), ("acct_1", "acct_2"), ("acct_*",), ("*2", "x")]),
    where=narrow_conditions,
)
narrow_events = st.builds(
    lambda event, found, previous: dataclasses.replace(
        event, object=found, previous=previous, data={"data": {"object": found}}
    ),
    events,
    st.one_of(st.none(), narrow_objects),
    st.one_of(st.none(), narrow_objects),
)


def _by_the_letter(when: When, event: Event) -> bool:
    return (
        any(compile_type_pattern(pattern)(event.type) for pattern in when.types)
        and (when.scopes is None or event.scope in when.scopes)
        and (when.livemode is None or event.livemode is when.livemode)
        and (
            when.accounts is None
            or (event.account is not None and any(compile_pattern(each)(event.account) for each in when.accounts))
        )
        and holds(when.where, event)
    )


@contextmanager
def _eager(leaf: int, crowd: int) -> Iterator[None]:
    """An index that looks up and nests where a few rules would not be worth it."""
    with patch.object(nodes, "_LEAF", leaf), patch.object(nodes, "_CROWD", crowd), patch.object(probes, "_FEW", leaf):
        yield


def _agrees(rules: list[When], asked: list[Event]) -> None:
    index = Index((when, place) for place, when in enumerate(rules))
    for event in asked:
        expected = [place for place, when in enumerate(rules) if _by_the_letter(when, event)]
        assert sorted(set(index.find(event))) == expected


@given(st.lists(whens, max_size=12), st.lists(events, min_size=1, max_size=3), st.sampled_from([(0, 1), (4, 16)]))
@settings(max_examples=100, deadline=None)
def test_any_rules(rules: list[When], asked: list[Event], size: tuple[int, int]) -> None:
    """Whatever the rules say and whatever the event has."""
    with _eager(*size):
        _agrees(rules, asked)


@given(st.lists(narrow_whens, min_size=1, max_size=40), st.lists(narrow_events, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_rules_that_differ_in_little(rules: list[When], asked: list[Event]) -> None:
    """Many rules on few paths, so that keys are shared, buckets nest, and values of every kind meet."""
    with _eager(0, 2):
        _agrees(rules, asked)


@given(narrow_whens)
@settings(max_examples=50, deadline=None)
def test_how_a_rule_is_found_can_always_be_said(when: When) -> None:
    """Of any rule, and its paths can be shown on one line."""
    assert all("\n" not in path for path in selector_of(when).paths)
