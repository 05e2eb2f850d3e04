"""The rules of `rules/` and their own tests."""

from functools import cache
from pathlib import Path
from typing import Any

from engine.model.rule import Rule, RuleMode, Severity
from engine.rulebook import Known, Loaded, load, read_rule_files, read_test_files
from engine.source import parse, plain
from engine.testing import Answer, ReadTests, RuleTest, read_tests
from engine.testing.trial import Outcome, TimelineTest

FOLDER = Path(__file__).parent.parent.parent / "rules"
KNOWN = Known(channels=frozenset({"console", "payments", "risk", "onboarding"}), default_livemode=None)


@cache
def loaded() -> Loaded:
    """Every ready-made rule, and what is wrong with any."""
    return load(read_rule_files([FOLDER], FOLDER.parent), KNOWN)


@cache
def own_tests() -> ReadTests:
    """Every test of every ready-made rule, and what is wrong with any."""
    sources = read_rule_files([FOLDER], FOLDER.parent) | read_test_files([FOLDER], FOLDER.parent)
    return read_tests(sources, loaded().rulebook.rules, FOLDER.parent)


def answers(*, fires: bool) -> list[RuleTest]:
    """The tests of one rule and one event in which it fires, or does not."""
    of_one = [test for test in own_tests().tests if isinstance(test, RuleTest)]
    return [test for test in of_one if isinstance(test.expect, Answer) and test.expect.fires is fires]


def fires_in_time() -> set[str]:
    """The rules that a timeline expects to fire, or to remind."""
    found: set[str] = set()
    for test in own_tests().tests:
        if isinstance(test, TimelineTest) and test.rule is not None:
            expected = [step.expect for step in test.timeline.steps]
            if any(isinstance(each, Outcome) and (each.fires or each.sent) for each in expected):
                found.add(test.rule)
    return found


def written_rules() -> list[dict[str, Any]]:
    """Every rule as it stands in the files, in order."""
    found: list[dict[str, Any]] = []
    for name, text in read_rule_files([FOLDER], FOLDER.parent).items():
        document = parse(text, name)
        assert document.root is not None, document.mistakes
        found += plain(document.root)["rules"]
    return found


def bare_rule(written: dict[str, Any]) -> Rule:
    """As much of a rule as a text reads."""
    return Rule(
        id=written["id"],
        when=(),
        steps=(),
        description=written["description"],
        severity=Severity(written["severity"]),
        owner=written.get("owner"),
        tags=tuple(written.get("tags", ())),
        runbook=written.get("runbook"),
        mode=RuleMode(written.get("mode", "live")),
    )
