"""JSONPaths mean what RFC 9535 says, cost no more than they may, and are refused where they are wrong."""

from typing import Any

import jsonpath_rfc9535
import pytest

from engine.match import PathError, parse_path
from engine.match.filters import Query
from engine.match.lookup import find, values_getter
from engine.match.scope import Scope
from tests.builders import event

OBJECT: dict[str, Any] = {
    "list": [{"x": 1, "on": True}, {"x": 2.5, "n": None}, {"y": [3, 4, [5]], "x": "1"}, 7, "text", [], {}, None],
    "map": {"p": 1, "q": {"x": 5, "p": 1}, "é": "e", "a b": 2, "where": 3, "*": 4, "it's": 5, "\\": 6, "\n": 7},
    "same": [{"a": [1, {"b": 2}], "b": [1, {"b": 2.0}]}, {"a": {"x": 1, "y": [2]}, "b": {"y": [2], "x": 1}}, {"a": 1}],
    "words": ["abc", "ab", "xab", "a\nb", "", "Ab", "é", "𝔸"],
    "null": None,
}
O = "$.data.object"  # noqa: E741
PATHS = [
    *(f"{O}.list[0].x", f"{O}.list[-1]", f"{O}.list[*].x", f"{O}.list[2].y[*]", "$['data']['object'].map.p"),
    *(f"{O}.map[*]", f"{O}.map.*.x", f"{O}.list[9]", f"{O}.list.x", f"{O}.null", f"{O}.null.x", f"{O}.list[*][*]"),
    *(f"{O}.map[0]", "$.type", "$.data.*.map", f"{O}.list[-9]", "$", "$.data.nothing"),
    *(f"{O}.list[1:3]", f"{O}.list[::2]", f"{O}.list[::-1]", f"{O}.list[5:1:-2]", f"{O}.list[:]", f"{O}.list[1:2:0]"),
    *(f"{O}.map[:]", f"{O}.list[-3:]", f"{O}.list[100:-100]"),
    *(f"{O}.list[0,2]", f"{O}.map['p','q']", f"{O}.map['q',0,*]", f"{O}.list[1,0:3]", f"{O}.list[*,1,1]"),
    *(f"{O}..x", f"{O}..*", f"{O}..[0]", f"{O}..['x','p']", f"{O}..[?@.x]", f"{O}.list..y[1:]", "$..[-1]"),
    *(
        f"{O}.map.é",
        f"{O}.map['\\u00e9']",
        f"{O}.map.where",
        f"{O}.map['*']",
        f"{O}.map['it\\'s']",
        f'{O}.map["it\'s"]',
    ),
    *(f'{O}.map["it\'s"]', f"{O}.map['\\\\']", f"{O}.map['\\n']", f"{O}.map['a b']", f"{O}.words['\\ud835\\udd38']"),
    *(f"{O}.list[?@.x]", f"{O}.list[?(@.n)]", f"{O}.list[?!@.x]", f"{O}.list[?@.x == 1]", f"{O}.list[?1 == @.x]"),
    *(f"{O}.list[?@.x == '1']", f"{O}.list[?@.x != 1]", f"{O}.list[?@.on == true]", f"{O}.list[?@.on == 1]"),
    *(f"{O}.list[?@.n == null]", f"{O}.list[?@ == null]", f"{O}.list[?@.x == @.gone]", f"{O}.list[?@.x >= 1e0]"),
    *(f"{O}.list[?@.x > 1 && !@.on]", f"{O}.list[?@.x == 1 || @.y && @.x]", f"{O}.list[?(@.x == 1 || @.y) && @.x]"),
    *(f"{O}.list[?!(@.x == 1 || @.y)]", f"{O}.list[?@.y[?@ > 3]]", f"{O}.list[?@.on <= true]", f"{O}.list[?@ < 'u']"),
    *(f"{O}.same[?@.a == @.b]", f"{O}.same[?@.a != @.b]", f"{O}.same[?@.a == {O}.same[1].b]", f"{O}.map[?@.p == 1]"),
    *(f"{O}.list[?length(@) > 1]", f"{O}.list[?count(@.*) == 2]", f"{O}.list[?value(@..x) == 2.5]"),
    *(f"{O}.list[?length(@.y) == length({O}.same)]", f"{O}.list[?count(@.y[?@ > 3]) >= 1].x"),
    *(f"{O}.words[?match(@, 'a.')]", f"{O}.words[?search(@, 'b')]", f"{O}.words[?match(@, '[^a-z]b*')]"),
    *(
        f"{O}.words[?search(@, '\\\\p{{Lu}}')]",
        f"{O}.words[?match(@, '(a|x)+b?c{{0,1}}|.')]",
        f"{O}.map[?!match(@, '.')]",
    ),
    *(f"{O} .list [ 0 , 1 ] [?  @ .x  ==  1 ]", f"{O}.list[?@.x==1,?@.x==2.5]", f"{O}.list[?@.y].y[0]"),
]


@pytest.mark.parametrize("text", PATHS)
def test_a_json_path_finds_what_an_independent_implementation_finds(text: str) -> None:
    """jsonpath-rfc9535 passes the standard's own compliance suite, which jsonpath-ng does not."""
    subject = event(object=OBJECT)
    expected = [node.value for node in jsonpath_rfc9535.find(text, subject.data)]
    path = parse_path(text)
    assert [value for value, _ in find(path, subject)] == expected
    assert values_getter(path)(subject) == expected


REFUSED: list[tuple[str, str | None, str]] = [
    ("$.", None, "the path ends too early"),
    ("$.a b", "b", "['any name']"),
    ("$.a ", " ", "leave them out"),
    ("$.a[", None, "the path ends too early"),
    ("$.a['b'", "['b'", "close it with ]"),
    ("$.a['b]", "'b]", "close it with '"),
    ("$.a.0", "0", "write [0]"),
    ("$.a-b", "a-b", "['a-b'] without the dot"),
    ("$..a-b", "a-b", "write ..['a-b']"),
    ("$.a.[0]", ".", "leave the dot out"),
    ("$.a[b.c]", "b.c", "write ['b.c']"),
    ("$.a[(@.length-1)]", "(", "write [-1]"),
    ("$.a[]", "[]", "write [*]"),
    ("$.a[01]", "0", "like 0, 12 or -1"),
    ("$.a[9007199254740992]", "9007199254740992", "at most"),
    ("$.a]", "]", "leave it out"),
    ("$.a['\\x']", "\\x", "write \\\\"),
    ("$.a['\\ud800']", "\\u", "a surrogate pair in two"),
    ("$.a['\t']", "\t", "write \\n"),
    ("$.a|$.b", "|$.b", "'any' or 'all'"),
    ("$.a.`parent`", "`parent`", "jsonpath-ng's own"),
    ("$.a[\\b]", "\\", "sorting"),
    ("$.a[?@.b = 1]", "=", "write =="),
    ("$.a[?@.b =~ 'x']", "=~", "write match("),
    ("$.a[?@.b <> 1]", "<>", "write !="),
    ("$.a[?@.b & @.c]", "&", "write &&"),
    ("$.a[?@.b and @.c]", "and", "write &&"),
    ("$.a[?not @.b]", "not", "write !"),
    ("$.a[?@.b in ['x']]", "in", "join comparisons with ||"),
    ("$.a[?@.b == x]", "x", "write 'x' in quotes"),
    ("$.a[?@.b == True]", "True", "write true"),
    ("$.a[?@.b == 1 == 2]", "=", "join two comparisons"),
    ("$.a[?!@.b == 1]", "@.b", "!(..)"),
    ("$.a[?(@.b) == 1]", "=", "leave the brackets out"),
    ("$.a[?(@.b]", "]", "?@.amount"),
    ("$.a[?@.b[*] == 1]", "@.b[*]", "count(..)"),
    ("$.a[?true]", "true", "compare it"),
    ("$.a[?@.b == 01]", "01]", "?@.amount"),
    ("$.a[?@.b == 1e999]", "1e999", "fewer zeros"),
    ("$.a[?lenght(@.b) > 1]", "lenght", "did you mean 'length'?"),
    ("$.a[?length(@.b)]", "length(@.b)", "compare it"),
    ("$.a[?length (@.b) > 1]", " ", "write length(..)"),
    ("$.a[?length(@.b[*]) > 1]", "@.b[*]", "several values"),
    ("$.a[?length(@.b, 1) > 1]", "length(@.b, 1)", "takes a path"),
    ("$.a[?count(1) > 1]", "1", "count(@.items[*])"),
    ("$.a[?match(@.b, 'x') == true]", "match(@.b, 'x')", "leave the comparison out"),
    ("$.a[?match(@.b, @.c)]", "@.c", "written in the path itself"),
    ("$.a[?match(@.b, '^x')]", "'^x'", "no anchor"),
    ("$.a[?search(@.b, '(?i)x')]", "'(?i)x'", "cannot stand here"),
    ("$.a[?search(@.b, 'x**')]", "'x**'", "cannot stand here"),
    ("$.a[?search(@.b, '\\\\d')]", "'\\\\d'", "cannot stand here"),
    ("$.a[?search(@.b, '(x')]", "'(x'", "is not closed"),
    ("$.a[?search(@.b, 'x{2,1}')]", "'x{2,1}'", "not a pattern"),
    ("$..a..b", "..", "the names on the way"),
    ("$..a[?@..b]", "..", "the names on the way"),
    ("$[*,*][*,*][*,*][*,*][*,*]", "[*,*]", "name each of them once"),
    ("$.a[?" + "(" * 60 + "@.b" + ")" * 60 + "]", "(", "more than 20 levels"),
    ("$.a" + "[?@.a" * 30, None, "more than 20 levels"),
    ("$.a[?" + "!" * 30 + "@.b]", "!", "?@.amount"),
]


@pytest.mark.parametrize(("text", "marked", "said"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_is_no_json_path_is_refused_with_its_place(text: str, marked: str | None, said: str) -> None:
    """With what stands there, and what to write instead."""
    with pytest.raises(PathError) as caught:
        parse_path(text)
    error = caught.value
    assert said in f"{error.message}; {error.hint}"
    assert error.at is not None
    if marked is not None:
        found = text[error.at : error.at + error.length]
        assert found == marked if len(marked) > 1 else found.startswith(marked)


def test_numbers_beyond_floats_are_exact() -> None:
    """Integers of any size and decimals as written; NaN is equal to nothing, and a lone surrogate is a character."""
    subject = event(object={"list": [2**53 + 1, 2**53, 0.1, float("nan"), float("inf"), 10**400, "\ud800"]})
    assert _found("[?@ == 9007199254740993]", subject) == [2**53 + 1]
    assert _found("[?@ == 0.10]", subject) == [0.1]
    assert _found("[?@ == 0.1000000000000000000001]", subject) == []
    assert _found("[?@ > 1e100]", subject) == [10**400]
    assert _found("[?length(@) == 1]", subject) == ["\ud800"]
    assert _found("[?match(@, 'x')]", subject) == []
    assert len(_found("[?@ == @]", subject)) == 5


def test_a_path_costs_in_proportion_to_the_event_however_deep() -> None:
    """No recursion into values, and lists and maps are compared by what was looked at once."""
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep, 0]
    subject = event(object={"list": 0})
    subject.data["data"]["object"]["list"] = [deep, deep]
    assert len(_found("..[1]", subject)) > 10_000
    assert len(_found("..[?@ == $.data.object.list[0]]", subject)) == 2
    scope = Scope(deep)
    assert scope.same(deep, [deep[0], 0])
    assert not scope.same(deep, deep[0])


def test_a_query_from_the_root_is_asked_once() -> None:
    """Also when every element asks it again."""
    path = parse_path("$.data.object.list[?@ == value($.data.object.list[?@ > 2])]")
    subject = event(object={"list": [1, 2, 3]})
    assert [value for value, _ in find(path, subject)] == [3]
    query, scope = Query(absolute=True, steps=parse_path("$.data.object.list[*]").steps), Scope(subject.data)
    assert query.values(None, scope) is query.values(None, scope)


def test_values_know_the_currency_of_the_object_around_them() -> None:
    """The nearest that names one, along descendants, filters and slices alike."""
    lines = [{"amount": 1, "currency": "EUR"}, {"amount": 2, "fees": [{"amount": 3}]}]
    subject = event(object={"currency": "usd", "lines": {"data": lines}, "amount": 0})
    for text in ("$.data.object..amount", "$.data.object['amount','lines']..amount"):
        assert find(parse_path(text), subject) == [(0, "usd"), (1, "eur"), (2, "usd"), (3, "usd")][text.count(",") :]
    assert find(parse_path("lines.data[?@.amount > 1].amount"), subject) == [(2, "usd")]
    assert find(parse_path("lines.data[:1].amount"), subject) == [(1, "eur")]


def _found(rest: str, subject: Any) -> list[Any]:
    return [value for value, _ in find(parse_path(f"$.data.object.list{rest}"), subject)]
