"""Acting on incidents: `POST /incidents/{id}/ack` and `/resolve` for systems, `/ack/{token}` for who has a message.

A link is only looked at by a GET, which changes nothing: mail scanners follow links. Its page has a button that posts.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from engine.console.access import refusal
from engine.console.page import HEADERS, Page, page
from engine.errors import StoreError
from engine.links import PATH
from engine.model.event import Json
from engine.model.incident import Incident, IncidentStatus
from engine.service import Service
from engine.store.incidents import Acted, Incidents

LARGEST = 8_192
"""Bytes of a request that says who acts and why."""

NAME, COMMENT = 100, 500
"""Characters that are kept of either."""

Action = Callable[[str, str, str | None, datetime], Awaitable[Acted | None]]
"""What may be done to the incident of an id: by whom, with what comment, at what moment."""

_GONE = Page(
    title="This link is no longer good",
    lines=("It is older than a week, or was not copied whole.", "Acknowledge with: tocsin incidents ack"),
)
_AWAY = Page(title="Not now", lines=("The database does not answer. Try again in a minute.",))


async def acknowledge(request: Request) -> Response:
    """Take an incident up, for whoever may operate; the body is `{"by": .., "comment": ..}`. 409 for the second."""
    return await _act(request, lambda incidents: incidents.acknowledge)


async def resolve(request: Request) -> Response:
    """End an incident, in the same way."""
    return await _act(request, lambda incidents: incidents.resolve)


async def _act(request: Request, choose: Callable[[Incidents], Action]) -> Response:
    service: Service = request.app.state.service
    refused = refusal(request)
    if refused is not None:
        return _json({"error": refused}, 403)
    said = await _said(request)
    if said is None:
        return _json({"error": 'expected a JSON body like {"by": "ada", "comment": "on it"}'}, 400)
    by, comment = said
    try:
        acted = await choose(service.store.incidents)(request.path_params["incident"], by, comment, datetime.now(UTC))
    except StoreError as error:
        return _json({"error": str(error)}, 503)
    if acted is None:
        return _json({"error": "there is no such incident"}, 404)
    told = {"changed": acted.changed, "incident": as_content(acted.incident)}
    return _json(told if acted.changed else {"error": standing(acted.incident), **told}, 200 if acted.changed else 409)


async def look(request: Request) -> Response:
    """The page of a link: what goes on, and the button."""

    async def shown(service: Service, incident: Incident) -> Page:
        if incident.status is not IncidentStatus.OPEN:
            return _page(incident, standing(incident))
        return _page(incident, f"{incident.rule} about {incident.about}", form=True)

    return await _linked(request, shown)


async def take(request: Request) -> Response:
    """The button of that page."""
    body = await _body(request)
    fields = {} if body is None else parse_qs(body.decode("utf-8", "replace"))
    by = _line(fields.get("by", [""])[0], NAME) or "somebody with the message"
    comment = _line(fields.get("comment", [""])[0], COMMENT) or None

    async def taken(service: Service, incident: Incident) -> Page:
        acted: Acted | None = await service.store.incidents.acknowledge(incident.id, by, comment, datetime.now(UTC))
        if acted is None:
            return _GONE
        if acted.changed:
            return _page(acted.incident, "Acknowledged. Nothing escalates any more.")
        return _page(acted.incident, standing(acted.incident))

    return await _linked(request, taken)


ROUTES = [
    Route("/incidents/{incident}/ack", acknowledge, methods=["POST"]),
    Route("/incidents/{incident}/resolve", resolve, methods=["POST"]),
    Route(PATH + "/{token}", look, methods=["GET"]),
    Route(PATH + "/{token}", take, methods=["POST"]),
]


def as_content(incident: Incident) -> dict[str, Json]:
    """An incident as JSON."""
    left_out = ("cell", "key", "matched", "same", "told")
    return {name: value for name, value in asdict(incident).items() if name not in left_out}


def standing(incident: Incident) -> str:
    """Why there is nothing to do: who was first."""
    if incident.status is IncidentStatus.RESOLVED:
        return f"Resolved at {_at(incident.resolved)} by {incident.resolved_by or incident.reason}"
    comment = f": {incident.comment}" if incident.comment else ""
    return f"{incident.acknowledged_by} was first, at {_at(incident.acknowledged)}{comment}"


async def _linked(request: Request, answer: Callable[[Service, Incident], Awaitable[Page]]) -> Response:
    service: Service = request.app.state.service
    token = request.path_params["token"]
    id_ = None if service.links is None else service.links.read(token, datetime.now(UTC))
    try:
        incident = None if id_ is None else await service.store.incidents.get(id_)
        found = _GONE if incident is None else await answer(service, incident)
    except StoreError:
        return HTMLResponse(page(_AWAY), 503, HEADERS)
    return HTMLResponse(page(found), 404 if found is _GONE else 200, HEADERS)


def _page(incident: Incident, what: str, *, form: bool = False) -> Page:
    now = datetime.now(UTC)
    return Page(
        title=what,
        lines=(
            f"{incident.id} · {incident.severity}" + ("" if incident.livemode else " · test mode"),
            *(() if form else (f"Rule: {incident.rule}", f"About: {incident.about}")),
            f"Opened: {_at(incident.opened)} by {incident.first_type}",
            f"Matches: {incident.count:,}, the last {_at(incident.last)}",
        ),
        status=str(incident.status),
        form=form,
        at=_at(now),
    )


def _at(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%-d %b %Y %H:%M} UTC"


async def _body(request: Request) -> bytes | None:
    """What was sent, None where it is too large."""
    found = b""
    async for part in request.stream():
        found += part
        if len(found) > LARGEST:
            return None
    return found


async def _said(request: Request) -> tuple[str, str | None] | None:
    """Who acts, and the comment; None for what is no such JSON."""
    body = await _body(request)
    try:
        said: Any = orjson.loads(body or b"{}") if body is not None else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or not all(isinstance(each, str | None) for each in said.values()):
        return None
    if not said.keys() <= {"by", "comment"}:
        return None
    return _line(said.get("by") or "", NAME) or "api", _line(said.get("comment") or "", COMMENT) or None


def _line(text: str, longest: int) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:longest]


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content, default=str), status, media_type="application/json")
