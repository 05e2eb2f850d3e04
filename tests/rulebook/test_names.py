"""Variables and tables: what stands in the place of a name, and every way to get one wrong."""

from textwrap import dedent
from types import SimpleNamespace
from typing import cast

import pytest

from engine.model.condition import Bounds, Column, Members, Operation, PathTest
from engine.plan import make_plan
from engine.render import render_text, scene
from engine.rulebook import Loaded, Rulebook, load
from engine.settings import Settings
from notifiers.expand import expand
from tests.builders import event
from tests.rulebook.books import KNOWN, rule

ACCOUNTS = "account,limit,csm,channel\nacct_1,50000,Ann,risk\nacct_2,100,,payments\n"
TABLE = "tables: {accounts: {file: accounts.csv, key: account, types: {limit: integer}}}\n"


def files(csv: str = ACCOUNTS, **texts: str) -> Loaded:
    """Files of rules by name, with accounts.csv beside them."""
    sources = {f"{name}.yaml": dedent(text) for name, text in texts.items()}
    return load({**sources, "accounts.csv": csv}, KNOWN)


def sound(csv: str = ACCOUNTS, **texts: str) -> Rulebook:
    """Files without mistakes, loaded."""
    loaded = files(csv, **texts)
    assert [str(mistake) for mistake in loaded.mistakes] == []
    return loaded.rulebook


def said(csv: str = ACCOUNTS, **texts: str) -> list[str]:
    """Each mistake as its one line."""
    return [str(mistake) for mistake in files(csv, **texts).mistakes]


def where(test: str, kind: str = "payout.failed") -> str:
    return rule(when=f"{{type: {kind}, where: {test}}}")


def operation(book: Rulebook) -> Operation:
    """The one operation of the one rule."""
    condition = book.rules[0].when[0].where
    assert isinstance(condition, PathTest)
    return condition.operations[0]


def test_a_variable_is_the_value_that_it_stands_for() -> None:
    """A rule with the name is the same rule as one with the value in its place."""
    variables = "vars: {big: [500 USD, 450 EUR, others], words: [a, b], low: 5, types: [payout.failed, payout.paid]}"
    book = sound(names=variables, rules=where("{amount: {gte: $vars.big}}"))
    operand = operation(book).operand
    assert isinstance(operand, Bounds)
    assert [bound.minor for bound in operand.bounds] == [50000, 45000]
    assert operation(sound(names=variables, rules=where("{status: $vars.words}"))).operand == ("a", "b")
    assert operation(sound(names=variables, rules=where("{created: {between: [$vars.low, 9]}}"))).operand == (5, 9)
    assert sound(names=variables, rules=rule(when="{type: $vars.types}")).rules[0].when[0].types == (
        "payout.failed",
        "payout.paid",
    )


def test_a_mistake_in_a_value_is_said_where_it_is_used() -> None:
    """The value may be right elsewhere."""
    assert said(names="vars: {word: x}", rules=where("{amount: {gte: $vars.word}}")) == [
        "rules.yaml:3:55  error[operand]  'gte' takes a number, money like 500 USD, or a time like "
        "2026-01-31T09:00:00Z; got the text 'x'"
    ]


def test_tables_are_looked_in() -> None:
    """Of a table without a column the first; a key is not needed."""
    book = sound(rules=f"tables: {{vip: [acct_1, acct_9]}}\n{where('{destination: {in_table: vip}}')}")
    assert isinstance(operation(book).operand, Members)
    assert book.match(event("payout.failed", object={"destination": "acct_9"}))
    assert not book.match(event("payout.failed", object={"destination": "acct_2"}))
    named = sound(rules=TABLE + where("{description: {in_table: accounts.csm, ignore_case: true}}"))
    assert named.match(event("payout.failed", object={"description": "ANN"}))
    typed = sound(rules=TABLE + where("{amount: {in_table: accounts.limit}}"))
    assert typed.match(event("payout.failed", object={"amount": 100}))
    assert not typed.match(event("payout.failed", object={"amount": "100"}))


def test_the_account_of_an_event_can_be_looked_up() -> None:
    """`account: {in_table: vip}` is a test of `$account.id`; the platform is in no table."""
    book = sound(rules=f"tables: {{vip: [acct_1]}}\n{rule(when='{type: payout.failed, account: {in_table: vip}}')}")
    assert book.match(event("payout.failed", account="acct_1"))
    assert not book.match(event("payout.failed", account="acct_2"))
    assert not book.match(event("payout.failed", account=None))


def test_a_cell_is_that_of_the_account() -> None:
    """On both sides of a test; where there is none it is missing, and explained so."""
    book = sound(rules=TABLE + where("{amount: {gt: $tables.accounts.limit}, $tables.accounts.csm: Ann}"))
    assert book.match(event("payout.failed", account="acct_1", object={"amount": 50001}))
    assert not book.match(event("payout.failed", account="acct_1", object={"amount": 50000}))
    assert not book.match(event("payout.failed", account="acct_2", object={"amount": 50001}))  # an empty cell
    (verdict,) = book.explain(event("payout.failed", account="acct_7", object={"amount": 9}))
    assert verdict.because is not None
    assert verdict.because.needs == "> $tables.accounts.limit"
    assert verdict.because.note == "$tables.accounts.limit is missing: accounts has no limit for acct_7"
    own = sound(rules=TABLE + where("{$tables.accounts.csm: {exists: true}}"))
    (verdict,) = own.explain(event("payout.failed", account="acct_2"))
    assert verdict.because is not None
    assert (verdict.because.actual, verdict.because.note) == ("missing", "accounts has no csm for acct_2")
    test = own.rules[0].when[0].where
    assert isinstance(test, PathTest)
    assert isinstance(test.column, Column)


def test_texts_read_variables_and_the_row_of_the_account() -> None:
    """An empty cell, and an account without a row, are null: an alert is never lost to a missing cell."""
    title = "'{{ vars.team }}: {{ tables.accounts.csm | default(\"nobody\") }}'"
    book = sound(rules="vars: {team: ops}\n" + TABLE + rule(then=f"{{notify: risk, title: {title}}}"))
    (only,) = book.rules

    def text(account: str) -> str:
        return render_text(str(only.steps[0].options["title"]), scene(event("payout.failed", account=account), only))

    assert [text(account) for account in ("acct_1", "acct_2", "acct_3")] == ["ops: Ann", "ops: nobody", "ops: nobody"]


def test_a_channel_may_stand_in_a_table() -> None:
    """Each account's own; an account without one has the delivery recorded as skipped."""
    book = sound(rules=TABLE + rule(then="{notify: [onboarding, $tables.accounts.channel]}"))
    (only,) = book.rules
    settings = cast("Settings", SimpleNamespace(channels={}))

    def planned(account: str) -> list[tuple[str, str]]:
        plan = make_plan(
            event("payout.failed", account=account),
            [only],
            "r",
            lambda step, severity, livemode: expand(step, severity=severity, livemode=livemode, settings=settings),
        )
        return [(each.destination, each.reason or str(each.status)) for each in plan.deliveries]

    assert planned("acct_1") == [("onboarding", "pending"), ("risk", "pending")]
    assert planned("acct_3") == [
        ("onboarding", "pending"),
        ("$tables.accounts.channel", "$tables.accounts.channel has nothing for acct_3"),
    ]


def test_what_is_in_a_table_is_part_of_the_revision() -> None:
    """So that what was decided by a cell is explained with it; a CSV file that no table names is no part."""
    text = TABLE + where("{amount: {gt: $tables.accounts.limit}}")
    loaded = files(rules=text)
    assert set(loaded.files) == {"rules.yaml", "accounts.csv"}
    assert loaded.rulebook.revision != files(ACCOUNTS.replace("50000", "50001"), rules=text).rulebook.revision
    assert set(files(rules=rule()).files) == {"rules.yaml"}


LOST: list[tuple[str, list[str]]] = [
    (
        where("{amount: {gt: $vars.bgi}, status: {in_table: vpi}}"),
        [
            "rules.yaml:3:54  error[unknown-name]  there is no variable 'bgi'; did you mean 'big'?",
            "rules.yaml:3:85  error[unknown-name]  there is no table 'vpi'; did you mean 'vip'?",
        ],
    ),
    (
        where("{amount: {gt: $tables.accounts.limt}}"),
        [
            "rules.yaml:3:54  error[unknown-name]  table 'accounts' has no column 'limt'; did you mean 'limit'?",
        ],
    ),
    (
        where("{amount: {gt: $tables.vip.value}}"),
        [
            "rules.yaml:3:54  error[unknown-name]  table 'vip' has no key, so there is no row for the event's account; "
            "add key: <the column of account ids> to table vip, or write {in_table: vip}",
        ],
    ),
    (
        where("{amount: {gt: $tables.accounts}}"),
        ["rules.yaml:3:54  error[path]  '$tables.accounts' names no column; write $tables.<table>.<column>"],
    ),
    (where("{$vars.big: 5}"), ["rules.yaml:3:41  error[path]  a variable is a value, and stands where a value may; "]),
    (
        rule(then="{notify: risk, title: '{{ vars.bog }}'}"),
        ["rules.yaml:4:33  error[unknown-name]  there is no variable 'bog'; did you mean 'big'?"],
    ),
    (
        rule(then="{notify: risk, title: '{{ tables.accounts.cms }}'}"),
        ["rules.yaml:4:33  error[unknown-name]  table 'accounts' has no column 'cms'; did you mean 'csm'?"],
    ),
    (
        rule(then="{notify: risk, title: '{{ vars[event.type] }}'}"),
        ["rules.yaml:4:33  error[template]  'vars' by itself is not known before it runs; write vars.big"],
    ),
    (
        rule(then="{notify: $tables.accounts.csm}"),
        [
            "rules.yaml:4:20  error[unknown-channel]  the csm of acct_1 in accounts is 'Ann', and there is no such "
            "channel"
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), LOST, ids=range(len(LOST)))
def test_a_name_that_there_is_not(text: str, expected: list[str]) -> None:
    """Said at its place, all of them in one run, with the nearest one that there is."""
    names = "vars: {big: 5}\ntables:\n  vip: [acct_1]\n  accounts: {file: accounts.csv, key: account}\n"
    found = said(names=names, rules=text)
    assert len(found) == len(expected), found
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


DEFINED: list[tuple[str, str]] = [
    ("vars: {big: }", "n.yaml:1:13  error[vars]  a variable has a value"),
    ("vars: {big: $vars.small}", "n.yaml:1:13  error[vars]  a variable cannot stand for another variable"),
    ("vars: {'a b': 1}", "n.yaml:1:8  error[vars]  a variable's name is letters, digits and _; write 'a_b'"),
    ("vars: [big]", "n.yaml:1:7  error[type]  expected a map of names under vars, like {big: 500 USD}, got a list"),
    ("tables: {vip: []}", "n.yaml:1:15  error[empty]  table 'vip' is empty"),
    ("tables: {vip: [[a]]}", "n.yaml:1:16  error[type]  a table written here is a list of values; got a list"),
    ("tables: {vip: acct_1}", "n.yaml:1:15  error[type]  expected a list of values, or {file: accounts.csv}"),
    (
        "tables: {a: {file: acounts.csv}}",
        "n.yaml:1:20  error[table-file]  there is no file acounts.csv among the rules",
    ),
    ("tables: {a: {file: ../../etc/x.csv}}", "n.yaml:1:20  error[table-file]  there is no file ../../etc/x.csv among"),
    ("tables: {a: {file: accounts.txt}}", "n.yaml:1:20  error[table-file]  a table's file is a CSV file"),
    ("tables: {a: {key: x}}", "n.yaml:1:13  error[missing-key]  table 'a' has no 'file'"),
    ("tables: {a: {file: accounts.csv, key: acount}}", "n.yaml:1:39  error[table]  the table has no column 'acount'"),
    ("tables: {a: {file: accounts.csv, types: {limit: int}}}", "n.yaml:1:49  error[unknown-value]  expected a type of"),
]


@pytest.mark.parametrize(("text", "expected"), DEFINED, ids=[text for text, _ in DEFINED])
def test_a_definition_that_cannot_be_one(text: str, expected: str) -> None:
    """Whether or not a rule uses it."""
    (line,) = said(n=text + "\n")
    assert line.startswith(expected)


ROWS: list[tuple[str, str]] = [
    ("", "accounts.csv:1:1  error[table]  accounts.csv is empty: its first line names the columns"),
    ("account,limit\n", "accounts.csv:1:1  error[table]  accounts.csv has no rows"),
    ("account,limit\nacct_1\n", "accounts.csv:2:1  error[table]  this row has 1 cells, the first line 2"),
    ("account,limit\nacct_1,many\n", "accounts.csv:2:1  error[table]  limit is to be an integer, got 'many'"),
    ("account,limit\nacct_1,1_000\n", "accounts.csv:2:1  error[table]  limit is to be an integer, got '1_000'"),
    ("account,limit\nacct_1,1.5\n", "accounts.csv:2:1  error[table]  limit is to be an integer, got '1.5'"),
    ("account,limit\n,5\n", "accounts.csv:2:1  error[table]  this row has no account, which is the key"),
    ("account,limit\na,5\n\na,6\n", "accounts.csv:4:1  error[table]  there is a row for a already, in line 2"),
    ("account,limit,limit\n", "accounts.csv:1:1  error[table]  column 'limit' appears twice"),
    (
        "account,limit\n\udce4,5\n",
        "accounts.csv:2:1  error[table-file]  this is not UTF-8 text; save the file as UTF-8",
    ),
    ('account,limit\n"a,5\n', "accounts.csv:2:1  error[table]  this is not CSV: unexpected end of data"),
]


@pytest.mark.parametrize(("csv", "expected"), ROWS, ids=[csv for csv, _ in ROWS])
def test_a_row_that_cannot_be_one(csv: str, expected: str) -> None:
    """Said at its line of the CSV file, and nothing more of the rules that use the table."""
    (line,) = said(csv, rules=TABLE + where("{amount: {gt: $tables.accounts.limit}}"))
    assert line.startswith(expected)


def test_a_name_is_defined_once() -> None:
    """Over all files; the second place is told of the first."""
    assert said(a="vars: {big: 1}\ntables: {vip: [a]}\n", b="vars: {big: 2}\ntables: {vip: [b]}\n") == [
        "b.yaml:1:8  error[duplicate-name]  variable 'big' is already defined in a.yaml:1",
        "b.yaml:2:10  error[duplicate-name]  table 'vip' is already defined in a.yaml:2",
    ]
