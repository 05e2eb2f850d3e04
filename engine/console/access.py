"""Who may change something by a request: whoever has the console's token, or without one this machine."""

from urllib.parse import urlsplit

from starlette.requests import Request

from engine.service import Service


def may_operate(request: Request) -> bool:
    """Whether a request may change something, and no page of another site had a browser send it."""
    service: Service = request.app.state.service
    client = request.client.host if request.client else None
    host = request.headers.get("host")
    return service.may_operate(client, request.headers.get("authorization"), host) and not _foreign(request, host)


def _foreign(request: Request, host: str | None) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host
