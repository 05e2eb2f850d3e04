"""What the default message says of an incident, or of a reminder, beside what happened."""

from collections.abc import Mapping
from typing import Any

from engine.model.event import Json
from engine.model.incident import Stage
from engine.model.outcome import Scene
from engine.render.facts import amount_of
from engine.render.headlines import headline
from engine.render.reading import text


def course_title(scene: Scene, what: str) -> str:
    """The headline, with how it stands: `Resolved: ..`, `Due in 3 days: ..`. An end is told by what began."""
    reminder, incident = _map(scene.get("reminder")), _map(scene.get("incident"))
    if reminder:
        left = text(reminder.get("left")) or ""
        return f"{'Was due' if left.endswith('ago') else 'Due'} {left}: {what}"
    match incident.get("stage"):
        case Stage.UPDATED:
            return f"Still open, {_times(incident)}: {what}"
        case Stage.ESCALATED:
            return f"Not acknowledged for {text(incident.get('duration'))}: {what}"
        case Stage.RESOLVED:
            return f"Resolved: {_first(incident) or what}"
        case _:
            return what


def course_lines(scene: Scene) -> list[str]:
    """How long an incident goes on, how often it was seen, and who is at it."""
    incident = _map(scene.get("incident"))
    name, duration = text(incident.get("id")), text(incident.get("duration"))
    if not name:
        return []
    times = _times(incident)
    who, comment = text(incident.get("acknowledged_by")), text(incident.get("comment"))
    taken = f", acknowledged by {who}" + (f" ({comment})" if comment else "") if who else ""
    stage = incident.get("stage")
    if stage == Stage.RESOLVED:
        by, reason = text(incident.get("resolved_by")), text(incident.get("reason"))
        why = ": ".join(filter(None, (by, reason))) or "by hand"
        return [f"Resolved: {name} after {duration}, {times}{taken}", f"Resolved by: {why}" if by else f"Why: {why}"]
    how = [] if incident.get("url") or taken else [f"Acknowledge: tocsin incidents ack {name}"]
    if stage == Stage.OPENED:
        return [f"Incident: {name}, opened now", *how]
    return [f"Incident: {name}, open for {duration}, {times}{taken or ', acknowledged by nobody'}", *how]


def is_over(scene: Scene) -> bool:
    """Whether it is told that something has ended: then there is nothing to do."""
    return _map(scene.get("incident")).get("stage") == Stage.RESOLVED


def acknowledge_line(incident: Mapping[str, Json]) -> str | None:
    """The line with the link that takes an incident up, while nobody has."""
    url = text(incident.get("url"))
    return f"Acknowledge: {url}" if url and incident.get("status") == "open" else None


def _times(incident: Mapping[str, Json]) -> str:
    count = incident.get("count")
    return "1 match" if count == 1 else f"{count:,} matches" if isinstance(count, int) else "matches"


def _first(incident: Mapping[str, Json]) -> str | None:
    """What the first match was, where it is still known."""
    first = _map(incident.get("first"))
    found, type_ = _map(first.get("object")), text(first.get("type"))
    return headline(type_, found, _map(first.get("changed")), amount_of(found)) if type_ else None


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
