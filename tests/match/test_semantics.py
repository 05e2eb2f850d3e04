"""Section 3 of the language, sentence by sentence. Each row: a `where`, an object, whether it holds."""

import pytest

from engine.model.event import Json
from tests.match.conditions import about, judge

USD = {"currency": "usd"}

EQUALITY: list[tuple[str, Json, bool]] = [
    ("{a: x}", {"a": "x"}, True),
    ("{a: x}", {"a": "X"}, False),
    ("{a: [x, y]}", {"a": "y"}, True),
    ("{a: [x, y]}", {"a": "z"}, False),
    ("{a: [x, y]}", {"a": ["x", "y"]}, True),  # any of them, never list equality
    ("{a: [x, y]}", {"a": ["y", "q"]}, True),
    ("{a: 1}", {"a": 1}, True),
    ("{a: 1}", {"a": 1.0}, True),
    ("{a: 1.0}", {"a": 1}, True),
    ("{a: 1}", {"a": "1"}, False),
    ("{a: 1}", {"a": True}, False),
    ("{a: 0}", {"a": False}, False),
    ("{a: true}", {"a": True}, True),
    ("{a: true}", {"a": 1}, False),
    ("{a: true}", {"a": "true"}, False),
    ('{a: "true"}', {"a": "true"}, True),
    ('{a: "1"}', {"a": 1}, False),
    ("{a: 0.1}", {"a": 0.1}, True),  # exact decimals: the float is the decimal it was written as
    ("{a: 0.3}", {"a": 0.1 + 0.2}, False),
    ("{a: 9007199254740993}", {"a": 9007199254740992}, False),
    ("{a: no}", {"a": "no"}, True),  # YAML 1.2
    ("{a: [1, x, true]}", {"a": True}, True),
    ("{a: [1, x, true]}", {"a": "1"}, False),
    ("{a: {eq: x}}", {"a": "x"}, True),
    ("{a: x}", {"a": {"x": 1}}, False),
    ("{a: x}", {"a": None}, False),
    ("{a: 500 USD}", {"a": "500 USD"}, True),  # elsewhere than under an order it is a string
    ("{a: [x, {gte: 5}]}", {"a": 7}, True),
    ("{a: [x, {gte: 5}]}", {"a": "x"}, True),
    ("{a: [x, {gte: 5}]}", {"a": 3}, False),
]

LINES = {"l": [{"amount": 5, "k": "x"}, {"amount": 20, "k": "y"}], **USD}

TEXTS_AND_ITEMS: list[tuple[str, Json, bool]] = [
    ("{a: {glob: 'x*.z'}}", {"a": "xyy.z"}, True),
    ("{a: {glob: 'x*'}}", {"a": "yx"}, False),
    ("{a: {glob: 'X*', ignore_case: true}}", {"a": "xy"}, True),
    ("{a: {matches: 'b+$'}}", {"a": "abb"}, True),
    ("{a: {matches: 'b+$'}}", {"a": 1}, False),
    ("{a: {matches: 'B', ignore_case: true}}", {"a": "abc"}, True),
    ("{a: {eq: STRASSE, ignore_case: true}}", {"a": "straße"}, True),
    ("{a: {contains: X, ignore_case: true}}", {"a": ["y", "x"]}, True),
    ("{a: {cidr: 10.0.0.0/8}}", {"a": "10.1.2.3"}, True),
    ("{a: {cidr: 10.0.0.0/8}}", {"a": "::ffff:10.1.2.3"}, True),
    ("{a: {cidr: 10.0.0.0/8}}", {"a": "11.1.2.3"}, False),
    ("{a: {cidr: 10.0.0.0/8}}", {"a": "ten"}, False),
    ("{a: {older_than: 1d}}", {"a": 0}, True),
    ("{a: {newer_than: 1d}}", {"a": 0}, False),
    ("{a: {newer_than: 1d}}", {"a": 99999999999}, True),
    ("{a: {older_than: 1d}}", {"a": "soon"}, False),
    ("{a: {same_as: b}}", {"a": 1, "b": 1.0}, True),
    ("{a: {same_as: b}}", {"a": 1, "b": "1"}, False),
    ("{a: {same_as: b}}", {}, False),
    ("{l: {any_item: {amount: {gt: 10}, k: y}}}", LINES, True),
    ("{l: {any_item: {amount: {gt: 10}, k: x}}}", LINES, False),  # of the same element
    ("{l: {any_item: {amount: {gte: 0.20 USD}}}}", LINES, True),  # in the currency around the list
    ("{l: {all_items: {amount: {gte: 5}}}}", LINES, True),
    ("{l: {all_items: {k: x}}}", LINES, False),
    ("{l: {all_items: {k: x}}}", {"l": []}, False),
    ("{l: {no_item: {k: z}}}", LINES, True),
    ("{l: {no_item: {k: x}}}", LINES, False),
    ("{l: {no_item: {k: x}}}", {}, True),
    ("{l: {any_item: {.: x}}}", {"l": ["x"]}, True),
]

ORDER: list[tuple[str, Json, bool]] = [
    ("{a: {gt: 5}}", {"a": 5}, False),
    ("{a: {gte: 5}}", {"a": 5}, True),
    ("{a: {lt: 5}}", {"a": 5}, False),
    ("{a: {lte: 5}}", {"a": 5}, True),
    ("{a: {gt: 5}}", {"a": 5.0000001}, True),
    ("{a: {gte: 0.3}}", {"a": 0.3}, True),
    ("{a: {gt: 0.3}}", {"a": 0.1 + 0.2}, True),
    ("{a: {gt: 5}}", {"a": "6"}, False),  # a string is never compared with a number
    ("{a: {lt: 5}}", {"a": "6"}, False),
    ("{a: {gte: 1}}", {"a": True}, False),
    ("{a: {gt: 5}}", {"a": None}, False),
    ("{a: {gt: 5}}", {"a": {"value": 6}}, False),
    ("{a: {between: [1, 5]}}", {"a": 1}, True),
    ("{a: {between: [1, 5]}}", {"a": 5}, True),
    ("{a: {between: [1, 5]}}", {"a": 5.01}, False),
    ("{a: {gte: 1, lt: 3}}", {"a": [0, 2, 9]}, True),
    ("{a: {gte: 1, lt: 3}}", {"a": [0, 9]}, False),  # all operators hold of the same value
    ("{a: {gt: 5}}", {"a": float("nan")}, False),
    ("{a: {lt: 5}}", {"a": float("nan")}, False),
    ("{a: {gt: 5}}", {"a": float("inf")}, False),  # no JSON number: it is nothing
]

MONEY: list[tuple[str, Json, bool]] = [
    ("{amount: {gte: 500 USD}}", {"amount": 50000, **USD}, True),
    ("{amount: {gte: 500 USD}}", {"amount": 49999, **USD}, False),
    ("{amount: {gte: 500 USD}}", {"amount": 50000, "currency": "USD"}, True),
    ("{amount: {gte: 500 USD}}", {"amount": 50000, "currency": "eur"}, False),
    ("{amount: {gte: 500 USD}}", {"amount": 50000}, False),
    ("{amount: {gte: 75000 JPY}}", {"amount": 75000, "currency": "jpy"}, True),  # zero decimals
    ("{amount: {gte: 5.12 KWD}}", {"amount": 5120, "currency": "kwd"}, True),  # three
    ("{amount: {gt: 5.12 KWD}}", {"amount": 5120, "currency": "kwd"}, False),
    ("{amount: {gte: [500 USD, 450 EUR, 75000 JPY]}}", {"amount": 45000, "currency": "eur"}, True),
    ("{amount: {gte: [500 USD, 450 EUR, 75000 JPY]}}", {"amount": 45000, "currency": "usd"}, False),
    ("{amount: {gte: [500 USD, 450 EUR, 75000 JPY]}}", {"amount": 10**9, "currency": "gbp"}, False),
    ("{amount: {gte: [500 USD, others]}}", {"amount": 1, "currency": "gbp"}, True),
    ("{amount: {gte: [500 USD, others]}}", {"amount": 1, "currency": "usd"}, False),
    ("{amount: {gte: [500 USD, others]}}", {"amount": 1}, False),
    ("{amount: {gte: [500 USD, others]}}", {"amount": "many", "currency": "gbp"}, False),
    ("{amount: {between: [1 USD, 2 USD]}}", {"amount": 200, **USD}, True),
    ("{amount: {between: [1 USD, 2 USD]}}", {"amount": 201, **USD}, False),
    ("{amount: {gte: 1 USD}}", {"amount": "100", **USD}, False),
    ("{amount: {gte: 1 USD}}", {"amount": {"value": 100, "currency": "usd"}}, True),  # v2 amounts directly
    ("{amount: {gte: 1 USD}}", {"amount": {"value": 100, "currency": "eur"}, **USD}, False),
    ("{amount.value: {gte: 1 USD}}", {"amount": {"value": 100, "currency": "usd"}}, True),
    # the nearest enclosing object that has a currency
    ("{lines.amount: {gte: 1 USD}}", {"currency": "eur", "lines": {"amount": 100, "currency": "usd"}}, True),
    ("{lines.amount: {gte: 1 USD}}", {"currency": "usd", "lines": {"amount": 100}}, True),
    ("{lines.amount: {gte: 1 USD}}", {"currency": "usd", "lines": {"amount": 100, "currency": "eur"}}, False),
    (
        '{"l[*].amount": {gte: 1 USD}}',
        {"l": [{"amount": 900, "currency": "eur"}, {"amount": 99, "currency": "usd"}]},
        False,
    ),
    (
        '{"l[*].amount": {gte: 1 USD}}',
        {"l": [{"amount": 1, "currency": "eur"}, {"amount": 100, "currency": "usd"}]},
        True,
    ),
    ("{$.data.object.amount: {gte: 1 USD}}", {"amount": 100, **USD}, True),
]

TIME: list[tuple[str, Json, bool]] = [
    ('{a: {gte: "2026-01-01"}}', {"a": 1767225600}, True),  # epoch seconds
    ('{a: {gt: "2026-01-01"}}', {"a": 1767225600}, False),
    ('{a: {gte: "2026-01-01"}}', {"a": "2026-01-01T00:00:00.000Z"}, True),  # ISO
    ('{a: {lt: "2026-01-01T01:00:00+02:00"}}', {"a": "2025-12-31T22:59:59Z"}, True),
    ('{a: {between: ["2026-01-01", "2026-02-01"]}}', {"a": "2026-01-15"}, True),
    ('{a: {gte: "2026-01-01"}}', {"a": "soon"}, False),
    ('{a: {gte: "2026-01-01"}}', {"a": True}, False),
    ("{a: {gte: 5}}", {"a": "2026-01-01"}, False),
]

PRESENCE: list[tuple[str, Json, bool]] = [
    ("{a: {exists: true}}", {"a": 0}, True),
    ("{a: {exists: true}}", {"a": []}, True),  # an empty list exists
    ("{a: {exists: true}}", {"a": ""}, True),
    ("{a: {exists: true}}", {"a": None}, False),
    ("{a: {exists: true}}", {}, False),
    ("{a: {exists: false}}", {"a": None}, True),
    ("{a: {exists: false}}", {}, True),
    ("{a: {exists: false}}", {"a": False}, False),
    ("{a.b: {exists: false}}", {"a": "text"}, True),
    ('{"a[0]": {exists: false}}', {"a": []}, True),
    ('{"a[*]": {exists: true}}', {"a": []}, False),
    ('{"a[*].b": {exists: true}}', {"a": [{}, {"b": 1}]}, True),
]

MISSING: list[tuple[str, Json, bool]] = [
    *((f"{{a: {test}}}", {}, False) for test in ("x", "[x, y]", "{gt: 0}", "{lt: 0}", "{between: [0, 1]}")),
    *((f"{{a: {test}}}", {}, False) for test in ("{prefix: x}", "{suffix: x}", "{contains: x}", "{length: 0}")),
    *((f"{{a: {{not: {test}}}}}", {}, True) for test in ("x", "[x, y]", "{gt: 0}", "{contains: x}", "{length: 0}")),
    ("{a: {not: {exists: false}}}", {}, False),
    ("{a: x}", None, False),  # a thin event without data
    ("{a: {exists: false}}", None, True),
]

NOT: list[tuple[str, Json, bool]] = [
    ("{a: {not: x}}", {"a": "x"}, False),
    ("{a: {not: x}}", {"a": "y"}, True),
    ("{a: {not: [x, y]}}", {"a": "y"}, False),
    ('{"a[*]": {not: x}}', {"a": ["x", "y"]}, False),  # several values included
    ('{"a[*]": {not: x}}', {"a": ["y", "z"]}, True),
    ("{a: {not: x}}", {"a": ["x", "y"]}, False),
    ("{a: {not: {gt: 5}}}", {"a": "text"}, True),
    ("{a: {not: {not: x}}}", {"a": "x"}, True),
    ("{a: {not: x, exists: true}}", {}, False),
    ("{a: {not: x, prefix: y}}", {"a": "yes"}, True),
    ("{a: {not: {prefix: y}, suffix: s}}", {"a": "yes"}, False),
]

TEXT: list[tuple[str, Json, bool]] = [
    ("{a: {prefix: po_}}", {"a": "po_1"}, True),
    ("{a: {prefix: po_}}", {"a": "PO_1"}, False),
    ("{a: {suffix: _1}}", {"a": "po_1"}, True),
    ("{a: {contains: o_}}", {"a": "po_1"}, True),
    ("{a: {prefix: po_, suffix: _2}}", {"a": "po_1"}, False),
    ("{a: {prefix: x}}", {"a": ["y", "xy"]}, True),  # the elements of a list
    ('{a: {prefix: "1"}}', {"a": 12}, False),
    ("{a: {contains: x}}", {"a": ["x", "y"]}, True),  # an element, not a part of one
    ("{a: {contains: x}}", {"a": ["xy"]}, False),
    ("{a: {contains: 1}}", {"a": [1.0]}, True),
    ("{a: {contains: 1}}", {"a": ["1", True]}, False),
    ("{a: {contains: 1}}", {"a": "1"}, False),
    ("{a: {length: 3}}", {"a": "abc"}, True),
    ("{a: {length: 0}}", {"a": []}, True),
    ("{a: {length: {gte: 2}}}", {"a": [1, 2]}, True),
    ("{a: {length: {gt: 2}}}", {"a": [1, 2]}, False),
    ("{a: {length: {between: [1, 2]}}}", {"a": "ab"}, True),
    ("{a: {length: 1}}", {"a": {"x": 1}}, False),
    ("{a: {length: 2, eq: x}}", {"a": ["x", "y"]}, True),  # the list as a whole, and one of its elements
    ("{a: {length: 1, eq: x}}", {"a": ["x", "y"]}, False),
]

BLOCKS: list[tuple[str, Json, bool]] = [
    ("{a: x, b: y}", {"a": "x", "b": "y"}, True),
    ("{a: x, b: y}", {"a": "x"}, False),
    ("{any: [{a: x}, {b: y}]}", {"b": "y"}, True),
    ("{any: [{a: x}, {b: y}]}", {}, False),
    ("{all: [{a: x}, {a: {prefix: x}}]}", {"a": "x"}, True),
    ("{none: [{a: x}, {b: y}]}", {"a": "z"}, True),
    ("{none: [{a: x}, {b: y}]}", {"b": "y"}, False),
    ("{any: [{all: [{a: x}, {none: [{b: y}]}]}, {c: 1}]}", {"a": "x"}, True),
    ("{any: [{all: [{a: x}, {none: [{b: y}]}]}, {c: 1}]}", {"a": "x", "b": "y"}, False),
    ("{\"['any']\": x}", {"any": "x"}, True),
]

PATHS: list[tuple[str, Json, bool]] = [
    ("{a.b.c: 1}", {"a": {"b": {"c": 1}}}, True),
    ("{a.b.c: 1}", {"a.b.c": 1}, False),
    ("{\"['a.b']\": 1}", {"a.b": 1}, True),
    ("{\"a['my key']\": 1}", {"a": {"my key": 1}}, True),
    ("{'a[\"q\"].b': 1}", {"a": {"q": {"b": 1}}}, True),
    ('{"a[0]": 1}', {"a": [1, 2]}, True),
    ('{"a[-1]": 2}', {"a": [1, 2]}, True),
    ('{"a[2]": {exists: false}}', {"a": [1, 2]}, True),
    ('{"a[0]": 1}', {"a": {"0": 1}}, False),
    ('{"a[*].b": 2}', {"a": [{"b": 1}, {"b": 2}]}, True),
    ('{"a[*][*]": 3}', {"a": [[1], [2, 3]]}, True),
    ('{"a[*]": 2}', {"a": {"x": 1, "y": 2}}, True),  # the values of a map
    ('{"a[*]": 2}', {"a": 2}, False),
    ("{$.data.object.a: 1}", {"a": 1}, True),
    ("{\"$['data'].object.a[0]\": 1}", {"a": [1]}, True),
    ('{"$.data.object.a[*].b": 2}', {"a": [{"b": 2}]}, True),
    ("{$.type: account.updated}", {}, True),
    ("{$event.account: acct_1}", {}, True),
    ("{$account.id: acct_1}", {}, True),
    ("{id: $account.id}", {"id": "acct_1"}, True),
    ("{id: $account.id}", {"id": "acct_2"}, False),
    ("{id: {not: $account.id}}", {"id": "acct_2"}, True),
    ("{id: [$account.id, other]}", {"id": "other"}, True),
    ("{a: {gte: $.data.object.b}}", {"a": 5, "b": 5}, True),
    ("{a: {gte: $.data.object.b}}", {"a": 5, "b": "5"}, False),
    ("{a: {gt: $.data.object.b}}", {"a": "2026-01-02", "b": "2026-01-01"}, True),
    ("{a: {gte: $.data.object.nothing}}", {"a": 5}, False),
    ("{a: $.data.object.b}", {"a": "x", "b": ["w", "x"]}, True),  # a list means any of it
    ("{a: $5}", {"a": "$5"}, True),
]

ALL = EQUALITY + TEXTS_AND_ITEMS + ORDER + MONEY + TIME + PRESENCE + MISSING + NOT + TEXT + BLOCKS + PATHS


@pytest.mark.parametrize(("where", "found", "holds"), ALL, ids=lambda value: str(value)[:60])
def test_where(where: str, found: Json, holds: bool) -> None:
    """It holds or not, as section 3 says."""
    assert judge(where, about(found)) is holds


@pytest.mark.parametrize(("where", "found", "holds"), ALL, ids=lambda value: str(value)[:60])
def test_not_of_every_condition_is_its_complement(where: str, found: Json, holds: bool) -> None:
    """Around any of them, `none` says the opposite."""
    assert judge(f"{{none: [{where}]}}", about(found)) is not holds


def test_the_platform_has_no_account_id_to_be_equal_to() -> None:
    """An event about the platform itself is never of an account by id."""
    subject = about({"id": "acct_1"}, account=...)
    assert subject.account is None
    assert judge("{id: $account.id}", subject) is False
    assert judge("{$account.id: {exists: false}}", subject) is True


def test_a_body_nested_as_deeply_as_json_allows_does_not_raise() -> None:
    """Deeper than Python recurses: comparing must not recurse with it."""
    deep: Json = "x"
    for _ in range(20_000):
        deep = [deep]
    subject = about({"a": deep, "b": deep}, previous={"a": []})
    object.__setattr__(subject, "previous", {"a": [deep]})
    assert judge("{a: {contains: x}}", subject) is False
    assert judge("{a: $.data.object.b}", subject) is True  # both are lists, with an equal element
    assert judge("{a: {changed: {added: true}}}", subject) is True
