"""Properties of JSONPaths: exact as an independent implementation has them, or refused; total on anything."""

import re
from typing import Any

import jsonpath_rfc9535
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.match import Path, PathError, parse_path
from engine.match.lookup import find, values_getter
from engine.match.paths import LONGEST
from tests.properties.test_match import _event

NAMES = ("a", "b", "é", "a b", "*", "'", "0")
JSON_NAMES = st.sampled_from(NAMES)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([0.5, 1.0, -0.0, 1e300, 2**60]),
    st.sampled_from(["", "a", "ab", "b", "1", "é", "𝔸", "a\nb"]),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(JSON_NAMES, inner, max_size=4)),
    max_leaves=25,
)
objects = st.dictionaries(JSON_NAMES, documents, max_size=5)

blanks = st.sampled_from(["", "", "", " ", "\t", "\n "])
integers = st.integers(-3, 4).map(str)
names = st.sampled_from(["'a'", '"b"', "'\\u00e9'", "'a b'", "'*'", "'\\''", '"\'"', "'0'", "'\\u0061'"])
slices = st.builds(
    lambda start, stop, step: f"{start}:{stop}{step}",
    st.one_of(st.just(""), integers),
    st.one_of(st.just(""), integers),
    st.one_of(st.just(""), st.just(":"), integers.map(lambda step: f":{step}")),
)
plain_selectors = st.one_of(names, names, integers, slices, st.just("*"))
shorthands = st.sampled_from([".a", ".b", ".é", ".*", "['a']", "[0]", "[-1]"])
singular = st.lists(st.sampled_from([".a", ".b", "['a b']", "[0]", "[-1]", " .é", "[ 'a' ]"]), max_size=2).map("".join)
literals = st.sampled_from(
    ["1", "-0", "0.5", "1e0", "-2", "true", "false", "null", "'a'", '"ab"', "'\\u0062'", "''", "1E300", "'é'"]
)
patterns = st.sampled_from(["a.", "[ab]+", "a|b", "(ab?)*", "\\\\p{L}", "[^a]", ".", "a{1,2}", "é"])

Draw = st.DrawFn


@st.composite
def _segment(draw: Draw, depth: int) -> str:
    """One segment; `depth` is how many filters may still be within each other in it."""
    kind = draw(st.sampled_from(["short", "bracket", "bracket", "descendants"]))
    if kind == "short":
        return draw(shorthands)
    dots = ".." if kind == "descendants" else ""
    if dots and draw(st.booleans()):
        return draw(st.sampled_from(["..a", "..*", "..é"]))
    blank = draw(blanks)
    filters = _expression(depth).map(lambda test: f"?{test}")
    if depth == 1 and draw(st.booleans()):
        # Alone in its bracket: in the argument of a function the oracle takes the comma for that of the function.
        return f"{dots}[{blank}{draw(filters)}{blank}]"
    selectors = st.one_of(plain_selectors, filters) if depth > 1 else plain_selectors
    return f"{dots}[{blank}{f'{blank},'.join(draw(st.lists(selectors, min_size=1, max_size=2)))}{blank}]"


@st.composite
def _query(draw: Draw, depth: int) -> str:
    """Never `@` alone: the oracle takes the value for what it finds, so that `?@` fails where it is false."""
    root = draw(st.sampled_from(["@", "@", "@", "$.data.object"]))
    return root + "".join(draw(st.lists(_segment(depth - 1), min_size=1, max_size=2)))


@st.composite
def _value(draw: Draw, depth: int) -> str:
    kind = draw(st.sampled_from(["literal", "literal", "@", "@", "$.data.object", "length", "count", "value"]))
    if kind == "literal":
        return draw(literals)
    if kind in ("count", "value"):
        return f"{kind}( {draw(_query(depth))} )"
    return f"length(@{draw(singular)})" if kind == "length" else kind + draw(singular)


@st.composite
def _expression(draw: Draw, depth: int) -> str:
    kind = draw(st.sampled_from(["compare", "compare", "compare", "exists", "match", "join", "brackets"]))
    blank = draw(blanks)
    sign = draw(st.sampled_from(["", "", "!"]))
    if kind == "compare":
        operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
        return f"{draw(_value(depth))}{blank}{operator}{blank}{draw(_value(depth))}"
    if kind == "exists":
        return sign + draw(_query(depth))
    if kind == "match":
        return f"{sign}{draw(st.sampled_from(['match', 'search']))}({draw(_value(depth))}, '{draw(patterns)}')"
    if kind == "brackets":
        return f"{sign}({draw(_expression(depth))})"
    return f"{draw(_expression(depth))}{blank}{draw(st.sampled_from(['&&', '||']))}{blank}{draw(_expression(depth))}"


starts = st.sampled_from(["$", "$.data", "$.data.object", "$.data.object", "$.data.object.*"])


@st.composite
def paths(draw: Draw) -> str:
    """A JSONPath, in nearly all cases a valid one."""
    return draw(starts) + "".join(draw(st.lists(_segment(2), min_size=1, max_size=3)))


_ROOT_IN_INNER_FILTER = re.compile(r"[\[,]\s*\?.*[\[,]\s*\?.*\$")
"""There the oracle takes the value it looks at for the root, where RFC 9535 (2.3.5) has the whole argument."""


def _expected(text: str, root: Any) -> list[Any] | None:
    """What the oracle finds; None where it holds the path to be invalid."""
    try:
        return list(jsonpath_rfc9535.find(text, root).values())
    except jsonpath_rfc9535.JSONPathError:
        return None


@given(paths(), objects)
@settings(max_examples=400, deadline=None)
def test_an_accepted_path_finds_what_the_oracle_finds(text: str, found: dict[str, Any]) -> None:
    """In its order; what the oracle refuses is refused, and of the rest only what would cost too much."""
    assume(not _ROOT_IN_INNER_FILTER.search(text))
    subject = _event(found, None, None)
    expected = _expected(text, subject.data)
    path = _read(text)
    if isinstance(path, PathError):
        assert expected is None or "again and again" in path.message or len(text) > LONGEST, (text, path)
        return
    assert expected is not None, f"accepted, and is invalid: {text}"
    pairs = find(path, subject)
    assert repr([value for value, _ in pairs]) == repr(expected), text  # repr: `true` is not 1, nor is 1.0
    assert repr(values_getter(path)(subject)) == repr(expected)


def _read(text: str) -> Path | PathError:
    try:
        return parse_path(text)
    except PathError as error:
        return error


def _spoiled(path: str, at: float, sign: str, cut: bool) -> str:
    place = 2 + int(at * (len(path) - 2))
    return path[:place] + sign + path[place + cut :]


signs = "$@.*[]?()!=<>&|,:'\"\\ -+0123456789abetruenlgth_é\n"
texts = st.one_of(
    st.text(alphabet=signs, max_size=25).map(lambda rest: f"$.{rest}"),
    st.builds(_spoiled, paths(), st.floats(0, 1), st.sampled_from(signs.replace(",", "")), st.booleans()),
)


@given(texts)
@settings(max_examples=400, deadline=None)
def test_what_the_oracle_refuses_is_refused_with_a_place(text: str) -> None:
    """Whatever is written, a path is read or refused, and never accepted where it is invalid."""
    path = _read(text)
    if isinstance(path, PathError):
        assert path.message
        assert path.at is None or 0 <= path.at < len(text)
    else:
        assert _expected(text, {}) is not None, f"accepted, and is invalid: {text}"


def test_the_root_in_an_inner_filter_is_that_of_the_event() -> None:
    """RFC 9535, 2.3.5.1: `$` is the argument as a whole, however deep the filter; the oracle differs."""
    subject = _event({"a": 1}, None, None)
    assert [value for value, _ in find(parse_path("$[?@[?@ == $.data.object]]"), subject)] == [subject.data["data"]]
