"""`tocsin simulate`: what it posts is what Stripe would post, and what it says is what the server said."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import stripe
from typer.testing import CliRunner

from engine.cli.app import app
from tests.cli.conftest import Sink

runner = CliRunner()

CONFIG = """
endpoints:
  - {name: own, path: /webhooks/own, scope: platform, secrets: [whsec_own]}
  - {name: connect, scope: connected, livemode: false, secrets: [whsec_connect, whsec_old]}
  - {name: connect-live, path: /webhooks/live, scope: connected, livemode: true, secrets: [whsec_live]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a configuration of three endpoints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PORT", raising=False)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def simulate(sink: Sink, *arguments: str) -> Any:
    """Runs it against the sink, whose port takes the place of the server's."""
    return runner.invoke(app, ["simulate", *arguments], env={"PORT": str(sink.port)})


def posted(sink: Sink, place: int = -1) -> dict[str, Any]:
    """The body of a request to the sink."""
    found: dict[str, Any] = json.loads(sink.got[place][2])
    return found


def test_stripes_sdk_accepts_the_event_as_signed_for_the_endpoint(sink: Sink) -> None:
    result = simulate(sink, "payout.failed", "--account", "acct_demo")
    assert result.exit_code == 0, result.output
    path, headers, body = sink.got[0]
    assert path == "/webhooks/stripe"
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_connect")
    assert (event.type, event["account"], event.livemode) == ("payout.failed", "acct_demo", False)


def test_it_says_what_came_of_it_and_what_to_look_at_next(sink: Sink) -> None:
    result = simulate(sink, "payout.failed", "--id", "evt_mine", "--account", "acct_demo")
    assert "evt_mine accepted" in result.stdout
    assert "tocsin explain evt_mine" in result.stdout
    sink.answer = {"received": "evt_mine", "duplicate": True}
    assert "duplicate" in simulate(sink, "payout.failed", "--id", "evt_mine").stdout


@pytest.mark.parametrize(
    ("arguments", "path", "secret"),
    [
        (["--account", "acct_1", "--live"], "/webhooks/live", "whsec_live"),
        (["--scope", "platform", "--live"], "/webhooks/own", "whsec_own"),
        (["--scope", "connected"], "/webhooks/stripe", "whsec_connect"),
    ],
)
def test_the_endpoint_is_the_one_that_takes_that_scope_and_mode(
    sink: Sink, arguments: list[str], path: str, secret: str
) -> None:
    assert simulate(sink, "payout.failed", *arguments).exit_code == 0
    got, headers, body = sink.got[0]
    assert got == path
    assert stripe.Webhook.construct_event(body, headers["Stripe-Signature"], secret)


@pytest.mark.parametrize(
    ("type_", "path"),
    [
        ("topup.failed", "/webhooks/own"),  # the rule that looks at it is for the platform
        ("payout.failed", "/webhooks/first"),  # rules for both
        ("payout.paid", "/webhooks/first"),  # no rule: the first
        ("account.updated", "/webhooks/first"),  # about a connected account
        ("v2.core.account.closed", "/webhooks/own"),  # one's own v2 accounts come to the platform
        ("transfer.reversed", "/webhooks/first"),  # that rule is for test events, and this is none
    ],
)
def test_of_several_endpoints_it_goes_to_that_of_the_scope_such_events_come_in(
    sink: Sink, folder: Path, type_: str, path: str
) -> None:
    endpoints = [("connect", "first", "connected"), ("own", "own", "platform")]
    (folder / "config.yaml").write_text(
        "rules: [rules]\nendpoints:\n"
        + "".join(
            f"  - {{name: {name}, path: /webhooks/{path}, scope: {scope}, secrets: [whsec_{name}]}}\n"
            for name, path, scope in endpoints
        )
    )
    (folder / "rules").mkdir()
    whens = {
        "topup": "{type: topup.failed, scope: platform}",
        "payout": "[{type: payout.failed, scope: platform}, {type: payout.failed, scope: connected}]",
        "transfer": "{type: transfer.reversed, scope: platform, livemode: false}",
        "other": "'*'",
    }
    (folder / "rules" / "mine.yaml").write_text(
        "rules:\n" + "".join(f"  - {{id: {id_}, when: {w}, then: {{notify: console}}}}\n" for id_, w in whens.items())
    )
    result = simulate(sink, type_, "--live")
    assert result.exit_code == 0, result.output
    assert sink.got[0][0] == path
    assert ("account" in posted(sink)) is (path == "/webhooks/first")


def test_without_a_fitting_endpoint_it_says_which_there_are(sink: Sink) -> None:
    result = simulate(sink, "payout.failed", "--scope", "organization")
    assert result.exit_code == 1
    assert "no endpoint takes test events of scope organization" in result.stderr
    assert "connect-live (connected, live)" in result.stderr
    assert not sink.got


def test_fields_are_set_by_path_with_json_values(sink: Sink) -> None:
    result = simulate(
        sink,
        *("account.updated", "--account", "acct_1", "--set", "payouts_enabled=false", "--set", "metadata.tier=gold"),
        *("--set", 'requirements.past_due=["external_account"]', "--set", 'metadata.number="7"'),
        *("--previous", "payouts_enabled=true", "--previous", "requirements.past_due=[]"),
    )
    assert result.exit_code == 0, result.output
    found = posted(sink)["data"]
    assert found["object"]["payouts_enabled"] is False
    assert found["object"]["metadata"]["tier"] == "gold"
    assert found["object"]["metadata"]["number"] == "7"
    assert found["object"]["requirements"]["past_due"] == ["external_account"]
    assert found["previous_attributes"] == {"payouts_enabled": True, "requirements": {"past_due": []}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["payout.faild"], "did you mean 'payout.failed'?"),
        (["payout.failed", "--set", "amount"], "write it like amount=75000"),
        (["payout.failed", "--set", "amount.deep=1"], "amount.deep"),
        (["payout.failed", "--send", "ftp://x/"], "not an http or https URL"),
        (["payout.failed", "--send", "http://x:abc/"], "a port from 1 to 65535"),
        (["payout.failed", "--count", "2", "--id", "evt_1"], "--count"),
    ],
)
def test_what_does_not_fit_is_a_usage_error_that_says_what_to_write(
    sink: Sink, arguments: list[str], said: str
) -> None:
    result = simulate(sink, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not sink.got


def test_nobody_listening_says_how_to_start_the_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    result = runner.invoke(app, ["simulate", "payout.failed"], env={"PORT": str(port)})
    assert result.exit_code == 1
    assert f"nothing listens at http://127.0.0.1:{port}" in result.stderr
    assert "make run" in result.stderr


def test_a_refusal_is_told_in_the_servers_words(sink: Sink) -> None:
    sink.status, sink.answer = 400, {"error": "mismatch", "hint": "Compare the secret."}
    result = simulate(sink, "payout.failed")
    assert result.exit_code == 1
    assert "mismatch. Compare the secret." in result.stdout


@pytest.mark.parametrize(("status", "answer"), [(404, b"<html>nobody\x1b[2J here</html>"), (307, b"")])
def test_any_other_server_is_told_as_it_is_and_redirects_are_not_followed(
    sink: Sink, status: int, answer: bytes
) -> None:
    sink.status, sink.answer = status, answer
    result = simulate(sink, "payout.failed", "--send", f"{sink.url}/somewhere?a=b")
    assert result.exit_code == 1
    assert str(status) in result.stdout
    assert "\x1b" not in result.stdout
    assert [path for path, _, _ in sink.got] == ["/somewhere?a=b"]


def test_many_events_have_ids_of_their_own_and_share_a_connection(sink: Sink) -> None:
    result = simulate(sink, "payout.failed", "--count", "20")
    assert "20 of 20 events accepted" in result.stdout
    assert len({posted(sink, place)["id"] for place in range(20)}) == 20
    assert len(sink.connections) == 1


def test_what_is_printed_can_be_saved_and_verified(folder: Path) -> None:
    result = runner.invoke(app, ["simulate", "charge.dispute.created", "--account", "acct_1", "--print"])
    (folder / "dispute.json").write_bytes(result.stdout_bytes)
    header = result.stderr.strip()
    assert header.startswith("Stripe-Signature: t=")
    assert runner.invoke(app, ["verify", "dispute.json", "--header", header]).exit_code == 0
    assert json.loads(result.stdout)["type"] == "charge.dispute.created"


def test_as_json_it_has_the_servers_answer(sink: Sink) -> None:
    found = json.loads(simulate(sink, "payout.failed", "--id", "evt_7", "--json").stdout)
    assert (found["id"], found["status"], found["accepted"], found["duplicate"]) == ("evt_7", 200, True, False)


def test_every_known_type_can_be_simulated(folder: Path) -> None:
    """A few of each payload kind here; every type is tried in the tests of the samples."""
    for name in ("payout.failed", "v1.payout.failed", "v2.core.account[requirements].updated", "balance.available"):
        result = runner.invoke(app, ["simulate", name, "--print"])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["type"] == name


def test_a_test_event_that_rules_will_not_look_at_is_told(sink: Sink) -> None:
    """With a configuration rules look at live events unless they say otherwise: silence would be a riddle."""
    assert "default_livemode" in simulate(sink, "payout.failed").stderr
    assert "default_livemode" not in simulate(sink, "payout.failed", "--live").stderr
