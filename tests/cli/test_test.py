"""`tocsin test`: the rules' own tests, with what explain shows where one fails."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from engine.cli.app import app

runner = CliRunner()
ROOT = Path(__file__).parent.parent.parent

RULES = """\
rules:
  - id: payout-failed
    when: {type: payout.failed, where: {amount: {gte: 500 EUR}, currency: eur}}
    then: {notify: payments}
    tests:
      - given: {event: payout.failed, set: {amount: 50000}}
        expect: fires
      - name: too small
        given: {event: payout.failed, set: {amount: 49999}}
        expect: {because: amount}
  - {id: untested, when: refund.failed, then: {notify: payments}}
"""
BOTH = "tests:\n  - {given: {event: payout.failed}, expect: {fired: [payout-failed]}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one file of rules, and one of tests beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "payouts.yaml").write_text(RULES)
    (tmp_path / "rules" / "payouts_test.yaml").write_text(BOTH)
    return tmp_path


def run(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["test", *arguments])


def failing(folder: Path) -> None:
    """Makes the second test fail."""
    (folder / "rules" / "payouts.yaml").write_text(RULES.replace("49999", "50001"))


def test_it_counts_what_passed_and_what_has_no_test() -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert result.output == "3 tests of 1 rule: all passed, 1 rule without a test (--untested)\n"
    assert "without a test:\n  untested\n" in run("--untested").stdout


def test_a_failure_has_its_place_and_what_explain_shows(folder: Path) -> None:
    failing(folder)
    result = run()
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "rules/payouts.yaml:8:9  FAILED  payout-failed: too small",
        "        expected not to fire, and it fired",
        "          ok  type amount=500.01 EUR currency=eur",
        "        given  payout.failed  your own account  live  platform",
        "3 tests of 1 rule: 1 failed, 1 rule without a test (--untested)",
    ]


def test_nothing_is_written_and_no_configuration_is_needed(folder: Path) -> None:
    assert run().exit_code == 0
    assert sorted(each.name for each in folder.iterdir()) == ["rules"]


def test_k_chooses_by_file_rule_or_name(folder: Path) -> None:
    failing(folder)
    assert run("-k", "#1").stdout.startswith("2 tests of 1 rule: all passed")
    assert run("-k", "Too Small").exit_code == 1
    assert run("-k", "payouts_test").stdout.startswith("1 test of 1 rule: all passed")
    result = run("-k", "nothing")
    assert result.exit_code == 2
    assert "none of 3 tests has 'nothing' in its file, rule or name" in result.stderr


def test_paths_choose_and_the_other_rules_are_there_all_the_same(folder: Path) -> None:
    """A file of tests is about the rules of other files."""
    assert run("rules/payouts_test.yaml").stdout == "1 test of 1 rule: all passed\n"
    assert run("rules/payouts.yaml").stdout.startswith("2 tests of 1 rule: all passed, 1 rule without")
    assert run("nowhere").exit_code == 2


def test_rules_elsewhere_are_tested_by_themselves(folder: Path) -> None:
    """Also where they have the ids of configured ones."""
    (folder / "rules").rename(folder / "other")
    (folder / "rules").mkdir()
    (folder / "rules" / "mine.yaml").write_text(RULES)
    assert run("other").stdout.startswith("3 tests of 1 rule: all passed")
    assert run("other/payouts_test.yaml").stdout.startswith("1 test of 1 rule: all passed")


def test_a_file_with_an_error_fails_and_the_others_are_tested(folder: Path) -> None:
    (folder / "rules" / "bad.yaml").write_text("rules:\n  - {id: bad, when: payout.failed, thn: 1}\n")
    (folder / "rules" / "bad_test.yaml").write_text("tests:\n  - {rule: bad, given: {event: a.b}, expect: fires}\n")
    result = run()
    assert result.exit_code == 1
    assert "error[unknown-key]  unknown key 'thn'" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("3 tests of 1 rule: all passed, 2 errors in the files")


def test_a_mistake_in_a_test_is_shown_and_fails(folder: Path) -> None:
    (folder / "rules" / "payouts_test.yaml").write_text(BOTH.replace("payout-failed", "payout-faild"))
    result = run()
    assert result.exit_code == 1
    assert "rules/payouts_test.yaml:2:54  error[unknown-rule]  there is no rule 'payout-faild'" in result.stdout


def test_a_configuration_with_mistakes_does_not_keep_rules_from_being_tested(folder: Path) -> None:
    (folder / "config.yaml").write_text("chanels: {}\n")
    result = run()
    assert result.exit_code == 0
    assert "the configuration has mistakes" in result.stderr


def test_as_json_each_test_with_its_problems(folder: Path) -> None:
    failing(folder)
    result = run("--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["tests"], found["failed"], found["untested"], found["errors"]) == (3, 1, ["untested"], [])
    (failed,) = [each for each in found["results"] if not each["passed"]]
    assert (failed["rule"], failed["name"], failed["file"], failed["line"]) == (
        *("payout-failed", "too small"),
        *("rules/payouts.yaml", 8),
    )
    assert failed["problems"][0]["said"] == "expected not to fire, and it fired"


def test_as_junit_each_file_is_a_suite_and_each_test_a_case(folder: Path) -> None:
    """A file that cannot be used is an error, and not silence."""
    failing(folder)
    (folder / "rules" / "bad.yaml").write_text("rules:\n  - {id: bad, when: payout.failed}\n")
    assert run("--junit", "build/rules.xml").exit_code == 1
    root = ElementTree.parse(folder / "build" / "rules.xml").getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
    }
    counts = [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in root]
    assert counts == [
        ("rules/payouts.yaml", "2", "1", "0"),
        ("rules/payouts_test.yaml", "1", "0", "0"),
        ("rules/bad.yaml", "1", "0", "1"),
    ]
    cases = [(case.get("classname"), case.get("name"), case.get("line")) for case in root.iter("testcase")]
    assert cases[:3] == [("payout-failed", "#1", "6"), ("payout-failed", "too small", "8"), ("all rules", "#1", "2")]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "expected not to fire, and it fired"
    assert "rules/payouts.yaml:8:9" in (failure.text or "")
    (error,) = root.iter("error")
    assert error.get("message") == "rule 'bad' has no 'then'"


def test_junit_holds_whatever_an_event_has(folder: Path) -> None:
    """Control characters and markup in a text that differs."""
    text = RULES.replace(
        "{notify: payments}\n    tests", '{notify: payments, title: "{{ object.description }}"}\n    tests'
    )
    given = r'set: {amount: 50000, description: "<&\x00\x1b]]>\""}'
    text = text.replace("set: {amount: 50000}", given).replace("expect: fires", "expect: {title: x}")
    (folder / "rules" / "payouts.yaml").write_text(text)
    run("--junit", "rules.xml")
    root = ElementTree.parse(folder / "rules.xml").getroot()
    assert "title of notify-1 is not as expected" in str(next(root.iter("failure")).get("message"))


def test_junit_that_cannot_be_written_says_so(folder: Path) -> None:
    result = run("--junit", "rules")
    assert result.exit_code == 2
    assert "cannot write rules: is a directory" in result.stderr


def test_check_finds_the_mistakes_in_tests_and_counts_them(folder: Path) -> None:
    assert "1 rule file, 2 rules, 3 tests: no mistakes\n" in runner.invoke(app, ["check"]).stdout
    assert runner.invoke(app, ["check", "rules/payouts_test.yaml"]).exit_code == 0
    failing_key = RULES.replace("because: amount", "because: amuont")
    (folder / "rules" / "payouts.yaml").write_text(failing_key)
    result = runner.invoke(app, ["check"])
    assert result.exit_code == 1
    assert "rules/payouts.yaml:10:27  error[expect]  this rule has no test of 'amuont'; did you mean 'amount'?" in (
        result.stdout
    )


def test_the_shipped_rules_are_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always true: no mistake in them, not even a warning, and every one of their tests passes."""
    monkeypatch.chdir(ROOT)
    checked = runner.invoke(app, ["check", "rules/", "--strict"])
    assert checked.exit_code == 0, checked.output
    tested = runner.invoke(app, ["test", "rules/"])
    assert tested.exit_code == 0, tested.output
    assert "without a test" not in tested.output
