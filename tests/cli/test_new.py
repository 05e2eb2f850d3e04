"""`tocsin new`: a first rule that check and test are content with."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from tests.builders import event, snapshot
from tests.cli.conftest import commit, stock

runner = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Any:
    """Runs a command."""
    return runner.invoke(app, [*arguments])


def clean(folder: Path) -> None:
    """What is there passes check and test."""
    checked = run("check", "--strict")
    assert checked.exit_code == 0, checked.output
    tested = run("test")
    assert tested.exit_code == 0, tested.output
    assert "all passed" in tested.output


def test_a_rule_for_a_type_is_written_and_is_right(folder: Path) -> None:
    result = run("new", "payout.failed")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "rules/payout-failed.yaml has the rule payout-failed\n  next  tocsin test rules/payout-failed.yaml\n"
    )
    assert "type: payout.failed" in (folder / "rules" / "payout-failed.yaml").read_text()
    clean(folder)


def test_a_second_one_has_another_id(folder: Path) -> None:
    assert run("new", "payout.failed").exit_code == 0
    assert run("new", "payout.failed").exit_code == 0
    assert sorted(path.name for path in (folder / "rules").iterdir()) == ["payout-failed-2.yaml", "payout-failed.yaml"]
    checked = run("check")
    assert checked.exit_code == 0
    assert "takes the same events, and does the same" in checked.stdout


def test_a_file_that_is_there_is_left_as_it_is(folder: Path) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "mine.yaml").write_text("rules: []\n")
    result = run("new", "payout.failed", "--id", "mine")
    assert result.exit_code == 1
    assert "mine.yaml is there already, and is left as it is; choose another --id" in result.stderr
    assert (folder / "rules" / "mine.yaml").read_text() == "rules: []\n"


def test_print_writes_nothing(folder: Path) -> None:
    result = run("new", "charge.dispute.created", "--id", "big-dispute", "--print")
    assert result.exit_code == 0
    assert "  - id: big-dispute\n" in result.stdout
    assert list(folder.iterdir()) == []


def test_it_goes_where_the_configuration_has_its_rules(folder: Path) -> None:
    (folder / "config.yaml").write_text("rules: [alerts]\ndefault_livemode: false\n")
    (folder / "alerts").mkdir()
    assert run("new", "account.updated").exit_code == 0
    assert (folder / "alerts" / "account-updated.yaml").exists()
    clean(folder)


def test_where_only_files_are_configured_it_does_not_guess(folder: Path) -> None:
    (folder / "all.yaml").write_text("rules: []\n")
    (folder / "config.yaml").write_text("rules: [all.yaml]\n")
    result = run("new", "payout.failed")
    assert result.exit_code == 1
    assert "names single files of rules and no folder to write into: use --print" in result.stderr
    assert run("new", "payout.failed", "--print").exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["all.yaml", "config.yaml"]


def test_a_real_event_is_written_beside_its_rule(folder: Path) -> None:
    """In test mode, too, where rules look at live events."""
    (folder / "config.yaml").write_text("endpoints: [{name: all, secrets: [whsec_x]}]\ndefault_livemode: true\n")
    body = snapshot("payout.failed", object={"amount": 75000, "currency": "gbp"}, livemode=False)
    (folder / "captured.json").write_text(json.dumps(body))
    result = run("new", "--from", "captured.json", "--id", "mine")
    assert result.exit_code == 0, result.output
    assert json.loads((folder / "rules" / "mine.json").read_text()) == body
    assert "amount: {gte: [100 GBP, others]}" in (folder / "rules" / "mine.yaml").read_text()
    clean(folder)
    again = run("new", "--from", "captured.json", "--id", "other")
    assert again.exit_code == 0


def test_a_stored_event_is_one_to_begin_from(workplace: Path, database: str) -> None:
    one = event("payout.failed", id="evt_stored", object={"amount": 75000, "currency": "usd"})
    stock(database, lambda store: commit(store, one))
    result = run("new", "--from", "evt_stored")
    assert result.exit_code == 0, result.output
    assert (workplace / "rules" / "payout-failed-2.json").read_bytes() == one.body
    assert run("test").exit_code == 0
    assert "no event 'evt_none' is stored" in run("new", "--from", "evt_none").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say an event type, like payout.failed, or --from and an event"),
        (["payout.failed", "--from", "x.json"], "say an event type, like payout.failed, or --from and an event"),
        (["payout.faild"], "did you mean 'payout.failed'?"),
        (["payout.failed", "--id", "My Rule"], "lower case words with hyphens, like payout-failed; write my-rule"),
        (["--from", "nowhere.json"], "cannot read nowhere.json"),
    ],
)
def test_what_cannot_be_meant_is_said(arguments: list[str], said: str) -> None:
    result = run("new", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_id_that_is_taken_is_refused(folder: Path) -> None:
    assert run("new", "payout.failed").exit_code == 0
    result = run("new", "payout.paid", "--id", "payout-failed")
    assert result.exit_code == 2
    assert "there is a rule 'payout-failed' already" in result.stderr
