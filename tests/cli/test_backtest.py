"""`tocsin backtest`: what rules would have done over stored events and over files of them."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.cli.chart import bars
from engine.model.mute import Mute
from engine.store import Store
from tests.builders import CREATED, event, snapshot
from tests.cli.conftest import NOW, stock
from tests.cli.test_rules import store_events

runner = CliRunner()

TALKATIVE = """\
rules:
  - id: talkative
    when: payout.failed
    then: {notify: risk, title: "{{ object | money }} of {{ account.id }}", text: "Seen."}
  - {id: asleep, mode: "off", when: payout.failed, then: {notify: risk, title: Asleep}}
  - {id: unheard, when: topup.failed, then: {notify: risk}}
"""


@pytest.fixture
def place(workplace: Path) -> Path:
    """A working folder with rules of its own."""
    (workplace / "rules" / "payouts.yaml").write_text(TALKATIVE)
    return workplace


def backtest(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["backtest", *arguments])


def write_events(folder: Path) -> str:
    """Three failed payouts of two days, and something else."""
    roots = [
        snapshot("payout.failed", created=CREATED, object={"amount": 100}),
        snapshot("payout.failed", created=CREATED + 3600 * 30, object={"amount": 200}),
        snapshot("payout.failed", created=CREATED + 3600 * 35, object={"amount": 300}, account="acct_2"),
        snapshot("charge.failed", created=CREATED + 3600 * 40),
    ]
    file = folder / "events.jsonl"
    file.write_text("\n".join(json.dumps(root) for root in roots))
    return str(file)


def test_a_file_of_events_is_run_and_told(place: Path) -> None:
    result = backtest("--from", write_events(place), "--samples", "1")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "4 events, 2026-01-01 to 2026-01-02; 3 of types that these rules look at",
        "",
        "talkative  fired 3 times",
        "  01-01 ▄█ 01-02   most 2 on 01-02",
        "  messages 3 sent (1 at night)",
        "  accounts acct_1 2 · acct_2 1",
        "  ┌ 01-02 11:00  risk",
        "  │ $3.00 of acct_2",
        "  │ Seen.",
        "",
        "never matched: unheard",
        "",
        "you would have been paged 3 times, 1 at night (22:00 to 06:00 UTC); on the worst day, 2026-01-02, 2 times",
    ]


def test_a_named_rule_alone_in_another_time_zone_by_account(place: Path) -> None:
    result = backtest("asleep", "--from", write_events(place), "--per", "account", "--timezone", "Asia/Tokyo")
    lines = result.stdout.splitlines()
    assert "asleep  fired 3 times" in lines
    assert ["acct_1", "2"] in [line.split() for line in lines]
    assert lines[-1] == ("you would have been paged 3 times, never at night; on the worst day, 2026-01-02, 2 times"), (
        result.stdout
    )


def test_stored_events_are_run_as_they_came(place: Path, database: str) -> None:
    payouts = [
        event(
            "payout.failed", created=int((NOW - timedelta(days=days)).timestamp()), received=NOW - timedelta(days=days)
        )
        for days in (1, 2, 40)
    ]
    store_events(database, [*payouts, event("charge.failed", received=NOW)])
    found = json.loads(backtest("--json").stdout)
    assert (found["events"], found["run"], found["messages"]) == (3, 2, 2)
    talkative, unheard = found["rules"]
    assert (talkative["rule"], talkative["fired"], talkative["accounts"]) == ("talkative", 2, {"acct_1": 2})
    assert [sample["title"] for sample in talkative["samples"]] == ["$123.45 of acct_1"]
    assert (unheard["matched"], unheard["samples"]) == (0, [])
    assert json.loads(backtest("--json", "--days", "60").stdout)["messages"] == 3


@pytest.fixture
def muted(place: Path, database: str) -> Path:
    """An event of each of three days, of which messages of the second were muted for a day."""
    moments = [NOW - timedelta(days=days) for days in (1, 2, 3)]
    store_events(database, [event("payout.failed", created=int(each.timestamp()), received=each) for each in moments])
    start = NOW - timedelta(days=2, hours=1)
    mute = Mute(id="mut_1", rule="talk*", start=start, end=start + timedelta(days=1), author="kim", comment="known")
    old = replace(mute, id="mut_0", start=start - timedelta(days=99), end=start - timedelta(days=98))
    planned = replace(mute, id="mut_2", start=NOW + timedelta(days=99), end=NOW + timedelta(days=100))

    async def add(store: Store) -> None:
        await store.mutes.add(mute, mute.start)
        await store.mutes.add(old, old.start)
        await store.mutes.add(planned, mute.start)

    stock(database, add)
    return place


def test_what_was_muted_then_is_muted_and_counted(muted: Path) -> None:
    lines = backtest("--samples", "0")
    assert "  messages 2 sent, 1 left out (mute 1)" in lines.stdout.splitlines()
    assert "with the 1 mute of that time; --without-mutes is without" in lines.output
    found = json.loads(backtest("--json").stdout)
    assert (found["mutes"], found["messages"], found["rules"][0]["messages"]["left_out"]) == (1, 2, {"mute": 1})


def test_without_mutes_all_would_have_gone_out(muted: Path) -> None:
    result = backtest("--samples", "0", "--without-mutes")
    assert "  messages 3 sent" in result.stdout.splitlines()
    assert "mute" not in result.output
    assert json.loads(backtest("--json", "--without-mutes").stdout)["mutes"] == 0


def test_what_cannot_be_meant_is_said(place: Path) -> None:
    assert backtest("talkativ").exit_code == 2
    assert "did you mean 'talkative'?" in backtest("talkativ").output
    assert "did you mean" in backtest("--timezone", "Mars").output or backtest("--timezone", "Mars").exit_code == 2
    assert "there is no file or folder 'nowhere'" in backtest("--from", "nowhere").output
    (place / "none.json").write_text("[1]")
    assert (
        "there is no event in none.json (none.json, event 1: it is no event" in backtest("--from", "none.json").output
    )


def test_bars_are_scaled_and_put_together() -> None:
    assert bars([0, 1, 4, 8]) == "·▁▄█"
    assert bars([1, 1, 0, 0, 2, 2], width=3) == "▄·█"
    assert bars([]) == ""
