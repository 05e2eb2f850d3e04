"""What check says of rules that cannot fire, repeat themselves, or listen in the wrong place."""

import re

import pytest

from tests.rulebook.books import mistakes


def said(when: str, more: str = "") -> list[str]:
    """The warnings of a rule with this `when`, without their places."""
    text = f"rules:\n  - id: r\n    when: {when}\n    then: {{notify: risk}}\n{more}"
    return [re.sub(r"^rules/a.yaml:\d+:\d+  warning", "", line) for line in mistakes(text)]


def where(conditions: str, type_: str = "charge.dispute.created") -> list[str]:
    """The warnings of these conditions."""
    return said(f"{{type: {type_}, where: {{{conditions}}}}}")


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ("amount: {gte: 500 USD, lte: 100 USD}", ">= 500.00 USD and <= 100.00 USD"),
        ("amount: {gte: 500 USD, lte: 700 EUR}", ">= 500.00 USD and <= 700.00 EUR"),
        ("evidence_details.submission_count: {gt: 3, lt: 3}", "> 3 and < 3"),
        ("evidence_details.submission_count: {gte: 4, between: [1, 3]}", ">= 4 and between 1 and 3"),
        ("evidence_details.submission_count: {eq: 4, lt: 3}", "4 and < 3"),
        ("created: {gt: 2026-02-01, lt: 2026-01-01}", "> 2026-02-01 and < 2026-01-01"),
        ("created: {older_than: 3d, newer_than: 1d}", "older than 3d and newer than 1d"),
        ("status: {eq: won, prefix: needs}", "won and prefix needs"),
        ("status: {eq: won, suffix: x}", "won and suffix x"),
        ("reason: {eq: fraudulent, glob: 'sub*'}", "fraudulent and glob sub*"),
        ("reason: {eq: fraudulent, matches: '^sub'}", "fraudulent and matches ^sub"),
        ("reason: {exists: false, eq: fraudulent}", "absent and fraudulent"),
        ("reason: {exists: false, contains: x}", "absent and contains x"),
        ("balance_transactions: {length: {gte: 5, lt: 5}}", ">= 5 and < 5"),
        ("all: [{currency: usd}, {currency: [eur, gbp]}]", "usd and one of eur, gbp"),
    ],
)
def test_two_tests_that_exclude_each_other(conditions: str, says: str) -> None:
    assert where(conditions) == [f"[never-holds]  nothing is both {says}"]


@pytest.mark.parametrize(
    "conditions",
    [
        "amount: {gte: 100 USD, lte: 100 USD}",
        "amount: {gte: [5 USD, 5 EUR, others], lte: 100 USD}, currency: usd",
        "created: {older_than: 1d, newer_than: 3d}",
        "created: {gt: 2026-01-01, older_than: 1d}",
        "status: {eq: WON, prefix: w, ignore_case: true}",
        "reason: {exists: true, eq: fraudulent}",
        "reason: {not: fraudulent}, any: [{status: won}, {status: lost}]",
        "evidence_details.submission_count: {gte: $previous.amount, lte: 3}",
        "'balance_transactions[*].net': {gt: 5 USD, lt: 9 USD}, all: [{'balance_transactions[*].type': adjustment}]",
        "enhanced_eligibility_types: visa_compliance, all: [{enhanced_eligibility_types: mastercard_compliance}]",
    ],
)
def test_what_can_hold_together_is_left_alone(conditions: str) -> None:
    """Of a list one element may pass the one test, another the other."""
    assert where(conditions) == []


def test_what_has_gone_may_have_changed() -> None:
    assert where("failure_code: {exists: false, changed: true}", "payout.updated") == []


def test_what_must_be_and_must_not_be() -> None:
    assert where("reason: {prefix: fr, not: {prefix: fr}}") == ["[never-holds]  reason must be and must not be this"]
    assert where("status: won, none: [{status: won}]") == ["[never-holds]  status must be and must not be this"]
    assert where("status: won, none: [{status: won, reason: fraudulent}]") == []


def test_some_fields_never_change() -> None:
    assert where("id: {changed: true}", "payout.updated") == ["[never-holds]  the id of an object never changes"]


def test_a_test_of_livemode_that_when_excludes() -> None:
    assert where("livemode: false") == [
        "[never-holds]  default_livemode has it that only live events are looked at; "
        "write livemode: false under when, beside type"
    ]
    assert said("{type: payout.failed, livemode: false, where: {$event.livemode: true}}") == [
        "[never-holds]  livemode under when has it that only test events are looked at; "
        "write livemode: true under when, beside type"
    ]
    assert said("{type: payout.failed, livemode: any, where: {livemode: false}}") == []


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("[payout.failed, payout.failed]", ["every event that this takes is taken on line 3 already"]),
        ("[{type: payout.failed, where: {currency: usd}}, payout.failed]", ["every event that this takes is taken on"]),
        ("[payout.failed, {type: payout.failed, scope: connected}]", ["every event that this takes is taken on line"]),
        ("[payout.failed, {type: payout.failed, account: acct_1}]", ["every event that this takes is taken on line"]),
        ("{type: [payout.*, payout.failed]}", ["'payout.*' takes 'payout.failed' already; leave out 'payout.failed'"]),
        ("{type: x, where: {any: [{id: a}, {id: a}]}}", ["[unknown-type]", "this stands on line 3 already"]),
        ("{type: payout.failed, where: {currency: [usd, usd]}}", ["usd stands in this list twice"]),
    ],
)
def test_what_could_be_left_out(when: str, says: list[str]) -> None:
    for line, part in zip(said(when), says, strict=True):
        assert part in line


@pytest.mark.parametrize(
    "when",
    [
        "[payout.failed, payout.paid]",
        "[{type: payout.failed, where: {currency: usd}}, {type: payout.failed, where: {amount: {gt: 5 USD}}}]",
        "[{type: payout.failed, livemode: true}, {type: payout.failed, livemode: false}]",
        "[{type: payout.failed, account: acct_1}, {type: payout.failed, account: acct_2}]",
        "{type: [payout.*, refund.*]}",
        "{type: payout.failed, where: {description: ['1', 1, true]}}",
    ],
)
def test_what_adds_something_is_left_alone(when: str) -> None:
    assert not any("[redundant]" in line for line in said(when))


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("{type: account.updated, scope: platform, where: {id: acct_1}}", "scope"),
        ("{type: [person.updated, capability.updated], scope: platform}", "scope"),
        ("{type: 'v2.core.account[requirements].updated', scope: connected}", "scope"),
        ("{type: payout.failed, scope: platform, account: acct_1}", "scope"),
        ("{type: account.updated}", "other-accounts"),
        ("{type: account.*, scope: [connected, platform]}", "other-accounts"),
        ("{type: account.updated, where: {none: [{id: $account.id}]}}", "other-accounts"),
    ],
)
def test_events_that_come_in_another_scope_or_of_others(when: str, code: str) -> None:
    (line,) = said(when)
    assert line.startswith(f"[{code}]")


@pytest.mark.parametrize(
    "when",
    [
        "{type: account.updated, where: {id: {same_as: $account.id}}}",
        "{type: account.updated, where: {$account.id: {same_as: $.data.object.id}}}",
        "{type: account.updated, scope: connected, where: {id: $account.id}}",
        "{type: account.external_account.updated, scope: connected}",
        "{type: 'v2.core.account[requirements].updated', scope: platform, account: acct_1}",
        "{type: [payout.failed, account.application.deauthorized], scope: platform}",
        "'*'",
    ],
)
def test_events_that_come_as_meant(when: str) -> None:
    assert said(when) == []


def test_a_rule_that_another_makes_needless() -> None:
    """Both act and both do the same; a rule that does something else is not needless."""
    other = "  - {{id: o, when: {0}, then: {1}{2}}}\n"
    same = other.format("payout.failed", "{notify: risk}", "")
    (line,) = said("payout.failed", same)
    assert (
        line
        == "[duplicate-rule]  rule 'r' (rules/a.yaml:2) takes the same events, and does the same; leave one of them out"
    )
    (line,) = said("payout.failed", other.format("{type: payout.failed, scope: connected}", "{notify: risk}", ""))
    assert line.startswith(
        "[shadowed-rule]  rule 'r' (rules/a.yaml:2) takes every event of this one, and does the same"
    )
    assert said("{type: payout.*}", other.format("payout.paid", "{notify: risk}", ""))[0].startswith("[shadowed-rule]")
    assert said("payout.failed", other.format("payout.failed", "{notify: payments}", "")) == []
    assert said("payout.failed", other.format("payout.failed", "{notify: risk, title: x}", "")) == []
    assert said("payout.failed", other.format("payout.failed", "{notify: risk}", ", mode: shadow")) == []
    ignored = ", lint: {ignore: duplicate-rule, because: x}"
    assert said("payout.failed", other.format("payout.failed", "{notify: risk}", ignored)) == []
    (line,) = said("payout.failed", other.format("payout.paid", "{notify: risk}", ignored))
    assert line.startswith("[unused-ignore]  there is no duplicate-rule")


def test_rules_that_one_supersedes_or_that_wait_for_what_is_left_are_meant() -> None:
    other = "  - {{id: o, when: {0}, then: {{notify: risk}}{1}}}\n"
    assert said("payout.failed", other.format("payout.failed", ", supersedes: r")) == []
    assert said("payout.*", other.format("payout.failed", ", supersedes: r")) == []
    assert said("{unmatched: true}", other.format("payout.failed", "")) == []


def test_what_a_step_asks_is_looked_up_too() -> None:
    text = "rules:\n  - id: r\n    when: payout.failed\n    then: {notify: risk, if: {amuont: {gte: 5 USD}}}\n"
    (line,) = mistakes(text)
    assert "warning[unknown-field]  payout has no field 'amuont'; did you mean 'amount'?" in line


def many(count: int, test: str) -> str:
    """So many rules that differ in a number."""
    rules = (
        f"  - {{id: r-{n}, when: {{type: payout.failed, where: {{{test.format(n)}}}}}, then: {{notify: risk}}}}\n"
        for n in range(count)
    )
    return "rules:\n" + "".join(rules)


def test_many_rules_that_no_index_tells_apart() -> None:
    """One warning, at the first; fewer of them, or such as have a value to be found by, cost next to nothing."""
    (line,) = mistakes(many(200, "description: {{glob: '*x{0}y*'}}"))
    assert line.startswith(
        "rules/a.yaml:2:10  warning[linear]  200 rules are tested at every payout.failed, which takes about 100 µs an "
        "event; the index finds rules by a value"
    )
    assert mistakes(many(199, "description: {{glob: '*x{0}y*'}}")) == []
    assert mistakes(many(200, "description: {{glob: '*x{0}y*'}}, destination: ba_{0}")) == []
