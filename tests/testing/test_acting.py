"""Timelines in which people mute, take up incidents and end them, and what is expected of what comes later."""

from pathlib import Path
from textwrap import dedent, indent

import pytest

from engine.model.mistake import Mistake
from engine.rulebook import Rulebook, load
from engine.testing import ReadTests, read_tests
from engine.testing.running import Runner
from tests.rulebook.books import KNOWN

RULES = """\
rules:
  - id: failing
    when: payout.failed
    incident: {resolve: {type: payout.paid, same: account}, resolve_after: 6h}
    escalate:
      - {after: 15m, then: {notify: risk, title: "Nobody is at {{ incident.about }}"}}
    on_update: {notify: onboarding, title: "{{ incident.count }} by now, first {{ incident.first.object | money }}"}
    then: {notify: payments, title: "{{ object | money }} failed", text: "Of {{ account.id }}"}
  - id: told
    when: payout.failed
    incident: {resolve_after: 1h}
    on_resolve: {notify: risk, title: "Over: {{ incident.resolved_by | default('by itself') }}"}
    then: {notify: payments}
  - id: due
    when: charge.dispute.created
    remind: {before: evidence_details.due_by, at: [72h, 24h]}
    then: {notify: risk}
  - id: plain
    when: payout.canceled
    tags: [money]
    then: {notify: payments}
"""
FAILED = "{event: payout.failed, account: acct_1, set: {amount: 1000, currency: usd}}"
OTHER = FAILED.replace("acct_1", "acct_2")
CANCELED = "{event: payout.canceled, account: acct_1}"


def book(rules: str = RULES) -> Rulebook:
    loaded = load({"a.yaml": rules}, KNOWN)
    assert not loaded.mistakes, loaded.mistakes
    return loaded.rulebook


def read(test: str, rules: str = RULES) -> ReadTests:
    """One test, its keys in block form, beside those rules."""
    return read_tests({"a_test.yaml": "tests:\n  -\n" + indent(dedent(test), "    ")}, book(rules).rules, Path())


def problems(test: str) -> list[str]:
    """What is not as expected."""
    return problems_in(RULES, test)


def problems_in(rules: str, test: str) -> list[str]:
    """What is not as these rules are expected to be."""
    found = read(test, rules)
    assert not found.mistakes, found.mistakes
    return [problem.said for problem in Runner(book(rules)).run(found.tests[0]).problems]


def steps(rule: str, *lines: str) -> str:
    """A test of a rule."""
    return "\n".join([f"rule: {rule}", "timeline:", *(f"  - {{{line}}}" for line in lines)])


def test_an_incident_that_nobody_takes_up() -> None:
    """Each stage by its key, and in the words of its own step."""
    assert not problems(
        steps(
            "failing",
            f'at: "09:00", given: {FAILED}, expect: {{fires: 1, title: $10.00 failed, on_update: no, escalate: no}}',
            f"at: +5m, given: {FAILED}, expect: {{on_update: {{sent: 1, title: '2 by now, first $10.00'}}, sent: 1}}",
            'at: "09:15", expect: {escalate: {sent: 1, title: Nobody is at acct_1}, on_update: no}',
            "at: +1h, given: {event: payout.paid, account: acct_1},"
            " expect: {on_resolve: {sent: 2, title: {prefix: 'Resolved: Payout of $10.00 failed'}}}",
        )
    )


def test_one_that_is_taken_up_does_not_escalate() -> None:
    """And one that was not does: they are told apart by what they are about."""
    test = steps(
        "failing",
        f'at: "09:00", given: [{FAILED}, {OTHER}]',
        "at: +5m, acknowledge: {by: ada, about: acct_1, comment: on it}",
        "at: +10m, expect: {escalate: {sent: 1, title: Nobody is at acct_2}}",
        f"at: +1h, resolve: ada, given: {OTHER}, expect: {{fires: 1, sent: 4, on_resolve: {{sent: 3}}}}",
    )
    assert not problems(test)
    assert problems(test.replace("acknowledge: {by: ada, about: acct_1, comment: on it}", "acknowledge: ada")) == [
        "at 09:15 (line 7): expected 1 message of escalate, and 0 are sent",
        "at 10:15 (line 8): expected 4 messages sent, and there are 3",
        "at 10:15 (line 8): expected 3 messages of on_resolve, and 2 are sent",
    ]


def test_one_that_a_person_ends() -> None:
    """What is due at that moment comes before; a message of its own knows by whom it was ended."""
    assert not problems(
        steps(
            "told",
            f'at: "09:00", given: {FAILED}',
            "at: +10m, resolve: {by: ada, comment: paid by hand}, expect: {on_resolve: {title: 'Over: ada'}}",
            f"at: +10m, given: {FAILED}, expect: {{fires: 1, sent: 1}}",
            "at: +1h, expect: {on_resolve: {title: 'Over: by itself'}, steps: {on-resolve-notify-1: sent}}",
        )
    )


def test_what_cannot_be_done_is_a_problem() -> None:
    assert problems(
        steps(
            "told",
            'at: "09:00", acknowledge: ada, expect: no',
            f"at: +1m, given: {FAILED}",
            "at: +1m, acknowledge: ada",
            "at: +1m, acknowledge: bob",
            "at: +1m, resolve: {by: ada, about: acct_9}",
            "at: +3h, resolve: ada",
        )
    ) == [
        "at 09:00 (line 5): there is no open incident to acknowledge",
        "at 09:03 (line 8): there is no open incident to acknowledge",
        "at 09:04 (line 9): there is no open incident about acct_9 to resolve",
        "at 12:04 (line 10): there is no open incident to resolve",
    ]


def test_reminders_by_their_key() -> None:
    """Evidence is due a week later, at nine o'clock."""
    due = "{event: charge.dispute.created, account: acct_1, set: {evidence_details.due_by: 1790586000}}"
    assert not problems(
        steps(
            "due",
            f'at: "09:00", given: {due}, expect: {{fires: 0, remind: no, sent: 0}}',
            'at: "+4d 09:00", expect: {remind: {sent: 1, title: {contains: Due in 3 days}}}',
            'at: "+1d 09:00", expect: {remind: no}',
            'at: "+1d 09:00", expect: {remind: sent, title: {contains: Due in 24 hours}}',
        )
    )


@pytest.mark.parametrize(
    ("rule", "mute", "quiet"),
    [
        ("plain", "mute: 2h", 1),
        ("plain", "mute: {account: acct_1, for: 2h}", 1),
        ("plain", "mute: {account: acct_2, for: 2h}", 0),
        ("plain", "mute: {tag: money, for: 2h}", 1),
        ("plain", "mute: {severity: medium, rule: pl*, for: 2h}", 1),
        ("plain", "mute: {severity: low, for: 2h}", 0),
        ("plain", "mute: [{rule: told, for: 2h}, {rule: due, for: 1h}]", 0),
        ("plain", "mute: 59m", 0),
    ],
)
def test_a_mute_keeps_quiet_what_it_is_for_while_it_lasts(rule: str, mute: str, quiet: int) -> None:
    assert not problems(
        steps(
            rule,
            f'at: "09:00", {mute}',
            f"at: +1h, given: {CANCELED}, expect: {{fires: 1, sent: {1 - quiet}, suppressed: {{mute: {quiet}}}}}",
            f"at: +1h, given: {CANCELED}, expect: {{fires: 1, sent: 1}}",
        )
    )


def test_a_mute_is_for_the_messages_of_an_incident_too() -> None:
    assert not problems(
        steps(
            "failing",
            f'at: "09:00", mute: 20m, given: {FAILED}, expect: {{suppressed: 1}}',
            "at: +15m, expect: {escalate: no, suppressed: {mute: 1}}",
        )
    )


def test_in_a_test_of_all_rules() -> None:
    assert not problems(
        "\n".join(
            [
                "timeline:",
                f'  - {{at: "09:00", given: {FAILED}, expect: {{fired: [failing, told]}}}}',
                '  - {at: "09:05", mute: {rule: "*", for: 1h}, acknowledge: ada}',
                '  - {at: "09:06", resolve: ada, expect: {fired: []}}',
            ]
        )
    )


@pytest.mark.parametrize(
    ("rule", "step", "column", "mistake", "hint"),
    [
        ("failing", "ack: ada", 0, "unknown key 'ack' in a step of a timeline", "write acknowledge"),
        ("plain", "acknowledge: ada", 0, "there is nothing to acknowledge: this rule has no 'incident'", "leave out"),
        ("plain", "resolve: ada", 0, "there is nothing to resolve: this rule has no 'incident'", "leave out"),
        ("failing", "acknowledge: [ada]", 13, "expected who does it, got a list", "write who does it"),
        ("failing", "acknowledge: {who: ada}", 14, "unknown key 'who'", None),
        ("plain", "mute: soon", 6, "expected a duration like 10m, got 'soon'", None),
        ("plain", "mute: {account: acct_1}", 6, "this mute has no 'for'", "write mute: 2h"),
        ("plain", "mute: {rule: plian, for: 2h}", 13, "there is no rule 'plian'; did you mean 'plain'?", None),
        ("plain", "mute: {severity: grave, for: 2h}", 17, "a severity", None),
        ("plain", "mute: 91d", 6, "90d", None),
        ("plain", "expect: {escalate: sent}", 9, "this rule has no 'escalate', so nothing comes of it", "leave out"),
        ("plain", "expect: {on_resolve: no}", 9, "this rule has no 'incident', so nothing comes of it", "leave out"),
        ("due", "expect: {on_update: no}", 9, "this rule has no 'on_update'", "it has remind"),
        ("failing", "expect: {escalate: maybe}", 19, "expected what comes of escalate, got the text 'maybe'", "sent"),
        ("failing", "expect: {escalate: {subject: x}}", 20, "unknown key 'subject' in 'escalate' of expect", None),
        ("failing", "expect: {steps: {escalate-1-notify-2: sent}}", 17, "did you mean 'escalate-1-notify-1'?", None),
    ],
)
def test_mistakes_are_found_at_their_place(rule: str, step: str, column: int, mistake: str, hint: str | None) -> None:
    """`column` within what is tried."""
    before = '      - {at: "09:00", '
    found = [each for each in read(steps(rule, f'at: "09:00", {step}')).mistakes if mistake in each.message]
    assert len(found) == 1, read(steps(rule, f'at: "09:00", {step}')).mistakes
    assert _place(found[0]) == (4 + 1, len(before) + column + 1)
    assert hint is None or hint in (found[0].hint or "")


def _place(mistake: Mistake) -> tuple[int, int]:
    assert mistake.position is not None
    return mistake.position.line, mistake.position.column


def test_a_test_of_all_rules_says_what_it_mutes() -> None:
    [mistake] = read('timeline: [{at: "09:00", mute: 2h, expect: {fired: plain}}]').mistakes
    assert mistake.message == "this test names no rule, so say what is muted"
