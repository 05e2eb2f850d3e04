"""What the loader says of mistakes in conditions, word for word, and where."""

import pytest

from tests.rulebook.books import mistakes, rule, where

A = "rules/a.yaml"

EXACT = [
    (
        where("{reason: null}"),
        f"{A}:3:58  error[null]  reason is never equal to null; write reason: {{exists: false}}",
    ),
    (
        where("{reason: []}"),
        f"{A}:3:58  error[empty]  reason is never equal to an empty list; write {{length: 0}}",
    ),
    (
        where("{amount: {gtee: 5}}"),
        f"{A}:3:59  error[unknown-operator]  unknown operator 'gtee' under amount; did you mean 'gte'?",
    ),
    (
        where("{metadata: {internal_test: x}}"),
        f"{A}:3:61  error[unknown-operator]  unknown operator 'internal_test' under metadata; "
        "a map under a path is operators; for a deeper field write 'metadata.internal_test' as the path",
    ),
    (
        where("{reason: {in_table: x}}"),
        f"{A}:3:69  error[unknown-name]  there is no table 'x'; define it under 'tables' at the top of a file of rules",
    ),
    (
        where("{reason: {matches: $account.id}}"),
        f"{A}:3:68  error[operand]  a regular expression is written in the rule itself; "
        "for what stands at another path write same_as, prefix, suffix or contains",
    ),
    (
        where("{reason: {matches: a(?=b)}}"),
        f"{A}:3:68  error[operand]  this is not a regular expression: invalid perl operator: (?=; "
        "RE2 has no look-around and no back-references: https://github.com/google/re2/wiki/Syntax",
    ),
    (
        where("{reason: {same_as: .}}"),
        f"{A}:3:68  error[path]  '.' is the value itself, which is always the same as itself",
    ),
    (
        where("{ip: {cidr: 10.1.0.0/8}}"),
        f"{A}:3:61  error[operand]  '10.1.0.0/8' is no network; write 10.0.0.0/8",
    ),
    (
        where("{created: {older_than: 10 minutes}}"),
        f"{A}:3:72  error[duration]  expected a duration like 10m, got '10 minutes'",
    ),
    (
        where("{amount: {gt: 5, ignore_case: true}}"),
        f"{A}:3:59  error[operand]  'ignore_case' means nothing to 'gt'; it can stand beside eq, prefix, suffix, "
        "contains, glob, matches, same_as, in_table; write a second test for the rest",
    ),
    (
        where("{reason: {ignore_case: true}}"),
        f"{A}:3:59  error[operand]  'ignore_case' has no operator beside it; "
        "write one of eq, prefix, suffix, contains, glob, matches, same_as, in_table",
    ),
    (
        where("{evidence: {any_item: {a: {changed: true}}}}"),
        f"{A}:3:72  error[changed]  'changed' speaks of the whole list, and cannot look into one element; "
        "write {changed: {added: ..}} under the path of the list",
    ),
    (
        where('{amount: {gte: "500"}}'),
        f"{A}:3:64  error[operand]  'gte' takes a number, money like 500 USD, or a time like 2026-01-31T09:00:00Z; "
        "got the text '500'; write 500 without quotes",
    ),
    (
        where("{amount: {gte: $500}}"),
        f"{A}:3:64  error[operand]  'gte' takes a number, money like 500 USD, or a time like 2026-01-31T09:00:00Z; "
        "got the text '$500'; write '500 USD'",
    ),
    (
        where("{amount: {gte: 500.005 USD}}"),
        f"{A}:3:64  error[money]  USD has two decimals, so 500.005 USD is not an amount",
    ),
    (
        where("{amount: {gte: [500 USD, 5 USD]}, currency: usd}"),
        f"{A}:3:74  error[money]  there is a bound for USD already",
    ),
    (
        where("{amount: {between: [5 USD, 1 USD]}, currency: usd}"),
        f"{A}:3:68  error[operand]  nothing is between 5 USD and 1 USD; write [1 USD, 5 USD]",
    ),
    (
        rule(when='{type: account.updated, where: {"a[*]": {changed: true}}}'),
        f"{A}:3:52  error[changed]  'changed' looks at one field, and a[*] may be several; "
        "write the path of the list, and {changed: {added: ..}} or {removed: ..}",
    ),
    (
        where("{$accont.id: x}"),
        f"{A}:3:50  error[path]  unknown name '$accont'; did you mean '$account'?",
    ),
    (
        where("{'$.a[?@.b = 1]': x}"),
        f"{A}:3:60  error[path]  there is no '=' in JSONPath; write == for equal",
    ),
    (
        where("{a: {gt: '$.b['}}"),
        f"{A}:3:62  error[path]  the path ends too early; between brackets stand 0, -1, 1:3, *, 'a name' or "
        "?@.name == 'text'",
    ),
]


@pytest.mark.parametrize(("text", "expected"), EXACT, ids=lambda value: str(value)[:60])
def test_the_mistake_says_where_what_and_what_instead(text: str, expected: str) -> None:
    """Exactly one finding, in exactly these words."""
    assert mistakes(text) == [expected]
