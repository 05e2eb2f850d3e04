"""Tests over time are read with every mistake at its place, and played on a stepped clock."""

from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from textwrap import dedent, indent

import pytest

from engine.model.condition import Reference
from engine.model.rule import When
from engine.model.timing import Absence, Digest, Other, Threshold, Throttle, Timing
from engine.rulebook import Rulebook, load
from engine.testing import ReadTests, TimelineTest, read_tests
from engine.testing.running import Result, Runner
from tests.rulebook.books import KNOWN

RULES = """\
rules:
  - id: card-testing
    when: {type: charge.failed, where: {amount: {lte: 100 USD}, currency: usd}}
    then:
      - notify: [risk, payments]
        title: "Failed charges at {{ account.id }}"
      - callback: case-system
        id: case
  - id: many
    when: charge.failed
    then: {notify: risk, title: "{{ object | money }} failed"}
  - id: not-repaired
    mode: shadow
    when: payout.failed
    then: {notify: payments, title: "{{ object.id }} was not repaired"}
  - id: changed-before
    when: payout.failed
    then: {notify: payments}
  - id: fresh
    when: payout.failed
    then: {notify: risk}
"""
DAILY = """\
  - id: daily
    when: charge.dispute.created
    then: {notify: payments}
"""
BY_ID = ((Reference(path="id"), Reference(path="id")),)
BY_ACCOUNT = ((Reference(path="$account.id"), Reference(path="$account.id")),)
TEN, HOUR = timedelta(minutes=10), timedelta(hours=1)


def other(type_: str, same: tuple[tuple[Reference, Reference], ...], within: timedelta) -> Other:
    return Other(when=(When(types=(type_,), livemode=None),), same=same, within=within)


TIMINGS = {
    "card-testing": Timing(threshold=Threshold(within=TEN, count=5)),
    "many": Timing(throttle=Throttle(max=2, every=HOUR)),
    "not-repaired": Timing(not_followed_by=(Absence(other=other("payout.paid", BY_ID, timedelta(days=3))),)),
    "changed-before": Timing(preceded_by=other("account.updated", BY_ACCOUNT, timedelta(days=1))),
    "fresh": Timing(max_age=HOUR),
    "daily": Timing(digest=Digest(every=timedelta(days=1), at=time(9))),
}


def book() -> Rulebook:
    loaded = load({"a.yaml": RULES + DAILY}, KNOWN)
    assert not loaded.mistakes, loaded.mistakes
    rules = tuple(replace(rule, timing=TIMINGS[rule.id]) for rule in loaded.rulebook.rules)
    return Rulebook(revision="", rules=rules)


def read(test: str) -> ReadTests:
    """One test, its keys in block form, beside those rules."""
    sources = {"a_test.yaml": "tests:\n  -\n" + indent(dedent(test), "    ")}
    return read_tests(sources, book().rules, Path())


def play(test: str) -> Result:
    found = read(test)
    assert not found.mistakes, found.mistakes
    return Runner(book()).run(found.tests[0])


def problems(test: str) -> list[str]:
    return [problem.said for problem in play(test).problems]


FAILED = "{event: charge.failed, account: acct_1, set: {amount: 100, currency: usd}}"


def test_a_threshold_over_time() -> None:
    assert not problems(
        f"""\
        rule: card-testing
        timeline:
          - at: "09:00"
            given: {FAILED}
            repeat: 4
            every: 10s
            expect: {{because: threshold}}
          - at: +1m
            given: {FAILED}
            expect:
              fires: 1
              sent: 1
              title: Failed charges at acct_1
              steps: {{case: sent}}
          - at: +2m
            given: {FAILED}
            expect: no
          - at: "10:00"
            given: {FAILED}
            repeat: 5
            every: 1s
            expect: fires
    """
    )


def test_what_differs_is_shown_with_what_happened() -> None:
    result = play(f"""\
        rule: card-testing
        timeline:
          - at: "09:00"
            given: {FAILED}
            repeat: 4
          - at: "09:05"
            given:
              - {{event: charge.failed, account: acct_1, set: {{amount: 20000, currency: usd}}}}
              - {{event: charge.failed, account: acct_2, set: {{amount: 100, currency: usd}}}}
            expect: fires
    """)
    [problem] = result.problems
    assert problem.said == "at 09:05 (line 8): expected to fire, and it did not"
    assert problem.shown == (
        "09:05:00  NO     charge.failed   amount 200.00 USD   needs <= 100.00 USD",
        "09:05:00  NO     charge.failed   threshold: 1 of 5 within 10m",
    )


def test_a_throttle_over_time() -> None:
    test = f"""\
        rule: many
        timeline:
          - at: "09:00"
            given: {FAILED}
            repeat: 5
            every: 1m
            expect: {{fires: 5, sent: 2, suppressed: {{throttle: 3}}, title: $1.00 failed}}
          - at: "10:00"
            expect: {{fires: false, sent: 1, title: {{prefix: 3 more alerts}}}}
    """
    assert not problems(test)
    assert problems(test.replace("sent: 2", "sent: 3").replace("throttle: 3", "throttle: 1")) == [
        "at 09:04 (line 5): expected 3 messages sent, and there are 2",
        "at 09:04 (line 5): expected 1 message suppressed by throttle, and there are 3",
    ]


def test_absence_over_days_in_shadow() -> None:
    assert not problems("""\
        rule: not-repaired
        timeline:
          - at: "09:00"
            given:
              - {event: payout.failed, account: acct_1, set: {id: po_1}}
              - {event: payout.failed, account: acct_1, set: {id: po_2}}
            expect: {fires: false, because: not_followed_by}
          - at: "+1d 08:00"
            given: {event: payout.paid, account: acct_1, set: {id: po_1}}
            expect: no
          - at: "+2d 08:59"
            expect: no
          - at: "09:00"
            expect: {fires: 1, title: po_2 was not repaired}
    """)


def test_what_must_come_before_and_late_events() -> None:
    assert not problems("""\
        rule: changed-before
        timeline:
          - at: "09:00"
            given: {event: payout.failed, account: acct_1}
            expect: {because: preceded_by}
          - at: +10m
            given: {event: account.updated, account: acct_1}
            late: 20m
            expect: {fires: 1, sent: 1}
          - at: +1h
            given: {event: payout.failed, account: acct_1}
            expect: fires
    """)
    assert not problems("""\
        rule: fresh
        timeline:
          - {at: "09:00", given: {event: payout.failed}, late: 2h, expect: {because: max_age}}
          - {at: "09:00", given: {event: payout.failed}, expect: fires}
    """)


def test_spans_are_of_time_that_passes_and_times_are_the_clocks() -> None:
    found = read("""\
        rule: many
        day: 2026-03-29
        timezone: Europe/Berlin
        timeline:
          - {at: "01:30", expect: no}
          - {at: +1h, expect: no}
          - {at: "06:00", expect: no}
    """)
    [test] = found.tests
    assert isinstance(test, TimelineTest)
    assert [f"{moment:%H:%M}" for moment, _ in test.timeline.moments()] == ["00:30", "01:30", "04:00"]


def test_all_rules_that_fire() -> None:
    test = f"""\
        timeline:
          - {{at: "09:00", given: {FAILED}, repeat: 5, expect: {{fired: [card-testing, many]}}}}
    """
    assert not problems(test)
    assert problems(test.replace("repeat: 5, ", "")) == [
        "at 09:00 (line 4): expected card-testing to fire, and it did not"
    ]


def test_a_digest_gathers_and_says_what_is_in_it() -> None:
    assert not problems("""\
        rule: daily
        timeline:
          - at: "10:00"
            given: {event: charge.dispute.created, account: "acct_1", set: {amount: 1000, currency: usd}}
            repeat: 3
            every: 1h
            expect: {fires: 3, sent: 0, gathered: 3}
          - at: "+1d 09:00"
            expect: {fires: 0, sent: 1, title: {contains: $30.00}, text: {contains: 3 alerts of daily}}
    """)


def test_repetitions_are_numbered() -> None:
    result = play("""\
        rule: many
        timeline:
          - at: "09:00"
            given: {event: charge.failed, set: {id: "ch_{n}", currency: usd, "$.account": "acct_{n}"}}
            repeat: 5
            expect: {sent: 5}
    """)
    assert result.passed


def test_one_event_by_itself_does_not_make_a_threshold() -> None:
    assert problems(f"{{rule: card-testing, given: {FAILED}, expect: fires}}") == [
        "expected to fire, and for one event by itself it does not: write a timeline"
    ]
    assert not problems(f"{{rule: card-testing, given: {FAILED}, expect: {{because: threshold}}}}")
    assert not problems(f"{{rule: many, given: {FAILED}, expect: fires}}")


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        ('{at: "9:00", expect: no}', "expect", "expected a moment, got the text '9:00'"),
        ('{at: "25:00", expect: no}', "expect", "there is no time 25:00"),
        ('{at: "+1h 09:00", expect: no}', "expect", "before a time of the clock stand whole days"),
        ("{expect: no}", "missing-key", "this step has no 'at'"),
        ('{at: "09:00"}', "missing-key", "this step has neither 'given' nor 'expect'"),
        ('{at: "09:00", repeat: 3, expect: no}', "expect", "'repeat' is about the events of a step"),
        (
            '{at: "09:00", given: {event: charge.failed}, every: 3s, expect: no}',
            "missing-key",
            "'every' needs 'repeat'",
        ),
        ('{at: "09:00", given: [], expect: no}', "empty", "expected events, got an empty list"),
        ('{at: "09:00", expect: {fires: often}}', "type", "expected true, false, or how often the rule fires"),
        ('{at: "09:00", expect: {because: quiet}}', "expect", "this rule has no test of 'quiet'"),
        ('{at: "09:00", expect: {suppressed: {throtle: 1}}}', "unknown-key", "did you mean 'throttle'?"),
        ('{at: "09:00", expect: {sent: -1}}', "type", "expected a number of messages"),
        ('{at: "09:00", expect: {steps: {nope: sent}}}', "unknown-step", "this rule has no step 'nope'"),
        ('{at: "09:00", given: {event: charge.failed}}', "missing-key", "this timeline has no 'expect'"),
        ("maybe", "type", "expected a step"),
    ],
)
def test_mistakes_in_a_step_are_found(step: str, code: str, message: str) -> None:
    mistakes = read(f"rule: many\ntimeline:\n  - {step}\n").mistakes
    assert (code, True) in [(each.code, message in each.message) for each in mistakes], mistakes
    assert all(each.position is not None and each.position.line >= 4 for each in mistakes)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{rule: many, timeline: soon}", "expected a list of steps"),
        ("{rule: many, timeline: []}", "expected steps"),
        ('{rule: many, given: {event: charge.failed}, timeline: [{at: "09:00", expect: no}]}', "'given' cannot stand"),
        ("{rule: many, day: 2026-01-01, given: {event: charge.failed}, expect: no}", "this test has none"),
        ('{rule: many, day: tomorrow, timeline: [{at: "09:00", expect: no}]}', "expected a day"),
        (
            '{rule: many, timezone: Europe/Berln, timeline: [{at: "09:00", expect: no}]}',
            "did you mean 'Europe/Berlin'?",
        ),
        (
            '{rule: many, timeline: [{at: "09:00", expect: no}, {at: "08:59", expect: no}]}',
            "comes before the one above",
        ),
    ],
)
def test_mistakes_in_a_timeline_are_found(test: str, message: str) -> None:
    mistakes = read(test).mistakes
    assert any(message in each.message for each in mistakes), mistakes
