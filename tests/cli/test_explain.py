"""`tocsin explain`: the same answers as when the event came, in the look of the rule language's section 7."""

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.model.delivery import NOTHING, Delivery, DeliveryStatus
from engine.model.event import Event
from engine.plan import make_plan
from engine.rulebook import Known, load
from engine.store import Store
from notifiers import Destination
from tests.builders import event, snapshot_body, thin_body
from tests.cli.conftest import NOW, RULES, stock

runner = CliRunner()


def store_event(database: str, one: Event, rules: str = RULES) -> None:
    """Stores an event as the running service would, with the plan that those rules make for it."""
    files = {"rules/payouts.yaml": rules}
    book = load(files, Known()).rulebook
    plan = make_plan(
        one,
        [match.rule for match in book.match(one)],
        book.revision,
        lambda step, severity, livemode: [Destination(name=target) for target in step.targets],
    )

    async def fill(store: Store) -> None:
        await store.revisions.remember(book.revision, files, None)
        settled = [_settled(delivery) for delivery in plan.deliveries]
        await store.committer.commit(one, replace(plan, deliveries=tuple(settled)), book.revision)

    stock(database, fill)


def _settled(delivery: Delivery) -> Delivery:
    if delivery.destination == "payments":
        return replace(delivery, status=DeliveryStatus.DELIVERED, finished=NOW, next_attempt=None)
    return replace(delivery, attempts=1, reason="503", next_attempt=NOW + timedelta(days=400))


@pytest.fixture
def stored(database: str, workplace: Path) -> Path:
    """A stored event: payout-failed fired for it, big-payout did not hold, watched would have fired."""
    found = {"amount": 42000, "currency": "usd"}
    store_event(database, event("payout.failed", id="evt_1", account="acct_1", object=found, received=NOW))
    return workplace


def explain(*arguments: str, input: bytes | None = None) -> Any:  # noqa: A002 (CliRunner's word)
    """Runs it."""
    return runner.invoke(app, ["explain", *arguments], input=input)


def test_each_rule_says_whether_it_fired_or_what_it_needed(stored: Path) -> None:
    result = explain("evt_1")
    assert result.exit_code == 0, result.output
    head, fired, watched, big, passed = result.stdout.splitlines()
    assert head.startswith("evt_1 payout.failed  acct_1  live  connected  2026-01-01 00:00:00Z")
    assert head.endswith("3 of 3 rules look at this type")
    assert fired.split()[:2] == ["payout-failed", "FIRED"]
    assert "2 deliveries: " in fired
    assert "notify payments sent " in fired
    assert "callback cases failed (503), retry " in fired
    assert watched.split() == ["watched", "(shadow)", "WOULD", "in", "shadow:", "nothing", "is", "sent"]
    assert big.split()[:3] == ["big-payout", "NO", "amount"]
    assert "420.00 USD" in big
    assert "needs >= 500.00 USD" in big
    assert passed.split()[:2] == ["ok", "type"]


def test_a_stored_event_is_judged_by_the_rules_of_its_time(stored: Path) -> None:
    (stored / "rules" / "payouts.yaml").write_text(
        "rules:\n  - {id: other, when: payout.failed, then: {notify: risk}}\n"
    )
    assert "payout-failed" in explain("evt_1").stdout
    assert "other" not in explain("evt_1").stdout


def test_one_rule_is_shown_with_every_condition(stored: Path) -> None:
    lines = explain("evt_1", "--rule", "big-payout").stdout.splitlines()
    assert not any("payout-failed" in line for line in lines)
    assert any(line.split()[:2] == ["NO", "amount"] for line in lines)
    assert any(line.split()[:2] == ["ok", "currency"] for line in lines)


SEVERAL = """\
rules:
  - id: several
    when:
      - {type: payout.failed, scope: platform, livemode: true, where: {amount: {gte: 500 USD}}}
      - {type: payout.paid, account: [acct_7, acct_8]}
    then: {notify: payments}
"""


def test_the_tree_has_every_alternative_and_what_stands_behind_the_first_failure(workplace: Path) -> None:
    """With the value and the need of each: nothing is left to guess once the first reason is mended."""
    (workplace / "rules" / "several.yaml").write_text(SEVERAL)
    (workplace / "event.json").write_bytes(snapshot_body("payout.failed", object={"amount": 42000, "currency": "usd"}))
    lines = [line.strip() for line in explain("event.json", "--rule", "several").stdout.splitlines()[2:]]
    assert lines == [
        "NO  any of",
        "NO  all of",
        "ok  type  payout.failed   needs payout.failed",
        "NO  scope  connected   needs platform   (inferred from the event)",
        "ok  livemode  true   needs true",
        "NO  amount  420.00 USD   needs >= 500.00 USD",
        "NO  all of",
        "NO  type  payout.failed   needs payout.paid",
        "NO  account  acct_1   needs acct_7, acct_8",
    ]
    (entry,) = json.loads(explain("event.json", "--rule", "several", "--json").stdout)["rules"]
    first, second = entry["tree"]["children"][0]["children"]
    assert [each["path"] for each in first["children"]] == ["type", "scope", "livemode", "amount"]
    assert first["children"][3]["needs"] == ">= 500.00 USD"
    assert not second["held"]


def test_a_rule_that_is_off_shows_what_it_would_ask(workplace: Path) -> None:
    when = "{type: payout.failed, where: {currency: usd}}"
    rules = f"rules:\n  - {{id: unused, mode: 'off', when: {when}, then: {{notify: risk}}}}\n"
    (workplace / "rules" / "off.yaml").write_text(rules)
    (workplace / "event.json").write_bytes(snapshot_body("payout.failed", object={"currency": "usd"}))
    lines = [line.strip() for line in explain("event.json", "--rule", "unused").stdout.splitlines()]
    assert lines[2:] == [
        "NO  mode  off   needs live or shadow",
        "ok  type  payout.failed   needs payout.failed",
        "ok  currency  usd   needs usd",
    ]


def test_an_event_judged_by_rules_that_have_changed_says_so(stored: Path, database: str) -> None:
    assert "judged by the rules of its time" not in explain("evt_1").stdout

    async def reload(store: Store) -> None:
        await store.revisions.remember("new", {}, None)

    stock(database, reload)
    assert "judged by the rules of its time, revision " in explain("evt_1").stdout


def test_a_rule_that_is_newer_than_the_event_says_how_to_try_it(stored: Path) -> None:
    (stored / "rules" / "more.yaml").write_text("rules: [{id: newer, when: payout.failed, then: {notify: risk}}]\n")
    result = explain("evt_1", "--rule", "newer")
    assert result.exit_code == 2
    assert "tocsin events show evt_1 --body | tocsin explain - --rule newer" in result.stderr


def test_a_record_that_says_otherwise_is_shown(workplace: Path, database: str) -> None:
    """A snapshot that came after its thin twin fired nothing: the event has been judged already."""
    book = load({"rules/payouts.yaml": RULES}, Known()).rulebook
    one = event("payout.failed", id="evt_1", received=NOW)

    async def fill(store: Store) -> None:
        await store.revisions.remember(book.revision, {"rules/payouts.yaml": RULES}, None)
        await store.committer.commit(one, NOTHING, book.revision)

    stock(database, fill)
    lines = [line.strip() for line in explain("evt_1").stdout.splitlines()]
    assert lines.count("on record it did not fire") == 2
    by_rule = {each["rule"]: each["on_record"] for each in json.loads(explain("evt_1", "--json").stdout)["rules"]}
    assert by_rule == {"payout-failed": False, "big-payout": False, "watched": False}


def test_an_unknown_rule_names_the_nearest(stored: Path) -> None:
    result = explain("evt_1", "--rule", "big-payot")
    assert result.exit_code == 2
    assert "did you mean 'big-payout'?" in result.stderr


def test_json_is_as_the_language_defines_it(stored: Path) -> None:
    found = json.loads(explain("evt_1", "--json").stdout)
    assert found["event"]["id"] == "evt_1"
    by_rule = {entry["rule"]: entry for entry in found["rules"]}
    assert by_rule["big-payout"]["verdict"] == "no"
    assert by_rule["big-payout"]["because"]["path"] == "amount"
    assert by_rule["big-payout"]["because"]["value"] == 42000
    assert by_rule["payout-failed"]["verdict"] == "fired"
    assert by_rule["payout-failed"]["on_record"] is True
    assert "on record" not in explain("evt_1").stdout
    assert {each["status"] for each in by_rule["payout-failed"]["deliveries"]} == {"delivered", "pending"}
    assert by_rule["watched"]["verdict"] == "would"


def test_a_file_is_judged_by_the_rules_as_they_are_now(workplace: Path) -> None:
    (workplace / "event.json").write_bytes(snapshot_body("payout.failed", id="evt_file"))
    output = explain("event.json").stdout
    assert "from event.json, judged by the rules as they are now" in output
    assert "FIRED    would send: notify payments · callback cases" in output


def test_what_would_be_sent_for_a_file_is_what_the_pipeline_would_plan(workplace: Path) -> None:
    """Channels that do not take it, and rules that supersede others, included; a rule in shadow sends nothing."""
    config = (workplace / "config.yaml").read_text()
    grave = 'channels:\n  grave: {url: "json://127.0.0.1:9/", min_severity: critical}'
    (workplace / "config.yaml").write_text(config.replace("channels:", grave))
    (workplace / "rules" / "more.yaml").write_text(
        "rules:\n"
        "  - {id: over, when: payout.failed, supersedes: [under], then: {notify: grave}}\n"
        "  - {id: under, when: payout.failed, then: {notify: payments}}\n"
        "  - {id: beside, when: payout.failed, then: {notify: payments}, on_failure: {callback: cases}}\n"
    )
    (workplace / "event.json").write_bytes(snapshot_body("payout.failed"))
    output = explain("event.json").stdout
    assert "notify grave skipped: grave takes severity critical and above" in output
    assert "notify payments skipped: superseded by over" in output
    assert "callback cases only if a step is given up" in output
    by_rule = {each["rule"]: each["would_send"] for each in json.loads(explain("event.json", "--json").stdout)["rules"]}
    assert [each["destination"] for each in by_rule["payout-failed"]] == ["payments", "cases"]
    assert by_rule["under"][0]["reason"] == "superseded by over"
    assert by_rule["watched"] == []


def test_the_items_of_a_list_are_shown_each_with_what_was_asked_of_it(workplace: Path) -> None:
    """Which fit, and of those that do not, why."""
    (workplace / "rules" / "items.yaml").write_text(
        "rules:\n  - id: lines\n    when: {type: payout.failed, where: {lines: {any_item: {amount: {gt: 9}, k: x}}}}\n"
        "    then: {notify: payments}\n"
    )
    found = {"lines": [{"amount": 10, "k": "y"}, {"amount": 10, "k": "x"}]}
    (workplace / "event.json").write_bytes(snapshot_body("payout.failed", object=found))
    result = explain("event.json", "--rule", "lines")
    assert result.exit_code == 0, result.output
    _, _, type_, test, first, block, amount, kind, second, *_ = map(str.split, result.stdout.splitlines())
    assert type_[:3] == ["ok", "type", "payout.failed"]
    assert test[:4] == ["ok", "lines", "2", "items"]
    assert first == ["-", "lines[0]"]
    assert block == ["NO", "all", "of"]
    assert amount[:3] == ["ok", "amount", "10"]
    assert kind == ["NO", "k", "y", "needs", "x"]
    assert second == ["fits", "lines[1]"]


def test_standard_input_will_do(workplace: Path) -> None:
    result = explain("-", input=snapshot_body("charge.refunded", id="evt_in"))
    assert result.exit_code == 0
    assert "from standard input" in result.stdout
    assert "no rule looks at charge.refunded; --all" in result.stdout
    every = explain("-", "--all", input=snapshot_body("charge.refunded", id="evt_in"))
    assert every.stdout.count("needs payout.failed") == 3


@pytest.mark.parametrize(
    ("content", "said"), [(b"{", "event.json is no event of Stripe's: not_json"), (b"{}", "no_id")]
)
def test_what_is_no_event_says_why(workplace: Path, content: bytes, said: str) -> None:
    (workplace / "event.json").write_bytes(content)
    result = explain("event.json")
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_file_that_is_not_there_is_not_taken_for_an_id(workplace: Path) -> None:
    result = explain("nothing.json")
    assert result.exit_code == 2
    assert "cannot read nothing.json" in result.stderr


def test_rules_with_mistakes_are_told_beside_the_answer(workplace: Path) -> None:
    (workplace / "event.json").write_bytes(snapshot_body("payout.failed"))
    (workplace / "rules" / "bad.yaml").write_text("rules: 7\n")
    result = explain("event.json")
    assert result.exit_code == 0
    assert "tocsin check" in result.stderr


def test_many_deliveries_have_a_line_each_in_a_narrow_terminal(
    stored: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    app(["explain", "evt_1"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.strip().startswith("callback cases failed (503)") for line in lines)


def test_what_a_thin_event_would_have_read_is_not_taken_for_missing(workplace: Path) -> None:
    """A file has nothing read with it, and says so, also in the tree."""
    config = (workplace / "config.yaml").read_text()
    (workplace / "config.yaml").write_text(config + "stripe: {keys: {live: rk_live_1}}\n")
    body = thin_body("v1.payout.failed", context="acct_1", related_object={"id": "po_1", "type": "payout", "url": "/"})
    (workplace / "event.json").write_bytes(body)
    lines = [line.split() for line in explain("event.json", "--rule", "big-payout").stdout.splitlines()]
    assert lines[1][:3] == ["big-payout", "ERROR", "fetch"]
    assert ["NO", "fetch", "could", "not", "be", "read:"] in [line[:6] for line in lines]
