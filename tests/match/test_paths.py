"""Which paths are read, and which are refused and how."""

import pytest

from engine.match import PathError, parse_path
from engine.match.steps import EACH, Segment, Slice

REFUSED = [
    ("", None),
    ("a.", None),
    (".a", None),
    ("a..b", "write $.data.object.. and the name"),
    ("a.*", "write [*] without the dot"),
    ("a.[0]", "without a dot"),
    ("a b", "['any name']"),
    ("a.0.b", "write [0] for the place"),
    ("a[x]", "write ['x']"),
    ("a[-0]", "0, 12 or -1"),
    ("a[0]b", None),
    ("a['x", "close it with '"),
    ("$vars.big", "write path: $vars.name"),
    ("$tables.accounts", "write $tables.<table>.<column>"),
    ("$steps", "write $steps.<step>.ok, .result or .reason"),
    ("$digest.cuont", "did you mean 'count'?"),
    ("$accont.id", "did you mean '$account'?"),
    ("$nothing.like", "$event, $account, $previous"),
    ("$account", "write $account.id"),
    ("x" * 501, None),
]


@pytest.mark.parametrize(("text", "hint"), REFUSED, ids=lambda value: str(value)[:30])
def test_a_path_that_cannot_be_used_says_why(text: str, hint: str | None) -> None:
    """And where it is known what to write instead."""
    with pytest.raises(PathError) as caught:
        parse_path(text)
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


def test_the_steps_of_json_paths_and_of_brackets() -> None:
    """Slices, several names and filters stand in the brackets of every path."""
    names = Segment(("a", "b"))
    assert parse_path("$['a','b'].c").steps == (names, "c")
    assert parse_path("x['a', 'b'].c").steps == ("x", names, "c")
    assert parse_path("x[::2]").steps == ("x", Segment((Slice(None, None, 2),)))
    assert parse_path("$previous.x[0,'a']").steps == ("x", Segment((0, "a")))
    assert parse_path("$.x..id").steps == ("x", Segment(("id",), descendants=True))
    assert parse_path("$..*").steps == (Segment((EACH,), descendants=True),)
    assert parse_path("x[?@.a]").several
    assert not parse_path("$['x'][0]").several
