"""What check calls impossible never holds, and what it calls needless takes nothing away."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.match import holds
from engine.match.selectors import Found, selector_of
from engine.model.condition import All, Money, Nothing, Operation, PathTest
from engine.model.event import Json, Scope
from engine.model.position import Position
from engine.model.rule import Rule, When
from engine.rulebook.book import Rulebook
from engine.rulebook.findings import Findings
from engine.rulebook.lints.contradictions import check_contradictions
from engine.rulebook.lints.cost import surely_found
from engine.rulebook.lints.repeats import covers
from tests.builders import event

PLACE = Position(file="a.yaml", line=1, column=1, length=1)
NUMBERS = st.integers(0, 4)
TEXTS = st.sampled_from(["a", "ab", "b", "A"])
MONEY = st.builds(
    lambda minor, currency: Money(amount=Decimal(minor) / 100, currency=currency, minor=minor),
    NUMBERS,
    st.sampled_from(["usd", "eur"]),
)


def operation(name: str, operand: Json, fold: bool = False) -> Operation:
    return Operation(operator=name, operand=operand, fold=fold, position=PLACE)


BOUND = st.one_of(NUMBERS, MONEY)
PLAIN = st.one_of(NUMBERS, TEXTS, st.booleans())
OPERATIONS = st.one_of(
    st.builds(operation, st.sampled_from(["gt", "gte", "lt", "lte"]), BOUND),
    st.builds(lambda low, more: operation("between", (low, low + more)), NUMBERS, NUMBERS),
    st.builds(
        operation, st.just("eq"), st.one_of(NUMBERS, TEXTS, st.booleans(), st.tuples(TEXTS, NUMBERS)), st.booleans()
    ),
    st.builds(operation, st.sampled_from(["prefix", "suffix", "glob", "matches", "contains"]), TEXTS, st.booleans()),
    st.builds(operation, st.just("exists"), st.booleans()),
)
VALUES = st.one_of(NUMBERS, TEXTS, st.booleans(), st.none(), st.lists(st.one_of(NUMBERS, TEXTS), max_size=2))


@settings(max_examples=400, deadline=None)
@given(st.lists(OPERATIONS, min_size=2, max_size=3), st.lists(VALUES, min_size=1, max_size=8), st.booleans())
def test_what_is_said_never_to_hold_never_holds(operations: list[Operation], values: list[Json], missing: bool) -> None:
    """Whatever the value: of its own kind, of another, in a list, null, or missing."""
    test = PathTest(path="amount", operations=tuple(operations), position=PLACE)
    found = Findings()
    check_contradictions(found, When(types=("charge.*",), livemode=None, where=test, position=PLACE))
    if not found.mistakes:
        return
    for value in values:
        for currency in ("usd", "eur"):
            about = {"currency": currency} if missing else {"amount": value, "currency": currency}
            assert not holds(test, event("charge.failed", object=about))


TESTS = st.builds(
    lambda path, each: PathTest(path=path, operations=(each,), position=PLACE), st.sampled_from(["a", "b"]), OPERATIONS
)
WHENS = st.builds(
    lambda types, scopes, livemode, accounts, tests: When(
        types=tuple(types),
        scopes=scopes,
        livemode=livemode,
        accounts=accounts,
        where=All(children=tuple(tests)),
        position=PLACE,
    ),
    st.lists(st.sampled_from(["payout.failed", "payout.*", "payout.paid", "*"]), min_size=1, max_size=2, unique=True),
    st.sampled_from([None, frozenset({Scope.CONNECTED}), frozenset({Scope.CONNECTED, Scope.PLATFORM})]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, ("acct_1",), ("acct_1", "acct_2")]),
    st.lists(TESTS, max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(WHENS, WHENS, VALUES, VALUES, st.booleans())
def test_a_when_that_covers_another_takes_all_of_its_events(
    wide: When, narrow: When, a: Json, b: Json, live: bool
) -> None:
    if not covers(wide, narrow, True):
        return
    book = Rulebook(revision="r", rules=(Rule(id="w", when=(wide,), steps=()), Rule(id="n", when=(narrow,), steps=())))
    for type_ in ("payout.failed", "payout.paid", "charge.failed"):
        for account in ("acct_1", "acct_2", None):
            about = event(type_, object={"a": a, "b": b}, account=account, livemode=live)
            fired = {match.rule.id for match in book.match(about)}
            assert "n" not in fired or "w" in fired


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(OPERATIONS, st.booleans()), min_size=2, max_size=3),
    st.lists(st.one_of(PLAIN, st.none()), min_size=1, max_size=8),
)
def test_nor_do_tests_that_stand_apart(parts: list[tuple[Operation, bool]], values: list[Json]) -> None:
    """Under `all` and `none`, of a field that is known to be no list."""
    tests = [(PathTest(path="amount", operations=(each,), position=PLACE), negative) for each, negative in parts]
    where = All(children=tuple(Nothing(children=(test,)) if negative else test for test, negative in tests))
    found = Findings()
    check_contradictions(found, When(types=("charge.failed",), livemode=None, where=where, position=PLACE))
    if found.mistakes:
        for value in values:
            for currency in ("usd", "eur"):
                assert not holds(where, event("charge.failed", object={"amount": value, "currency": currency}))
        assert not holds(where, event("charge.failed", object={"currency": "usd"}))


@given(st.lists(OPERATIONS, min_size=1, max_size=3), st.sampled_from(["amount", "a.b", "lines.data[*].amount"]))
def test_a_rule_that_is_surely_found_is_never_scanned(operations: list[Operation], path: str) -> None:
    """The quick look of the warning about many rules agrees with the index."""
    when = When(types=("charge.failed",), where=PathTest(path=path, operations=tuple(operations), position=PLACE))
    assert not surely_found(when) or selector_of(when).found is not Found.SCAN
