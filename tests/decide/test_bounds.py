"""What is remembered of others' events is bounded where nothing else tells them apart."""

from collections.abc import Callable
from datetime import datetime, timedelta

from engine.decide import incidents, reminders
from engine.decide.memory import MOST, Kept, forget_old
from engine.model.condition import Reference
from engine.model.event import Event
from engine.model.rule import Rule, When
from engine.model.timing import Incident, Other, Reminder, Timing
from tests.builders import CREATED, RECEIVED, event

ID = Reference(path="id")
PAID = Other(when=(When(types=("payout.paid",), livemode=None),), same=((ID, ID),))


def rule(timing: Timing) -> Rule:
    return Rule(id="r", when=(When(types=("payout.failed",), livemode=None),), steps=(), timing=timing)


def paid(number: int) -> Event:
    return event("payout.paid", id=f"evt_{number}", object={"id": f"po_{number}"}, created=CREATED + number)


def _resolves(rule: Rule, event: Event, kept: Kept, at: datetime) -> None:
    incidents.resolve(rule, event, kept, at)


def _settles(rule: Rule, event: Event, kept: Kept, at: datetime) -> None:
    reminders.settle(rule, event, kept)


def _flood(rule: Rule, name: str, see: Callable[[Rule, Event, Kept, datetime], None]) -> None:
    kept = Kept({})
    for number in range(MOST + 200):
        see(rule, paid(number), kept, RECEIVED)
        assert len(kept.state[name]) <= MOST
    seconds = sorted(each[0] for each in kept.state[name].values())
    assert seconds == [CREATED + number for number in range(200, MOST + 200)]


def test_what_resolves_incidents_that_it_has_nothing_of_their_key_in_common_with() -> None:
    _flood(rule(Timing(incident=Incident(resolve=PAID))), "resolvers", _resolves)


def test_what_settles_reminders_that_it_has_nothing_of_their_key_in_common_with() -> None:
    policy = Reminder(before=Reference(path="due"), at=(timedelta(hours=1),), until=PAID, same=(Reference(path="n"),))
    _flood(rule(Timing(remind=policy)), "settlers", _settles)


def test_of_those_of_one_second_the_same_go_whatever_the_order() -> None:
    names = [f"k{number}" for number in range(MOST + 5)]
    one, other = {name: [1] for name in names}, {name: [1] for name in reversed(names)}
    for known in (one, other):
        forget_old(known, lambda each: int(each[0]), 0)
    assert one.keys() == other.keys()
    assert len(one) == MOST
