"""A first rule for an event: it loads without a warning, and its tests pass, whatever the event."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.model.catalog import catalog
from engine.model.event import Event
from engine.rulebook import load
from engine.scaffold import ACCOUNT, rule_id_for, scaffold
from engine.testing import Answer, Given, RuleTest, read_tests
from engine.testing.given import event_of
from engine.testing.running import Result, Runner
from tests.builders import event, snapshot, thin
from tests.rulebook.books import KNOWN


def results(text: str, base: Path = Path()) -> list[Result]:
    """What became of the tests of a scaffold, which has no mistake and no warning."""
    loaded = load({"rules/a.yaml": text}, KNOWN)
    found = read_tests({"rules/a.yaml": text}, loaded.rulebook.rules, base)
    assert [str(mistake) for mistake in (*loaded.mistakes, *found.mistakes)] == [], text
    return [Runner(loaded.rulebook).run(test) for test in found.tests]


def failures(text: str, base: Path = Path()) -> list[Any]:
    """Those that did not pass; one that fires and one that does not are among them all."""
    found = results(text, base)
    answers = [result.test.expect for result in found if isinstance(result.test, RuleTest)]
    assert {answer.fires for answer in answers if isinstance(answer, Answer)} == {True, False}
    return [result for result in found if not result.passed]


def sampled(type_: str) -> Event:
    """The sample of a type, about a connected account."""
    return event_of(Given(event=type_, account=ACCOUNT))


@pytest.mark.parametrize("type_", catalog())
def test_every_type_has_a_first_rule_whose_tests_pass(type_: str) -> None:
    assert failures(scaffold(sampled(type_), rule_id_for(type_, ()))) == []


def test_it_asks_how_much_and_why() -> None:
    text = scaffold(sampled("payout.failed"), "mine")
    assert "        amount: {gte: [100 EUR, others]}" in text
    assert "        failure_code: account_closed" in text
    assert "- notify: payments" in text
    assert 'title: "Payout failed: {{ object.amount | money }}, {{ account.name }}"' in text


def test_of_an_update_it_asks_what_changed_and_of_whom() -> None:
    """account.updated of a connected account's own recipients comes in the same scope."""
    text = scaffold(sampled("account.updated"), "mine")
    assert "      scope: connected" in text
    assert "        id: {same_as: $account.id}" in text
    assert "        payouts_enabled: {changed: {from: true, to: false}}" in text


def test_a_thin_event_has_nothing_to_ask_for() -> None:
    text = scaffold(sampled("v2.core.account.closed"), "mine")
    assert "where" not in text
    assert "{{ event.url }}" in text


def test_ids_are_free_ones() -> None:
    assert rule_id_for("payout.failed", ()) == "payout-failed"
    assert rule_id_for("payout.failed", ["payout-failed", "payout-failed-2"]) == "payout-failed-3"
    assert rule_id_for("v2.core.account[requirements].updated", ()) == "v2-core-account-requirements-updated"
    assert rule_id_for("***", ()) == "rule"
    assert len(rule_id_for("a." * 200, ["a" * 3])) <= 100


ODD: list[dict[str, Any]] = [
    snapshot("charge.failed", object={"amount": 5, "currency": "jpy", "failure_code": "it's: odd"}),
    snapshot("charge.failed", object={"amount": 0, "currency": "usd", "failure_code": None}),
    snapshot("charge.failed", object={"amount": "12", "currency": "EURO", "status": "Odd Status"}),
    snapshot("charge.failed", object=...),
    snapshot("made.up.type", object={"reason": "true", "status": "no"}, account=None),
    snapshot("account.updated", object={"id": "acct_1"}, previous={"odd name": 1, "a": {"b": [1]}, "c": None}),
    snapshot("account.updated", object={"id": "acct_2"}, previous={"charges_enabled": False}),
    snapshot("account.updated", previous={}),
    snapshot("customer.updated", previous={"email": 'A B\n"<x>"', "address": {"city": "Kiel"}}, livemode=False),
    snapshot("charge.updated", object={"metadata": {"a": "b"}}, previous={"metadata": {"a": None}}),
    thin(context="acct_9"),
]


@pytest.mark.parametrize("root", ODD, ids=lambda root: str(root["type"]))
@pytest.mark.filterwarnings("error")
def test_of_a_real_event_whatever_it_holds(root: dict[str, Any], tmp_path: Path) -> None:
    """The tests are about that event in its file, and what it holds is not shown."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.json").write_text(json.dumps(root))
    captured = event_of(Given(file=tmp_path / "rules" / "mine.json"))
    text = scaffold(captured, "mine", file="mine.json", livemode=True)
    loaded = load({"rules/a.yaml": text}, KNOWN)
    found = read_tests({"rules/a.yaml": text}, loaded.rulebook.rules, tmp_path)
    assert [str(m) for m in (*loaded.mistakes, *found.mistakes) if m.level == "error"] == [], text
    ran = [Runner(loaded.rulebook).run(test) for test in found.tests]
    assert len(ran) >= 2
    assert [result for result in ran if not result.passed] == [], text


def test_what_a_real_event_holds_is_not_copied_into_the_rule() -> None:
    """Of the fields that no condition is about, only the names: a rule is read by many."""
    text = scaffold(event("payout.failed", object={"description": "secret_word"}), "mine", file="mine.json")
    assert "description" in text
    assert "secret_word" not in text
