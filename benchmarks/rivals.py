"""What Tocsin is measured beside, each an ASGI application that uvicorn serves with the same options.

bare          answers, and does nothing else: the ceiling of server and load generator
verifying     a Starlette route that verifies and parses, and stores nothing
hand_written  what one writes in an afternoon: the SDK's construct_event, and an insert per request
forwarding    hands the body on over aiohttp, and remembers nothing
"""

import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import orjson
import stripe
from bodies import SECRET
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.errors import SignatureError
from engine.receive.signature import verify

PATH = "/webhooks/stripe"
_ANSWER = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and answers 200."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _ANSWER})
    await send({"type": "http.response.body", "body": b"{}"})


async def _lifespan(receive: Any, send: Any) -> None:
    for said in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{said}.complete"})


async def _verify(request: Request) -> Response:
    body = await request.body()
    try:
        verify(body, request.headers.get("stripe-signature"), [SECRET.encode()], now=time.time())
        event = orjson.loads(body)
    except (SignatureError, ValueError):
        return JSONResponse({"error": "refused"}, 400)
    return JSONResponse({"received": event["id"]})


verifying = Starlette(routes=[Route(PATH, _verify, methods=["POST"])])


@contextlib.asynccontextmanager
async def _pool(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(**json.loads(os.environ["BENCHMARK_DATABASE"])) as pool:
        columns = "id text primary key, type text not null, account text, body jsonb not null"
        await pool.execute(f"create table if not exists hand_written ({columns})")
        app.state.pool = pool
        yield


async def _insert(request: Request) -> Response:
    body = await request.body()
    try:
        event = stripe.Webhook.construct_event(body, request.headers.get("stripe-signature"), SECRET)
    except (ValueError, stripe.SignatureVerificationError):
        return JSONResponse({"error": "refused"}, 400)
    await request.app.state.pool.execute(
        "insert into hand_written values ($1, $2, $3, $4) on conflict do nothing",
        *(event.id, event.type, event.account, body.decode()),
    )
    return JSONResponse({"received": event.id})


hand_written = Starlette(routes=[Route(PATH, _insert, methods=["POST"])], lifespan=_pool)


@contextlib.asynccontextmanager
async def _session(app: Starlette) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as session:
        app.state.session = session
        yield


async def _forward(request: Request) -> Response:
    body = await request.body()
    async with request.app.state.session.post(os.environ["BENCHMARK_SINK"], data=body) as answer:
        await answer.read()
    return JSONResponse({"received": True})


forwarding = Starlette(routes=[Route(PATH, _forward, methods=["POST"])], lifespan=_session)
