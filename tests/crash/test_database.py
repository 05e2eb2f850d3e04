"""A database in trouble: receivers answer 503 within a bound and never 200, workers wait, and both resume."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.crash.ledger import PATIENCE, RULES, Ledger, until
from tests.crash.service import Service, deployment, embedded_database, kill_database
from tests.crash.trouble import CALLBACK_SECRET, OURS, Database, Trouble, troubled
from tests.fakes.http_sink import http_sink

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def trouble() -> AsyncIterator[Trouble]:
    """A service under load on a database of its own."""
    async with troubled() as under_load:
        yield under_load


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
async def test_a_database_that_is_down_for_a_while(trouble: Trouble, how: signal.Signals) -> None:
    """Stopped in order or at once; everybody waits until it is started again."""
    await trouble.database.stop(how)
    await trouble.refuses()
    await trouble.database.start()
    await trouble.over()


async def test_a_restart(trouble: Trouble) -> None:
    """Down for the time that a restart takes: what arrives meanwhile may well be acknowledged, a little later."""
    await trouble.database.stop()
    await trouble.database.start()
    await trouble.over()


async def test_connections_that_are_cut(trouble: Trouble) -> None:
    """By the server, as in a failover, and by the network, again and again."""
    for _ in range(5):
        await trouble.database.terminate()
        await trouble.ledger.flows(5)
        trouble.link.cut()
        await trouble.ledger.flows(5)
    await trouble.over()


async def test_a_database_that_may_only_be_read(trouble: Trouble) -> None:
    """A standby after a failover: it answers everything but writes."""
    await trouble.database.execute("alter system set default_transaction_read_only = on", "select pg_reload_conf()")
    await trouble.refuses()
    await trouble.unready("read-only transaction")
    await trouble.unready("its transactions are read-only", of="store")
    await trouble.database.execute(
        "set default_transaction_read_only = off",
        "alter system reset default_transaction_read_only",
        "select pg_reload_conf()",
    )
    await trouble.over()


async def test_a_database_without_a_connection_to_spare() -> None:
    """Others hold all of them when the service has lost its own."""
    async with troubled({"max_connections": "20", "superuser_reserved_connections": "0"}) as trouble:
        async with contextlib.AsyncExitStack() as others:
            await take_all(trouble.database, others)
            await trouble.refuses()
        await trouble.over()


async def take_all(database: Database, others: contextlib.AsyncExitStack) -> None:
    """Take every connection there is, those of the service too, however often it is faster."""
    assert database.address is not None
    first: asyncpg.Connection[asyncpg.Record] | None = None
    deadline = time.monotonic() + PATIENCE
    while first is None or await first.fetchval(f"select count(*) from ({OURS}) as ours"):
        assert time.monotonic() < deadline, "all connections can be taken"
        if first is not None:
            await first.execute(f"select pg_terminate_backend(pid) from ({OURS}) as ours")
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                made = await asyncpg.connect(**database.address.arguments())
                others.push_async_callback(made.close)
                first = first or made


async def test_a_database_that_is_slow(trouble: Trouble) -> None:
    """Slow: answered in time, one way or the other. Slower than the bound: refused. Silent: refused too."""
    trouble.link.delay = 0.2
    await trouble.ledger.flows(5)
    trouble.link.delay = 5
    await trouble.refuses()
    trouble.link.delay = 0
    await trouble.ledger.flows()
    trouble.link.silent = True
    await trouble.refuses()
    trouble.link.silent = False
    await trouble.over()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own with room for little more than a fresh cluster."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system to fill")
    folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", str(folder)], check=False)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # PostgreSQL's last process may not be gone yet
        folder.rmdir()


async def test_a_full_disk(small_disk: Path) -> None:
    """Nothing is acknowledged that has no room; when there is room again, all goes on."""
    async with troubled({"max_wal_size": "64MB"}, data=small_disk / "data") as trouble:
        filler = small_disk / "filler"
        deadline = time.monotonic() + PATIENCE
        while await trouble.ledger.post(trouble.service, trouble.ledger.key()) != 503:
            fill(filler)  # again: PostgreSQL still finds room in files that it has already
            assert time.monotonic() < deadline, "a full disk is noticed"
        await trouble.refuses()
        await trouble.unready("No space left on device")
        filler.unlink()
        await trouble.over()


async def test_the_embedded_database_on_a_full_disk(small_disk: Path) -> None:
    """When it dies there, it cannot start again until there is room; that is tried, and said once."""
    async with http_sink() as sink:
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            (folder / "data").symlink_to(small_disk)
            filler, service, ledger = small_disk / "filler", Service(folder), Ledger()
            try:
                service.start()
                await service.ready()
                async with ledger.load([service], senders=2):
                    await ledger.flows()
                    fill(filler)
                    kill_database(folder)
                    await until(lambda: "database_not_recovered" in service.log, "it cannot start")
                    refused = ledger.refused[503]
                    await until(lambda: ledger.refused[503] > refused, "nothing is acknowledged", within=20)
                    filler.unlink()
                    await ledger.flows()
                assert service.log.count("database_not_recovered") == 1
                (await ledger.drained(sink, embedded_database(folder))).holds()
            finally:
                service.kill()
                kill_database(folder)


def fill(filler: Path) -> None:
    """Take all the room that is left."""
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65536)


async def test_a_service_started_while_the_database_is_away_waits_for_it() -> None:
    """Whoever starts it again and again has nothing to do; nobody listens meanwhile, so nothing is refused either."""
    async with troubled() as trouble:
        await trouble.load.aclose()
        await trouble.database.stop()
        assert trouble.service.terminate() is not None
        trouble.service.start()
        await until(lambda: "waiting_for_database" in trouble.service.log, "it says that it waits")
        await trouble.database.start()
        await trouble.service.ready()
        await trouble.balance()
