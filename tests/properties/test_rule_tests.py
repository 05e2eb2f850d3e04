"""Whatever stands in the tests of a rule, it is read and run without an exception: it is a test, or a mistake."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rulebook import load
from engine.testing import read_tests
from engine.testing.expecting import KEYS as EXPECT_KEYS
from engine.testing.giving import KEYS as GIVEN_KEYS
from engine.testing.running import Runner
from tests.rulebook.books import KNOWN

RULE = """\
rules:
  - id: r
    when: {type: [charge.dispute.created, account.updated], where: {amount: {gte: 5 USD}, currency: usd}}
    then:
      - {notify: risk, title: "{{ object | money }}", text: "{{ object.metadata.x }}"}
      - {callback: case-system, id: case, if: {reason: fraudulent}, body: {a: "{{ object.amount }}"}}
    tests: """

WORDS = st.sampled_from(
    [
        "fires",
        "no",
        "r",
        "acct_1",
        "amount",
        "currency",
        "$.livemode",
        "metadata.x",
        "lines[0].a",
        "case",
        "sent",
        "connected",
        "contains",
        "*",
        "a..b",
        "none",
        "$.data.object",
        "charge.dispute.created",
        "0x",
        "\x00",
        "",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8
)
PATHS = st.sampled_from(
    [
        "amount",
        "currency",
        "reason",
        "id",
        "metadata.x",
        "evidence.a['b.c']",
        "balance_transactions[0].amount",
        "amount.of",
        "$.livemode",
        "$.data.object",
        "$.data.previous_attributes",
        "$.account",
        "$.created",
        "$.type",
    ]
)
PLAUSIBLE = {
    "set": st.dictionaries(PATHS, VALUES, max_size=3),
    "previous": st.dictionaries(st.sampled_from(["amount", "reason"]), VALUES, max_size=2),
    "account": st.just("acct_1"),
    "scope": st.sampled_from(["platform", "connected", "organization"]),
    "livemode": st.booleans(),
    "results": st.dictionaries(st.sampled_from(["case", "notify-1"]), VALUES, min_size=1, max_size=2),
}
GIVEN = st.fixed_dictionaries(
    {"event": st.sampled_from(["charge.dispute.created", "account.updated"])}, optional=PLAUSIBLE
)
ODD_GIVEN = st.dictionaries(st.sampled_from(GIVEN_KEYS), VALUES, max_size=3)
EXPECT = st.sampled_from(
    [
        *("fires", "no", {"because": "amount"}, {"text": "a\nb"}, {"title": {"not": "x"}}),
        *({"steps": {"case": "skipped"}}, {"steps": {"case": {"body.a": 1}, "notify-1": "sent"}}),
    ]
)
ODD_EXPECT = st.dictionaries(st.sampled_from([*EXPECT_KEYS, "fired"]), VALUES, max_size=3)
TEST = st.fixed_dictionaries({"given": GIVEN, "expect": EXPECT}, optional={"name": st.just("a name")})
ODD_TEST = st.fixed_dictionaries({"given": GIVEN | ODD_GIVEN | VALUES, "expect": EXPECT | ODD_EXPECT | VALUES})


@settings(max_examples=150, deadline=None)
@given(st.lists(TEST, min_size=1, max_size=2) | st.lists(ODD_TEST, max_size=2) | VALUES)
def test_any_tests_are_read_and_run(tests: Any) -> None:
    """Each is a test that passes or fails with a reason, or a mistake with its place."""
    sources = {"rules/a.yaml": RULE + json.dumps(tests) + "\n"}
    loaded = load(sources, KNOWN)
    found = read_tests(sources, loaded.rulebook.rules, Path())
    assert all(mistake.position is not None for mistake in found.mistakes)
    for test in found.tests:
        result = Runner(loaded.rulebook).run(test)
        assert all(problem.said for problem in result.problems)
