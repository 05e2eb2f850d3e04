"""`tocsin incidents`: what goes on is listed, shown, taken up and ended."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.model.incident import Incident
from engine.model.timing import Incident as Policy
from engine.model.timing import Timing
from engine.store import Store
from tests.cli.conftest import stock
from tests.work.memory import World, at
from tests.work.test_incidents import rule

runner = CliRunner()


@pytest.fixture
def filled(database: str, workplace: Path) -> str:
    """The URL of a database with two open incidents, of acct_1 with two matches."""

    async def fill(store: Store) -> None:
        world = World(store, (rule(Timing(incident=Policy()), types="charge.failed"),))
        await world.send(at(0, id="evt_opener"), at(5), at(7, account="acct_2", livemode=False))

    stock(database, fill)
    return database


def incidents(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["incidents", *arguments])


def of_account(account: str) -> dict[str, Any]:
    """The incident of that account, as `ls --json` has it."""
    found = json.loads(incidents("ls", "--all", "--json").stdout)
    return next(each for each in found if each["account"] == account)


def test_open_ones_are_listed(filled: str) -> None:
    result = incidents("ls")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["INCIDENT", "STATUS", "RULE", "ABOUT", "MATCHES", "OPENED", "FOR"]
    assert "acct_2 (test)" in lines[1]
    assert lines[2].split()[1:5] == ["open", "r", "acct_1", "2"]
    assert "no incidents like that" in incidents("ls", "--rule", "another").stderr


def test_one_is_shown_with_its_history_and_what_was_sent(filled: str) -> None:
    result = incidents("show", of_account("acct_1")["id"][:12])
    assert result.exit_code == 0, result.output
    assert "opened   2026-01-05 12:00:00Z by charge.failed (evt_opener)" in result.stdout
    assert "matches  2, the last 2026-01-05 12:05:00Z" in result.stdout
    assert "notify risk" in result.stdout
    shown = json.loads(incidents("show", of_account("acct_1")["id"], "--json").stdout)
    assert [each["stage"] for each in shown["history"]] == ["opened"]
    assert len(shown["deliveries"]) == 2


def test_the_first_to_acknowledge_stays_on_record(filled: str) -> None:
    id_ = of_account("acct_1")["id"]
    result = incidents("ack", id_, "--author", "ada", "--comment", "calling the bank")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{id_} is yours, ada: nothing escalates any more\n"
    second = incidents("ack", id_, "--author", "bob")
    assert second.exit_code == 0
    assert second.stdout.startswith("ada was first: since ")
    assert second.stdout.endswith(", calling the bank\n")
    assert json.loads(incidents("ack", id_, "--json").stdout)["changed"] is False
    assert "ada since" in incidents("ls").stdout


def test_one_that_is_ended_cannot_be_taken_up(filled: str) -> None:
    id_ = of_account("acct_1")["id"]
    result = incidents("resolve", id_, "--author", "ada", "--comment", "paid by hand")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{id_} is resolved, after ")
    assert incidents("resolve", id_).stdout.startswith(f"{id_} was resolved before: ada at ")
    taken = incidents("ack", id_)
    assert taken.exit_code == 1
    assert "is resolved: ada at" in taken.stderr
    assert of_account("acct_1")["reason"] == "paid by hand"


def test_without_a_name_it_is_the_user(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    id_ = of_account("acct_1")["id"]
    assert json.loads(incidents("ack", id_, "--json").stdout)["acknowledged_by"] == "grace"


def test_one_that_there_is_not(workplace: Path) -> None:
    for given in ("inc_none", "%", ""):
        result = incidents("show", given)
        assert result.exit_code == 1
        assert f"there is no incident '{given}'" in result.stderr


def test_what_is_listed_is_what_there_is(filled: str) -> None:
    async def read(store: Store) -> list[Incident]:
        return await store.incidents.ls()

    found: list[Incident] = stock(filled, read)
    assert [each["id"] for each in json.loads(incidents("ls", "--json").stdout)] == [each.id for each in found]
