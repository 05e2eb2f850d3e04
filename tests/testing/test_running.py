"""Tests of rules are run: each event is given, judged and written about, and what differs is shown."""

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent

import pytest

from engine.rulebook import load
from engine.testing import read_tests
from engine.testing.running import Result, Runner
from tests.builders import snapshot, thin
from tests.rulebook.books import KNOWN

RULES = """\
rules:
  - id: big
    when:
      type: charge.dispute.created
      where:
        status: needs_response
        amount: {gte: [500 USD, 450 EUR]}
        currency: [usd, eur]
    then:
      - notify: risk
        title: "Dispute of {{ object | money }}"
        text: |
          Reason: {{ object.reason }}
          Account: {{ account.id }}
      - callback: case-system
        id: case
        body: {amount: "{{ object.amount }}", ids: ["{{ object.id }}"]}
      - stripe: charges.retrieve
        id: charge
        with: {charge: "{{ object.charge }}"}
        as: platform
      - notify: payments
        id: follow-up
        text: "{{ steps.charge.result.id }}"
  - id: any-dispute
    mode: shadow
    when: charge.dispute.*
    then: {notify: payments}
  - id: asleep
    mode: off
    when: charge.dispute.created
    then: {notify: payments}
  - id: misspelt
    when: payout.failed
    then: {notify: payments, title: "{{ object.amuont }}"}
    lint: {ignore: unknown-field, because: what comes of it is tested}
"""
BIG = "{event: charge.dispute.created, account: acct_1, set: {amount: 50000}}"


def run(test: str, base: Path = Path()) -> Result:
    """One test, its keys in flow or block form, beside those rules."""
    sources = {"a.yaml": RULES, "a_test.yaml": "tests:\n  -\n" + indent(dedent(test), "    ")}
    loaded = load({"a.yaml": RULES}, KNOWN)
    found = read_tests(sources, loaded.rulebook.rules, base)
    assert [*loaded.mistakes, *found.mistakes] == []
    (test_,) = found.tests
    return Runner(loaded.rulebook).run(test_)


def said(test: str) -> list[str]:
    """What was not as expected, all its lines."""
    return [line for problem in run(test).problems for line in (problem.said, *problem.shown)]


@pytest.mark.parametrize(
    "test",
    [
        f"{{rule: big, given: {BIG}, expect: fires}}",
        "{rule: big, given: {event: charge.dispute.created, set: {amount: 44999}}, expect: no}",
        "{rule: big, given: {event: charge.dispute.created, set: {amount: 44999}}, expect: {because: amount}}",
        "{rule: big, given: {event: payout.failed}, expect: {because: type}}",
        f"{{rule: any-dispute, given: {BIG}, expect: fires}}",
        f"{{rule: asleep, given: {BIG}, expect: fires}}",
        f"{{given: {BIG}, expect: {{fired: [any-dispute, big]}}}}",
        "{given: {event: refund.created}, expect: {fired: []}}",
        f"{{rule: big, given: {BIG}, expect: {{title: Dispute of €500.00, text: {{contains: fraudulent}}}}}}",
        f"{{rule: big, given: {BIG}, expect: {{text: {{matches: 'acct_1$'}}}}}}",
        f"{{rule: big, given: {BIG}, expect: {{steps: {{case: {{body.amount: 50000, method: POST}}}}}}}}",
        f"{{rule: big, given: {BIG}, expect: {{steps: {{charge: {{path: {{prefix: /v1/charges/ch_}}}}}}}}}}",
    ],
)
def test_what_is_as_expected_passes(test: str) -> None:
    assert run(test).problems == ()


def test_a_rule_that_did_not_fire_shows_why() -> None:
    test = "{rule: big, given: {event: charge.dispute.created, set: {amount: 44999}}, expect: fires}"
    assert said(test) == [
        "expected to fire, and it did not",
        "NO  amount  449.99 EUR   needs >= 450.00 EUR",
        "ok  type livemode status=needs_response currency=eur",
    ]


def test_a_rule_that_fired_shows_what_held() -> None:
    assert said(f"{{rule: big, given: {BIG}, expect: no}}") == [
        "expected not to fire, and it fired",
        "ok  type livemode status=needs_response amount=500.00 EUR currency=eur",
    ]


def test_another_reason_than_the_expected_one_fails() -> None:
    test = "{rule: big, given: {event: charge.dispute.created, set: {status: won}}, expect: {because: amount}}"
    first, second, *_ = said(test)
    assert first == "expected not to fire because of amount, and it did not because of status"
    assert second == "NO  status  won   needs needs_response"


def test_rules_that_fire_are_these_and_no_others() -> None:
    assert said(f"{{given: {BIG}, expect: {{fired: [misspelt, big]}}}}") == [
        "expected misspelt to fire, and it did not",
        "NO  type  charge.dispute.created   needs payout.failed",
        "any-dispute fired, too",
        "ok  type livemode",
    ]


def test_a_rule_that_is_off_does_not_fire_among_the_others() -> None:
    (first, *_) = said(f"{{given: {BIG}, expect: {{fired: [any-dispute, asleep, big]}}}}")
    assert first == "expected asleep to fire, and it did not"


def test_a_text_that_cannot_be_written_fails_the_test() -> None:
    """Although nothing was said of it: it would be a dead delivery."""
    (problem,) = said("{rule: misspelt, given: {event: payout.failed}, expect: fires}")
    assert problem.startswith("notify-1 cannot be written: ")
    assert "did you mean 'object.amount'?" in problem


def test_a_text_of_several_lines_is_shown_as_a_difference() -> None:
    test = f"""\
    rule: big
    given: {BIG}
    expect:
      text: |
        Reason: fraud
        Account: acct_1
    """
    assert said(test) == [
        "text of notify-1 is not as expected",
        "--- expected",
        "+++ sent",
        "@@ -1,2 +1,2 @@",
        "-Reason: fraud",
        "+Reason: fraudulent",
        " Account: acct_1",
    ]


def test_a_text_that_lacks_something_is_shown_whole() -> None:
    assert said(f"{{rule: big, given: {BIG}, expect: {{text: {{contains: refund}}}}}}") == [
        "text of notify-1 is not as expected",
        "needs contains refund",
        "it is:",
        "  Reason: fraudulent",
        "  Account: acct_1",
    ]


def test_what_a_step_sends_is_shown_beside_what_it_should() -> None:
    test = f"{{rule: big, given: {BIG}, expect: {{title: Dispute, steps: {{case: {{body.amount: '50000'}}}}}}}}"
    assert said(test) == [
        "title of notify-1 is not as expected",
        "is     Dispute of €500.00",
        "needs  Dispute",
        "body.amount of case is not as expected",
        "is     50000",
        "needs  50000   (the event has a number, the rule text)",
    ]


def test_a_step_that_waits_for_another_is_written_with_the_result_that_is_given() -> None:
    follow_up = "expect: {steps: {follow-up: {text: ch_1}}}"
    assert said(f"{{rule: big, given: {BIG}, {follow_up}}}") == [
        "follow-up waits for the result of charge: write it in given, under results"
    ]
    given = BIG.replace("set:", "results: {charge: {id: ch_1}}, set:")
    assert said(f"{{rule: big, given: {given}, {follow_up}}}") == []
    failed = BIG.replace("set:", "results: {charge: null}, set:")
    assert said(f"{{rule: big, given: {failed}, {follow_up}}}") == ["follow-up is skipped: step charge did not succeed"]
    assert said(f"{{rule: big, given: {failed}, expect: {{steps: {{follow-up: skipped}}}}}}") == []


STEPS = """\
rules:
  - id: mine
    when: charge.dispute.created
    then:
      - notify: risk
        id: big
        if: {amount: {gte: 500 USD}, currency: usd}
        text: A big one
      - stripe: charges.retrieve
        id: charge
        with: {charge: "{{ object.charge }}"}
        as: platform
        on_error: continue
      - notify: risk
        id: refunded
        if: {$steps.charge.result.refunded: true}
        text: "{{ steps.charge.result.id | default('none') }}, {{ steps.charge.ok }}"
    on_failure:
      - notify: payments
        id: trouble
        text: "{{ failed.step }} failed: {{ failed.reason }}"
    tests:
      - TEST
"""


def of_steps(test: str) -> list[str]:
    """What was not as expected of that rule."""
    text = STEPS.replace("TEST", test)
    loaded = load({"a.yaml": text}, KNOWN)
    found = read_tests({"a.yaml": text}, loaded.rulebook.rules, Path())
    assert [*loaded.mistakes, *found.mistakes] == []
    return [problem.said for test_ in found.tests for problem in Runner(loaded.rulebook).run(test_).problems]


@pytest.mark.parametrize(
    ("given", "steps", "said"),
    [
        ("set: {amount: 90000, currency: usd}", "{big: sent}", []),
        ("set: {amount: 90000, currency: usd}", "{big: skipped}", ["expected big to be skipped, and it is sent"]),
        ("set: {amount: 1, currency: usd}", "{big: skipped}", []),
        (
            "set: {amount: 1, currency: usd}",
            "{big: {text: A big one}}",
            ["big is skipped: if: amount is 0.01 USD, needs >= 500.00 USD"],
        ),
        ("results: {charge: {refunded: true, id: ch_1}}", "{refunded: {text: 'ch_1, true'}, trouble: skipped}", []),
        ("results: {charge: {refunded: false}}", "{refunded: skipped}", []),
        ("results: {charge: null}", "{refunded: skipped, trouble: {text: 'charge failed: it fails in this test'}}", []),
        (
            "account: acct_1",
            "{refunded: sent}",
            ["refunded waits for the result of charge: write it in given, under results"],
        ),
        (
            "results: {charge: {refunded: true, id: ch_1}, refunded: {}}",
            "{refunded: {text: 'ch_1, true'}, charge: sent}",
            [],
        ),
        ("account: acct_1", "{trouble: sent}", ["trouble is skipped: no step fails in this test"]),
    ],
)
def test_steps_run_as_conditions_and_results_have_it(given: str, steps: str, said: list[str]) -> None:
    test = f"{{given: {{event: charge.dispute.created, {given}}}, expect: {{steps: {steps}}}}}"
    assert of_steps(test) == said


def test_where_every_message_is_skipped_none_is_as_expected() -> None:
    test = "{given: {event: charge.dispute.created, set: {amount: 1}}, expect: {text: x}}"
    assert of_steps(test) == ["no message of this rule is sent"]


def test_a_rule_that_another_supersedes_says_nothing() -> None:
    """It fires all the same."""
    text = dedent(
        """\
        rules:
          - id: any
            when: charge.dispute.created
            then: {notify: risk, text: A dispute}
            tests:
              - {given: {event: charge.dispute.created}, expect: {text: A dispute}}
              - {given: {event: charge.dispute.created, set: {reason: general}}, expect: {steps: {notify-1: skipped}}}
              - {given: {event: charge.dispute.created, set: {reason: general}}, expect: {text: A dispute}}
          - id: general
            supersedes: [any]
            when: {type: charge.dispute.created, where: {reason: general}}
            then: {notify: risk}
        """
    )
    rulebook = load({"a.yaml": text}, KNOWN).rulebook
    found = read_tests({"a.yaml": text}, rulebook.rules, Path())
    first, second, third = [Runner(rulebook).run(test).problems for test in found.tests]
    assert (first, second) == ((), ())
    assert [(problem.said, problem.shown) for problem in third] == [
        ("no message of this rule is sent", ("notify-1 is skipped: superseded by general",))
    ]


def test_an_event_that_cannot_be_made_fails_the_test() -> None:
    result = run("{rule: big, given: {event: payout.failed, set: {$.data.object.amount.of: 1}}, expect: no}")
    assert result.event is None
    assert [problem.said for problem in result.problems] == [
        "the event cannot be made: 'data.object.amount.of': 'of' is read from something that has no names"
    ]


def test_a_captured_event_is_given_as_it_came(tmp_path: Path) -> None:
    """And may be changed on the way in: `set` from its object, or with `$.` from its root."""
    body = snapshot("charge.dispute.created", object={"status": "needs_response", "amount": 70000, "currency": "usd"})
    (tmp_path / "event.json").write_text(json.dumps(body))
    (tmp_path / "thin.json").write_text(json.dumps(thin()))
    given = "given: {file: event.json"
    assert run(f"{{rule: any-dispute, {given}}}, expect: fires}}", tmp_path).passed
    test = f"{{rule: big, {given}, set: {{amount: 1, $.livemode: false}}}}, expect: {{because: livemode}}}}"
    changed = run(test, tmp_path)
    assert changed.passed
    assert changed.event is not None
    assert (changed.event.id, changed.event.livemode) == (body["id"], False)
    of_thin = run("{given: {file: thin.json, set: {context: acct_9}}, expect: {fired: []}}", tmp_path)
    assert of_thin.event is not None
    assert of_thin.event.account == "acct_9"


@pytest.mark.parametrize(
    ("content", "why"),
    [("{", "is not JSON"), ("[]", "it holds no JSON object"), ("{}", "is no event of Stripe's: no_id")],
)
def test_a_captured_file_that_is_no_event_says_so(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "event.json").write_text(content)
    (problem,) = run("{rule: big, given: {file: event.json}, expect: no}", tmp_path).problems
    assert why in problem.said


def test_a_test_gives_the_same_event_every_time() -> None:
    """So that a text with its ids and dates can be expected."""
    test = f"{{rule: big, given: {BIG}, expect: fires}}"
    assert run(test).event == run(test).event


def test_names_of_other_files_are_known_in_texts_and_conditions() -> None:
    """Variables and tables, and a table's CSV is no file of tests."""
    sources = {
        "names.yaml": "vars: {desk: Risk desk}\ntables: {vip: {file: vip.csv, key: account}}\n",
        "vip.csv": "account,csm\nacct_1,Ada\n",
        "a.yaml": dedent(
            """\
            rules:
              - id: vip
                when: {type: payout.failed, account: {in_table: vip}}
                then: {notify: risk, title: "{{ vars.desk }}: ask {{ tables.vip.csm }}"}
                tests:
                  - {given: {event: payout.failed, account: acct_1}, expect: {title: "Risk desk: ask Ada"}}
                  - {given: {event: payout.failed, account: acct_2}, expect: {because: account}}
            """
        ),
    }
    loaded = load(sources, KNOWN)
    found = read_tests(sources, loaded.rulebook.rules, Path())
    assert [*loaded.mistakes, *found.mistakes] == []
    assert [Runner(loaded.rulebook).run(test).problems for test in found.tests] == [(), ()]


def test_an_event_is_in_the_mode_that_its_rule_looks_at() -> None:
    """Whether the rule says it or the configuration: a test says it only where that matters."""
    text = dedent(
        """\
        rules:
          - id: testing
            when: {type: payout.failed, livemode: false}
            then: {notify: risk}
            tests:
              - {given: {event: payout.failed}, expect: fires}
              - {given: {event: payout.failed, livemode: true}, expect: {because: livemode}}
          - id: as-configured
            when: payout.failed
            then: {notify: risk}
            tests:
              - {given: {event: payout.failed}, expect: fires}
        """
    )
    for default in (True, False, None):
        rulebook = load({"a.yaml": text}, replace(KNOWN, default_livemode=default)).rulebook
        found = read_tests({"a.yaml": text}, rulebook.rules, Path())
        assert [Runner(rulebook).run(test).problems for test in found.tests] == [(), (), ()]
