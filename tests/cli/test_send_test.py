"""`tocsin send-test`: what a channel says to a real message."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from tests.cli.conftest import Sink

runner = CliRunner()

CONFIG = """\
channels:
  hooked: {{url: "json://127.0.0.1:{port}/token-of-hooked?cto=2&rto=2", min_severity: critical, livemode: true}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sink: Sink) -> Path:
    """A configuration with one channel, which leads to the sink."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=sink.port))
    return tmp_path


def test_the_message_arrives_whatever_the_channel_usually_holds_back(sink: Sink) -> None:
    result = runner.invoke(app, ["send-test", "hooked"])
    assert result.exit_code == 0, result.output
    assert "hooked: sent" in result.stdout
    found = json.loads(sink.got[0][2])
    assert found["title"].startswith("[TEST]")
    assert "tocsin send-test hooked" in found["message"]


def test_a_refusal_is_told_with_what_an_alert_would_do_and_without_the_url(sink: Sink) -> None:
    sink.status = 403
    result = runner.invoke(app, ["send-test", "hooked"])
    assert result.exit_code == 1
    assert "403" in result.stdout
    assert "an alert would" in result.stdout
    assert "token-of-hooked" not in result.output


def test_the_console_channel_prints_it_here() -> None:
    result = runner.invoke(app, ["send-test", "payments"])
    assert result.exit_code == 0, result.output
    assert "Tocsin can reach this channel" in result.stdout
    assert "payments: sent" in result.stdout


def test_json_is_not_mixed_with_what_the_console_channel_prints() -> None:
    result = runner.invoke(app, ["send-test", "console", "--json"])
    assert json.loads(result.stdout) == [
        {"destination": "console", "outcome": "delivered", "status": None, "reason": None, "excerpt": None}
    ]
    assert "Tocsin can reach this channel" in result.stderr


def test_an_unknown_channel_names_the_nearest() -> None:
    result = runner.invoke(app, ["send-test", "paymets"])
    assert result.exit_code == 2
    assert "did you mean 'payments'?" in result.stderr
