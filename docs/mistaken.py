"""A file of rules for each mistake that can be made in one, as short as it can be. docs/mistakes.md shows what check
says of each."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import indent

from docs.examples import KNOWN
from engine.model.event import Scope
from engine.model.mistake import Mistake
from engine.rulebook import Listening, load
from engine.rulebook.served import check_served
from engine.source import print_mistakes
from engine.testing import read_tests

FILE = "rules/mine.yaml"
BESIDE = {"rules/all.yaml": "vars: {small: 5 USD}\n", "rules/vip.csv": "account\nacct_1\n"}
"""What else is there."""


CONFIGURED = replace(
    KNOWN, endpoints=(Listening(name="connect", scope=Scope.CONNECTED, livemode=True),), stripe_keys=("test",)
)
"""What is configured where that matters."""


def rule(**keys: str) -> str:
    """A rule that is right but for these keys, in the order given; an empty one is left out."""
    given = {"id": "my-rule", "when": "payout.failed", "then": "{notify: payments}", **keys}
    lines = [f"{key}: {value}" for key, value in given.items() if value]
    return "rules:\n" + indent("\n".join(lines), "    ").replace("    ", "  - ", 1) + "\n"


def where(test: str, type_: str = "charge.dispute.created") -> str:
    """A rule with that test."""
    return rule(when=f"\n  type: {type_}\n  where:\n    {test}")


def step(text: str, type_: str = "payout.failed") -> str:
    """A rule with that step."""
    return rule(when=type_, then=text)


FILES: Mapping[str, str] = {
    "syntax": rule(when="{type: payout.failed"),
    "quote-this": rule(when="*.failed"),
    "duplicate-key": rule(when="payout.failed\nseverity: low\nseverity: high"),
    "merge-key": rule(when="\n  <<: {scope: connected}\n  type: payout.failed"),
    "tag": rule(when="!!str payout.failed"),
    "number": where("amount: {gte: 1e999999}"),
    "unknown-key": rule(severty="high"),
    "missing-key": rule(then=""),
    "type": rule(severity="high", description="5"),
    "empty": rule(tags="[]"),
    "null": where("reason: null"),
    "id": rule(id="My Rule"),
    "duplicate-id": rule() + rule().removeprefix("rules:\n"),
    "unknown-value": rule(severity="hgih"),
    "defaults": "defaults: {then: {notify: payments}}\n" + rule(),
    "duration": step("{notify: payments, retry: {backoff: 10 minutes}}"),
    "unknown-type": rule(when="payuot.failed"),
    "unknown-scope": rule(when="{type: payout.failed, scope: connect}"),
    "account": rule(when="{type: payout.failed, account: cus_1}"),
    "path": where("'$.data.object.lines.data[?@.amount = 100].id': {exists: true}"),
    "unknown-operator": where("amount: {greater: 500}"),
    "operand": where("amount: {gte: $500}"),
    "money": where("amount: {gte: 500}"),
    "changed": where("requirements.errors[*].code: {changed: true}", "account.updated"),
    "changed-needs-updated": where("status: {changed: true}"),
    "unknown-field": where("amuont: {gte: 500 USD}"),
    "only-an-id": where("charge.amount: {gte: 500 USD}"),
    "enum-value": where("status: needs_respons"),
    "wildcard": where('evidence.customer_name: "*refund*"'),
    "field-type": where("metadata.vip: true"),
    "never-holds": where("amount: {gte: 500 USD, lte: 100 USD}"),
    "redundant": rule(when="[payout.failed, {type: payout.*, scope: connected}, payout.*]"),
    "duplicate-rule": rule() + rule(id="my-other-rule").removeprefix("rules:\n"),
    "shadowed-rule": rule() + rule(id="large", when="{type: payout.failed, scope: connected}").removeprefix("rules:\n"),
    "linear": "rules:\n"
    + "".join(
        rule(id=f"rule-{n}", when=f"{{type: payout.failed, where: {{description: {{glob: '*x{n}y*'}}}}}}")[7:]
        for n in range(200)
    ),
    "scope": rule(when="{type: account.updated, scope: platform}"),
    "other-accounts": rule(when="{type: account.updated, scope: connected}"),
    "unknown-verb": step("{notfy: payments}"),
    "unknown-channel": step("{notify: payment}"),
    "unknown-callback": step("{callback: cases}"),
    "callback-host": step("{callback: 'https://other.example.com/hook'}"),
    "unknown-operation": step("{stripe: payout.get}"),
    "write-not-allowed": step("{stripe: transfers.create}", "charge.dispute.created"),
    "disconnected": step("{stripe: payouts.list}", "account.application.deauthorized"),
    "template": step('{notify: payments, text: "{{ objct.id }}"}'),
    "unknown-step": step('{notify: payments, text: "{{ steps.charge.result.id }}"}'),
    "step-cycle": step(
        '\n  - {callback: case-system, id: a, body: "{{ steps.b.ok }}"}'
        '\n  - {callback: case-system, id: b, body: "{{ steps.a.ok }}"}'
    ),
    "no-endpoint": rule(when="{type: payout.failed, scope: organization}"),
    "no-key": step("{stripe: payouts.retrieve}"),
    "unused-ignore": rule(lint="{ignore: unknown-field, because: our endpoint has an older version of the API}"),
    "given": rule(tests="[{given: {event: payout.failed, previous: {a.b: 1}}, expect: fires}]"),
    "unknown-rule": rule(),
    "expect": rule(tests="[{given: {event: payout.failed}, expect: {because: amount}}]"),
    "fetch": rule(when="{type: payout.failed, fetch: [failure code]}"),
    "supersedes": rule(supersedes="my-rule"),
    "unknown-name": where("amount: {gte: $vars.smal}"),
    "duplicate-name": "vars: {small: 9 USD}\n" + rule(),
    "table": "tables: {vip: {file: vip.csv, key: acount}}\n" + rule(),
    "table-file": "tables: {vip: {file: vpi.csv}}\n" + rule(),
    "vars": "vars: {big: $vars.huge}\n" + rule(),
    "combination": rule(throttle="{max: 1, every: 6h}", digest="{every: day}"),
    "clock": rule(digest="{every: day, at: 9am}"),
    "timezone": rule(digest="{every: day, timezone: Berlin}"),
    "calendar": "calendars: {weekends: {timezone: UTC, weekdays: [sat, snu]}}\n" + rule(),
    "no-effect": rule(throttle="{max: 1, every: 6h}", then="{callback: case-system}"),
    "retry": step("{notify: payments, retry: {attempts: 2, backoff: [5s, 1m]}}"),
}
"""By the code of the mistake. Not here: `too-large`, and what is not in a file of rules."""

TESTS = """\
tests:
  - rule: my-rul
    given: {event: payout.failed}
    expect: fires
"""
"""A file of tests with the mistake `unknown-rule`."""


def shown(code: str) -> str:
    """What check prints of that mistake."""
    found = [each for each in mistakes(code) if each.code == code]
    return print_mistakes(found, _sources(code), color=False).rstrip()


def mistakes(code: str) -> tuple[Mistake, ...]:
    """Everything that is wrong with the file of that code."""
    loaded = load({**BESIDE, FILE: FILES[code]}, KNOWN)
    rules = loaded.rulebook.rules
    asked = check_served(rules, CONFIGURED)
    return (*loaded.mistakes, *read_tests(_sources(code), rules, Path()).mistakes, *asked)


def _sources(code: str) -> dict[str, str]:
    tests = {"rules/mine_test.yaml": TESTS} if code == "unknown-rule" else {}
    return {FILE: FILES[code], **tests}
