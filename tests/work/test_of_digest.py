"""A step may ask about the digest that its messages were gathered to: it is judged when that is sent."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.decide.retry import Decision
from engine.model.condition import Operation, PathTest
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.event import Json
from engine.model.outcome import Outcome
from engine.model.rule import Rule, Step, Verb
from engine.model.timing import Digest, Timing
from engine.rulebook import Rulebook
from engine.work.deliver import Deliverer
from engine.work.digests import Digests
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


async def _state(w: World, delivery: Delivery) -> Delivery:
    found = await w.store.deliveries.get(delivery.id)
    assert found is not None
    return found


def _deliverer(w: World, sent: Texts) -> Deliverer:
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
