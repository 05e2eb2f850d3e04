"""A real HTTP/1.1 server on loopback that records what it is sent and misbehaves on request.

    async with http_sink() as sink:
        sink.say(Answer(status=503), Hang(), Answer())     # one a request, in order; then 200 for ever
        ... something posts to sink.url("/hook") ...
        [first, *_] = await sink.received(3)               # waits, with a deadline
        assert first.headers["webhook-id"] == ...

`sink.always(...)` sets what is said once the queue is empty. Nothing outlives the `async with`.
"""

import asyncio
import contextlib
import json
import socket
import struct
import weakref
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request. Header names are in lower case; `connection` numbers the connections from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    at: float

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A plain answer. `after` seconds pass before it, `keep` keeps the connection open for the next request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Hang:
    """Reads the request and never answers. `with_head`: sends the head of a 200 first, and never its body."""

    with_head: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """Reads the request and resets the connection."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Reads the request and closes the connection without a word."""


@dataclass(frozen=True, slots=True)
class StaleOnce:
    """Answers 200, keeps the connection, and closes it without a word when the next request comes over it."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Sends the head of a 200 and then its body a byte at a time, for ever."""

    every: float = 0.05


@dataclass(frozen=True, slots=True)
class Flood:
    """Sends a body of that many bytes, as fast as it is taken."""

    size: int = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Garbage:
    """Answers something that is not HTTP."""


Behaviour = Answer | Hang | Reset | Hangup | StaleOnce | Drip | Flood | Garbage


def redirect(to: str, status: int = 302) -> Answer:
    """A redirect to `to`."""
    return Answer(status=status, headers={"location": to})


def limited(retry_after: str | None = None) -> Answer:
    """A 429; `retry_after` is seconds or an HTTP date."""
    return Answer(status=429, headers={} if retry_after is None else {"retry-after": retry_after})


def refused_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class HttpSink:
    """The running sink; made by `http_sink()`."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.written = 0
        """Bytes of floods that the other side's system has taken."""
        self.port = 0
        self._queue: deque[Behaviour] = deque()
        self._always: Behaviour = Answer()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()
        self._arrived = asyncio.Event()

    def url(self, path: str = "/", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """The address of the sink."""
        return f"{scheme}://{host}:{self.port}{path}"

    def say(self, *behaviours: Behaviour) -> None:
        """What to do with the next requests, one each."""
        self._queue.extend(behaviours)

    def always(self, behaviour: Behaviour) -> None:
        """What to do once nothing else is queued."""
        self._always = behaviour

    async def received(self, count: int, within: float = 5) -> list[Received]:
        """The requests so far, once there are at least `count`; TimeoutError when they do not come in time."""
        async with asyncio.timeout(within):
            while len(self.requests) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return list(self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side has enough."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._talk(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the other side has left, or `close` ends what hangs
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        """End every connection, the hanging ones too."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            received = await _read(reader, number)
            if received is None:
                writer.write(_head(400, {}))
                return
            self.requests.append(received)
            self._arrived.set()
            behaviour = self._queue.popleft() if self._queue else self._always
            if not await self._behave(behaviour, reader, writer):
                return

    async def _behave(self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        match behaviour:
            case Answer():
                await asyncio.sleep(behaviour.after)
                await _send(writer, behaviour)
                return behaviour.keep
            case StaleOnce():
                await _send(writer, Answer())
                await reader.readuntil(b"\r\n\r\n")
            case Hang(with_head):
                if with_head:
                    writer.write(_head(200, {"content-length": "10"}))
                    await writer.drain()
                await asyncio.Event().wait()
            case Reset():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            case Drip(every):
                writer.write(_head(200, {"content-length": "100000"}))
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(every)
            case Flood(size):
                await self._flood(writer, size)
            case Garbage():
                writer.write(b"this is not HTTP\r\n\r\n")
                await writer.drain()
            case Hangup():
                pass
        return False

    async def _flood(self, writer: asyncio.StreamWriter, size: int) -> None:
        writer.write(_head(200, {"content-length": str(size)}))
        chunk = b"x" * 65536
        for _ in range(size // len(chunk)):
            writer.write(chunk)
            await writer.drain()
            self.written += len(chunk)


async def _read(reader: asyncio.StreamReader, number: int) -> Received | None:
    """One request; None for a TLS handshake, which a plain server takes for a bad request."""
    first_byte = await reader.readexactly(1)
    if first_byte == b"\x16":
        await reader.read(65536)
        return None
    head = (first_byte + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    at = asyncio.get_running_loop().time()
    return Received(method=method, path=path, headers=headers, body=body, connection=number, at=at)


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    if not answer.keep:
        headers["connection"] = "close"
    writer.write(_head(answer.status, headers) + answer.body)
    await writer.drain()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@contextlib.asynccontextmanager
async def http_sink(*, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[HttpSink]:
    """A running sink, on a free port unless one is given."""
    sink = HttpSink()
    server = await asyncio.start_server(sink.serve, host, port, limit=16 * 1024 * 1024)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        await sink.close()
        await server.wait_closed()
