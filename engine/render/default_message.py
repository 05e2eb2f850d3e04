"""The message of a rule without a text: what happened, to whom, how much, why, by when, and where to look."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engine.model.event import Json
from engine.model.outcome import Scene
from engine.render.course import course_lines, course_title, is_over
from engine.render.dashboard import owner_of, url_of
from engine.render.facts import amount_of, facts_of, failure_of, is_fact
from engine.render.headlines import headline
from engine.render.message import Message
from engine.render.reading import at, identifier, money, requirement, text, when
from engine.render.text import MAX_TITLE, TEST

MOST_CHANGES = 6

# What to do next, where Stripe's documentation or plain practice says so.
_ADVICE = {
    "payout.failed": "Stripe pays out to this bank account again only after the account has updated it.",
    "charge.dispute.created": "Evidence can be submitted once; without it the dispute is lost at the deadline.",
    "radar.early_fraud_warning.created": "A refund now usually avoids the dispute that follows.",
    "account.application.deauthorized": "The platform can no longer act for this account.",
    "refund.failed": "The money is back in the Stripe balance: pay the customer another way.",
}

# Changes that say nothing to people.
_NOISE = frozenset({"updated", "latest_revision", "version", "errors", "details", "details_code"})


def default_message(scene: Scene) -> Message:
    """A title of one line and a few lines of text for any event. Never raises, whatever JSON the event carries.

    The title starts with `[TEST] ` for test events; the text ends with the Dashboard link and the rule.
    """
    event, found = _map(scene.get("event")), _map(scene.get("object"))
    type_ = text(event.get("base_type")) or text(event.get("type")) or ""
    changed = _map(scene.get("changed"))
    what = headline(type_, found, changed, amount_of(found))
    account = _map(scene.get("account"))
    name = text(account.get("name")) or text(account.get("id"))
    failed = _map(scene.get("failed"))
    lines = [
        _failure(failed),
        *course_lines(scene),
        _line("Account", text(account.get("label")) or name),
        _line("Reason", failure_of(found)),
        *facts_of(found, _now(scene)),
        *_related(event, found),
        *_changes(changed, found),
        None if is_over(scene) else _ADVICE.get(type_),
        _link(event, found),
        source_line(event, _map(scene.get("rule"))),
    ]
    prefix = TEST if event.get("livemode") is False else ""
    what = (
        f"Not done: {text(failed.get('verb'))} {text(failed.get('destination'))} · {what}"
        if failed
        else course_title(scene, what)
    )
    title = _cut(f"{what} · {name}" if name else what, MAX_TITLE - len(prefix))
    return Message(title=prefix + title, text="\n".join(line for line in lines if line))


def _failure(failed: Mapping[str, Json]) -> str | None:
    """What a message of `on_failure` is about first of all."""
    if not failed:
        return None
    tries = failed.get("attempts")
    after = f" after {tries} attempts" if isinstance(tries, int) and tries > 1 else ""
    return _line("Failed", f"step {text(failed.get('step'))}{after}: {text(failed.get('reason')) or 'no reason given'}")


def _now(scene: Scene) -> datetime:
    now = scene.get("now")
    return now if isinstance(now, datetime) else datetime.now(UTC)


def _map(value: Any) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _line(label: str, value: str | None) -> str | None:
    return f"{label}: {value}" if value else None


def _cut(line: str, length: int) -> str:
    line = " ".join(line.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _related(event: Mapping[str, Json], found: Mapping[str, Json]) -> list[str]:
    """What a thin event points at, since it carries nothing else."""
    related = _map(event.get("related_object"))
    about = identifier(related)
    if found or about is None:
        return []
    return [f"About: {text(related.get('type')) or 'object'} {about}"]


def _changes(changed: Mapping[str, Any], found: Mapping[str, Json]) -> list[str]:
    lines = []
    for path, change in changed.items():
        if str(path).rpartition(".")[2] in _NOISE or not isinstance(change, Mapping):
            continue
        old, new = change.get("old"), change.get("new")
        if old in (None, []) and new is not None and is_fact(found, str(path)):
            continue
        shown = _change(str(path), old, new, found)
        if shown:
            lines.append(f"Changed: {_cut(str(path), 80)}: {shown}")
    more = len(lines) - MOST_CHANGES
    return lines[:MOST_CHANGES] + ([f"… and {more} more"] if more > 0 else [])


def _change(path: str, old: Json, new: Json, found: Mapping[str, Json]) -> str | None:
    if isinstance(old, list) or isinstance(new, list):
        return _list_change(old, new)
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        return "changed"
    before, after = _value(path, old, found), _value(path, new, found)
    return f"{before} → {after}" if before != after else None


def _value(path: str, value: Json, found: Mapping[str, Json]) -> str:
    if value is None:
        return "(none)"
    name = path.rpartition(".")[2]
    if name.startswith("amount"):
        return money(value, at(found, "currency")) or text(value) or '""'
    if name.endswith(("_at", "_by", "_date", "deadline", "_end", "_start")):
        return when(value) or text(value) or '""'
    return text(value) or '""'


def _list_change(old: Json, new: Json) -> str | None:
    before, after = _texts(old), _texts(new)
    if before is None or after is None:
        return "changed"
    added = [item for item in after if item not in before]
    gone = [item for item in before if item not in after]
    parts = [f"{sign} {', '.join(items[:6])}" for sign, items in (("+", added), ("-", gone)) if items]
    return _cut("; ".join(parts), 240) or None


def _texts(value: Json) -> list[str] | None:
    items = value if isinstance(value, list) else [] if value is None else [value]
    lines = [requirement(item) for item in items[:100]]
    return None if any(isinstance(item, Mapping | list) for item in items[:100]) else [line for line in lines if line]


def _link(event: Mapping[str, Json], found: Mapping[str, Json]) -> str | None:
    target: Any = found or _map(event.get("related_object"))
    livemode = event.get("livemode") is not False
    return url_of(target, account=owner_of(event), livemode=livemode) or text(event.get("url"))


def source_line(event: Mapping[str, Json], rule: Mapping[str, Json]) -> str | None:
    """Which rule spoke, for whom it speaks, and the event to ask `tocsin explain` about."""
    name = text(rule.get("id"))
    parts = [f"Rule: {name} ({text(rule.get('severity')) or 'medium'})"] if name else []
    parts += [f"{label}: {value}" for label in ("owner", "runbook") if (value := text(rule.get(label)))]
    identifier_ = text(event.get("id"))
    return " · ".join([*parts, *([f"event: {identifier_}"] if identifier_ else [])]) or None
