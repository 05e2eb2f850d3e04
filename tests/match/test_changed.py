"""`changed`: judged on previous_attributes alone."""

import pytest

from engine.model.event import Json
from tests.match.conditions import about, judge

R: list[tuple[str, Json, Json, bool]] = [
    # true if it holds the path, anything below it, or an ancestor of it that was null
    ("{a: {changed: true}}", {"a": 1}, {"a": 2}, True),
    ("{a: {changed: true}}", {"a": 1}, {"b": 2}, False),
    ("{a: {changed: true}}", {"a": 1}, None, False),
    ("{a: {changed: true}}", {"a": 1}, {"a": None}, True),
    ("{a: {changed: true}}", {"a": {"b": 1}}, {"a": {"b": 2}}, True),
    ("{a.b: {changed: true}}", {"a": {"b": 1}}, {"a": {"b": 2}}, True),
    ("{a.b: {changed: true}}", {"a": {"b": 1}}, {"a": {"c": 2}}, False),
    ("{a.b: {changed: true}}", {"a": {"b": 1}}, {"a": None}, True),
    ("{a.b: {changed: true}}", {"a": {"b": 1}}, {"a": "text"}, False),
    ("{a: {changed: true}}", {}, {"a": 2}, True),  # the present value may be missing
    ('{"a[0]": {changed: true}}', {"a": [1]}, {"a": [2]}, True),
    ("{$.data.object.a: {changed: true}}", {"a": 1}, {"a": 2}, True),
    ("{a: {not: {changed: true}}}", {"a": 1}, {"b": 2}, True),
    ("{a: {changed: true, gte: 5}}", {"a": 7}, {"a": 1}, True),
    ("{a: {changed: true, gte: 5}}", {"a": 3}, {"a": 1}, False),
    ("{a: {changed: true, gte: 5}}", {"a": 7}, {}, False),
    ("{a: {changed: true, exists: false}}", {"a": None}, {"a": 1}, True),
    # from and to are tests of the old and the new value; null is missing
    ("{a: {changed: {from: true, to: false}}}", {"a": False}, {"a": True}, True),
    ("{a: {changed: {from: true, to: false}}}", {"a": False}, {"a": None}, False),
    ("{a: {changed: {from: true, to: false}}}", {"a": False}, {"b": True}, False),
    ("{a: {changed: {from: true}}}", {}, {"a": True}, True),
    ("{a: {changed: {to: [x, y]}}}", {"a": "y"}, {"a": "z"}, True),
    ("{a: {changed: {from: {exists: false}}}}", {"a": 1}, {"a": None}, True),
    ("{a.b: {changed: {from: {exists: false}}}}", {"a": {"b": 1}}, {"a": None}, True),
    ("{a: {changed: {from: {exists: false}}}}", {"a": 1}, {"a": 0}, False),
    ("{a: {changed: {from: {exists: false}}}}", {"a": 1}, {}, False),  # it says nothing: every form is false
    ("{a: {changed: {to: {exists: false}}}}", {"a": None}, {"a": 1}, True),
    ("{a: {changed: {from: {not: x}}}}", {"a": 1}, {"a": None}, True),
    ("{a: {changed: {from: {lt: 5}, to: {gte: 5}}}}", {"a": 5}, {"a": 4}, True),
    ("{a: {changed: {from: $account.id}}}", {"a": "x"}, {"a": "acct_1"}, True),
    ("{amount: {changed: {from: {lt: 5 USD}}}}", {"amount": 900, "currency": "usd"}, {"amount": 100}, True),
    (
        "{amount: {changed: {from: {lt: 5 USD}}}}",
        {"amount": 900, "currency": "usd"},
        {"amount": 100, "currency": "eur"},
        False,
    ),
    # added and removed are elements, compared as sets
    ("{a: {changed: {added: true}}}", {"a": ["x", "y"]}, {"a": ["x"]}, True),
    ("{a: {changed: {added: true}}}", {"a": ["y", "x"]}, {"a": ["x", "y"]}, False),
    ("{a: {changed: {added: true}}}", {"a": ["x", "x"]}, {"a": ["x"]}, False),
    ("{a: {changed: {added: true}}}", {"a": ["x"]}, {"a": None}, True),
    ("{a: {changed: {added: true}}}", {"a": None}, {"a": ["x"]}, False),
    ("{a: {changed: {removed: true}}}", {"a": []}, {"a": ["x"]}, True),
    ("{a: {changed: {removed: true}}}", {}, {"a": ["x"]}, True),
    ("{a: {changed: {removed: x}}}", {"a": []}, {"a": ["x"]}, True),
    ("{a: {changed: {removed: y}}}", {"a": []}, {"a": ["x"]}, False),
    ("{a: {changed: {added: {prefix: person_}}}}", {"a": ["person_1.dob"]}, {"a": []}, True),
    ("{a: {changed: {added: {not: x}}}}", {"a": ["x", "y"]}, {"a": []}, True),  # something other than x was added
    ("{a: {changed: {added: {not: x}}}}", {"a": ["x"]}, {"a": []}, False),
    ("{a: {changed: {added: {not: x}}}}", {"a": []}, {"a": []}, False),  # nothing was added
    ("{a: {changed: {added: 1}}}", {"a": [True, 1]}, {"a": [True]}, True),
    ("{a: {changed: {added: true}}}", {"a": [1]}, {"a": [1.0]}, False),
    ("{a: {changed: {added: true}}}", {"a": [{"id": 1}]}, {"a": [{"id": 1}]}, False),
    ("{a: {changed: {added: true}}}", {"a": "text"}, {"a": ["x"]}, False),
    ("{a: {changed: {added: x, removed: y}}}", {"a": ["x"]}, {"a": ["y"]}, True),
    ("{a: {changed: {added: true}}}", {"a": ["x"]}, {"b": 1}, False),
    ("{$previous.a: {gte: 5}}", {"a": 1}, {"a": 7}, True),
    ("{a: {gt: $previous.a}}", {"a": 8}, {"a": 7}, True),
    ("{a: {gt: $previous.a}}", {"a": 8}, {}, False),
    ("{$previous.amount: {gte: 5 USD}}", {"amount": 1, "currency": "usd"}, {"amount": 500}, True),
]


@pytest.mark.parametrize(("where", "found", "previous", "holds"), R, ids=lambda value: str(value)[:50])
def test_changed(where: str, found: Json, previous: Json, holds: bool) -> None:
    """It holds or not, as "Changed" in section 3 says."""
    assert judge(where, about(found, previous)) is holds
