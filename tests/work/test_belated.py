"""What is acted on more than an hour late says so: nothing runs for a while, and the clock is then set on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import DeliveryStatus
from engine.model.rule import Rule, Step, Verb, When
from engine.model.timing import Absence, Calendar, Digest, Escalation, Incident, Other, Quiet, Throttle, Timing
from tests.work.memory import NOON, World, at
from tests.work.test_memory import BY_ID, HOUR, rule

PAID = Other(when=(When(types=("charge.succeeded",), livemode=None),), same=BY_ID, within=HOUR)
CALL = Step(id="call", verb=Verb.NOTIFY, targets=("on-call",))
IN_TIME, LATE = timedelta(minutes=59), timedelta(hours=3, minutes=1)


async def notes(w: World, step: str = "notify-1") -> list[str | None]:
    """Those of the messages of a step that go out, as they were made."""
    found = await w.store.deliveries.ls(limit=100, status=[DeliveryStatus.PENDING])
    return [each.note for each in sorted(found, key=lambda each: each.created) if each.step == step]


ABSENCE = Timing(not_followed_by=(Absence(other=PAID),))
ESCALATES = Timing(incident=Incident(), escalate=(Escalation(after=HOUR, steps=(CALL,)),))
ENDS = Timing(incident=Incident(resolve_after=HOUR))


@pytest.mark.parametrize(("by", "note"), [(IN_TIME, None), (LATE, "acted on 3 h late")])
@pytest.mark.parametrize(
    ("timing", "step", "before"),
    [(ABSENCE, "notify-1", 0), (ESCALATES, "call", 0), (ENDS, "notify-1", 1)],
    ids=["absence", "escalation", "end"],
)
async def test_what_a_timer_decides(
    world: Callable[..., World], timing: Timing, step: str, before: int, by: timedelta, note: str | None
) -> None:
    """`before`: how many messages of that step came at once."""
    w = world(rule(timing))
    await w.send(at(0))
    assert await notes(w, step) == [None] * before
    await w.pass_to((HOUR + by).total_seconds() / 60)
    assert (await notes(w, step))[before:] == [note]


@pytest.mark.parametrize(("by", "note"), [(IN_TIME, None), (LATE, "acted on 3 h late")])
async def test_a_digest_and_what_quiet_times_held(world: Callable[..., World], by: timedelta, note: str | None) -> None:
    """It is among what the digest has to say, too."""
    w = world(rule(Timing(digest=Digest(every=HOUR))), _quiet_for_an_hour())
    await w.send(at(0))
    assert await notes(w) == []
    await w.later(HOUR + by + timedelta(seconds=2))
    assert await notes(w) == [note, note]


def _quiet_for_an_hour() -> Rule:
    """Give or take a minute."""
    begin = datetime.now(UTC) - timedelta(minutes=2)
    now = Calendar(name="now", timezone="UTC", begin=begin.time(), end=(begin + HOUR + timedelta(minutes=2)).time())
    return replace(rule(Timing(quiet=Quiet(during=(now,)))), id="held")


@pytest.mark.parametrize(("by", "note"), [(IN_TIME, {}), (LATE, {"note": "acted on 3 h late"})])
async def test_what_a_throttle_left_out(world: Callable[..., World], by: timedelta, note: dict[str, str]) -> None:
    w = world(rule(Timing(throttle=Throttle(max=1, every=HOUR))))
    await w.send(at(0), at(1))
    await w.later(HOUR + by)
    requests = [each.request for each in await w.store.deliveries.ls(limit=9) if each.request is not None]
    assert requests == [{"left_out": 1, **note}]


@pytest.mark.parametrize(("by", "note"), [(IN_TIME, None), (LATE, "acted on 3 h late")])
async def test_an_event_that_came_late(world: Callable[..., World], by: timedelta, note: str | None) -> None:
    """With a memory and without one; what is gathered for a digest says when it happened."""
    plain = replace(rule(Timing()), id="plain")
    gathers = replace(rule(Timing(digest=Digest(every=HOUR))), id="gathers")
    w = world(rule(Timing(max_age=timedelta(days=1))), plain, gathers)
    await w.send(replace(at(0), received=NOON + by))
    assert await notes(w) == [note, note]
    found = await w.store.deliveries.ls(limit=9, status=[DeliveryStatus.GATHERED])
    assert [each.note for each in found] == [None]
