"""`tocsin destinations`: which places take deliveries, and what waits."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.decide.breaker import Breaker, BreakerState, Counts
from engine.model.rule import Verb
from engine.store import Store
from tests.builders import event
from tests.cli.conftest import commit, delivery, stock

pytestmark = pytest.mark.usefixtures("workplace")
runner = CliRunner()


async def broken(store: Store) -> None:
    """One callback is left alone, with a delivery that waits for it and one that is due."""
    now = datetime.now(UTC)
    until = now + timedelta(minutes=2)
    opened = Breaker(state=BreakerState.OPEN, since=now, until=until, openings=1, reason="cases answered 503")
    waits, due = (delivery(name, verb=Verb.CALLBACK, destination="cases") for name in ("waits", "due"))
    await commit(store, event(id="evt_1"), waits, due)
    await store.destinations.save("callback cases", opened, 0)
    await store.destinations.put_off(waits.id, until, "breaker open until then", "callback cases")


def test_a_place_that_fails_is_listed_with_what_waits_for_it(database: str, workplace: Path) -> None:
    stock(database, broken)
    result = runner.invoke(app, ["destinations", "ls"])
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    cases = next(line for line in lines if line[:2] == ["callback", "cases"])
    assert cases[2] == "open"
    assert "(cases answered 503)" in " ".join(cases)
    assert next(line[:3] for line in lines if line[0] == "notify") == ["notify", "payments", "closed"]
    (told,) = [
        each
        for each in json.loads(runner.invoke(app, ["destinations", "ls", "--json"]).stdout)
        if each["destination"] == "callback cases"
    ]
    assert (told["state"], told["pending"], told["waiting"]) == ("open", 2, 1)


def test_one_place_is_shown_by_its_name_alone(database: str) -> None:
    stock(database, broken)
    result = runner.invoke(app, ["destinations", "show", "cases"])
    assert result.exit_code == 0
    assert "breaker open until" in result.stdout
    assert "opens at 50% of 10 requests or more in 1m" in result.stdout
    assert "2, 1 of them put off" in result.stdout
    assert "waits until" in result.stdout


def test_what_failed_lately_is_counted(database: str) -> None:
    some = Breaker(began=datetime.now(UTC), current=Counts(requests=5, failures=2))
    stock(database, lambda store: store.destinations.save("notify payments", some, 0))
    assert "2 of 5" in runner.invoke(app, ["destinations", "ls"]).stdout


def test_a_place_that_there_is_not_is_told(database: str) -> None:
    result = runner.invoke(app, ["destinations", "show", "nowhere"])
    assert result.exit_code == 1
    assert "tocsin destinations ls" in result.stderr
