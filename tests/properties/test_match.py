"""Properties of matching: total, the same compiled as by the letter, and `not` is the complement."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any as Anything

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.match import because, compile_condition, compile_type_pattern, describe, examine, held, holds
from engine.match.index import TypeIndex
from engine.match.values import equal, identity
from engine.model.condition import (
    ALWAYS,
    All,
    Any,
    Bounds,
    Changed,
    Condition,
    Money,
    Nothing,
    Operation,
    PathTest,
    Reference,
    Time,
)
from engine.model.event import Event, Payload, Scope, ScopeSource
from engine.model.rule import Rule, When
from engine.rulebook.verdicts import tree_of, verdict_of
from engine.rulebook.whynot import Reasons

NAMES = ("a", "b", "amount", "currency", "value", "tags")
WORDS = ("10.1.2.3", "::1", "x", "xy", "usd", "eur", "USD", "1", "", "2026-01-01T00:00:00Z")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([10**30, 1767225600]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.1, 1.0, -0.0]),
    st.sampled_from(WORDS),
    st.text(max_size=3),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6)

PATHS = (
    *("a", "b", "amount", "currency", "tags", "a.b", "a[0]", "a[-1]", "a[*]", "a[*].amount", "tags[*]", "a.b.amount"),
    *("$.data.object.a", "$.data.object.amount", "$.type", "$event.livemode", "$previous.a", "$account.id"),
    *("$previous.a[*].amount", "a[:2].amount", "$.data.object..amount", "$.data.object['a','b']", "tags[0,-1]"),
    *(
        "a[?@.amount > 0].amount",
        "$.data.object[?@.currency].amount",
        "$..[?@ == $.data.object.a]",
        "$previous[?@ != 1]",
    ),
)
REFERENCES = ("$account.id", "$previous.a", "$event.type", "$.data.object.b", "$.data.object.a[*]", "$..a")
CHANGEABLE = ("a", "amount", "tags", "a.b", "a[0]", "$.data.object.a", "a.b.amount")

numbers = st.one_of(st.integers(-3, 3), st.sampled_from([Decimal("0.1"), Decimal("1.0"), 10**30]))
money = st.builds(
    lambda major, currency: Money(amount=Decimal(major), currency=currency, minor=major * 100),
    st.integers(-1, 1),
    st.sampled_from(["usd", "eur"]),
)
bounds = st.builds(
    lambda found, others: Bounds(bounds=tuple(found), others=others),
    st.lists(money, min_size=1, max_size=2, unique_by=lambda each: each.currency),
    st.booleans(),
)
times = st.just(Time(at=datetime(2026, 1, 1, tzinfo=UTC), text="2026-01-01"))
references = st.sampled_from(REFERENCES).map(lambda path: Reference(path=path))
plain_operands = st.one_of(st.booleans(), numbers, st.sampled_from(WORDS))
ends = st.one_of(numbers, money, times, references)


def _operation(name: str, operand: Anything) -> Operation:
    return Operation(operator=name, operand=operand)


def _folded(name: str, operand: Anything) -> Operation:
    return Operation(operator=name, operand=operand, fold=True)


AGE = timedelta(hours=1)

sizes = st.builds(
    lambda name, count: (_operation(name, count),), st.sampled_from(["eq", "gt", "lte"]), st.integers(0, 3)
)
simple_operations = st.one_of(
    st.builds(_operation, st.just("eq"), st.one_of(plain_operands, references)),
    st.builds(_operation, st.just("eq"), st.lists(plain_operands, min_size=2, max_size=3).map(tuple)),
    st.builds(_operation, st.sampled_from(["gt", "gte", "lt", "lte"]), st.one_of(ends, bounds)),
    st.builds(_operation, st.just("between"), st.tuples(ends, ends)),
    st.builds(_operation, st.just("exists"), st.booleans()),
    st.builds(_operation, st.sampled_from(["prefix", "suffix"]), st.one_of(st.sampled_from(WORDS), references)),
    st.builds(_operation, st.just("contains"), st.one_of(plain_operands, references)),
    st.builds(_operation, st.just("length"), sizes),
    st.builds(_operation, st.just("glob"), st.one_of(st.sampled_from(("*", "x*", "*Y", "", "u*d")), references)),
    st.builds(_operation, st.just("matches"), st.sampled_from(("", "^x", "[A-Z]", "s?d$"))),
    st.builds(_operation, st.just("cidr"), st.one_of(st.sampled_from(("10.0.0.0/8", "::/0")), references)),
    st.builds(_operation, st.sampled_from(["older_than", "newer_than"]), st.sampled_from((AGE, AGE * 10**6))),
    st.builds(_operation, st.just("same_as"), references),
    st.builds(_folded, st.sampled_from(["eq", "prefix", "suffix", "contains", "glob"]), st.sampled_from(WORDS)),
    st.builds(_folded, st.sampled_from(["eq", "same_as", "prefix", "contains"]), references),
    st.builds(_folded, st.just("matches"), st.sampled_from(("X", "usd"))),
)


def _tests(paths: st.SearchStrategy[str]) -> st.SearchStrategy[PathTest]:
    return st.builds(
        lambda path, operations: PathTest(path=path, operations=tuple(operations)),
        paths,
        st.lists(simple_operations, min_size=1, max_size=3),
    )


def _blocks(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    children = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(*(st.builds(lambda kind, c: kind(children=c), st.just(k), children) for k in (All, Any, Nothing)))


inner_conditions = st.one_of(st.none(), st.just(ALWAYS), st.recursive(_tests(st.just(".")), _blocks, max_leaves=3))
changes = st.builds(
    lambda old, new, added, removed: _operation("changed", Changed(old=old, new=new, added=added, removed=removed)),
    *[inner_conditions] * 4,
)
plain_changes = st.just(_operation("changed", Changed()))
change_tests = st.builds(
    lambda path, change, more: PathTest(path=path, operations=(*more, change)),
    st.sampled_from(CHANGEABLE),
    st.one_of(plain_changes, changes),
    st.lists(simple_operations, max_size=2),
)
item_conditions = st.recursive(_tests(st.sampled_from((".", *PATHS))), _blocks, max_leaves=3)
item_tests = st.builds(
    lambda path, name, inner, more: PathTest(path=path, operations=(*more, _operation(name, inner))),
    st.sampled_from(PATHS),
    st.sampled_from(("any_item", "all_items", "no_item")),
    item_conditions,
    st.lists(simple_operations, max_size=1),
)
conditions = st.recursive(st.one_of(_tests(st.sampled_from(PATHS)), change_tests, item_tests), _blocks, max_leaves=6)


def _event(found: dict[str, Anything] | None, previous: dict[str, Anything] | None, account: str | None) -> Event:
    data = {"type": "t.updated", "livemode": True, "data": {"object": found, "previous_attributes": previous}}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(
        id="evt_1",
        dedupe_key="evt_1",
        payload=Payload.SNAPSHOT,
        type="t.updated",
        base_type="t.updated",
        scope=Scope.CONNECTED,
        scope_source=ScopeSource.INFERRED,
        conflict=None,
        account=account,
        raw_account=account,
        context=None,
        livemode=True,
        created=now,
        api_version=None,
        request_id=None,
        idempotency_key=None,
        object_id=None,
        object_type=None,
        object=found,
        previous=previous,
        endpoint="e",
        received=now,
        data=data,
        body=b"",
    )


events = st.builds(_event, st.one_of(st.none(), objects), st.one_of(st.none(), objects), st.sampled_from([None, "x"]))


@given(conditions, events)
@settings(max_examples=400, deadline=None)
def test_compiled_and_by_the_letter_and_explained_agree(condition: Condition, event: Event) -> None:
    """The closure that runs, the evaluator that defines, and the tree that explains say the same, and never raise."""
    expected = holds(condition, event)
    assert compile_condition(condition)(event) is expected
    tree = examine(condition, event)
    assert tree.held is expected
    reason = because(tree)
    assert (reason is None) is expected
    if reason is not None:
        assert reason.path
        assert len(reason.actual) < 400
    assert all("\n" not in text for text in held(tree))
    assert "\n" not in describe(condition)


@given(st.lists(conditions, min_size=1, max_size=2), st.booleans(), events)
@settings(max_examples=250, deadline=None)
def test_the_quick_way_to_a_reason_gives_the_same(several: list[Condition], live: bool, event: Event) -> None:
    """What counts verdicts over many events says of each what `explain` says."""
    whens = tuple(When(types=("t.*",), livemode=live, where=condition) for condition in several)
    rule = Rule(id="r", when=whens, steps=())
    because = verdict_of(rule, event, looks=True, taken_by=None).because
    assert Reasons(rule).because(event) == because
    assert tree_of(rule, event, None).held is (because is None)


@given(conditions, events)
@settings(max_examples=150, deadline=None)
def test_not_is_the_complement(condition: Condition, event: Event) -> None:
    """`none: [C]` is true exactly when C is false, whatever is missing."""
    assert holds(Nothing(children=(condition,)), event) is not holds(condition, event)


@given(st.lists(conditions, max_size=3), events)
@settings(max_examples=120, deadline=None)
def test_de_morgan(children: list[Condition], event: Event) -> None:
    """None of them is all of their complements; not all of them is any of their complements."""
    complements = tuple(Nothing(children=(child,)) for child in children)
    several = tuple(children)
    for compiled in (compile_condition, _by_the_letter):
        assert compiled(Nothing(children=several))(event) is compiled(All(children=complements))(event)
        every = Nothing(children=(All(children=several),))
        assert compiled(every)(event) is compiled(Any(children=complements))(event)


def _by_the_letter(condition: Condition) -> Anything:
    return lambda event: holds(condition, event)


@given(json_values, json_values)
@settings(max_examples=250, deadline=None)
def test_equality_is_symmetric_and_is_that_of_identity(one: Anything, other: Anything) -> None:
    """Two values are equal exactly when they have the same identity; NaN equals nothing."""
    assert equal(one, other) is equal(other, one)
    assert equal(one, other) is bool(identity(one) == identity(other))


patterns = st.lists(st.sampled_from(["*", "a", "b", ".", "v1.", "ping"]), min_size=1, max_size=6).map("".join)
types = st.lists(st.sampled_from(["a", "b", ".", "v1.", "ping"]), min_size=1, max_size=6).map("".join)


@given(patterns, types)
@settings(max_examples=500, deadline=None)
def test_a_pattern_is_what_a_plain_backtracking_matcher_says(pattern: str, event_type: str) -> None:
    """Linear matching finds what trying everything finds, `v1.` twins and pings included."""
    tried = [event_type, *([event_type[3:]] if event_type.startswith("v1.") else [])]
    expected = any(_fits(pattern, text) for text in tried) and not ("*" in pattern and event_type.endswith(".ping"))
    assert compile_type_pattern(pattern)(event_type) is expected


def _fits(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_fits(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and text[0] == pattern[0] and _fits(pattern[1:], text[1:])


@given(st.lists(st.lists(patterns, min_size=1, max_size=3), max_size=5), st.lists(types, max_size=4))
@settings(max_examples=200, deadline=None)
def test_the_index_finds_what_looking_at_every_rule_finds(rules: list[list[str]], asked: list[str]) -> None:
    """In the order given, each once, also when asked again."""
    index = TypeIndex(zip(rules, range(len(rules)), strict=True))
    for event_type in [*asked, *asked]:
        assert index[event_type] == tuple(_looking(rules, event_type))


def _looking(rules: list[list[str]], event_type: str) -> Iterator[int]:
    for number, each in enumerate(rules):
        if any(compile_type_pattern(pattern)(event_type) for pattern in each):
            yield number
