"""`tocsin events` and `tocsin deliveries`: what is stored, readable by people and by scripts."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.model.delivery import NOTHING, DeliveryStatus
from engine.model.rule import Verb
from engine.store import Store
from tests.builders import event, snapshot_body
from tests.cli.conftest import NOW, attempt, commit, delivery, stock

runner = CliRunner()

SENT = delivery("mail/ops@example.com", status=DeliveryStatus.DELIVERED, finished=NOW, next_attempt=None)
BROKEN = delivery(
    "cases",
    verb=Verb.CALLBACK,
    step="callback-2",
    created=NOW - timedelta(hours=3),
    request={
        "url": "https://user:hunter2@cases.example.com/hook",
        "headers": {"Authorization": "Bearer hunter3", "Content-Type": "application/json"},
        "text": "two\nlines",
    },
)


@pytest.fixture
def filled(database: str, workplace: Path) -> Path:
    """Two events; for one payout-failed fired, one delivery arrived and one was given up."""

    async def fill(store: Store) -> None:
        other = event("account.updated", id="evt_2", account="acct_2", livemode=False, received=NOW)
        await store.committer.commit(replace(other, conflict="a test event at a live endpoint"), NOTHING, "r" * 64)
        await commit(store, event("payout.failed", id="evt_1", account="acct_1", received=NOW), SENT, BROKEN)
        await store.deliveries.record(
            BROKEN.id,
            attempt(BROKEN, reason="410 Gone", status=410, outcome="refused", excerpt="gone \x1b[2J away"),
            status=DeliveryStatus.DEAD,
            reason="410 Gone",
            next_attempt=None,
            result=None,
        )

    stock(database, fill)
    return workplace


def run(*arguments: str) -> str:
    """The output of a command that succeeds."""
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def found(*arguments: str) -> Any:
    """The JSON of a command that succeeds."""
    return json.loads(run(*arguments, "--json"))


def test_events_are_listed_latest_first_with_the_rules_that_fired(filled: Path) -> None:
    title, *rows = run("events", "ls").splitlines()
    assert title.split() == ["ID", "TYPE", "ACCOUNT", "MODE", "RECEIVED", "NOTE"]
    by_id = {row.split()[0]: row for row in rows}
    assert by_id["evt_1"].endswith("fired payout-failed")
    assert by_id["evt_2"].endswith("a test event at a live endpoint")


def test_an_event_whose_rules_could_not_be_judged_says_so(workplace: Path, database: str) -> None:
    """What they want could not be read from Stripe: that is no plain no."""

    async def fill(store: Store) -> None:
        wanted = delivery(
            "stripe", rule="tocsin", verb=Verb.FETCH, step="fetch", status=DeliveryStatus.DEAD, reason="object: no key"
        )
        await commit(store, event("v1.payout.failed", id="evt_1", received=NOW), wanted)

    stock(database, fill)
    assert run("events", "ls").splitlines()[1].endswith("rules could not be judged: object: no key")
    assert found("events", "ls")[0]["unread"] == "object: no key"
    assert "rules could not be judged: object: no key" in run("events", "show", "evt_1")


def test_events_are_chosen_by_type_account_mode_and_age(filled: Path) -> None:
    for arguments, ids in (
        (["--type", "payout.*"], ["evt_1"]),
        (["--account", "acct_2"], ["evt_2"]),
        (["--live"], ["evt_1"]),
        (["--test"], ["evt_2"]),
        (["--since", "1h", "--type", "payout.failed"], ["evt_1"]),
        (["--limit", "1", "--type", "account.*"], ["evt_2"]),
        (["--type", "nothing"], []),
    ):
        assert [each["id"] for each in found("events", "ls", *arguments)] == ids, arguments


def test_an_empty_list_says_so_beside_the_output(workplace: Path) -> None:
    result = runner.invoke(app, ["events", "ls"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "tocsin simulate" in result.stderr
    assert found("events", "ls") == []


def test_an_event_is_shown_with_what_came_of_it(filled: Path) -> None:
    output = run("events", "show", "evt_1")
    for said in ("payout.failed", "acct_1", "fired", "payout-failed", "dead: 410 Gone", "tocsin explain evt_1"):
        assert said in output
    content = found("events", "show", "evt_1")
    assert content["data"]["type"] == "payout.failed"
    assert {each["status"] for each in content["deliveries"]} == {"delivered", "dead"}


def test_the_body_is_given_back_byte_for_byte(workplace: Path, database: str) -> None:
    body = snapshot_body("payout.failed", id="evt_9", object={"description": "für Kai"})

    async def fill(store: Store) -> None:
        await commit(store, replace(event("payout.failed", id="evt_9"), body=body))

    stock(database, fill)
    assert runner.invoke(app, ["events", "show", "evt_9", "--body"]).stdout_bytes == body


@pytest.mark.parametrize("arguments", [["events", "show", "evt_x"], ["explain", "evt_x"]])
def test_an_unknown_event_says_where_to_look(workplace: Path, arguments: list[str]) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 1
    assert "no event 'evt_x' is stored; `tocsin events ls`" in result.stderr


def test_deliveries_are_listed_with_their_fate(filled: Path) -> None:
    title, *rows = run("deliveries", "ls").splitlines()
    assert title.split() == ["ID", "STATUS", "RULE", "TO", "ACCOUNT", "CREATED", "NOTE"]
    assert [row.split()[0] for row in rows] == [SENT.id, BROKEN.id]
    assert rows[1].endswith("dead: 410 Gone")


def test_deliveries_are_chosen_by_status_channel_rule_account_and_age(filled: Path) -> None:
    for arguments, ids in (
        (["--status", "dead"], [BROKEN.id]),
        (["--status", "dead", "--status", "delivered"], [SENT.id, BROKEN.id]),
        (["--channel", "mail"], [SENT.id]),
        (["--channel", "mail/ops@example.com"], [SENT.id]),
        (["--channel", "cas*"], [BROKEN.id]),
        (["--since", "1h"], [SENT.id]),
        (["--rule", "payout-*"], [SENT.id, BROKEN.id]),
        (["--account", "acct_2"], []),
        (["--limit", "1"], [SENT.id]),
    ):
        assert [each["id"] for each in found("deliveries", "ls", *arguments)] == ids, arguments


def test_a_bad_span_says_what_to_write(workplace: Path) -> None:
    result = runner.invoke(app, ["deliveries", "ls", "--since", "2 hours"])
    assert result.exit_code == 2
    assert "a duration like 10m" in result.stderr


def test_a_delivery_is_shown_with_attempts_and_masked_request_by_the_start_of_its_id(filled: Path) -> None:
    output = run("deliveries", "show", BROKEN.id[:12])
    for said in (BROKEN.id, "callback cases", "410 Gone", "gone \ufffd[2J away", "cases.example.com/hook", "two\n"):
        assert said in output
    assert f"tocsin retry {BROKEN.id[:12]}" in output
    assert "hunter" not in output
    assert "hunter" not in json.dumps(found("deliveries", "show", BROKEN.id))


def test_an_unknown_delivery_says_where_to_look(workplace: Path) -> None:
    for name in ("dlv_unknown", "x"):
        result = runner.invoke(app, ["deliveries", "show", name])
        assert result.exit_code == 1
        assert f"no delivery '{name}' is stored" in result.stderr


def test_a_store_that_is_not_there_is_told_without_a_traceback(workplace: Path) -> None:
    config = workplace / "config.yaml"
    text = config.read_text()
    config.write_text(text[: text.index("store:")] + 'store: {url: "postgresql://nobody@127.0.0.1:9/x"}\n')
    result = runner.invoke(app, ["events", "ls"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output
