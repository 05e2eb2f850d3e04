"""A step may ask about the digest that its messages were gathered to: it is judged when that is sent."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import time, timedelta

import pytest

from engine.decide.retry import Decision
from engine.model.condition import Operation, PathTest
from engine.model.delivery import Delivery, DeliveryStatus, DueDigest, Plan
from engine.model.event import Json
from engine.model.outcome import Notifier, Outcome
from engine.model.rule import Rule, Step, Verb
from engine.model.timing import Calendar, Digest, Quiet, Timing
from engine.replay import make_replay
from engine.rulebook import Rulebook
from engine.settings import Channel
from engine.work.deliver import Deliverer
from engine.work.digests import Digests
from notifiers import Destination
from notifiers.notify import NotifyNotifier
from tests.work.fetching import Texts
from tests.work.memory import World, at
from tests.work.test_memory import HOUR, rule

ENOUGH = PathTest(path="$digest.count", operations=(Operation(operator="gte", operand=3),))


def gathers() -> Rule:
    """One step that is always sent, one where three were gathered."""
    step = Step(id="always", verb=Verb.NOTIFY, targets=("risk",), options={"title": "{{ digest.count }}"})
    asks = replace(step, id="enough", condition=ENOUGH, asks_digest=True)
    return replace(rule(Timing(digest=Digest(every=HOUR))), steps=(step, asks))


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [(2, DeliveryStatus.SKIPPED, "if: $digest.count is 2, needs >= 3"), (3, DeliveryStatus.DELIVERED, None)],
)
async def test_it_is_sent_only_where_that_holds(
    world: Callable[..., World], number: int, status: DeliveryStatus, reason: str | None
) -> None:
    """All are gathered first; what is not sent is on record with its reason."""
    w = world(gathers())
    await w.send(*(at(minute) for minute in range(number)))
    assert await w.sent() == [DeliveryStatus.GATHERED] * number * 2
    await w.later(HOUR + timedelta(seconds=2))
    due = await w.store.deliveries.ls(limit=9, status=[DeliveryStatus.PENDING])
    digests = [each for each in due if each.digest is not None]
    sent = Texts(Verb.NOTIFY, [])
    deliverer = _deliverer(w, sent)
    for each in digests:
        await deliverer(each.id)
    found = {each.step: each for each in [await _state(w, each) for each in digests]}
    assert found["always"].status is DeliveryStatus.DELIVERED
    assert (found["enough"].status, found["enough"].reason) == (status, reason)
    assert sent.titles == [str(number)] * (2 if reason is None else 1)


async def test_what_quiet_times_held_is_told_in_words_about_all_of_it(world: Callable[..., World]) -> None:
    """The step's own are about one event, and could not be written."""
    always = Calendar(name="always", timezone="UTC", begin=time(0), end=time(0))
    own = {"title": "{{ object.id }} failed", "text": "{{ event.id }}", "table": {"Charge": "id"}}
    step = Step(id="tell", verb=Verb.NOTIFY, targets=("risk",), options=own)
    w = world(replace(rule(Timing(quiet=Quiet(during=(always,)))), steps=(step,)))
    await w.send(at(0, object={"id": "ch_1"}), at(1, object={"id": "ch_2"}))
    assert await w.sent() == [DeliveryStatus.GATHERED] * 2
    [name] = {each.digest for each in await w.store.deliveries.ls(limit=9) if each.digest is not None}
    await w.store.carry_out(Plan(digests=(DueDigest(name),)))
    [digest] = await w.store.deliveries.ls(status=[DeliveryStatus.PENDING], verb=Verb.NOTIFY)
    console = io.StringIO()
    await _deliverer(w, NotifyNotifier({"risk": Channel(name="risk", url=None)}, console))(digest.id)
    assert (await _state(w, digest)).status is DeliveryStatus.DELIVERED
    assert "2 alerts of r" in console.getvalue()
    assert "ch_2" in console.getvalue()


async def test_what_was_not_gathered_goes_out_as_a_digest_of_one(world: Callable[..., World]) -> None:
    """A replay, say: its texts are those of a digest, and so is its `if`."""
    w = world(gathers())
    await w.send(at(0))
    [stored] = await w.store.events.ls()
    again = make_replay(
        stored,
        w.rules,
        "r" * 64,
        lambda step, severity, livemode: [Destination(name="risk")],
        only=(),
        firings=await w.firings(),
        deliveries=(),
        repeat=(),
        now=w.now,
    )
    await w.store.carry_out(again.plan)
    sent = Texts(Verb.NOTIFY, [])
    for each in again.plan.deliveries:
        await _deliverer(w, sent)(each.id)
    found = {each.step: each for each in [await _state(w, each) for each in again.plan.deliveries]}
    assert found["always"].status is DeliveryStatus.DELIVERED
    assert (found["enough"].status, found["enough"].reason) == (
        DeliveryStatus.SKIPPED,
        "if: $digest.count is 1, needs >= 3",
    )
    assert sent.titles == ["1"]


async def _state(w: World, delivery: Delivery) -> Delivery:
    found = await w.store.deliveries.get(delivery.id)
    assert found is not None
    return found


def _deliverer(w: World, sent: Notifier) -> Deliverer:
    async def rules(revision: str) -> Rulebook:
        return Rulebook(revision=revision, rules=w.rules)

    async def finished(delivery: Delivery, outcome: Outcome, decision: Decision, seconds: float) -> None: ...

    async def unknown(account: str, livemode: bool) -> Mapping[str, Json] | None:
        return None

    return Deliverer(
        deliveries=w.store.deliveries,
        event=w.store.events.get,
        rulebook=rules,
        notifiers={Verb.NOTIFY: sent},
        finished=finished,
        digest=Digests(w.store.deliveries, w.store.events, unknown).scene,
        clock=lambda: w.now,
    )
