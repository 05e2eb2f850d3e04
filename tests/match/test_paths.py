"""Which paths are read, which are refused and how, and that JSONPaths mean what RFC 9535 says."""

import jsonpath_rfc9535
import pytest

from engine.match import PathError, parse_path
from engine.match.lookup import find, values_getter
from engine.match.steps import EACH
from tests.builders import event

REFUSED = [
    ("", "path", None),
    ("a.", "path", None),
    (".a", "path", None),
    ("a..b", "path", "JSONPaths start with $."),
    ("a.*", "path", "write [*] for every element"),
    ("a[?(@.x)]", "path", "JSONPaths start with $."),
    ("a[1:2]", "path", "JSONPaths start with $."),
    ("a b", "path", "['any name']"),
    ("a.0.b", "path", "write [0] for the place"),
    ("a[x]", "path", None),
    ("a[0]b", "path", None),
    ("$..amount", "not-yet", None),
    ("$.a[?(@.x > 1)]", "not-yet", None),
    ("$.a[1:3]", "not-yet", None),
    ("$.a['b','c']", "not-yet", None),
    ("$.a[0,1]", "not-yet", None),
    ("$.a|$.b", "not-yet", None),
    ("$.a.`parent`", "not-yet", None),
    ("$.a b", "path", None),
    ("$.", "path", None),
    ("$.a[", "path", None),
    ("$vars.big", "path", "write path: $vars.name"),
    ("$tables.accounts", "path", "write $tables.<table>.<column>"),
    ("$steps.x", "not-yet", None),
    ("$accont.id", "path", "did you mean '$account'?"),
    ("$nothing.like", "path", "$event, $account, $previous"),
    ("$account.name", "not-yet", None),
    ("$account", "path", "write $account.id"),
    ("x" * 501, "path", None),
]


@pytest.mark.parametrize(("text", "code", "hint"), REFUSED, ids=lambda value: str(value)[:30])
def test_a_path_that_cannot_be_used_says_why(text: str, code: str, hint: str | None) -> None:
    """With the code of the mistake, and where it is known what to write instead."""
    with pytest.raises(PathError) as caught:
        parse_path(text)
    assert caught.value.code == code
    assert caught.value.message
    if hint is not None:
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b-c.d_e", ("a", "b-c", "d_e")),
        ("a[0].b", ("a", 0, "b")),
        ("a[*].b", ("a", EACH, "b")),
        ("['a b'].c", ("a b", "c")),
        ("a['x\\'y']", ("a", "x'y")),
        ("$.data.object.a[*]", ("data", "object", "a", EACH)),
        ("$['data'][0]", ("data", 0)),
        ("$.a.*", ("a", EACH)),
        ("$['*']", ("*",)),
    ],
)
def test_steps(text: str, steps: tuple[object, ...]) -> None:
    """Names, places and every element, in order."""
    assert parse_path(text).steps == steps


ROOT = {
    "object": {"list": [{"x": 1}, {"x": 2}, {"y": [3, 4]}], "map": {"p": 1, "q": {"x": 5}}, "null": None},
    "previous": None,
}
PLAIN = [
    *("$.data.object.list[0].x", "$.data.object.list[-1].y[*]", "$.data.object.list[*].x", "$['data']['object'].map.p"),
    *("$.data.object.map[*]", "$.data.object.map[*].x", "$.data.object.list[9]", "$.data.object.list.x"),
    *("$.data.object.null", "$.data.object.null.x", "$.data.object.list[*][*]", "$.data.object.map[0]"),
    *("$.type", "$.data.*.map", "$.data.object.list[-9]"),
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_json_path_finds_what_an_independent_implementation_finds(text: str) -> None:
    """jsonpath-rfc9535 passes the standard's own compliance suite, which jsonpath-ng does not."""
    subject = event(object=ROOT["object"])
    expected = [node.value for node in jsonpath_rfc9535.find(text, subject.data)]
    path = parse_path(text)
    assert [value for value, _ in find(path, subject)] == expected
    assert values_getter(path)(subject) == expected
