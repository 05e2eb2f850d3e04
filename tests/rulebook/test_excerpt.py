"""A rule is shown as it stands in its file, whatever the file looks like around it."""

from textwrap import dedent

import pytest

from engine.rulebook import defaults_text, rule_text
from tests.rulebook.books import loaded

FILE = """\
# About this file.
defaults:
  severity: high

  when: {scope: connected}

rules:
  # About the first.
  - id: first
    when: payout.failed

    then:
      notify: risk
      text: |
        One line

          - not a rule

  # About the second.
  - when: payout.paid
    then:
    - notify: risk
    - notify: payments
    id: second
  - {id: third, when: payout.created, then: {notify: risk}}   # in flow
  -
    id: fourth
    when: payout.canceled
    then: {notify: risk}
# The end.
"""
SHOWN = {
    "first": """\
        - id: first
          when: payout.failed

          then:
            notify: risk
            text: |
              One line

                - not a rule""",
    "second": """\
        - when: payout.paid
          then:
          - notify: risk
          - notify: payments
          id: second""",
    "third": "- {id: third, when: payout.created, then: {notify: risk}}   # in flow",
    "fourth": """\
        -
          id: fourth
          when: payout.canceled
          then: {notify: risk}""",
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_rule_is_cut_out_of_its_file_whole_and_alone(name: str) -> None:
    rule = loaded(FILE).rulebook.rule(name)
    assert rule is not None
    assert rule.position is not None
    assert rule_text(FILE, rule.position) == dedent(SHOWN[name])
    assert rule_text(FILE.replace("\n", "\r\n"), rule.position) == dedent(SHOWN[name])


def test_a_list_of_rules_may_stand_at_the_left_margin() -> None:
    text = "rules:\n- id: a\n  when: payout.failed\n  then: {notify: risk}\ndefaults: {severity: low}\n"
    rule = loaded(text).rulebook.rule("a")
    assert rule is not None
    assert rule.position is not None
    assert rule_text(text, rule.position) == "- id: a\n  when: payout.failed\n  then: {notify: risk}"
    assert defaults_text(text) == "defaults: {severity: low}"


def test_the_defaults_of_a_file_are_told_where_it_has_some() -> None:
    assert defaults_text(FILE) == "defaults:\n  severity: high\n\n  when: {scope: connected}"
    assert defaults_text("rules: []\n") is None
