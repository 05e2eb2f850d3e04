"""`tocsin mute`: silence for a while, now or from a time on."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app

runner = CliRunner()

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def place(workplace: Path) -> Path:
    """A store of its own."""
    return workplace


def mute(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["mute", *arguments])


def add(*arguments: str) -> Any:
    """Mutes everything."""
    return mute("add", "--all", "--comment", "maintenance", *arguments)


def lasting(*arguments: str) -> tuple[timedelta, timedelta]:
    """When the mute that this adds begins, from now, and ends, to the minute."""
    now = datetime.now(UTC)
    result = add("--json", *arguments)
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    times = [datetime.fromisoformat(made[name]) - now for name in ("start", "end")]
    begin, end = (timedelta(minutes=round(each / timedelta(minutes=1))) for each in times)
    return begin, end


def in_hours(hours: float, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time, as people write it."""
    return (datetime.now(UTC) + hours * HOUR).strftime(form)


def test_it_is_for_a_while_or_until_a_time_from_now_or_a_time() -> None:
    assert lasting("--for", "2h") == (timedelta(), 2 * HOUR)
    assert lasting("--until", "2h") == (timedelta(), 2 * HOUR)
    assert lasting("--from", "1h", "--for", "2h") == (HOUR, 3 * HOUR)
    assert lasting("--from", "1h", "--until", "3h") == (HOUR, 3 * HOUR)
    begin, end = lasting("--from", in_hours(1), "--until", in_hours(3, "%Y-%m-%dT%H:%M:%SZ"))
    assert HOUR - timedelta(minutes=2) < begin <= HOUR
    assert end == 3 * HOUR
    assert lasting("--from", in_hours(0), "--for", "90d")[0] == timedelta()


def test_a_time_may_have_its_own_zone() -> None:
    there = (datetime.now(UTC) + 5 * HOUR).strftime("%Y-%m-%dT%H:%M:%S+03:00")
    assert lasting("--until", there) == (timedelta(), 2 * HOUR)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say how long: --for 2h, or --until and a time"),
        (["--for", "2h", "--until", "3h"], "and not both"),
        (["--until", "2020-01-01"], "it would end at 2020-01-01 00:00:00Z, and begins at "),
        (["--from", "2020-01-01", "--for", "2h"], "--from 2020-01-01 00:00:00Z is past"),
        (["--from", "3h", "--until", "2h"], "it would end at "),
        (["--for", "0s"], "it would end at "),
        (["--for", "91d"], "a mute lasts up to 90d"),
        (["--from", "1d", "--until", "92d"], "a mute lasts up to 90d"),
        (["--from", "9999-12-31", "--for", "2d"], "there is no such time"),
        (["--from", "tonight", "--for", "2h"], "expected a time like '2026-01-05 22:00' (UTC) or a duration like 2h"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], says: str) -> None:
    result = add(*arguments)
    assert (result.exit_code, says in " ".join(result.output.split())) == (2, True), result.output
    assert mute("ls").stdout == "nothing is muted\n"


def test_what_has_still_to_begin_is_listed_and_can_be_ended() -> None:
    said = add("--from", "2h", "--for", "3h").stdout
    assert said.startswith("muted from 20")
    add("--for", "1h")
    lines = mute("ls").stdout.splitlines()
    assert [line for line in lines if "ends in 60 min" in line or "ends in 59 min" in line]
    [planned] = [line for line in lines if "begins in 2 h, for 3 h" in line or "begins in 1 h 59 min, for 3 h" in line]
    assert mute("end", planned.split()[0]).exit_code == 0
    assert "begins" not in mute("ls").stdout
