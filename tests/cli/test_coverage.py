"""`tocsin coverage`: types, rules and conditions that make no difference, over what is stored."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from tests.builders import event
from tests.cli.conftest import NOW
from tests.cli.test_rules import store_events

runner = CliRunner()

MORE = """\
rules:
  - {id: unheard, when: [transfer.reversed, topup.failed], then: {notify: risk}}
  - {id: switched-off, mode: "off", when: charge.failed, then: {notify: risk}}
"""


@pytest.fixture
def stored(database: str, workplace: Path) -> Path:
    """Twenty-five small payouts, two charges that only a rule that is off looks at, and one old event."""
    payouts = [
        event("payout.failed", object={"amount": number, "currency": "usd"}, received=NOW - timedelta(minutes=number))
        for number in range(25)
    ]
    charges = [event("charge.failed", received=NOW) for _ in range(2)]
    old = event("customer.created", received=NOW - timedelta(days=90))
    store_events(database, [*payouts, *charges, old])
    (workplace / "rules" / "more.yaml").write_text(MORE)
    return workplace


def coverage(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["coverage", *arguments])


def test_what_the_rules_leave_out_is_shown(stored: Path) -> None:
    result = coverage()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "27 events of 2 types in 30 days"
    assert "types that no rule looks at: 1" in lines
    assert "rules that never fired: 2 of 4" in lines
    assert "conditions that never varied: 2" in lines
    cells = [line.split() for line in lines]
    assert any(row[:2] == ["charge.failed", "2"] for row in cells)
    assert ["big-payout", "25", "amount", "25"] in cells
    assert ["unheard", "0", "no", "transfer.reversed,", "topup.failed", "was", "received"] in cells
    assert ["big-payout", "false", "25", "amount", ">=", "500.00", "USD", "rules/payouts.yaml:11"] in cells
    assert ["big-payout", "true", "25", "currency", "usd", "rules/payouts.yaml:11"] in cells


def test_json_says_the_same(stored: Path) -> None:
    found = json.loads(coverage("--json").stdout)
    assert (found["events"], found["judged"]) == (27, 27)
    assert [(each["type"], each["events"]) for each in found["unseen"]] == [("charge.failed", 2)]
    big, unheard = found["never_fired"]
    assert (big["rule"], big["events"], big["because"]) == ("big-payout", 25, [{"path": "amount", "count": 25}])
    assert (unheard["rule"], unheard["events"], unheard["because"]) == ("unheard", 0, [])
    assert [(each["condition"], each["always"]) for each in found["constant"]] == [
        ("amount >= 500.00 USD", False),
        ("currency usd", True),
    ]


def test_it_looks_as_far_back_as_it_is_told(stored: Path) -> None:
    found = json.loads(coverage("--days", "100", "--json").stdout)
    assert {each["type"] for each in found["unseen"]} == {"charge.failed", "customer.created"}


def test_conditions_are_judged_over_the_newest_events(stored: Path) -> None:
    """Fewer than are needed to say that one never varies leave none."""
    result = coverage("--most", "10")
    assert "27 events of 2 types in 30 days; conditions over the newest 10" in result.stdout
    assert "conditions that never varied: none" in result.stdout


def test_a_rule_that_would_fire_as_it_is_now_says_so(stored: Path) -> None:
    """It never fired, because it was another one when the events came."""
    file = stored / "rules" / "payouts.yaml"
    file.write_text(file.read_text().replace("500 USD", "0.20 USD"))
    assert "holds for 5 as it is now, amount 20" in coverage().stdout


def test_nothing_received_says_how_to_begin(workplace: Path) -> None:
    result = coverage()
    assert result.exit_code == 0
    assert "tocsin simulate" in result.stderr
