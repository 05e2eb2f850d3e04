"""What explain says of a condition that does not hold, word for word."""

import pytest

from engine.match import describe, examine
from engine.model.event import Json
from tests.match.conditions import about, condition, reason

EUR = {"amount": 42000, "currency": "eur"}

REASONS: list[tuple[str, Json, Json, tuple[str, str, str, str | None]]] = [
    ("{amount: {gte: [500 USD, 450 EUR]}}", EUR, None, ("amount", "420.00 EUR", ">= 450.00 EUR", None)),
    (
        "{amount: {gte: [500 USD, 75000 JPY]}}",
        EUR,
        None,
        ("amount", "420.00 EUR", ">= 500.00 USD, 75,000 JPY", "no bound for EUR"),
    ),
    ("{amount: {gte: 500 USD}}", EUR, None, ("amount", "420.00 EUR", ">= 500.00 USD", "no bound for EUR")),
    ("{amount: {gte: 5 USD}}", {"amount": 5}, None, ("amount", "5", ">= 5.00 USD", "no currency beside it")),
    ("{amount: {between: [1 EUR, 2 EUR]}}", EUR, None, ("amount", "420.00 EUR", "between 1.00 EUR and 2.00 EUR", None)),
    ("{a.b: x}", {"a": {"c": 1}}, None, ("a.b", "missing", "x", None)),
    ("{a.b: x}", {}, None, ("a.b", "missing", "x", "there is no a")),
    ("{a.b.c: x}", {"a": {"b": None}}, None, ("a.b.c", "missing", "x", "a.b is null")),
    ("{a.b: x}", None, None, ("a.b", "missing", "x", "the event carries no object")),
    ("{$previous.a: x}", {}, None, ("$previous.a", "missing", "x", "no previous_attributes")),
    ('{"a[0].b": x}', {"a": []}, None, ("a[0].b", "missing", "x", "a is []")),
    (
        '{"a[*].b.c": x}',
        {"a": [{"b": 1}, {"b": {}}]},
        None,
        ("a[*].b.c", "missing", "x", "none of the 2 at a[*].b leads further"),
    ),
    ('{"a[?@.n]": x}', {"a": [{}]}, None, ("a[?@.n]", "missing", "x", "the one value in a does not pass [?@.n]")),
    (
        '{"a[?@.n > 5].id": x}',
        {"a": [{"n": 1}, {"n": 2}]},
        None,
        ("a[?@.n > 5].id", "missing", "x", "nothing of the 2 in a passes [?@.n > 5]"),
    ),
    (
        '{"$.data.object.a[?@.n > 5].id": {exists: true}}',
        {"a": [{"n": 9}, {"n": 7}, {"n": 2}]},
        None,
        ("$.data.object.a[?@.n > 5].id", "missing", "present", None),
    ),
    (
        '{"$.data.object..fee": {gte: 7 USD}}',
        {"a": [{"fee": 100, "currency": "eur"}, {"fee": 600}], "currency": "usd", "fee": 300},
        None,
        ("$.data.object..fee", "3.00 USD, 1.00 EUR, 6.00 USD", ">= 7.00 USD", None),
    ),
    ("{a: x}", {"a": None}, None, ("a", "null", "x", "null counts as missing")),
    ("{a: [x, y]}", {"a": "z"}, None, ("a", "z", "one of x, y", None)),
    ("{a: 1}", {"a": "1"}, None, ("a", '"1"', "1", "the event has text, the rule a number")),
    ('{a: "1"}', {"a": 1}, None, ("a", "1", '"1"', "the event has a number, the rule text")),
    ('{a: "true"}', {"a": True}, None, ("a", "true", '"true"', "the event has true or false, the rule text")),
    ("{a: true}", {"a": "true"}, None, ("a", '"true"', "true", "the event has text, the rule true or false")),
    ("{a: x}", {"a": "missing"}, None, ("a", '"missing"', "x", None)),
    ("{a.b: x}", {"a": None}, None, ("a.b", "missing", "x", "a is null")),
    (
        "{a.b.c: x}",
        {"a": {"b": [{"c": "x"}]}},
        None,
        ("a.b.c", "missing", "x", "a.b is a list: [*] looks at its elements"),
    ),
    (
        "{a.b: x}",
        None,
        None,
        ("a.b", "missing", "x", "the event carries no object"),
    ),
    (
        "{a: {lt: 2026-01-01T00:00:00Z}}",
        {"a": 1767225600},
        None,
        ("a", "2026-01-01 00:00:00Z", "< 2026-01-01T00:00:00Z", None),
    ),
    (
        "{a: {changed: {added: true}}}",
        {"a": [1]},
        {"a": [1, 2]},
        ("a", "from [1, 2] to [1]", "changed by gaining an element", None),
    ),
    (
        "{a: {changed: {removed: x}}}",
        {"a": ["y"]},
        {"a": ["y"]},
        ("a", "from [y] to [y]", "changed by losing x", None),
    ),
    ("{a: {gt: 5}}", {"a": 3}, None, ("a", "3", "> 5", None)),
    ("{a: {exists: true}}", {}, None, ("a", "missing", "present", None)),
    ("{a: {exists: false}}", {"a": 1}, None, ("a", "1", "absent", None)),
    ("{a: {prefix: po_}}", {"a": "tr_1"}, None, ("a", "tr_1", "prefix po_", None)),
    ("{a: {length: {gte: 2}}}", {"a": ["x"]}, None, ("a", "[x]", "length >= 2", None)),
    ("{a: {not: x}}", {"a": "x"}, None, ("a", "x", "not x", None)),
    ("{a: {gte: 1, lt: 3}}", {"a": 9}, None, ("a", "9", "< 3", None)),
    ('{"a[*]": {gte: 5}}', {"a": [1, 2, 3, 4]}, None, ("a[*]", "1, 2, 3 and 1 more", ">= 5", None)),
    ("{id: $account.id}", {"id": "acct_2"}, None, ("id", "acct_2", "$account.id", "$account.id is acct_1")),
    ("{a: {changed: true}}", {"a": 1}, None, ("a", "no previous_attributes", "changed", None)),
    ("{a: {changed: true}}", {"a": 1}, {"b": 2}, ("a", "unchanged, 1", "changed", None)),
    (
        "{a: {changed: {from: true, to: false}}}",
        {"a": True},
        {"a": False},
        ("a", "from false to true", "changed from true to false", None),
    ),
    ("{any: [{a: x}, {a: y}]}", {"a": "z"}, None, ("a", "z", "x or y", None)),
    (
        "{any: [{a: x}, {b: y}]}",
        {"a": "z"},
        None,
        ("a", "z", "x", "none of 2 alternatives held; this is the first"),
    ),
    (
        "{none: [{all: [{a: x}, {b: y}]}]}",
        {"a": "x", "b": "y"},
        None,
        ("a", "x", "not x", "with 1 more in 'none', which all held"),
    ),
    ("{a: ok, b: y}", {"a": "ok", "b": "n"}, None, ("b", "n", "y", None)),
]


@pytest.mark.parametrize(("where", "found", "previous", "expected"), REASONS, ids=lambda value: str(value)[:50])
def test_the_first_thing_that_failed(
    where: str, found: Json, previous: Json, expected: tuple[str, str, str, str | None]
) -> None:
    """Its path, what stood there, what was needed, and what a reader might not see."""
    because = reason(where, about(found, previous))
    assert (because.path, because.actual, because.needs, because.note) == expected


@pytest.mark.parametrize(
    "hostile", ["\x1b[31mred\nline", "x" * 5_000, "\ud800", ["a\nb"] * 50, {"k\n": 1}, 10**3000, 1e300, "\u202egnp.exe"]
)
def test_a_hostile_value_stays_on_one_short_line(hostile: Json) -> None:
    """No control characters reach the terminal, and nothing floods it."""
    shown = reason("{a: {gte: 5 USD, eq: q}}", about({"a": hostile, "currency": "usd"})).actual
    assert shown.isprintable()
    assert len(shown) <= 400


def test_a_condition_is_described_as_a_person_would_say_it() -> None:
    """Blocks with their words between, nested ones in brackets."""
    read = condition("{any: [{a: x, b: {gte: 5}}, {c: {not: [y, z]}}]}")
    assert describe(read) == "(a x and b >= 5) or not c one of y, z"


def test_a_test_that_held_says_what_its_name_stood_for() -> None:
    """The tree of `explain --rule` leaves no need to look it up."""
    tree = examine(condition("{any: [{id: {same_as: $account.id}}]}"), about({"id": "acct_1"}))
    assert tree.held
    while tree.children:
        tree = tree.children[0]
    assert tree.note == "$account.id is acct_1"
