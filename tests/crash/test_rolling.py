"""Restarting without losing or refusing anything, and ending in order."""

import asyncio
import contextlib
import os
import signal
import socket
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from engine.service import DRAIN, END
from engine.store.postmaster import read_postmaster
from tests.crash.ledger import RULES, Ledger, until
from tests.crash.service import Service, deployment, embedded_database
from tests.crash.trouble import CALLBACK_SECRET
from tests.fakes.http_sink import Answer, http_sink

MINUTES = float(os.environ.get("MINUTES") or 0)

PATIENT = ("--http", "engine.connections:PatientProtocol")

pytestmark = pytest.mark.timeout(180)


async def test_a_rolling_restart_refuses_nothing() -> None:
    """Two processes share a listening socket that outlives them, as systemd gives it; one after the other restarts.

    What comes while one of them ends waits in the socket's queue or goes to the other.
    """
    async with http_sink() as sink:
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}
        with (
            deployment(RULES, {"callbacks": {"sink": callback}}) as folder,
            socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
        ):
            services = [Service(folder, listener=listener, options=PATIENT) for _ in range(2)]
            ledger, ready = Ledger(), 1
            try:
                for service in services:
                    service.start()
                await services[0].ready()
                async with ledger.load(services[:1], senders=8):
                    for service in services * (2 if MINUTES else 1):
                        await ledger.flows()
                        ready += 1
                        await until(partial(said, services[0], ready), "all are ready")
                        assert await asyncio.to_thread(service.terminate) == -signal.SIGTERM
                        service.start()
                        await ledger.flows()
                balance = await ledger.drained(sink, embedded_database(folder))
            finally:
                for service in services:
                    service.kill()
    balance.holds()
    assert balance.refused == {}
    assert balance.repeated == 0, "what is in flight at the end is finished"


def said(service: Service, times: int) -> bool:
    """Whether processes that share its log have become ready so often."""
    return service.log.count("Tocsin is ready") >= times


async def test_uvicorns_workers_are_replaced_on_sighup_without_a_refusal() -> None:
    """The parent keeps the socket and starts each new worker before it ends the old one."""
    async with http_sink() as sink:
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            service = Service(folder, options=[*PATIENT, "--workers", "2", "--timeout-worker-healthcheck", "60"])
            ledger = Ledger()
            try:
                service.start()
                await service.ready()
                await until(lambda: service.log.count("Application startup complete") >= 2, "both are ready")
                async with ledger.load([service], senders=8):
                    await ledger.flows()
                    service.signal(signal.SIGHUP)
                    await until(lambda: service.log.count("Application shutdown complete") >= 2, "both are replaced")
                    await ledger.flows()
                balance = await ledger.drained(sink, embedded_database(folder))
            finally:
                service.terminate()
    balance.holds()
    assert balance.refused == {}


async def test_at_the_end_what_was_read_is_answered_and_what_is_in_flight_is_handed_back() -> None:
    """SIGTERM in the middle of the work, with a destination that hangs: within the bound, and nothing is lost."""
    async with http_sink() as sink:
        sink.always(Answer(after=60))
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True, "timeout": "50s"}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            service, ledger = Service(folder), Ledger()
            try:
                service.start()
                await service.ready()
                async with ledger.load([service], senders=8):
                    await ledger.flows(200)
                    began = asyncio.get_running_loop().time()
                    assert await asyncio.to_thread(service.terminate, 40) == -signal.SIGTERM
                    assert asyncio.get_running_loop().time() - began < (DRAIN + END).total_seconds() + 2
                    sink.always(Answer())
                    service.start()
                balance = await ledger.drained(sink, embedded_database(folder))
                reasons = await attempts(folder)
            finally:
                service.kill()
    balance.holds()
    assert set(balance.refused) <= {None}, "nobody was told that something is wrong"
    stopped = sum(reason == "stopped while waiting for the answer (it may have arrived)" for reason in reasons)
    assert stopped == balance.repeated > 0, "what was made twice is on record, with the reason"


async def attempts(folder: Path) -> list[str]:
    """The reasons of all attempts that failed."""
    connection = await asyncpg.connect(**embedded_database(folder))
    try:
        rows = await connection.fetch("select reason from tocsin.attempts where reason is not null")
    finally:
        await connection.close()
    return [str(row["reason"]) for row in rows]


async def test_what_is_answered_within_the_drain_is_not_made_twice() -> None:
    """A destination that takes its time, within what it may take by default, and an orderly restart meanwhile."""
    async with http_sink() as sink:
        sink.always(Answer(after=9))
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            service, ledger = Service(folder), Ledger()
            try:
                service.start()
                await service.ready()
                assert await ledger.post(service, ledger.key()) == 200
                await until(lambda: len(sink.requests) == 1, "it is sent")
                assert await asyncio.to_thread(service.terminate, 60) == -signal.SIGTERM
                service.start()
                await service.ready()
                balance = await ledger.drained(sink, embedded_database(folder))
                assert await attempts(folder) == []
            finally:
                service.kill()
    balance.holds()
    assert balance.repeated == 0


@pytest.mark.parametrize("whole", [False, True], ids=["postmaster", "all of it"])
async def test_an_embedded_database_that_stands_still_does_not_keep_it_from_ending(whole: bool) -> None:
    """With a delivery under way; what was acknowledged is there at the next start, and is delivered."""
    async with http_sink() as sink:
        sink.always(Answer(after=60))
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True, "timeout": "50s"}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            service, ledger = Service(folder), Ledger()
            try:
                service.start()
                await service.ready()
                for _ in range(20):
                    assert await ledger.post(service, ledger.key()) == 200
                await until(lambda: len(sink.requests) > 0, "one is under way")
                stopped = processes(folder) if whole else processes(folder)[:1]
                for pid in stopped:
                    os.kill(pid, signal.SIGSTOP)
                began = asyncio.get_running_loop().time()
                assert await asyncio.to_thread(service.terminate, 90) == -signal.SIGTERM
                took = asyncio.get_running_loop().time() - began
                assert took < (DRAIN + END).total_seconds() + 2
                for pid in stopped:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
                sink.always(Answer())
                service.start()
                await service.ready()
                balance = await ledger.drained(sink, embedded_database(folder))
            finally:
                service.kill()
    balance.holds()


def processes(folder: Path) -> list[int]:
    """The embedded server's, the postmaster first."""
    found = read_postmaster((folder / "data" / "postgres").resolve() / "cluster")
    assert found is not None
    children = Path(f"/proc/{found.pid}/task/{found.pid}/children").read_text().split()
    return [found.pid, *map(int, children)]
