"""`tocsin replay`: dry and harmless by default; with --notify messages go out once more, and say so."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine import configured
from engine.cli.app import app
from engine.model.delivery import Delivery, DeliveryStatus, Firing
from engine.settings import load_settings
from engine.store import Store
from tests.builders import event
from tests.cli.conftest import NOW, stock
from tests.cli.test_rules import store_events

runner = CliRunner()


@pytest.fixture
def place(database: str, workplace: Path) -> Path:
    """A stored payout, small enough for one rule."""
    store_events(database, [event("payout.failed", id="evt_small", object={"amount": 4200}, received=NOW)])
    return workplace


def replay(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["replay", *arguments])


def on_record(database: str) -> tuple[list[Firing], list[Delivery]]:
    """What is stored of the event."""

    async def read(store: Store) -> tuple[list[Firing], list[Delivery]]:
        return await store.events.firings("evt_small"), await store.deliveries.ls(event="evt_small", limit=100)

    found: tuple[list[Firing], list[Delivery]] = stock(database, read)
    return found


def load_into_service(database: str) -> None:
    """As a service does that starts on the rules on disk."""
    loaded = configured.rules(load_settings())

    async def remember(store: Store) -> None:
        await store.revisions.remember(loaded.rulebook.revision, dict(loaded.files), None)

    stock(database, remember)


def test_it_is_dry_and_harmless_when_repeated(place: Path, database: str) -> None:
    before = on_record(database)
    for _ in range(2):
        result = replay("evt_small")
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        assert lines[0].startswith("evt_small payout.failed  acct_1  live  ")
        assert lines[0].endswith("replay 1")
        assert lines[1:4] == [" payout-failed", "   notify payments", "   │ Payout of $42.00 failed · acct_1"]
        assert "   callback cases   not done in a replay; --callbacks does it" in lines
        assert " watched  in shadow: nothing is sent" in lines
        assert lines[-1] == "dry run: nothing was sent; --notify sends 1 message"
    assert on_record(database) == before


def test_a_rule_that_does_not_hold_says_why(place: Path) -> None:
    lines = replay("evt_small", "--rule", "big-payout").stdout.splitlines()
    assert lines[1] == " big-payout  NO  amount $42.00   needs >= $500.00" or "big-payout  NO  amount" in lines[1]
    assert lines[-1] == "there is nothing to send again"


def test_with_notify_it_is_planned_for_the_running_server(place: Path, database: str) -> None:
    load_into_service(database)
    result = replay("evt_small", "--notify")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "1 message due now"
    firings, deliveries = on_record(database)
    mine = {firing.id for firing in firings if firing.replay == 1}
    [sent] = [each for each in deliveries if each.firing in mine and each.status is DeliveryStatus.PENDING]
    assert (sent.destination, sent.note is not None and sent.note.endswith("(replay 1).")) == ("payments", True)
    assert replay("evt_small", "--notify").exit_code == 0
    assert {firing.replay for firing in on_record(database)[0]} == {0, 1, 2}
    shown = runner.invoke(app, ["deliveries", "show", sent.id]).stdout
    assert "(replay 1)." in shown


def test_callbacks_and_writes_have_to_be_asked_for(place: Path, database: str) -> None:
    load_into_service(database)
    assert "--callbacks and --writes go with --notify" in replay("evt_small", "--callbacks").output
    found = json.loads(replay("evt_small", "--notify", "--callbacks", "--json").stdout)
    [one] = found["events"]
    sent = {each["to"]: each["status"] for rule in one["rules"] for each in rule["deliveries"]}
    assert (found["sent"], sent) == (True, {"notify payments": "pending", "callback cases": "pending"})


def test_rules_that_the_service_does_not_have_are_not_sent_by(place: Path, database: str) -> None:
    result = replay("evt_small", "--notify")
    assert result.exit_code == 1
    assert "the service has never loaded the rules that are on disk" in result.output
    assert {firing.replay for firing in on_record(database)[0]} == {0}


def test_what_cannot_be_meant_is_said(place: Path) -> None:
    assert "no event 'evt_none' is stored" in replay("evt_none").output
    assert "replay takes stored events" in replay("event.json").output
    assert "did you mean 'big-payout'?" in replay("evt_small", "--rule", "big-payuot").output


def test_a_rule_that_gathers_says_what_it_would_send_of_this_event_alone(place: Path) -> None:
    """And leaves out a step that asks for more of them."""
    rules = place / "rules" / "gathered.yaml"
    rules.write_text(GATHERED)
    lines = replay("evt_small", "--rule", "gathered").stdout.splitlines()
    assert lines[1:4] == [" gathered", "   notify payments", "   │ 1 payouts failed, $42.00 in all"]
    assert "   notify payments   if: $digest.count is 1, needs >= 20" in lines
    assert lines[-1] == "dry run: nothing was sent; --notify sends 1 message"


GATHERED = """
rules:
  - id: gathered
    when: {type: payout.failed, scope: connected}
    digest: {every: day}
    then:
      - {notify: payments, title: "{{ digest.count }} payouts failed, {{ digest.totals }} in all"}
      - {notify: payments, title: "{{ digest.count }}", if: {$digest.count: {gte: 20}}}
"""
