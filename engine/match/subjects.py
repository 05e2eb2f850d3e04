"""What conditions are judged on: an event, or a value within one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from engine.model.event import Json


class Subject(Protocol):
    """What conditions are judged on: an `Event`, or an `Item` or `Element` within one."""

    @property
    def object(self) -> dict[str, Json] | None: ...
    @property
    def data(self) -> dict[str, Json]: ...
    @property
    def previous(self) -> dict[str, Json] | None: ...
    @property
    def account(self) -> str | None: ...
    @property
    def created(self) -> datetime: ...
    @property
    def fetched(self) -> Mapping[str, Json] | None: ...


class Item:
    """One value within an event, judged by itself: what `.` is. `currency` is that of the object around it."""

    __slots__ = (
        *("account", "created", "currency", "data", "fetched", "object", "previous"),
        *("steps", "told", "value", "whole"),
    )

    def __init__(self, subject: Subject, value: Json, currency: str | None) -> None:
        self.object = subject.object
        self.data = subject.data
        self.previous = subject.previous
        self.account = subject.account
        self.created = subject.created
        self.steps: Json = getattr(subject, "steps", None)
        self.told: Json = getattr(subject, "told", None)
        self.fetched = subject.fetched
        self.value = value
        self.currency = currency
        self.whole: dict[str, Json] | None = subject.whole if isinstance(subject, Item) else subject.object


class AfterSteps:
    """An event after steps of the rule have run: what the `if` of a step is judged on. `steps` is `{id: {ok, result,
    reason}}`; `told` what `$window`, `$incident` and `$digest` are, `{"window": {"count": 3}}`."""

    __slots__ = ("account", "created", "data", "fetched", "object", "previous", "steps", "told")

    def __init__(
        self, subject: Subject, steps: Mapping[str, Json], told: Mapping[str, Mapping[str, Json]] | None = None
    ) -> None:
        self.object = subject.object
        self.data = subject.data
        self.previous = subject.previous
        self.account = subject.account
        self.created = subject.created
        self.steps = dict(steps)
        self.told: Json = dict(told or {})
        self.fetched = subject.fetched


class NoEvent:
    """What a condition on a digest is judged on: no one event, at the moment that it is sent."""

    __slots__ = ("account", "created", "data", "fetched", "object", "previous")

    def __init__(self, now: datetime) -> None:
        self.object: dict[str, Json] | None = None
        self.data: dict[str, Json] = {}
        self.previous: dict[str, Json] | None = None
        self.account: str | None = None
        self.created = now
        self.fetched: Mapping[str, Json] | None = None


class Element(Item):
    """An element of a list, judged by itself: paths begin at it. `whole` is the event's own object."""

    __slots__ = ()

    def __init__(self, subject: Subject, value: Json, currency: str | None) -> None:
        super().__init__(subject, value, currency)
        self.object = value if isinstance(value, dict) else None
