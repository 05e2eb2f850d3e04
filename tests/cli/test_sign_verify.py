"""`tocsin sign` and `tocsin verify`: the two ends of Stripe's signature, with Stripe's SDK as the judge."""

import json
import time
from pathlib import Path

import pytest
import stripe
from typer.testing import CliRunner

from engine.cli.app import app
from engine.receive.signature import sign
from tests.builders import snapshot_body

SECRET = "whsec_from_a_file"
OLD = "whsec_rolled_out"
BODY = snapshot_body("payout.failed")

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a body, and a secret in a file that ends with a line end, as editors write it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body.json").write_bytes(BODY)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "config.yaml").write_text(
        f"endpoints:\n  - {{name: connect, scope: connected, secrets: [{SECRET}, {OLD}]}}\n"
        "  - {name: platform, path: /webhooks/own, scope: platform, secrets: [whsec_platform]}\n"
    )
    return tmp_path


def test_stripes_sdk_accepts_what_sign_prints(folder: Path) -> None:
    result = runner.invoke(app, ["sign", "body.json", "--secret-file", "secret"])
    assert result.exit_code == 0, result.output
    assert stripe.WebhookSignature.verify_header(BODY.decode(), result.stdout.strip(), SECRET, tolerance=300)


def test_sign_takes_the_first_secret_of_an_endpoint_and_a_timestamp(folder: Path) -> None:
    result = runner.invoke(app, ["sign", "body.json", "--endpoint", "platform", "--timestamp", "1700000000", "--json"])
    found = json.loads(result.stdout)
    assert found["header"] == sign(BODY, "whsec_platform", 1_700_000_000)
    assert found["secret"] == "the secret of endpoint 'platform'"


def test_sign_reads_standard_input_byte_for_byte(folder: Path) -> None:
    result = runner.invoke(app, ["sign", "-", "--secret-file", "secret", "--timestamp", "5"], input=b"\xff\r\n")
    assert result.stdout.strip() == sign(b"\xff\r\n", SECRET, 5)


def test_the_secret_may_come_from_stripes_own_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_env")
    result = runner.invoke(app, ["sign", "body.json", "--timestamp", "5"])
    assert result.stdout.strip() == sign(BODY, "whsec_env", 5)


def test_no_secret_is_ever_printed(folder: Path) -> None:
    header = sign(BODY, "whsec_other", int(time.time()))
    for arguments in (["sign", "body.json", "--json"], ["verify", "body.json", "--header", header]):
        output = runner.invoke(app, arguments).output
        assert SECRET not in output
        assert OLD not in output


def test_there_is_no_way_to_give_a_secret_on_the_command_line(folder: Path) -> None:
    result = runner.invoke(app, ["sign", "body.json", "--secret", SECRET])
    assert result.exit_code == 2


def test_an_unknown_endpoint_names_the_nearest(folder: Path) -> None:
    result = runner.invoke(app, ["sign", "body.json", "--endpoint", "conect"])
    assert result.exit_code == 2
    assert "did you mean 'connect'?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sign", "nobody.json"], "cannot read nobody.json"),
        (["sign", "body.json", "--secret-file", "empty"], "there is no secret in empty"),
        (["sign", "body.json", "--secret-file", "secret", "--endpoint", "connect"], "not both"),
        (["sign", "-", "--secret-file", "-"], "cannot both come from standard input"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(folder: Path, arguments: list[str], said: str) -> None:
    (folder / "empty").write_text("\n")
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def verify(*arguments: str, header: str | None = None, secret: str = SECRET, at: int | None = None) -> tuple[int, str]:
    """The exit code and the output of verifying body.json."""
    header = sign(BODY, secret, int(time.time()) if at is None else at) if header is None else header
    result = runner.invoke(app, ["verify", "body.json", "--header", header, *arguments])
    return result.exit_code, result.output


def test_verify_says_which_secret_signed_and_how_long_ago(folder: Path) -> None:
    code, output = verify(secret=OLD, at=int(time.time()) - 61)
    assert code == 0
    assert output.startswith("valid\n")
    assert "secret 2 of 2 of endpoint 'connect'" in output
    assert "1 min ago" in output


def test_a_header_may_be_pasted_with_its_name(folder: Path) -> None:
    assert verify(header="Stripe-Signature: " + sign(BODY, SECRET, int(time.time())))[0] == 0


@pytest.mark.parametrize(
    ("offset", "said"),
    [(-7500, "too old"), (7500, "from the future")],
)
def test_age_is_told_apart_from_a_wrong_secret(folder: Path, offset: int, said: str) -> None:
    code, output = verify(at=int(time.time()) + offset)
    assert code == 1
    assert f"the signature holds, but it is {said}" in output
    assert "2 h 5 min" in output or "2 h 4 min" in output
    assert "secret 1 of 2 of endpoint 'connect'" in output
    assert verify("--any-age", at=int(time.time()) + offset)[0] == 0


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "the header is empty"),
        ("t=1,v1", "not of the form"),
        ("v1=abc", "no t="),
        ("t=1,v0=abc", "no v1="),
        ("t=1" + ",v1=a" * 40, "more v1 signatures"),
    ],
)
def test_each_malformed_header_has_its_own_reason(folder: Path, header: str, said: str) -> None:
    code, output = verify(header=header)
    assert code == 1
    assert said in output


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (BODY + b"\n", "a line end was added"),
        (json.dumps(json.loads(BODY), separators=(",", ":")).encode(), "without its indentation"),
        (BODY.replace(b"\n", b"\r\n"), "those of Windows"),
    ],
)
def test_a_body_changed_on_its_way_is_recognized(folder: Path, changed: bytes, said: str) -> None:
    """The commonest cause of a mismatch with the right secret, and the hardest to see."""
    (folder / "body.json").write_bytes(changed)
    code, output = verify("--endpoint", "connect")
    assert code == 1
    assert said in output


def test_a_wrong_secret_names_those_that_were_tried(folder: Path) -> None:
    code, output = verify("--endpoint", "platform")
    assert code == 1
    assert "not signed with the secret of endpoint 'platform'" in output


def test_verify_as_json_has_the_reason_of_the_closed_set(folder: Path) -> None:
    result = runner.invoke(app, ["verify", "body.json", "--header", "t=1,v1=00", "--secret-file", "secret", "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["valid"], found["reason"], found["secret"]) == (False, "mismatch", None)
