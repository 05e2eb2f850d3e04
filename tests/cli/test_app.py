"""The command line as a whole: help, global options, failures, start-up."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from engine.cli import app as module
from engine.cli.app import GROUPS, SUMMARIES, app, hoisted
from engine.errors import StoreUnavailable

runner = CliRunner()

COMMANDS = [
    *([name] for name in SUMMARIES if name not in GROUPS),
    *([group, name] for group, names in GROUPS.items() for name in names),
]
TOCSIN = [sys.executable, "-c", "from engine.cli import main; main()"]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run([*TOCSIN, *arguments], capture_output=True, text=True, timeout=60, check=False, **options)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example_within_100_columns(command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--help"], prog_name="tocsin", terminal_width=100)
    assert result.exit_code == 0
    examples = result.stdout.partition("Example")[2].partition("Exit codes")[0]
    assert f"tocsin {' '.join(command)}" in examples
    assert "Exit codes:\n" in result.stdout
    prose = result.stdout.replace(examples, "")
    assert max(map(len, prose.splitlines())) <= 100
    assert not re.search(r"\[\[|TEXT|INTEGER", result.stdout)


def test_the_examples_name_options_that_exist() -> None:
    for command in COMMANDS:
        text = runner.invoke(app, [*command, "--help"], terminal_width=100).stdout
        head, _, tail = text.partition("Example")
        examples = re.split(r" \| |\n", tail.partition("Exit codes")[0])
        mine = [each for each in examples if each.strip().startswith(f"tocsin {' '.join(command)}")]
        used = {option for each in mine for option in re.findall(r"(?<![\w-])--[a-z-]+", each)}
        assert mine
        assert all(option in head for option in used), (command, used)


def test_the_list_of_commands_has_no_cut_summaries() -> None:
    for arguments in ([], *([group] for group in GROUPS)):
        listed = runner.invoke(app, [*arguments, "--help"], terminal_width=100).stdout.partition("Commands:")[2]
        assert listed
        assert "..." not in listed


def loaded(*arguments: str, among: set[str], cwd: Path | None = None) -> tuple[str, set[str]]:
    """What the command prints, and which of these modules it imports."""
    code = (
        f"import sys; sys.argv[1:] = {list(arguments)}\n"
        "from engine.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(*sorted({among} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=cwd)
    return done.stdout, set(done.stderr.split())


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    heavy = {"asyncio", "pydantic", "yaml", "asyncpg", "aiohttp", "apprise", "stripe", "rich", "jinja2"}
    commands = {f"engine.cli.{name.replace('-', '_')}" for name in SUMMARIES}
    said, found = loaded("--help", among=heavy | commands)
    assert found == set()
    assert "simulate" in said


def test_check_loads_nothing_of_what_stores_sends_or_serves(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "config.yaml").write_text("stripe: {keys: {test: sk_test_x}}\n")
    text = "{{ object.amount | money }}"
    (tmp_path / "rules" / "a.yaml").write_text(
        "rules:\n"
        f"  - {{id: a, when: {{type: payout.failed}}, then: {{notify: console, text: '{text}'}}}}\n"
        "  - {id: b, when: {type: payout.failed}, then: {stripe: payouts.retrieve, with: {id: '{{ object.id }}'}}}\n"
    )
    heavy = {"stripe", "apprise", "aiohttp", "asyncpg", "pgqueuer", "notifiers", "uvicorn", "starlette", "structlog"}
    ours = {"engine.store", "engine.wiring", "engine.work", "engine.receive", "engine.rulebook.reload"}
    said, found = loaded("check", among={*heavy, *ours, "rich", "watchfiles", "prometheus_client"}, cwd=tmp_path)
    assert found == set()
    assert "2 rules: no mistakes" in said


def test_the_help_of_a_group_says_what_the_list_says_of_it() -> None:
    for group in GROUPS:
        assert SUMMARIES[group] in runner.invoke(app, [group, "--help"]).stdout


def test_a_mistyped_command_is_told_the_nearest_one() -> None:
    """Though only what is run is imported."""
    result = run("explian")
    assert result.returncode == 2
    assert "Did you mean 'explain'" in result.stderr


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["check", "--config", "c.yaml", "-q"], ["--config", "c.yaml", "check", "-q"]),
        (["check", "--config=c.yaml"], ["--config=c.yaml", "check"]),
        (["check", "--", "--config"], ["check", "--", "--config"]),
        (["check", "--config"], ["check", "--config"]),
    ],
)
def test_the_configuration_may_be_named_anywhere(given: list[str], wanted: list[str]) -> None:
    assert hoisted(given, "--config") == wanted


def test_the_configuration_is_named_for_one_run_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body").write_text("x")
    (tmp_path / "mine.yaml").write_text("endpoints:\n  - {name: mine, secrets: [whsec_m]}\n")
    result = runner.invoke(app, ["sign", "body", "--endpoint", "mine", "--config", "mine.yaml"])
    assert result.exit_code == 0, result.output
    assert runner.invoke(app, ["sign", "body", "--endpoint", "mine"]).exit_code == 2


def test_mistakes_in_the_configuration_are_printed_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("endpoint: []\nstore: {ur: x}\n")
    result = runner.invoke(app, ["events", "ls"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "config.yaml:1:1  error[unknown-key]" in result.stderr
    assert "config.yaml:2:9  error[unknown-key]" in result.stderr
    assert "^^^^^^^^" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StoreUnavailable("the database did not answer"), 1, "error: the database did not answer\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_expected_failures_end_without_a_traceback(error: BaseException, code: int, said: str) -> None:
    failing = typer.Typer(cls=module.Commands, rich_markup_mode=None)

    @failing.callback()
    def group() -> None:
        """A group of one."""

    @failing.command("check")
    def fail() -> None:
        raise error

    result = runner.invoke(failing, ["check"])
    assert (result.exit_code, result.stderr) == (code, said)


def test_a_reader_that_leaves_early_is_no_failure_to_talk_about(tmp_path: Path) -> None:
    """`tocsin simulate .. --print | head -1`"""
    arguments = ["simulate", "invoice.paid", "--print"]
    with subprocess.Popen([*TOCSIN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        said = run.stderr.read().decode()
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_version() -> None:
    assert re.fullmatch(r"tocsin \d+\.\d+\.\d+\n", runner.invoke(app, ["--version"]).stdout)


def test_only_what_is_there_is_offered() -> None:
    """Commands of later issues must not appear before they work."""
    there = (
        "backtest check coverage database deliveries destinations diff events explain incidents mute new render replay"
    )
    more = "retry rules schema send-test serve sign simulate test verify"
    assert sorted(SUMMARIES) == [*there.split(), *more.split()]
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 2


def test_piped_output_has_no_colour(tmp_path: Path) -> None:
    (tmp_path / "body").write_text("x")
    found = run("verify", "body", "--header", "t=1,v1=00", cwd=tmp_path)
    assert "\x1b" not in found.stdout + found.stderr


def test_no_color_is_respected_in_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "body").write_text("x")
    assert "\x1b" in in_terminal(tmp_path, {"TERM": "xterm"})
    assert "\x1b" not in in_terminal(tmp_path, {"TERM": "xterm", "NO_COLOR": "1"})


def in_terminal(folder: Path, environment: dict[str, str]) -> str:
    """What `verify` writes to a terminal: a pseudo one."""
    import os
    import pty

    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [*TOCSIN, "verify", "body", "--header", "t=1,v1=00"],
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            timeout=60,
            check=False,
        )
        return os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
