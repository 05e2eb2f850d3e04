"""The ASGI application of `uvicorn engine.main:app`: routes and lifespan, no logic."""

import multiprocessing
import sys
import traceback
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from engine import wiring
from engine.console import incidents
from engine.console.access import refusal
from engine.errors import ConfigError, TocsinError
from engine.observe import logs
from engine.observe.outlet import Piece, outlet
from engine.service import Service


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")


async def healthz(request: Request) -> Response:
    """Alive: this process answers."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Ready: events can be stored and alerts delivered; the reasons when not."""
    health = await _service(request).health()
    return _json(health.as_json(), 200 if health.ready else 503)


async def metrics(request: Request) -> Response:
    """What Prometheus reads."""
    body, content_type = await _service(request).scrape()
    return Response(body, media_type=content_type)


async def reload(request: Request) -> Response:
    """Read the rules again now; answers what became of each file."""
    service = _service(request)
    refused = refusal(request)
    if refused is not None:
        return _json({"error": refused}, 403)
    report = await service.reload()
    return _json(report.as_json(), 200 if report.ok else 422)


def _print(text: str) -> None:
    """To standard output, without waiting for whoever reads it."""
    way = outlet(sys.stdout)
    if way is None:
        print(text, flush=True)
    else:
        way.put(Piece(f"{text}\n"))


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


class Application:
    """Webhooks are dispatched by path ahead of the router; everything else is Starlette's."""

    def __init__(self) -> None:
        self._service: Service | None = None
        self._site = Starlette(
            routes=[
                Route("/healthz", healthz),
                Route("/readyz", readyz),
                Route("/metrics", metrics),
                Route("/-/reload", reload, methods=["POST"]),
                *incidents.ROUTES,
            ]
        )
        self._site.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] == "http" and self._service is not None:
            webhook = self._service.webhooks.at(scope["path"])
            if webhook is not None:
                await webhook(scope, receive, send)
                return
        await self._site(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Starts and stops the service; a mistake in the configuration is told as such, without a traceback."""
        await receive()
        try:
            service = await wiring.start()
        except TocsinError as error:
            print(wiring.explain_failure(error), file=sys.stderr)
            reason = "the configuration has mistakes" if isinstance(error, ConfigError) else "Tocsin could not start"
            await send({"type": "lifespan.startup.failed", "message": reason})
            return
        except Exception as error:  # raised on, uvicorn would take it for an application without lifespan, and serve
            traceback.print_exception(error)
            await send({"type": "lifespan.startup.failed", "message": "Tocsin could not start"})
            return
        self._service = self._site.state.service = service
        if multiprocessing.parent_process() is None:  # of several workers none is the one to say it
            _print(service.banner())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await service.stop()
        logs.finish()
        await send({"type": "lifespan.shutdown.complete"})


app = Application()
