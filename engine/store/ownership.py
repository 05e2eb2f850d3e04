"""Which processes use the embedded server, told by two file locks: whoever leaves last stops it.

The gate is held exclusively while the server is being started, adopted or stopped. The users lock is held shared
by every process that uses the server; who leaves takes the gate and tries the users lock exclusively: if that works,
nobody else is left. The kernel releases both when a process dies, however it dies.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

from engine.errors import EmbeddedServerError

PATIENCE = 60.0
"""Seconds to wait for a gate that another process holds; a first start takes it for about two."""


class Ownership:
    """One process's part in the two locks of one `data` folder. Not to be shared between event loops."""

    def __init__(self, data: Path) -> None:
        self._gate_path = data / "postgres.gate"
        self._users_path = data / "postgres.users"
        self._users: int | None = None

    @contextlib.asynccontextmanager
    async def gate(self, patience: float = PATIENCE) -> AsyncIterator[None]:
        """Nobody else starts, adopts or stops the server meanwhile. Raises EmbeddedServerError if it stays shut."""
        file = _open(self._gate_path)
        try:
            deadline = asyncio.get_running_loop().time() + patience
            while not _try_lock(file):
                if asyncio.get_running_loop().time() > deadline:
                    raise EmbeddedServerError(f"another process has held {self._gate_path} for {patience:.0f} seconds")
                await asyncio.sleep(0.01)
            yield
        finally:
            os.close(file)

    def join(self) -> None:
        """Become a user of the server; only with the gate held, so it never waits. Twice is once."""
        if self._users is None:
            self._users = _open(self._users_path)
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Be no user any more; only with the gate held. True: that was the last one."""
        if self._users is None:
            return False
        last = _try_lock(self._users)
        self.abandon()
        return last

    def abandon(self) -> None:
        """Be no user any more, without asking who is left."""
        if self._users is not None:
            os.close(self._users)
            self._users = None


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedServerError(
            f"{path} cannot be opened ({error.strerror}): run as the owner of {path.parent}, or choose another `data`"
        ) from error
