"""What is in a digest that is due: read when its message is written, like the event of any other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from engine.decide.keys import values_at
from engine.errors import DestinationError
from engine.model.delivery import Delivery
from engine.model.event import Event, Json
from engine.model.outcome import Scene
from engine.model.rule import Rule, Step
from engine.model.timing import MAX_ITEMS
from engine.plan import seen_by
from engine.render import Item, digest_scene

MOST = 20_000
"""Alerts that are read for one message; of what is gathered beyond, only the number is known."""

BATCH = 500

Account = Callable[[str, bool], Awaitable[Mapping[str, Json] | None]]
"""What is told of the account of that id and mode."""


class Gathered(Protocol):
    """The store's deliveries."""

    async def merged(self, digest: Delivery, after: Delivery | None, most: int) -> list[Delivery]: ...


class Events(Protocol):
    """The store's events."""

    async def many(self, keys: Sequence[str]) -> dict[str, Event]: ...


class Digests:
    """Makes the scene of a digest's texts."""

    def __init__(self, deliveries: Gathered, events: Events, account: Account) -> None:
        self._deliveries = deliveries
        self._events = events
        self._account = account

    async def scene(self, delivery: Delivery, rule: Rule, now: datetime) -> Scene:
        """The names of the texts of a delivery of a digest. Raises DestinationError where nothing of it is
        left."""
        items: list[Item] = []
        notes: dict[str, None] = {} if delivery.note is None else {delivery.note: None}
        last: Delivery | None = None
        read = 0
        while len(items) < MOST:
            found = await self._deliveries.merged(delivery, last, BATCH)
            if not found:
                break
            last = found[-1]
            read += len(found)
            notes.update(dict.fromkeys(each.note for each in found if each.note))
            items += await self._items(found, rule)
        if not items:
            raise DestinationError("every event of the digest was forgotten in the meantime")
        if missing := read - len(items):
            who = "1 more is not counted: it was" if missing == 1 else f"{missing:,} more are not counted: they were"
            notes[f"{who} forgotten in the meantime"] = None
        if len(items) >= MOST:
            notes[f"only the first {MOST:,} are counted"] = None
        return _scene(items, rule, now, list(notes))

    async def _items(self, found: Sequence[Delivery], rule: Rule) -> list[Item]:
        events = await self._events.many([each.event for each in found if each.event])
        made: list[Item] = []
        for each in found:
            event = events.get(each.event or "")
            if event is None:
                continue  # forgotten in the meantime: the digest says how many
            account = await self._account(event.account, event.livemode) if event.account else None
            made.append(_item(seen_by(rule, event), rule, each.rule, each.created, account))
        return made


def alone(
    event: Event,
    rule: Rule,
    when: datetime,
    now: datetime,
    *,
    account: Mapping[str, Json] | None = None,
    note: str | None = None,
) -> Scene:
    """The names of the texts of a digest of one event, as the rule sees it, where it did not wait for others."""
    return _scene([_item(event, rule, rule.id, when, account)], rule, now, [] if note is None else [note])


def _item(event: Event, rule: Rule, rule_id: str, when: datetime, account: Mapping[str, Json] | None) -> Item:
    group = rule.timing.digest.group_by if rule.timing.digest else None
    values = values_at(group, event) if group is not None else ()
    return Item(event=event, rule=rule_id, when=when, account=account, group=values[0] if values else None)


def _scene(items: Sequence[Item], rule: Rule, now: datetime, notes: Sequence[str]) -> Scene:
    digest, quiet = rule.timing.digest, rule.timing.quiet
    return digest_scene(
        items,
        rule,
        now=now,
        max_items=digest.max_items if digest else MAX_ITEMS,
        grouped=digest is not None and digest.group_by is not None,
        notes=notes,
        timezone=digest.timezone if digest else quiet.during[0].timezone if quiet and quiet.during else "UTC",
    )


def as_gathered(rule: Rule, step: Step) -> Step:
    """The step as a digest of it is written. Of a rule without `digest` that is what quiet times held: the step's own
    title and text are about one event, and the default ones are about all."""
    if rule.timing.digest is not None:
        return step
    own = {name: value for name, value in step.options.items() if name not in ("title", "text", "format")}
    return replace(step, options=own)
