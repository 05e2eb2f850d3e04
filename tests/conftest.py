"""What every test may rely on: a clean environment, no network, and a real PostgreSQL.

`database` is the URL of an empty, migrated database of this test's own; `store` is a Store opened on it. The server is
the embedded one, or that of TOCSIN_TEST_DATABASE: the URL of a database on it, with a role that may create databases.
"""

import asyncio
import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from engine.store import Store
from engine.store.cluster import SETTINGS
from engine.store.connect import Target
from engine.store.embedded import Address, EmbeddedServer

_numbers = itertools.count(1)

_WHO = os.environ.get("PYTEST_XDIST_WORKER", "")
_TEMPLATE = f"template_tocsin{_WHO}"
"""Processes that share a server have databases of their own."""

EXTERNAL = os.environ.get("TOCSIN_TEST_DATABASE")
"""A PostgreSQL to test on instead of the embedded one; read before tests lose sight of such variables."""

ROOM = 4 * 2**30
"""Bytes that have to be free in memory for the files of the test database of each process to be kept there."""

Named = Callable[[str], str]
"""The URL of the database of that name on the server that tests use."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden`, for reviewing how texts changed."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files from what is rendered now")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own settings or keys reach a test."""
    for name in list(os.environ):
        if name.startswith(("TOCSIN_", "STRIPE_", "PGQUEUER_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Refuse connections beyond this machine; unix sockets are of this machine."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
    yield
    patch.undo()


def _guarded(original: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and not _is_local(address[0]):
            raise PermissionError(f"tests may not connect to {address[0]}")
        return original(self, address)

    return connect


def _guarded_lookup(original: Any) -> Any:
    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host is not None and not _is_local(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests may not look up {host}")
        return original(host, *arguments, **options)

    return getaddrinfo


def _is_local(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name in ("", "localhost", "::1", "::", "0.0.0.0") or name.startswith(("127.", "::ffff:127."))


@pytest.fixture(scope="session")
def server() -> Iterator[Named]:
    """A server with a migrated database to copy, `_TEMPLATE`: the URLs of its databases, by name."""
    if EXTERNAL:
        named = _external(EXTERNAL)
        asyncio.run(_prepare(named))
        yield named
        asyncio.run(_execute(named, f"drop database {_TEMPLATE}"))
        return
    # Not pytest's folder, which only its user may enter: the server runs as another one for root.
    folder = Path(tempfile.mkdtemp(prefix="tocsin-tests-", dir=_memory()))
    folder.chmod(0o755)
    embedded = EmbeddedServer(folder)
    # A test's database need not outlive the machine; that the real one does is tested on servers of its own.
    patch = pytest.MonkeyPatch()
    patch.setitem(SETTINGS, "fsync", "off")
    try:
        named = _embedded(asyncio.run(embedded.start()))
        patch.undo()
        asyncio.run(_prepare(named))
        yield named
        asyncio.run(embedded.stop())
    finally:
        patch.undo()
        shutil.rmtree(folder)


def _memory() -> Path | None:
    """Where files are kept in memory, if there is room: most of what a test of its own database costs is the files that
    are made and deleted for it. None: where temporary files are kept."""
    folder = Path("/dev/shm")
    room = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM
    return folder if room else None


def _embedded(address: Address) -> Named:
    return lambda name: f"postgresql://{address.user}@/{name}?host={address.host}"


def _external(url: str) -> Named:
    return lambda name: urlsplit(url)._replace(path=f"/{name}").geturl()


async def _prepare(named: Named) -> None:
    await _execute(named, f"drop database if exists {_TEMPLATE}")
    await _execute(named, f"create database {_TEMPLATE}")
    store = await Store.connect(Target.from_url(named(_TEMPLATE)))
    await store.close()


async def _execute(named: Named, sql: str) -> None:
    connection = await asyncpg.connect(named("postgres"))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def database(server: Named) -> AsyncIterator[str]:
    """The URL of an empty, migrated database that only this test uses."""
    name = f"tocsin_test_{_WHO}{next(_numbers)}"
    await _execute(server, f"create database {name} template {_TEMPLATE}")
    yield server(name)
    await _execute(server, f"drop database {name} with (force)")


@pytest.fixture
async def empty_database(server: Named) -> AsyncIterator[str]:
    """The URL of a database in which nothing has been made yet."""
    name = f"tocsin_test_{_WHO}{next(_numbers)}"
    await _execute(server, f"create database {name}")
    yield server(name)
    await _execute(server, f"drop database {name} with (force)")


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """A Store on an empty database."""
    opened = await Store.connect(Target.from_url(database))
    yield opened
    await opened.close()
