"""`lint`: warnings that a rule is meant to have."""

import re
from pathlib import Path

import pytest

from engine.rulebook.codes import WARNINGS
from tests.rulebook.books import loaded, mistakes, rule

A = "rules/a.yaml"
WHEN = "{type: charge.dispute.created, where: {amuont: 5, status: opne}}"


def warned(lint: str, when: str = WHEN) -> list[str]:
    """What is said of a rule with two doubtful conditions and this `lint`."""
    return [line.removeprefix(f"{A}:") for line in mistakes(rule(when=when, more=f"lint: {lint}"))]


def test_an_ignored_warning_is_not_said_and_others_are() -> None:
    (only,) = warned("{ignore: unknown-field, because: older API}")
    assert "warning[enum-value]" in only
    assert warned("{ignore: [unknown-field, enum-value], because: older API}") == []


def test_what_is_ignored_for_nothing_is_said() -> None:
    said = warned("{ignore: [unknown-field, enum-value, money], because: x}")
    assert said == [
        "5:48  warning[unused-ignore]  there is no money in this rule; leave it out, or it may hide one later"
    ]


@pytest.mark.parametrize(
    ("lint", "says"),
    [
        (
            "{ignore: money}",
            "error[missing-key]  'lint' has no 'because'; write why it is right as it is, for who reads",
        ),
        ("{because: x}", "error[missing-key]  'lint' has no 'ignore'; write the code of the warning"),
        ("[money]", "error[type]  expected a map with ignore and because, got a list"),
        ("money", "error[type]  expected a map with ignore and because, got the text 'money'"),
        (
            "{ignore: [], because: x}",
            "error[empty]  expected the code of a warning or a list of them, got an empty list",
        ),
        (
            "{ignore: unknown-filed, because: x}",
            "error[unknown-value]  no warning has the code 'unknown-filed'; did you",
        ),
        ("{ignore: unknown-key, because: x}", "error[unknown-value]  'unknown-key' is an error, and only warnings can"),
        ("{ignore: money, because: ''}", "error[empty]  expected why it is right as it is, got an empty text"),
        ("{ignore: money, because: x, until: y}", "error[unknown-key]  unknown key 'until' in lint"),
    ],
)
def test_what_lint_cannot_be(lint: str, says: str) -> None:
    assert any(says in line for line in warned(lint, "payout.failed"))


def test_an_error_is_never_ignored() -> None:
    """Also one with the code of a warning."""
    when = "{type: charge.dispute.created, where: {amount: {gte: 5.001 USD}}}"
    (only,) = warned("{ignore: money, because: x}", when)
    assert "error[money]" in only


def test_in_defaults_it_is_for_the_rules_that_need_it() -> None:
    """So none of them is told that it has none."""
    text = f"""
    defaults:
      lint: {{ignore: unknown-field, because: older API}}
    rules:
      - {{id: a, when: {{type: payout.failed, where: {{foo: 1}}}}, then: {{notify: risk}}}}
      - {{id: b, when: payout.paid, then: {{notify: risk}}}}
      - {{id: c, when: {WHEN}, then: {{notify: risk}}, lint: {{ignore: enum-value}}}}
    """
    (only,) = mistakes(text)
    assert "warning[unknown-field]  dispute" in only


def test_a_rule_keeps_what_it_ignores() -> None:
    """For what is found where all rules are held together."""
    found = loaded(rule(when=WHEN, more="lint: {ignore: [unknown-field, enum-value], because: older API}"))
    assert set(found.rulebook.rules[0].ignored) == {"unknown-field", "enum-value"}


def test_every_warning_of_a_rule_can_be_ignored() -> None:
    """But the one about what is ignored for nothing; what is found between rules is ignored there."""
    root = Path(__file__).parent.parent.parent / "engine"
    text = "".join(file.read_text() for name in ("rulebook", "testing") for file in (root / name).rglob("*.py"))
    warned = set(re.findall(r'\.warn\(\s*"([a-z-]+)"', text)) | set(re.findall(r'Doubt\((?:rule, )?"([a-z-]+)"', text))
    assert warned - WARNINGS == {"unused-ignore", "linear"}
    assert WARNINGS - warned == set()
