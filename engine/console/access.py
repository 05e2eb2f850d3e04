"""Who may change something by a request: whoever has the console's token, or without one this machine."""

from urllib.parse import urlsplit

from starlette.requests import Request

from engine.service import Service


def refusal(request: Request) -> str | None:
    """Why a request may change nothing, and what to do about it; None: it may, and no page of another site had a
    browser send it."""
    service: Service = request.app.state.service
    client = request.client.host if request.client else None
    host = request.headers.get("host")
    refused = service.refusal(client, request.headers.get("authorization"), host)
    if refused is None and _foreign(request, host):
        return "the Origin of the request is another site than its Host"
    return refused


def _foreign(request: Request, host: str | None) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host
