"""`tocsin retry`: what was given up or held goes out again, and nothing else does."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import Verb
from engine.store import Store
from tests.builders import event
from tests.cli.conftest import NOW, commit, delivery, stock

runner = CliRunner()

DEAD = delivery("risk", status=DeliveryStatus.DEAD, reason="gone", next_attempt=None)
OLD = delivery("mail/a@x", status=DeliveryStatus.DEAD, next_attempt=None, created=NOW - timedelta(days=3))
HELD = delivery("accounts.update", verb=Verb.STRIPE, status=DeliveryStatus.HELD, next_attempt=None)
STALE = delivery(
    "refunds.create",
    verb=Verb.STRIPE,
    status=DeliveryStatus.DEAD,
    next_attempt=None,
    first_attempt=NOW - timedelta(hours=24),
)
SENT = delivery("payments", status=DeliveryStatus.DELIVERED, finished=NOW, next_attempt=None)
ALL = (DEAD, OLD, HELD, STALE, SENT)


@pytest.fixture
def filled(database: str, workplace: Path) -> str:
    """The URL of a database with one delivery of every kind."""

    async def fill(store: Store) -> None:
        await commit(store, event("payout.failed", id="evt_1"), *ALL)

    stock(database, fill)
    return database


def pending(database: str) -> set[str]:
    """The names of the deliveries that are due."""

    async def read(store: Store) -> list[Delivery]:
        return await store.deliveries.ls(status=[DeliveryStatus.PENDING])

    found: list[Delivery] = stock(database, read)
    return {each.destination for each in found}


def retry(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["retry", *arguments])


def test_a_dead_delivery_named_by_the_start_of_its_id_is_due_again(filled: str) -> None:
    result = retry(DEAD.id[:12])
    assert result.exit_code == 0, result.output
    assert "1 delivery due again now" in result.stdout
    assert pending(filled) == {"risk"}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--failed"], {"risk", "mail/a@x"}),
        (["--failed", "--since", "2h"], {"risk"}),
        (["--failed", "--channel", "mail"], {"mail/a@x"}),
        (["--failed", "--rule", "other"], set()),
        (["--held"], {"accounts.update"}),
        (["--failed", "--held"], {"risk", "mail/a@x", "accounts.update"}),
        (["--failed", "--count"], set()),
        (["--failed", "--again"], {"risk", "mail/a@x", "refunds.create"}),
    ],
)
def test_what_is_retried_is_what_was_chosen(filled: str, arguments: list[str], names: set[str]) -> None:
    result = retry(*arguments)
    assert result.exit_code == 0, result.output
    assert pending(filled) == names


def test_count_says_how_many_and_shows_them(filled: str) -> None:
    output = retry("--failed", "--count").stdout
    assert output.startswith("2 deliveries would be sent again")
    assert DEAD.id in output


def test_a_write_past_stripes_memory_of_its_key_needs_again(filled: str) -> None:
    result = retry(STALE.id)
    assert result.exit_code == 1
    assert "1 Stripe write left out" in result.stdout
    assert "--again" in result.stderr
    assert pending(filled) == set()
    assert retry(STALE.id, "--again").exit_code == 0
    assert pending(filled) == {"refunds.create"}


def test_what_has_arrived_is_left_as_it_is(filled: str) -> None:
    result = retry(SENT.id)
    assert result.exit_code == 1
    assert f"{SENT.id[:12]} is left as it is: sent" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [[], ["--since", "2h"], ["dlv_12345678", "--failed"], ["dlv_12345678", "--since", "2h"]],
)
def test_it_must_be_said_which(workplace: Path, arguments: list[str]) -> None:
    assert retry(*arguments).exit_code == 2


def test_many_need_yes_where_nobody_can_be_asked(workplace: Path, database: str) -> None:
    many = [delivery(f"c{n}", status=DeliveryStatus.DEAD, next_attempt=None) for n in range(25)]

    async def fill(store: Store) -> None:
        await commit(store, event("payout.failed", id="evt_1"), *many)

    stock(database, fill)
    refused = retry("--failed")
    assert refused.exit_code == 2
    assert "25 deliveries" in refused.stderr
    assert pending(database) == set()
    assert retry("--failed", "--yes").exit_code == 0
    assert len(pending(database)) == 25


def test_as_json_it_says_what_was_done_and_what_was_not(filled: str) -> None:
    found = json.loads(retry("--failed", "--json").stdout)
    assert found["retried"] == 2
    assert [each["destination"] for each in found["stale"]] == ["refunds.create"]
