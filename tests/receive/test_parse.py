"""Bodies to values: what orjson refuses or rounds is read all the same, and nothing is nested beyond the bound."""

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.receive.parse import DEEPEST, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def depth(value: Any) -> int:
    level, found = [value], 0
    while level := [child for item in level for child in _children(item)]:
        found += 1
    return found


def _children(item: Any) -> list[Any]:
    inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return [child for child in inner if isinstance(child, (dict, list))]


@given(value=JSON, indent=st.sampled_from([None, 2]))
@settings(max_examples=200)
def test_agrees_with_the_standard_library(value: Any, indent: int | None) -> None:
    body = json.dumps(value, indent=indent).encode()
    found = parse(body)
    assert found == json.loads(body)
    assert repr(found) == repr(json.loads(body))  # an integer stays an integer


@pytest.mark.parametrize("number", [2**63 - 1, 2**64 - 1, 2**64, -(2**63) - 1, 10**40, -(10**19)])
def test_integers_are_exact_at_any_size(number: int) -> None:
    found = parse(b'{"amount": %d}' % number)["amount"]
    assert type(found) is int
    assert found == number


@pytest.mark.parametrize(
    "text", ['{"a":%s}', '{"a": %s}', "[%s]", "[1,%s]", "[1,\n%s]", "%s", "\t%s", '{"id":"%s", "a": %s}']
)
@pytest.mark.parametrize("number", [2**64, -(2**64)])
def test_such_an_integer_is_found_wherever_a_number_may_stand(text: str, number: int) -> None:
    body = text.replace("%s", str(number))
    assert parse(body.encode()) == json.loads(body)
    assert repr(parse(body.encode())) == repr(json.loads(body))


def test_long_runs_of_digits_in_text_are_left_to_the_fast_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.receive.parse._parse_leniently", lambda body: pytest.fail("took the slow way"))
    body = b'{"id": "evt_00000000000000000000000", "n": "12345678901234567890", "f": 0.12345678901234567890123}'
    assert parse(body)["id"] == "evt_00000000000000000000000"


def test_an_integer_beyond_the_interpreters_limit_is_read_as_a_float() -> None:
    assert parse(b'{"a": ' + b"9" * 5000 + b', "b": 1}') == {"a": math.inf, "b": 1}


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"id": "x"}',
        '{"id": "x"}'.encode("utf-16"),
        '{"id": "x"}'.encode("utf-16-le"),
        '{"id": "x"}'.encode("utf-32-be"),
        b' {"id": "x"}\n',
    ],
)
def test_encodings_that_json_allows_are_read(body: bytes) -> None:
    assert parse(body) == {"id": "x"}


def test_lone_surrogates_nan_and_infinity_are_read() -> None:
    found = parse(b'{"a": "\\ud800", "b": NaN, "c": -Infinity, "d": "\\u0000", "e": 1e999}')
    assert (found["a"], found["c"], found["d"], found["e"]) == ("\ud800", -math.inf, "\0", math.inf)
    assert math.isnan(found["b"])


@pytest.mark.parametrize("levels", [DEEPEST - 1, DEEPEST])
def test_what_is_within_the_bound_is_whole(levels: int) -> None:
    assert depth(parse(b'{"a":' * levels + b"[]" + b"}" * levels)) == levels
    assert parse(b"[" * levels + b"7" + b"]" * levels) == json.loads("[" * levels + "7" + "]" * levels)


@pytest.mark.parametrize("levels", [DEEPEST + 1, 500, 1023, 1024, 5000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a\\"[{":', b"}")])
def test_what_is_deeper_is_null_and_its_neighbours_are_kept(levels: int, opening: bytes, closing: bytes) -> None:
    body = b'{"deep": ' + opening * levels + b"1" + closing * levels + b', "id": "evt_1", "text": "[[]]}{"}'
    found = parse(body)
    assert (found["id"], found["text"]) == ("evt_1", "[[]]}{")
    assert depth(found) == DEEPEST - 1
    assert len(orjson.dumps({"event": found})) > DEEPEST  # and can be written again


@pytest.mark.parametrize("levels", [5, DEEPEST + 5, 5000])
def test_brackets_without_an_end_are_not_json(levels: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(b"[" * levels)


@given(body=st.binary(max_size=80))
@example(body=b"")
@example(body=b"\xff\xfe")
@example(body=b'{"a": 1')
@example(body=b"]" * 300 + b"[" * 300)
@settings(max_examples=300)
def test_bytes_give_a_value_or_value_error(body: bytes) -> None:
    try:
        parse(body)
    except ValueError:
        return


def test_many_shallow_containers_are_kept_whole() -> None:
    value = {"lines": [{"n": [n]} for n in range(2000)]}
    assert parse(json.dumps(value).encode()) == value
