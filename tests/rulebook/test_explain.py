"""Why each rule held or not."""

from engine.model.event import Scope
from engine.model.verdict import VerdictKind
from engine.rulebook import Known, verdict_json
from tests.builders import endpoint, event
from tests.rulebook.books import KNOWN, loaded

RULES = """
rules:
  - id: held
    when: {type: payout.failed, scope: connected, where: {status: failed, amount: {gte: 5 USD}}}
    then: {notify: risk}
  - {id: shadowed, mode: shadow, when: payout.failed, then: {notify: risk}}
  - {id: switched-off, mode: off, when: payout.failed, then: {notify: risk}}
  - {id: elsewhere, when: {type: payout.failed, scope: platform}, then: {notify: risk}}
  - {id: testing, when: {type: payout.failed, livemode: false}, then: {notify: risk}}
  - {id: others, when: {type: payout.failed, account: [acct_7, acct_8*]}, then: {notify: risk}}
  - {id: large, when: {type: payout.failed, where: {status: failed, amount: {gte: 500 USD}}}, then: {notify: risk}}
  - id: several
    when: [{type: payout.failed, scope: platform}, {type: payout.*, where: {status: paid}}]
    then: {notify: risk}
  - {id: another-type, when: [transfer.created, transfer.updated], then: {notify: risk}}
"""
BOOK = loaded(RULES).rulebook


def test_every_rule_that_looks_at_the_type_has_a_verdict_with_its_reason() -> None:
    """In the order type, mode, scope, livemode, account, where."""
    found = {
        v.rule: (v.kind, v.because and (v.because.path, v.because.actual, v.because.needs))
        for v in BOOK.explain(event())
    }
    assert found == {
        "held": (VerdictKind.FIRED, None),
        "shadowed": (VerdictKind.WOULD, None),
        "switched-off": (VerdictKind.NO, ("mode", "off", "live or shadow")),
        "elsewhere": (VerdictKind.NO, ("scope", "connected", "platform")),
        "testing": (VerdictKind.NO, ("livemode", "true", "false")),
        "others": (VerdictKind.NO, ("account", "acct_1", "acct_7, acct_8*")),
        "large": (VerdictKind.NO, ("amount", "123.45 USD", ">= 500.00 USD")),
        "several": (VerdictKind.NO, ("status", "failed", "paid")),  # the alternative that got furthest
    }
    assert len(found) == BOOK.looked_at("payout.failed")


def test_what_held_is_listed_in_order() -> None:
    """Only what the rule asks for."""
    held = {verdict.rule: verdict.held for verdict in BOOK.explain(event())}
    assert held["held"] == ("type", "scope", "livemode", "status=failed", "amount=123.45 USD")
    assert held["large"] == ("type", "livemode", "status=failed")
    assert held["elsewhere"] == ("type",)


def test_all_rules_and_one_rule_include_those_of_other_types() -> None:
    """As a no, because of the type."""
    (verdict,) = BOOK.explain(event(), rule="another-type")
    assert verdict.because is not None
    assert (verdict.because.path, verdict.because.actual) == ("type", "payout.failed")
    assert verdict.because.needs == "transfer.created, transfer.updated"
    assert len(BOOK.explain(event(), all_rules=True)) == len(BOOK.rules)
    assert BOOK.explain(event(), rule="nothing") == ()


def test_the_reason_says_where_scope_and_livemode_came_from() -> None:
    """Inferred or configured; written in the rule or the default."""
    (verdict,) = BOOK.explain(event(), rule="elsewhere")
    assert verdict.because is not None
    assert verdict.because.note == "inferred from the event"
    (verdict,) = BOOK.explain(event(endpoint=endpoint(name="connect", scope=Scope.CONNECTED)), rule="elsewhere")
    assert verdict.because is not None
    assert verdict.because.note == "as configured for the endpoint connect"
    (verdict,) = BOOK.explain(event(livemode=False), rule="held")
    assert verdict.because is not None
    assert verdict.because.note == "the rule does not say; default_livemode is true"
    (verdict,) = BOOK.explain(event(), rule="testing")
    assert verdict.because is not None
    assert verdict.because.note is None
    anything = loaded(RULES, Known(default_livemode=None)).rulebook
    assert anything.explain(event(livemode=False), rule="held")[0].kind is VerdictKind.FIRED


def test_a_verdict_agrees_with_matching() -> None:
    """For events of several kinds."""
    for subject in (event(), event(livemode=False), event(account=None), event(object={"status": "paid", "amount": 1})):
        fired = {match.rule.id for match in BOOK.match(subject)}
        said = {v.rule for v in BOOK.explain(subject) if v.kind in (VerdictKind.FIRED, VerdictKind.WOULD)}
        assert fired == said


def test_the_json_of_section_7() -> None:
    """The event in brief, and each rule with its reason."""
    subject = event(id="evt_1")
    content = verdict_json(subject, BOOK.explain(subject))
    assert content["event"]["id"] == "evt_1"
    assert content["event"]["created"] == "2026-01-01T00:00:00Z"
    by_rule = {each["rule"]: each for each in content["rules"]}
    assert by_rule["held"]["verdict"] == "fired"
    assert by_rule["held"]["because"] is None
    assert by_rule["large"]["because"] == {
        "path": "amount",
        "actual": "123.45 USD",
        "needs": ">= 500.00 USD",
        "value": 12345,
    }
    assert by_rule["shadowed"]["verdict"] == "would"
    assert KNOWN.default_livemode is True
