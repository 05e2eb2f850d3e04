"""What every test may rely on: a clean environment, no network, and a real PostgreSQL.

`database` is the URL of an empty, migrated database of this test's own; `store` is a Store opened on it.
"""

import asyncio
import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine.store import Store
from engine.store.cluster import SETTINGS
from engine.store.connect import Target
from engine.store.embedded import Address, EmbeddedServer

_numbers = itertools.count(1)


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
def embedded() -> Iterator[Address]:
    """The embedded server, as a deployment would start it, with a migrated database to copy."""
    # Not pytest's folder, which only its user may enter: the server runs as another one for root.
    folder = Path(tempfile.mkdtemp(prefix="tocsin-tests-"))
    folder.chmod(0o755)
    server = EmbeddedServer(folder)
    # A test's database need not outlive the machine; that the real one does is tested on servers of its own.
    patch = pytest.MonkeyPatch()
    patch.setitem(SETTINGS, "fsync", "off")
    try:
        address = asyncio.run(_start(server))
        patch.undo()
        yield address
        asyncio.run(server.stop())
    finally:
        patch.undo()
        shutil.rmtree(folder)


async def _start(server: EmbeddedServer) -> Address:
    address = await server.start()
    await _execute(address, "create database template_tocsin")
    store = await Store.connect(Target.from_url(url(address, "template_tocsin")))
    await store.close()
    return address


def url(address: Address, database: str) -> str:
    """That database of the embedded server, as `store.url` would name it."""
    return f"postgresql://{address.user}@/{database}?host={address.host}"


async def _execute(address: Address, sql: str) -> None:
    connection = await asyncpg.connect(url(address, "postgres"))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def database(embedded: Address) -> AsyncIterator[str]:
    """The URL of an empty, migrated database that only this test uses."""
    name = f"test_{next(_numbers)}"
    await _execute(embedded, f"create database {name} template template_tocsin")
    yield url(embedded, name)
    await _execute(embedded, f"drop database {name} with (force)")


@pytest.fixture
async def empty_database(embedded: Address) -> AsyncIterator[str]:
    """The URL of a database in which nothing has been made yet."""
    name = f"test_{next(_numbers)}"
    await _execute(embedded, f"create database {name}")
    yield url(embedded, name)
    await _execute(embedded, f"drop database {name} with (force)")


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """A Store on an empty database."""
    opened = await Store.connect(Target.from_url(database))
    yield opened
    await opened.close()
