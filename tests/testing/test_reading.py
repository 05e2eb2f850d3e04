"""Tests of rules are read with every mistake at its place."""

from pathlib import Path
from textwrap import dedent

import pytest

from engine.model.event import Scope
from engine.rulebook import load
from engine.testing import Answer, Fired, ReadTests, RuleTest, read_tests
from tests.rulebook.books import KNOWN, rule

RULES = rule(
    "big",
    "{type: charge.dispute.created, where: {amount: {gte: 500 USD}, currency: usd}}",
    "[{notify: risk}, {callback: case-system, id: case}]",
)


def read(tests: str, base: Path = Path()) -> ReadTests:
    """A file of tests beside the rule `big`."""
    sources = {"rules/a.yaml": RULES, "rules/a_test.yaml": dedent(tests)}
    loaded = load({"rules/a.yaml": RULES}, KNOWN)
    assert loaded.mistakes == ()
    return read_tests(sources, loaded.rulebook.rules, base)


def inline(test: str) -> list[str]:
    """What is wrong with a test of the rule `big`, a line each."""
    text = f"{RULES}    tests:\n      - {test}\n"
    found = read_tests({"rules/a.yaml": text}, load({"rules/a.yaml": text}, KNOWN).rulebook.rules, Path())
    return [str(mistake) for mistake in found.mistakes]


def one(test: str) -> list[str]:
    """The same of a test in a file of tests."""
    return [str(mistake) for mistake in read(f"tests:\n  - {test}\n").mistakes]


GIVEN = "given: {event: charge.dispute.created}"


def test_a_test_says_what_is_given_and_expected() -> None:
    found = read(
        """\
        tests:
          - rule: big
            name: a big one
            given:
              event: charge.dispute.created
              set: {amount: 50000, evidence_details.due_by: null, "$.livemode": true}
              previous: {status: lost, evidence: {text: a}}
              account: acct_1
              scope: connected
              livemode: false
            expect: {fires: true, title: {prefix: Dispute}, steps: {case: {body.object: dispute}}}
          - given: {event: payout.failed}
            expect: {fired: []}
        """
    )
    assert found.mistakes == ()
    first, second = found.tests
    assert isinstance(first, RuleTest)
    assert isinstance(second, RuleTest)
    assert first.given.set == {"amount": 50000, "evidence_details.due_by": None, "$.livemode": True}
    assert first.given.previous == {"status": "lost", "evidence": {"text": "a"}}
    assert (first.given.account, first.given.scope, first.given.livemode) == ("acct_1", Scope.CONNECTED, False)
    assert isinstance(first.expect, Answer)
    assert set(first.expect.steps) == {"case"}
    assert first.title == "big: a big one"
    assert (second.expect, second.title, second.rules) == (Fired(rules=()), "all rules #2", ())


@pytest.mark.parametrize(
    ("expect", "answer"),
    [
        ("fires", Answer(fires=True)),
        ("no", Answer(fires=False)),
        ("{fires: true}", Answer(fires=True)),
        ("{fires: false, because: amount}", Answer(fires=False, because="amount")),
        ("{because: amount}", Answer(fires=False, because="amount")),
        ("{because: livemode}", Answer(fires=False, because="livemode")),
    ],
)
def test_an_answer_may_be_short(expect: str, answer: Answer) -> None:
    """Who asks for a reason need not say that the rule does not fire."""
    (test,) = read(f"tests:\n  - {{rule: big, {GIVEN}, expect: {expect}}}\n").tests
    assert isinstance(test, RuleTest)
    assert test.expect == answer


def test_the_end_of_a_block_of_text_does_not_count() -> None:
    """A message is sent without it."""
    found = read("tests:\n- rule: big\n  given: {event: payout.failed}\n  expect:\n    text: |\n      One\n      Two\n")
    (test,) = found.tests
    assert isinstance(test, RuleTest)
    assert "One\\nTwo'" in str(test.expect)


def test_rules_without_a_test_are_listed() -> None:
    """A test that names all rules that fire is a test of each of them."""
    assert read("tests: []").untested == ("big",)
    assert read(f"tests:\n  - {{rule: big, {GIVEN}, expect: no}}\n").untested == ()
    assert read(f"tests:\n  - {{{GIVEN}, expect: {{fired: big}}}}\n").untested == ()


@pytest.mark.parametrize(
    ("test", "mistake"),
    [
        ("{given: {event: payout.failed}}", "this test has no 'expect'"),
        ("{expect: fires}", "this test has no 'given'"),
        ("fires", "expected a test: a map with given and expect, or a timeline, got the text 'fires'"),
        (f"{{{GIVEN}, expect: fires, nme: x}}", "unknown key 'nme' in a test; did you mean 'name'?"),
        (f"{{{GIVEN}, expect: fires, at: 1h}}", "'at' is the time of a step, and stands in a timeline"),
        (f"{{{GIVEN}, expect: fires, rule: big}}", "unknown key 'rule' in a test"),
        ("{given: payout.failed, expect: fires}", "'given' is a map; write {event: payout.failed}"),
        ("{given: {event: payout.faild}, expect: fires}", "warning[unknown-type]  Stripe is not known to send"),
        ("{given: {event: payout.*}, expect: fires}", "an event has one type, and no pattern"),
        ("{given: {set: {amount: 1}}, expect: fires}", "this event has no type; write event: payout.failed"),
        ("{given: {event: payout.failed, at: 1h}, expect: fires}", "unknown key 'at' in given"),
        ("{given: {event: payout.failed, set: {a..b: 1}}, expect: fires}", "error[path]  'a..b' is not a path"),
        ("{given: {event: payout.failed, set: {amuont: 1}}, expect: no}", "payout has no field 'amuont'; did you mean"),
        ("{given: {event: payout.failed, scope: conected}, expect: fires}", "did you mean 'connected'?"),
        ("{given: {event: payout.failed, livemode: yes}, expect: fires}", "expected true or false"),
        ("{given: {event: payout.failed, account: cus_1}, expect: fires}", "warning[account]  'cus_1' is no account"),
        ("{given: {event: payout.failed, previous: {a.b: 1}}, expect: fires}", "error[given]"),
        ("{given: {file: nowhere.json}, expect: fires}", "there is no file nowhere.json in rules"),
        ("{given: {file: nowhere.json, account: acct_1}, expect: no}", "'account' cannot stand beside 'file'"),
        (f"{{{GIVEN}, expect: fire}}", "expected what the rule does, got the text 'fire'; write fires, no, or a map"),
        (f"{{{GIVEN}, expect: {{fires: true, because: amount}}}}", "this rule fires, so there is no reason why not"),
        (f"{{{GIVEN}, expect: {{fires: false, text: a}}}}", "this rule does not fire, so it sends nothing"),
        (f"{{{GIVEN}, expect: {{because: amuont}}}}", "this rule has no test of 'amuont'; did you mean 'amount'?"),
        (f"{{{GIVEN}, expect: {{because: a..b}}}}", "error[path]"),
        (
            f"{{{GIVEN}, expect: {{because: scope}}}}",
            "this rule has no test of 'scope'; it can fail at type, amount, curr",
        ),
        (f"{{{GIVEN}, expect: {{fired: [big]}}}}", "'fired' is about all rules, and this test is about one"),
        (f"{{{GIVEN}, expect: {{titel: a}}}}", "unknown key 'titel' in expect; did you mean 'title'?"),
        (f"{{{GIVEN}, expect: {{title: {{containz: a}}}}}}", "error[unknown-operator]"),
        (
            "{given: {event: payout.failed, results: {charg: 1}}, expect: no}",
            "no step 'charg'; its steps are notify-1, case",
        ),
        (
            f"{{{GIVEN}, expect: {{steps: {{case: send}}}}}}",
            "expected what the step does, got the text 'send'",
        ),
        (f"{{{GIVEN}, expect: {{steps: {{cas: {{method: POST}}}}}}}}", "no step 'cas'; did you mean 'case'?"),
    ],
)
def test_what_is_wrong_with_a_rules_own_test_is_said(test: str, mistake: str) -> None:
    found = inline(test)
    assert any(mistake in each for each in found), found
    assert all(each.startswith("rules/a.yaml:6:") for each in found)


@pytest.mark.parametrize(
    ("test", "mistake"),
    [
        (f"{{{GIVEN}, expect: fires}}", "this test names no rule; add rule: and the id of one"),
        (f"{{rule: bgi, {GIVEN}, expect: fires}}", "there is no rule 'bgi'; did you mean 'big'?"),
        (f"{{{GIVEN}, expect: {{fired: [big, bgi]}}}}", "there is no rule 'bgi'; did you mean 'big'?"),
        (f"{{{GIVEN}, expect: {{fired: [big], text: a}}}}", "unknown key 'text' in expect without a rule"),
    ],
)
def test_what_is_wrong_with_a_test_in_a_file_of_tests_is_said(test: str, mistake: str) -> None:
    (found, *_) = one(test)
    assert mistake in found
    assert found.startswith("rules/a_test.yaml:2:")


def test_a_file_of_tests_has_tests_and_no_rules() -> None:
    found = read("rules:\n  - {id: a, when: payout.failed, then: {notify: risk}}\n")
    assert [str(mistake) for mistake in found.mistakes] == [
        "rules/a_test.yaml:1:1  error[unknown-key]  unknown key 'rules' in a file of tests"
    ]


def test_what_yaml_refuses_in_a_file_of_tests_is_said() -> None:
    assert [mistake.code for mistake in read("tests: {").mistakes] == ["syntax"]


def test_a_rule_that_did_not_load_is_there_all_the_same() -> None:
    """Its own mistake is told by the loader; its tests are looked at for what can be known."""
    broken = rule("big", "charge.dispute.created", "{notify: nobody}", "tests: [{given: {event: payout.failed}}]")
    sources = {"rules/a.yaml": broken, "rules/a_test.yaml": f"tests:\n- {{rule: big, {GIVEN}, expect: fires}}\n"}
    found = read_tests(sources, (), Path())
    assert [mistake.message for mistake in found.mistakes] == ["this test has no 'expect'"]


def test_a_mistake_in_a_test_keeps_no_rule_from_running() -> None:
    text = f"{RULES}    tests: [{{given: 5}}]\n"
    loaded = load({"rules/a.yaml": text}, KNOWN)
    assert loaded.mistakes == ()
    assert [each.id for each in loaded.rulebook.rules] == ["big"]


def test_a_captured_event_is_looked_for_beside_the_test(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "event.json").write_text("{}")
    (test,) = read("tests:\n  - {rule: big, given: {file: event.json}, expect: no}\n", tmp_path).tests
    assert isinstance(test, RuleTest)
    assert test.given.file == tmp_path / "rules" / "event.json"
