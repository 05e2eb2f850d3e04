"""One service on a database of its own that can be troubled: stopped, cut off, filled, slowed down."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine.store.cluster import SETTINGS
from engine.store.embedded import Address, EmbeddedServer
from tests.builders import signed, snapshot_body
from tests.crash.ledger import PATIENCE, RULES, Balance, Ledger, until
from tests.crash.service import Service, deployment
from tests.fakes.http_sink import HttpSink, http_sink
from tests.fakes.slow_link import SlowLink, slow_link
from tests.store.conftest import kill_server, postmaster, running

CALLBACK_SECRET = "whsec_" + base64.b64encode(b"crash-test-secret-crash-test").decode()

COMMIT_TIMEOUT = 1.0
SLACK = 3.0
"""Seconds beyond the commit's timeout within which a refusal has to come, on a busy machine."""

OURS = "select pid from pg_stat_activity where application_name like 'tocsin %'"
"""The connections of the service."""

CONNECTIONS = 3 + 2 + 1 + 3
"""What one service may hold in these tests: its pool, two that write of deliveries, the committer's, and one a class of
jobs."""


class Database:
    """A PostgreSQL of the test's own, run as the embedded one is; the service knows it by its URL alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address: Address | None = None
        self._server = EmbeddedServer(folder)

    async def start(self) -> None:
        """Start it, the first time or again."""
        self.address = await self._server.start()

    async def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it as an administrator does; SIGQUIT or SIGKILL: as a crash does."""
        os.kill(postmaster(self.folder), number)
        await until(lambda: not running(self.folder), "PostgreSQL stops")

    async def execute(self, *statements: str) -> None:
        """Run statements, each by itself."""
        async with self.connected() as connection:
            for statement in statements:
                await connection.execute(statement)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """A connection past the link."""
        assert self.address is not None
        connection = await asyncpg.connect(**self.address.arguments())
        try:
            yield connection
        finally:
            await connection.close()

    async def connections(self) -> int:
        """How many connections the service holds."""
        async with self.connected() as connection:
            count: int = await connection.fetchval(f"select count(*) from ({OURS}) as ours")
        return count

    async def terminate(self) -> None:
        """Cut every connection of the service from the inside, as a failover does."""
        await self.execute(f"select pg_terminate_backend(pid) from ({OURS}) as ours")


@dataclass
class Trouble:
    """A service under load, its database, what lies between them, and what it calls back."""

    service: Service
    database: Database
    link: SlowLink
    sink: HttpSink
    ledger: Ledger
    load: contextlib.AsyncExitStack

    async def refuses(self, probes: int = 2) -> None:
        """What is posted now is answered 503, within the bound."""
        for _ in range(probes):
            began = time.monotonic()
            status = await self.service.post(*self._probe(), within=30)
            assert status == 503
            assert time.monotonic() - began < COMMIT_TIMEOUT + SLACK

    def _probe(self) -> tuple[bytes, str]:
        body = snapshot_body("payout.failed", id=self.ledger.key())
        return body, signed(body)

    async def unready(self, why: str, *, of: str = "ingest") -> None:
        """What /readyz says, once it says 503: `why` is in the reason of that check."""
        deadline = time.monotonic() + PATIENCE
        while (answer := await self.service.get("/readyz"))[0] != 503:
            assert time.monotonic() < deadline, "it says that it is not ready"
            await asyncio.sleep(0.05)
        assert why in str(json.loads(answer[1])["checks"][of]["reason"])

    async def over(self) -> Balance:
        """The trouble is over: the same process goes on, holds no more connections than it should, lost nothing."""
        await self.ledger.flows()
        assert self.service.running, "the process is the one that was started"
        await self.service.ready()
        await self._none_leaked()
        assert "Traceback" not in self.service.log, self.service.log
        assert self.service.log.count("\n") < 200, "an outage is a few lines in the log"
        return await self.balance()

    async def _none_leaked(self) -> None:
        """What the service has given up, PostgreSQL may notice a little later."""
        deadline = time.monotonic() + PATIENCE
        while await self.database.connections() > CONNECTIONS:
            assert time.monotonic() < deadline, "connections are leaked"
            await asyncio.sleep(0.1)

    async def balance(self) -> Balance:
        """The ledger, once the load is over and everything acknowledged is delivered."""
        await self.load.aclose()
        assert self.database.address is not None
        balance = await self.ledger.drained(self.sink, self.database.address.arguments())
        balance.holds()
        return balance


def made_home() -> Path:
    """A folder for a database and for the link to it, that every user may enter: the database's is another for root."""
    home = Path(tempfile.mkdtemp(prefix="tocsin-"))
    home.chmod(0o755)
    (home / "link").mkdir()
    return home


@contextlib.asynccontextmanager
async def troubled(
    server: Mapping[str, str] | None = None, data: Path | None = None, **store: Any
) -> AsyncIterator[Trouble]:
    """A service under a light load until the block ends. `server`: settings of PostgreSQL; `data`: where it is."""
    home = made_home()
    database = Database(data or home / "database")
    patch = pytest.MonkeyPatch()
    for name, value in (server or {}).items():
        patch.setitem(SETTINGS, name, value)
    try:
        await database.start()
        assert database.address is not None
        async with http_sink() as sink, slow_link(Path(database.address.host), home / "link") as link:
            config = {
                "store": {
                    "url": f"postgresql://tocsin@/tocsin?host={home}/link",
                    "connections": 3,
                    "connect_timeout": "1s",
                    "statement_timeout": "3s",
                    **store,
                },
                "receive": {"commit_timeout": f"{COMMIT_TIMEOUT:g}s"},
                "callbacks": {"sink": {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}},
            }
            with deployment(RULES, config) as folder:
                service, ledger = Service(folder), Ledger()
                try:
                    service.start()
                    await service.ready()
                    async with contextlib.AsyncExitStack() as load:
                        await load.enter_async_context(ledger.load([service], senders=3))
                        await ledger.flows()
                        yield Trouble(service, database, link, sink, ledger, load)
                finally:
                    service.kill()
    finally:
        patch.undo()
        await asyncio.to_thread(kill_server, database.folder)
        shutil.rmtree(home, ignore_errors=True)
