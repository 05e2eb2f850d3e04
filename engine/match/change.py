"""`changed`: what previous_attributes says of a path, and it alone.

Stripe puts in previous_attributes (thin events: `changes.before`) only what changed: nested maps hold only their
changed fields, a list that changed is given whole, and what was not there before has null
(https://docs.stripe.com/api/events/object, `data.previous_attributes`).
"""

from collections.abc import Callable, Iterator

from engine.match.lookup import currency_around
from engine.match.paths import Path
from engine.match.search import descend
from engine.match.steps import Step
from engine.match.subjects import Item, Subject
from engine.match.values import MISSING, Missing, identity
from engine.model.condition import Changed, Condition
from engine.model.event import Json


def speaks_of(previous: dict[str, Json] | None, steps: tuple[Step, ...]) -> tuple[bool, Json | Missing]:
    """Whether previous_attributes says anything of the path, and the old value; null before is MISSING.

    It does when it holds the path, something below it, or an ancestor of it that was null.
    """
    if previous is None:
        return False, MISSING
    value: Json = previous
    for step in steps:
        if value is None:
            return True, MISSING
        value = descend(value, (step,))
        if value is MISSING:
            return False, MISSING
    return True, MISSING if value is None else value


def new_value(subject: Subject, steps: tuple[Step, ...]) -> Json | Missing:
    """The present value; null is MISSING."""
    value = descend(subject.object, steps)
    return MISSING if value is None else value


def change_holds(change: Changed, path: Path, subject: Subject, judge: Callable[[Condition, Subject], bool]) -> bool:
    """Whether the change is one that `change` asks for. `judge` decides its conditions on a single value."""
    steps = path.of_object
    if steps is None:
        return False
    spoken, old = speaks_of(subject.previous, steps)
    if not spoken:
        return False
    new = new_value(subject, steps)
    present = currency_around(subject.object, steps)
    past = currency_around(subject.previous, steps) or present

    def one(condition: Condition | None, value: Json, currency: str | None) -> bool:
        return condition is None or judge(condition, Item(subject, value, currency))

    def some(condition: Condition | None, here: Json, there: Json, currency: str | None) -> bool:
        return condition is None or any(
            judge(condition, Item(subject, element, currency)) for element in _difference(here, there)
        )

    return (
        one(change.old, old, past)
        and one(change.new, new, present)
        and some(change.added, new, old, present)
        and some(change.removed, old, new, past)
    )


def _difference(here: Json, there: Json) -> Iterator[Json]:
    """The elements of one list that are not in the other, compared as sets; what is no list has none."""
    if isinstance(here, list):
        known = {identity(element) for element in there} if isinstance(there, list) else set()
        for element in here:
            if identity(element) not in known:
                yield element
