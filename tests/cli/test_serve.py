"""`tocsin serve`: checked first, then the whole way of an event, as a newcomer walks it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from tests.cli.conftest import CONFIG, RULES, Sink

TOCSIN = [sys.executable, "-c", "from engine.cli import main; main()"]
DEADLINE = 30.0

runner = CliRunner()


def test_a_configuration_with_mistakes_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("chanels: {}\n")
    result = runner.invoke(app, ["serve"])
    assert result.exit_code == 1
    assert "config.yaml:1:1  error[unknown-key]" in result.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.yaml"]


def test_a_role_that_there_is_not_is_a_usage_error() -> None:
    result = runner.invoke(app, ["serve", "--role", "receiver"])
    assert result.exit_code == 2
    assert "no role 'receiver'; did you mean 'receive'?" in result.stderr


@pytest.fixture
def served(tmp_path: Path, database: str, sink: Sink) -> Iterator[tuple[Path, int]]:
    """A running server in a process of its own: its folder and its port. One rule file is broken."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(database=database, port=sink.port))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "payouts.yaml").write_text(RULES)
    (tmp_path / "rules" / "broken.yaml").write_text("rules: 7\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*TOCSIN, "serve", "--port", str(port)], cwd=tmp_path, stdout=log, stderr=log)
        try:
            until(lambda: answers(port), tmp_path / "log")
            yield tmp_path, port
        finally:
            server.terminate()
            server.wait(timeout=DEADLINE)


def until(condition: Any, log: Path) -> Any:
    """The first true answer of `condition`; fails with the server's log after a deadline."""
    ends = time.monotonic() + DEADLINE
    while time.monotonic() < ends:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_simulate_is_accepted_delivered_and_explained(served: tuple[Path, int], sink: Sink) -> None:
    folder, port = served
    environment = {**os.environ, "PORT": str(port)}

    def tocsin(*arguments: str) -> str:
        done = subprocess.run(
            [*TOCSIN, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    log = folder / "log"
    assert "rules/broken.yaml:1:8  error" in log.read_text()
    said = tocsin("simulate", "payout.failed", "--account", "acct_demo", "--id", "evt_served", "--set", "amount=4200")
    assert "evt_served accepted" in said

    until(lambda: {path for path, _, _ in sink.got} >= {"/", "/cases"}, log)

    def delivered() -> bool:
        found = json.loads(tocsin("deliveries", "ls", "--rule", "payout-failed", "--json"))
        return [each["status"] for each in found] == ["delivered"] * 2

    until(delivered, log)
    assert "fired payout-failed" in tocsin("events", "ls")
    explained = tocsin("explain", "evt_served")
    assert "2 deliveries: " in explained
    assert "callback cases sent" in explained
    assert "duplicate" in tocsin("simulate", "payout.failed", "--account", "acct_demo", "--id", "evt_served")
