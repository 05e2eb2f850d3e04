"""Folders with a ready cluster, and processes that use it."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine.store import Store
from engine.store.connect import Target
from engine.store.embedded import EmbeddedServer
from engine.store.postmaster import alive, is_postgres, read_postmaster
from tests.store.plans import Database

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every user may enter, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="tocsin-"))
    made.chmod(0o755)
    yield made
    kill_server(made)
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A data folder in which a server has run."""
    made = Path(tempfile.mkdtemp(prefix="tocsin-"))
    made.chmod(0o755)
    server = EmbeddedServer(made)

    async def run() -> None:
        await server.start()
        await server.stop()

    asyncio.run(run())
    yield made
    shutil.rmtree(made)


@pytest.fixture
def data(cluster: Path) -> Iterator[Path]:
    """A data folder with a cluster that does not run. It is the same for all tests: what they make must not collide."""
    yield cluster
    kill_server(cluster)


@pytest.fixture
async def look(database: str) -> AsyncIterator[Database]:
    """A look into this test's database past the store."""
    connection = await asyncpg.connect(database)
    yield Database(connection)
    await connection.close()


@pytest.fixture
async def second(database: str) -> AsyncIterator[Store]:
    """Another Store on the same database, as another process would have it."""
    opened = await Store.connect(Target.from_url(database))
    yield opened
    await opened.close()


def postmaster(data: Path) -> int:
    """The process id of the server on `data`."""
    found = read_postmaster((data / "postgres").resolve() / "cluster")
    assert found is not None
    return found.pid


def running(data: Path) -> bool:
    """Whether a server runs on `data`."""
    found = read_postmaster((data / "postgres").resolve() / "cluster")
    return found is not None and alive(found.pid) and is_postgres(found.pid)


def kill_server(folder: Path) -> None:
    """Leave no server behind, whatever the test did."""
    for file in folder.rglob("postmaster.pid"):
        found = read_postmaster(file.parent)
        if found and is_postgres(found.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, 9)


class Process:
    """`tests.store.process` on a data folder, as a user."""

    def __init__(self, data: Path, user: str | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.process", str(data), *([user] if user else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def says(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": f"exit code {self._process.wait()}"}
        return found

    def leave(self) -> None:
        """Let go in good order, and wait until it has."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.close()
        assert self.says() == {"left": True}
        self._process.wait()
        self._close()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    """Starts processes, and ends those that a failed test leaves."""
    started: list[Process] = []

    def start(data: Path, user: str | None = None) -> Process:
        started.append(Process(data, user))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def eventually(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.01)
    return true()
