"""`tocsin check`: every mistake of every file in one run, with the exit code a pipeline needs."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app

runner = CliRunner()

GOOD = "rules:\n  - {id: fine, when: payout.failed, then: {notify: payments}}\n"
WARNED = "rules:\n  - {id: odd, when: payout.faild, then: {notify: payments}}\n"
BAD = "rules:\n  - id: bad\n    when: payout.failed\n    throtle: 3\n    then: {notify: rsik}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one good file of rules and no configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "good.yaml").write_text(GOOD)
    return tmp_path


def check(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["check", *arguments])


def test_without_a_configuration_the_defaults_are_checked_and_it_counts_what_it_saw(folder: Path) -> None:
    result = check()
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "built-in configuration, 1 rule file, 1 rule: no mistakes\nmay notify: payments (1 rule)\n"
    )


def test_a_check_writes_nothing(folder: Path) -> None:
    assert check().exit_code == 0
    assert sorted(each.name for each in folder.iterdir()) == ["rules"]


def test_every_mistake_has_its_place_and_what_to_write(folder: Path) -> None:
    (folder / "rules" / "bad.yaml").write_text(BAD)
    (folder / "rules" / "odd.yaml").write_text(WARNED)
    result = check()
    assert result.exit_code == 1
    assert "rules/bad.yaml:4:5  error[unknown-key]  unknown key 'throtle' in a rule; did you mean 'throttle'?" in (
        result.stdout
    )
    assert "rules/bad.yaml:5:20  error[unknown-channel]  no channel 'rsik'" in result.stdout
    assert "rules/odd.yaml:2:21  warning[unknown-type]" in result.stdout
    assert "\nbuilt-in configuration, 3 rule files, 2 rules in files without errors: 2 errors, 1 warning\n" in (
        result.stdout
    )


def test_mistakes_in_the_configuration_do_not_hide_those_in_the_rules(folder: Path) -> None:
    (folder / "config.yaml").write_text("chanels: {rsik: 'json://x'}\n")
    (folder / "rules" / "bad.yaml").write_text(BAD)
    result = check()
    assert result.exit_code == 1
    assert "config.yaml:1:1  error[unknown-key]" in result.stdout
    assert "unknown key 'throtle'" in result.stdout
    assert "no channel 'rsik'" not in result.stdout
    assert "not checked until the configuration can be read" in result.stdout


def test_rules_are_held_to_the_endpoints_that_are_configured(folder: Path) -> None:
    secret = "whsec_" + "a" * 32
    (folder / "config.yaml").write_text(
        f"endpoints: [{{name: connect, scope: connected, secrets: [{secret}]}}]\nrules: [rules]\n"
    )
    text = GOOD.replace("when: payout.failed", "when: {type: payout.failed, scope: platform}")
    (folder / "rules" / "good.yaml").write_text(text)
    assert "rules/good.yaml:2:10  warning[no-endpoint]  no endpoint takes live events of scope platform" in (
        check().stdout
    )
    (folder / "rules" / "good.yaml").write_text(GOOD)
    assert "no mistakes" in check().stdout


def test_warnings_fail_only_when_strict(folder: Path) -> None:
    (folder / "rules" / "odd.yaml").write_text(WARNED)
    assert check().exit_code == 0
    assert check("--strict").exit_code == 3


def test_quiet_prints_mistakes_only(folder: Path) -> None:
    assert check("--quiet").output == ""
    (folder / "rules" / "odd.yaml").write_text(WARNED)
    assert check("-q").stdout.startswith("rules/odd.yaml:2:21  warning[unknown-type]")


def test_paths_name_what_is_checked(folder: Path) -> None:
    (folder / "rules" / "bad.yaml").write_text(BAD)
    assert check("rules/good.yaml").exit_code == 0
    assert check("rules/good.yaml", "rules/bad.yaml").exit_code == 1
    result = check("rulez")
    assert result.exit_code == 2
    assert "there is no file or folder 'rulez'" in result.stderr


def test_one_file_may_use_what_the_others_define(folder: Path) -> None:
    """As an editor or a hook checks the file that has just changed: what it names stands elsewhere."""
    (folder / "rules" / "names.yaml").write_text("vars: {big: 500 USD}\n")
    text = (
        "rules:\n  - {id: uses, when: {type: payout.failed, where: {amount: {gte: $vars.big}}}, then: {notify: risk}}\n"
    )
    (folder / "rules" / "uses.yaml").write_text(text)
    (folder / "rules" / "bad.yaml").write_text(BAD)
    result = check("rules/uses.yaml", "--strict")
    assert result.exit_code == 0, result.output
    assert "1 rule file, 1 rule: no mistakes" in result.stdout


def test_of_two_rules_with_one_id_the_one_that_is_checked_is_mistaken(folder: Path) -> None:
    (folder / "rules" / "again.yaml").write_text(GOOD)
    for file, other in (("again", "good"), ("good", "again")):
        result = check(f"rules/{file}.yaml")
        assert result.exit_code == 1
        assert f"rules/{file}.yaml:2:10  error[duplicate-id]" in result.stdout
        assert f"already used in rules/{other}.yaml:2" in result.stdout


def test_a_file_of_tests_is_held_to_the_rules_beside_it(folder: Path) -> None:
    """Also where the configuration has its rules elsewhere."""
    text = "tests:\n  - {rule: best, given: {event: payout.failed}, expect: fires}\n"
    for place in (folder / "rules", folder / "other"):
        place.mkdir(exist_ok=True)
        (place / "mine.yaml").write_text(GOOD.replace("fine", f"best-{place.name[0]}"))
        (place / "mine_test.yaml").write_text(text)
        result = check(f"{place.name}/mine_test.yaml")
        assert result.exit_code == 1
        assert f"there is no rule 'best'; did you mean 'best-{place.name[0]}'?" in result.stdout
        assert "0 rule files" in result.stdout


def test_configured_rules_that_are_not_there_are_a_mistake(folder: Path) -> None:
    (folder / "config.yaml").write_text("rules: [nowhere]\n")
    result = check()
    assert result.exit_code == 1
    assert "nowhere" in result.stdout


def test_as_json_the_counts_and_the_mistakes(folder: Path) -> None:
    (folder / "config.yaml").write_text("default_livemode: any\n")
    (folder / "rules" / "bad.yaml").write_text(BAD)
    for arguments in (["--json"], ["--format", "json"]):
        result = check(*arguments)
        assert result.exit_code == 1
        found = json.loads(result.stdout)
        assert (found["files"], found["rules"], found["errors"], found["warnings"]) == (2, 1, 2, 0)
        assert found["config"] == str(folder / "config.yaml")
        assert found["mistakes"][0]["file"] == "rules/bad.yaml"
        assert found["mistakes"][0]["line"] == 4


def test_it_says_what_the_rules_may_do(folder: Path) -> None:
    """In a few lines with the limits of the configuration, and rule by rule where that is asked for."""
    (folder / "config.yaml").write_text(
        "stripe: {keys: {test: sk_test_x}, allow: [{operation: accounts.update, max: 20, every: 1h}]}\n"
    )
    steps = "[{notify: risk}, {stripe: accounts.update, with: {metadata: {a: b}}}, {stripe: payouts.retrieve}]"
    (folder / "rules" / "acts.yaml").write_text(f"rules:\n  - {{id: acts, when: payout.failed, then: {steps}}}\n")
    (folder / "rules" / "off.yaml").write_text(GOOD.replace("fine", "idle").replace("then", "mode: off, then"))
    assert check().stdout.splitlines()[1:] == [
        "may notify: payments (1 rule), risk (1 rule)",
        "may read from Stripe: payouts.retrieve (1 rule)",
        "may change on Stripe: accounts.update (1 rule, at most 20 in 1h)",
        "not acting: 1 rule off",
    ]
    rows = [line.split() for line in check("--effects").stdout.splitlines()[5:]]
    assert rows == [
        ["RULE", "MODE", "NOTIFIES", "CALLS", "READS", "CHANGES"],
        ["acts", "live", "risk", "-", "payouts.retrieve", "accounts.update"],
        ["fine", "live", "payments", "-", "-", "-"],
        ["idle", "off", "payments", "-", "-", "-"],
    ]
    effects = json.loads(check("--json").stdout)["effects"]
    assert effects[0]["writes"] == ["accounts.update"]


def test_for_github_each_mistake_is_an_annotation(folder: Path) -> None:
    (folder / "rules" / "bad.yaml").write_text(BAD)
    result = check("--format", "github")
    assert result.exit_code == 1
    assert all(line.startswith("::error file=rules/bad.yaml,line=") for line in result.stdout.splitlines())


def test_a_file_that_is_not_utf8_is_a_mistake_and_not_a_traceback(folder: Path) -> None:
    (folder / "rules" / "latin.yaml").write_bytes("rules: [] # Zürich\n".encode("latin-1"))
    result = check()
    assert result.exit_code == 1
    assert "rules/latin.yaml:1" in result.stdout


def test_no_secret_of_the_configuration_is_printed(folder: Path) -> None:
    (folder / "config.yaml").write_text("endpoints:\n  - {name: a, secrets: [whsec_verysecret], scop: connected}\n")
    assert "verysecret" not in check().output
