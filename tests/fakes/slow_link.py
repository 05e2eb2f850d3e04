"""A link to a PostgreSQL on a unix socket that can be slow, silent or cut.

async with slow_link(sockets, folder) as link:     # folder/.s.PGSQL.5432 leads to sockets/.s.PGSQL.5432
    link.delay = 0.4                                # seconds that everything takes, in both directions
    link.silent = True                              # nothing arrives any more, and nothing is closed
    link.cut()                                      # every connection is reset
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

NAME = ".s.PGSQL.5432"


class SlowLink:
    """The running link; made by `slow_link()`."""

    def __init__(self, sockets: Path) -> None:
        self.delay = 0.0
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._target = sockets / NAME
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many connections go through it."""
        return len(self._writers) // 2

    @property
    def silent(self) -> bool:
        """Whether nothing arrives any more."""
        return not self._speaks.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self._speaks.clear()
        else:
            self._speaks.set()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        beyond: asyncio.StreamWriter | None = None
        try:
            answers, beyond = await asyncio.open_unix_connection(str(self._target))
            self._writers |= {writer, beyond}
            ways = {asyncio.create_task(self._carry(reader, beyond)), asyncio.create_task(self._carry(answers, writer))}
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # nobody is there, or the link is closed
        finally:
            for each in (writer, beyond):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()
            self._tasks.discard(task)

    async def close(self) -> None:
        """End every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._speaks.wait()
            writer.write(chunk)
            await writer.drain()


@contextlib.asynccontextmanager
async def slow_link(sockets: Path, folder: Path) -> AsyncIterator[SlowLink]:
    """A running link: `folder` is used as `sockets` is."""
    link = SlowLink(sockets)
    server = await asyncio.start_unix_server(link.serve, str(folder / NAME))
    try:
        yield link
    finally:
        server.close()
        await link.close()
        await server.wait_closed()
