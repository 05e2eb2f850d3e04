"""The end of a server closes no connection on which a request is on its way."""

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from engine.connections import PatientProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answer(request: Request) -> PlainTextResponse:
    """Something to ask for."""
    return PlainTextResponse("ok")


async def test_what_was_accepted_before_the_end_may_still_ask() -> None:
    config = uvicorn.Config(
        Starlette(routes=[Route("/", answer)]), http=PatientProtocol, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event to wait for
            await asyncio.sleep(0.01)
        early, talking = [await asyncio.open_connection(*listener.getsockname()) for _ in range(2)]
        talking[1].write(REQUEST)
        assert (await talking[0].readline()).startswith(b"HTTP/1.1 200")
        server.should_exit = True
        await talking[0].read()  # it is closed: the end has begun
        early[1].write(REQUEST)
        assert (await early[0].readline()).startswith(b"HTTP/1.1 200")
        assert (await early[0].read()).endswith(b"ok"), "and is closed then"
        await asyncio.wait_for(serving, 10)
        for _, writer in (early, talking):
            writer.close()
