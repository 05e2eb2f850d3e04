"""The webhook under a real uvicorn on loopback, spoken to byte by byte: bodies that lie about their length."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

import pytest
import uvicorn

from tests.builders import signed, snapshot_body
from tests.receive.test_webhook import NOW, Platform

LIMIT = 100_000
DEADLINE = 10


class _Server(uvicorn.Server):
    """uvicorn within the test's own loop, leaving pytest's signal handlers alone."""

    @contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # the parent's is annotated as a generator
        with nullcontext():
            yield


@asynccontextmanager
async def serving(platform: Platform, protocol: str, **options: Any) -> AsyncIterator[int]:
    """The port it is served on."""

    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("only the webhook is asked for")

    app = platform.paths(max_body=LIMIT, **options).ahead_of(nothing)
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, access_log=False)
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(config)
    task = asyncio.ensure_future(server.serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest.fixture(params=["httptools", "h11"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def talk(port: int, *pieces: bytes) -> bytes:
    """Everything the server says to `pieces` until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), DEADLINE)
    finally:
        writer.close()


def head(body: bytes, *lines: str) -> bytes:
    fields = ["POST /webhooks/stripe/ HTTP/1.1", "Host: x", f"Stripe-Signature: {signed(body, timestamp=NOW)}", *lines]
    return "\r\n".join([*fields, "", ""]).encode()


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # what is waited for is a plain counter
            await asyncio.sleep(0.005)


async def test_a_chunked_body_without_a_length_is_accepted(protocol: str) -> None:
    platform = Platform()
    body = snapshot_body()
    async with serving(platform, protocol) as port:
        request = head(body, "Transfer-Encoding: chunked", "Connection: close")
        assert statuses(await talk(port, request, chunked(body[:50], body[50:]))) == [200]
    assert platform.accepted[0].body == body


async def test_a_chunked_body_past_the_cap_is_413_and_the_connection_closed(protocol: str) -> None:
    platform = Platform()
    async with serving(platform, protocol) as port:
        endless = b"%x\r\n%b\r\n" % (LIMIT + 1, b"x" * (LIMIT + 1))  # and never a last chunk
        answer = await talk(port, head(b"", "Transfer-Encoding: chunked"), endless)
    assert statuses(answer) == [413]
    assert b"connection: close" in answer
    assert platform.counts == {("refused", "too_large"): 1}


async def test_a_length_beyond_the_cap_is_refused_without_the_body(protocol: str) -> None:
    """The client has sent no byte of it yet, and is not asked to go on (no 100 Continue)."""
    async with serving(Platform(), protocol) as port:
        answer = await talk(port, head(b"", "Content-Length: 1000000000", "Expect: 100-continue"))
    assert statuses(answer) == [413]


async def test_a_length_shorter_than_the_body_verifies_nothing(protocol: str) -> None:
    platform = Platform()
    body = snapshot_body()
    async with serving(platform, protocol) as port:
        answer = await talk(port, head(body, "Content-Length: 20", "Connection: close"), body)
    assert statuses(answer)[0] == 400
    assert 200 not in statuses(answer)
    assert platform.accepted == []


async def test_a_length_longer_than_the_body_is_a_client_that_went_away(protocol: str) -> None:
    platform = Platform()
    body = snapshot_body()
    async with serving(platform, protocol) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(body, f"Content-Length: {len(body) + 1}") + body)
        await writer.drain()
        writer.close()
        await until(lambda: bool(platform.counts))
    assert platform.counts == {("abandoned", "disconnected"): 1}
    assert platform.accepted == []


async def test_a_body_that_trickles_is_cut_off(protocol: str) -> None:
    platform = Platform()
    async with serving(platform, protocol, body_timeout=0.1) as port:
        answer = await talk(port, head(b"", "Content-Length: 5000"), b"{")
    assert statuses(answer) == [408]
    assert platform.counts == {("refused", "too_slow"): 1}


async def test_many_requests_on_one_connection_are_each_answered(protocol: str) -> None:
    platform = Platform()
    bodies = [snapshot_body() for _ in range(5)]
    requests = [head(body, f"Content-Length: {len(body)}") + body for body in bodies]
    requests.append(head(b"{}", "Content-Length: 2", "Connection: close") + b"{}")
    async with serving(platform, protocol) as port:
        answer = await talk(port, b"".join(requests))
    assert statuses(answer) == [200, 200, 200, 200, 200, 400]
    assert [event.body for event in platform.accepted] == bodies


async def test_head_is_405_without_a_body(protocol: str) -> None:
    async with serving(Platform(), protocol) as port:
        answer = await talk(port, b"HEAD /webhooks/stripe HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(answer) == [405]
    assert b"allow: POST" in answer
    assert answer.endswith(b"\r\n\r\n")
