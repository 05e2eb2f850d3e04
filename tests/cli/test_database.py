"""`tocsin database`: what an operator sees of backing up, restoring and moving."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.store import Store
from tests.builders import event
from tests.cli.conftest import commit, delivery, stock
from tests.crash.service import kill_database

runner = CliRunner()


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder whose store is the embedded one, not yet made. Not pytest's own: every user may enter it."""
    made = Path(tempfile.mkdtemp(prefix="tocsin-"))
    made.chmod(0o755)
    (made / "config.yaml").write_text("data: data\n")
    monkeypatch.chdir(made)
    yield made
    kill_database(made)
    shutil.rmtree(made)


def test_moving_says_what_was_moved_and_what_to_do_next(workplace: Path, database: str, empty_database: str) -> None:
    async def fill(store: Store) -> None:
        await commit(store, event(id="evt_1"), delivery("payments"))

    stock(database, fill)
    done = runner.invoke(app, ["database", "move", "--to", empty_database])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "moved: 1 event, 1 delivery\n"
    assert "set store.url to it" in done.stderr
    again = runner.invoke(app, ["database", "move", "--to", empty_database])
    assert again.exit_code == 1
    assert "not empty" in again.stderr
    assert runner.invoke(app, ["database", "move", "--to", "mysql://db"]).exit_code == 2
    unescaped = runner.invoke(app, ["database", "move", "--to", "postgresql://u:a#b@db/d"])
    assert unescaped.exit_code == 2
    assert "a # ends the URL" in unescaped.stderr


def test_an_external_database_is_backed_up_by_its_own_tools(workplace: Path) -> None:
    done = runner.invoke(app, ["database", "backup", "a.dump"])
    assert done.exit_code == 1
    assert "pg_dump" in done.stderr
    assert not (workplace / "a.dump").exists()


def test_backing_up_and_restoring(embedded: Path) -> None:
    """What was in it comes back; a folder that is not there is told as such."""
    assert runner.invoke(app, ["events", "ls"]).exit_code == 0
    done = runner.invoke(app, ["database", "backup", "a.dump", "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] == (embedded / "a.dump").stat().st_size
    done = runner.invoke(app, ["database", "restore", "a.dump"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "restored: 0 events, 0 deliveries\n"
    assert runner.invoke(app, ["events", "ls"]).exit_code == 0
    missing = runner.invoke(app, ["database", "backup", "no/where/a.dump"])
    assert missing.exit_code == 1
    assert "pg_dump failed" in missing.stderr
