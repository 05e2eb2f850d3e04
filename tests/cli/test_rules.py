"""`tocsin rules`: what is there, how often it fired, and what kept it from firing."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.model.event import Event
from engine.plan import make_plan
from engine.rulebook import Known, load
from engine.store import Store
from notifiers import Destination
from tests.builders import event
from tests.cli.conftest import NOW, RULES, stock

runner = CliRunner()


def store_events(database: str, sent: list[Event]) -> None:
    """Stores events as the running service would."""
    book = load({"rules/payouts.yaml": RULES}, Known()).rulebook

    async def fill(store: Store) -> None:
        for each in sent:
            matched = [match.rule for match in book.match(each)]
            plan = make_plan(
                each, matched, book.revision, lambda step, severity, livemode: [Destination(name=step.targets[0])]
            )
            await store.committer.commit(each, plan, book.revision)

    stock(database, fill)


@pytest.fixture
def stored(database: str, workplace: Path) -> Path:
    """Four payouts, of which one is big and one is in euros; one of last year; and something else."""
    payouts = [(42000, "usd"), (1000, "usd"), (60000, "usd"), (60000, "eur")]
    sent = [
        event("payout.failed", object={"amount": amount, "currency": currency}, received=NOW - timedelta(minutes=place))
        for place, (amount, currency) in enumerate(payouts)
    ]
    old = event("payout.failed", received=NOW - timedelta(days=400))
    store_events(database, [*sent, old, event("payout.paid", received=NOW)])
    return workplace


def rules(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["rules", *arguments])


def test_each_rule_is_listed_with_its_place_and_its_hits(stored: Path) -> None:
    result = rules("ls")
    assert result.exit_code == 0, result.output
    head, fired, big, watched = map(str.split, result.stdout.splitlines())
    assert head[:3] == ["RULE", "MODE", "SEVERITY"]
    assert fired[:4] == ["payout-failed", "live", "high", "4"]
    assert fired[-2:] == ["payout.failed", "rules/payouts.yaml:2"]
    assert big[:4] == ["big-payout", "live", "medium", "1"]
    assert watched[:4] == ["watched", "shadow", "medium", "(4)"]


def test_hits_are_those_of_the_days_asked_for(stored: Path) -> None:
    by_rule = {each["rule"]: each for each in json.loads(rules("ls", "--days", "500", "--json").stdout)}
    assert by_rule["payout-failed"]["fired"] == 5
    assert by_rule["watched"]["would"] == 5
    assert by_rule["watched"]["fired"] == 0
    assert by_rule["big-payout"]["latest"].startswith(f"{NOW - timedelta(minutes=2):%Y-%m-%dT%H:%M}")
    assert (by_rule["payout-failed"]["file"], by_rule["payout-failed"]["line"]) == ("rules/payouts.yaml", 2)


def test_no_rules_say_where_to_begin(workplace: Path) -> None:
    (workplace / "rules" / "payouts.yaml").write_text("rules: []\n")
    result = rules("ls")
    assert result.exit_code == 0
    assert "docs/rules.md" in result.stderr


def test_a_rule_is_shown_with_its_text_and_where_it_sends(stored: Path) -> None:
    result = rules("show", "payout-failed")
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0] == "payout-failed  live  high"
    assert "notify payments" in lines
    assert "callback cases" in lines
    assert "- id: payout-failed" in lines
    assert "- callback: cases" in lines
    assert "- id: big-payout" not in lines
    assert "hits        fired 4 times in 30 days" in lines


def test_what_kept_a_rule_from_firing_is_counted(stored: Path) -> None:
    lines = rules("show", "big-payout").stdout.splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("why not"))
    assert lines[at] == "why not: this rule over 4 events in 30 days"
    assert lines[at + 1 :] == [
        "  of 4 payout.failed",
        "    1  held",
        "    3  amount   needs >= 500.00 USD   was 420.00 USD (1), 10.00 USD (1), 600.00 EUR (1)",
    ]


def test_the_newest_are_judged_where_there_are_more_than_asked_for(stored: Path) -> None:
    result = rules("show", "big-payout", "--most", "2")
    assert "why not: this rule over the newest 2 of 4 events in 30 days" in result.stdout
    found = json.loads(rules("show", "big-payout", "--most", "2", "--json").stdout)
    assert (found["received"], found["judged"]) == (4, 2)


def test_the_rule_is_judged_as_it_is_written_now(stored: Path) -> None:
    """What fired is history; what holds is what it would do."""
    file = stored / "rules" / "payouts.yaml"
    file.write_text(file.read_text().replace("500 USD", "400 USD"))
    found = json.loads(rules("show", "big-payout", "--json").stdout)
    assert found["fired"] == 1
    (tally,) = found["why_not"]
    assert (tally["type"], tally["events"], tally["held"]) == ("payout.failed", 4, 2)
    (amount,) = tally["because"]
    assert (amount["path"], amount["count"], amount["needs"]) == ("amount", 2, [">= 400.00 USD"])
    assert {"value": "600.00 EUR", "count": 1} in amount["actual"]


def test_a_rule_whose_types_never_came_says_so(workplace: Path) -> None:
    result = rules("show", "watched")
    assert result.exit_code == 0, result.output
    assert "would send, were it not in shadow" in result.stdout
    assert "no event of these types was received in 30 days" in result.stdout


def test_an_unknown_rule_names_the_nearest(workplace: Path) -> None:
    result = rules("show", "watchd")
    assert result.exit_code == 2
    assert "did you mean 'watched'?" in result.stderr


def test_files_with_mistakes_are_told_beside_the_result(workplace: Path) -> None:
    (workplace / "rules" / "bad.yaml").write_text("rules: 7\n")
    result = rules("ls")
    assert result.exit_code == 0
    assert "tocsin check" in result.stderr
    assert "payout-failed" in result.stdout
