"""The files in deploy/ say what the code does: settings that exist, commands that parse, time enough to stop."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from engine.cli.app import app
from engine.service import DRAIN, END
from engine.settings import Role, variables

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "tocsin@.service"
ANSWERING = 6
"""Seconds in which requests are answered at the end; see `tocsin serve`."""

NEEDED = ANSWERING + (DRAIN + END).total_seconds()
"""Seconds in which a process has surely ended, the embedded database included."""


def known(name: str) -> bool:
    """Whether Tocsin reads a variable of that name."""
    return name == "TOCSIN_CONFIG" or name.removesuffix("_FILE") in variables()


def compose() -> dict[str, Any]:
    """The compose file, its anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def unit(key: str) -> list[str]:
    """The values of a key of the unit."""
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_every_variable_is_a_setting() -> None:
    names = {name for service in compose()["services"].values() for name in service["environment"]}
    names |= {part.partition("=")[0] for line in unit("Environment") for part in line.split()}
    names |= set(re.findall(r"TOCSIN_\w+", (DEPLOY / "Dockerfile").read_text()))
    mine = {name for name in names if name.startswith("TOCSIN_")}
    assert len(mine) > 3
    assert [name for name in mine if not known(name)] == []


def test_stopping_may_take_as_long_as_it_does() -> None:
    patience = {each["stop_grace_period"] for each in compose()["services"].values()}
    assert {int(each.removesuffix("s")) > NEEDED for each in patience} == {True}
    assert float(unit("TimeoutStopSec")[0]) > NEEDED


def test_the_commands_are_tocsins() -> None:
    """Their options exist; the roles are all there is."""
    services = compose()["services"]
    own = {name: service["command"] for name, service in services.items() if service["image"] == "tocsin"}
    assert set(own) == {str(role) for role in Role} - {"all"}
    for name, command in own.items():
        assert command[:4] == ["tocsin", "serve", "--role", name]
    help_ = CliRunner().invoke(app, ["serve", "--help"]).stdout
    written = " ".join([*(" ".join(command) for command in own.values()), *unit("ExecStart")])
    assert {option for option in re.findall(r"--[a-z]+", written) if option not in help_} == set()


def test_what_makes_links_and_what_reads_them_share_their_secret() -> None:
    """Each would make its own: nothing of theirs is in a shared folder."""
    for name in ("receive", "work"):
        service = compose()["services"][name]
        file = service["environment"]["TOCSIN_CONSOLE__SECRET_FILE"]
        assert file.removeprefix("/run/secrets/") in service["secrets"]


def test_what_compose_names_is_defined() -> None:
    found = compose()
    for service in found["services"].values():
        assert set(service["secrets"]) <= found["secrets"].keys()
        assert set(service.get("depends_on", ())) <= found["services"].keys()
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert sorted(names) == sorted(kept)
    assert all((ROOT / name).exists() for name in names)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "tocsin"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = UNIT.read_text().replace("/opt/tocsin/.venv/bin/tocsin", str(program))
    (tmp_path / "tocsin@all.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "tocsin@all.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    mine = [line for line in done.stderr.splitlines() if "tocsin@" in line]
    assert mine == []
    assert done.returncode == 0, done.stderr
