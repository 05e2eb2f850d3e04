"""What is read from Stripe for an event before rules are judged on it, and the event as a rule then sees it.

What was read is kept with the event as `fetched`, by what was asked for: `object`, `object:requirements` (with what was
included), `id:charge` (the object of the id at that path), `account` (the account that the event is about).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.model.event import Event, Json

if TYPE_CHECKING:
    from engine.model.rule import Rule, When

ACCOUNT = "account"
OBJECT = "object"
ID = "id:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What a `when` wants read: the event's object as it is now, with what is to be included in it (API v2), or the
    objects of the ids at dotted paths of the event's object; and whether it asks for fields of the event's account."""

    object: bool = False
    include: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    account: bool = False

    @property
    def object_need(self) -> str:
        """What is asked for where the object is."""
        return f"{OBJECT}:{','.join(self.include)}" if self.include else OBJECT

    def needs(self, event: Event) -> tuple[str, ...]:
        """What has to be read for this event, as far as is known yet: the ids of an object when that has been read. A
        path at which there is no id has nothing to be read."""
        known = (event.fetched or {}).get(self.object_need, event.object) if self.object else event.object
        found = tuple(f"{ID}{path}" for path in self.ids if isinstance(at(known, path), str))
        found = (self.object_need, *found) if self.object else found
        return (ACCOUNT, *found) if self.account and event.account is not None else found

    def missing(self, event: Event) -> tuple[str, ...]:
        """What of that has not been read yet."""
        have = event.fetched or {}
        return tuple(need for need in self.needs(event) if need not in have)


WHOLE_OBJECT = Fetch(object=True)
"""What is read for a thin event, which carries no object, where a rule asks for one."""


def lacks_object(event: Event) -> bool:
    """Whether the event only points at its object, so that it has to be read."""
    return event.object is None and isinstance(event.data.get("related_object"), Mapping)


def wanted(when: "When", rule: "Rule", event: Event) -> Fetch | None:
    """What has to be there before that `when` of a rule can be judged, None where the event as it came is enough."""
    fetch, asks = when.fetch, when.reads_object or rule.reads_object
    if not asks or not lacks_object(event) or (fetch is not None and fetch.object):
        return fetch
    return WHOLE_OBJECT if fetch is None else replace(fetch, object=True)


def reread(rule: "Rule", event: Event) -> tuple[str, ...]:
    """What steps of a rule read anew when they are carried out."""
    fetches = (step.fetch for step in rule.every_step)
    return tuple(dict.fromkeys(need for fetch in fetches if fetch is not None for need in fetch.needs(event)))


def at(value: Json, path: str) -> Json:
    """What stands at a dotted path, None where nothing does."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def included(need: str) -> tuple[str, ...]:
    """What `object:requirements,identity` wants included."""
    _, _, names = need.partition(":")
    return tuple(names.split(",")) if names else ()


def with_fetched(event: Event, fetch: Fetch) -> Event:
    """The event with what was read for it in its place; what was not read stays as it is."""
    have = event.fetched or {}
    found = have.get(fetch.object_need, event.object) if fetch.object else event.object
    for path in fetch.ids:
        if f"{ID}{path}" in have:
            found = _put(found, path.split("."), have[f"{ID}{path}"])
    if found is event.object or not isinstance(found, dict):
        return event
    inner = event.data.get("data")
    data = {**event.data, "data": {**(inner if isinstance(inner, dict) else {}), "object": found}}
    return replace(event, object=found, data=data)


def _put(value: Json, names: list[str], new: Json) -> Json:
    if not isinstance(value, dict) or names[0] not in value:
        return value
    inner = new if len(names) == 1 else _put(value[names[0]], names[1:], new)
    return {**value, names[0]: inner}
