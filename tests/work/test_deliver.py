"""A wake-up attempts what is due, records how it went, and does nothing twice."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.decide.retry import Decision
from engine.errors import StoreUnavailable, TemplateError
from engine.model.condition import Operation, PathTest
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.event import Json
from engine.model.outcome import Delivered, Held, Outcome, Refused, Retry, Scene
from engine.model.rule import OnError, RetryPolicy, Rule, Step, Verb, When
from engine.plan import make_plan
from engine.store import Store
from engine.work.deliver import Deliverer
from tests.builders import event


@dataclass
class Scripted:
    """A notifier that gives the outcomes it was told to, in turn, and remembers what it was asked to send."""

    verb: Verb
    outcomes: list[Outcome | Exception]
    sent: list[Delivery] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    rendering: Callable[[], Json] = lambda: {"text": "hello"}

    def render(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        self.scenes.append(scene)
        return self.rendering()

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.sent.append(delivery)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def preview(self, delivery: Delivery) -> Json:
        """What was rendered."""
        return delivery.request

    async def warm(self) -> None:
        """Nothing to import."""

    async def close(self) -> None:
        """Nothing to release."""


@dataclass
class Rules:
    """The rules of the one revision there is."""

    rules: tuple[Rule, ...]

    def rule(self, rule_id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)


@dataclass(frozen=True)
class To:
    name: str
    skipped: str | None = None


class Clock:
    """A clock that is stepped."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


NOTIFY = Step(id="notify-1", verb=Verb.NOTIFY, targets=("payments",))


@dataclass
class Bench:
    """One event, one rule, and a deliverer on a real store."""

    store: Store
    deliverer: Deliverer
    clock: Clock
    notifiers: dict[Verb, Scripted]
    ended: list[tuple[str, str]]
    ids: dict[str, str]

    async def state(self, step: str = "notify-1") -> Delivery:
        delivery = await self.store.deliveries.get(self.ids[step])
        assert delivery is not None
        return delivery


@pytest.fixture
def bench(store: Store) -> Callable[..., Any]:
    async def make(
        *outcomes: Outcome | Exception,
        steps: tuple[Step, ...] = (NOTIFY,),
        on_failure: tuple[Step, ...] = (),
        **script: Any,
    ) -> Bench:
        rule = Rule(id="payout-failed", when=(When(types=("payout.failed",)),), steps=steps, on_failure=on_failure)
        incoming = event(id="evt_1")
        plan = make_plan(incoming, [rule], "rev", lambda step, s, live: [To(name) for name in step.targets])
        await store.committer.commit(incoming, plan, "rev")
        notifiers = {verb: Scripted(verb, list(outcomes), **script) for verb in Verb}
        ended: list[tuple[str, str]] = []

        async def finished(delivery: Delivery, outcome: Outcome, decision: Decision, seconds: float) -> None:
            ended.append((delivery.step, decision.status))

        async def rules(revision: str) -> Rules:
            return Rules((rule,))

        clock = Clock()
        deliverer = Deliverer(
            deliveries=store.deliveries,
            event=store.events.get,
            rulebook=rules,
            notifiers=notifiers,
            finished=finished,
            clock=clock,
        )
        ids = {d.step: d.id for d in plan.deliveries}
        return Bench(store, deliverer, clock, notifiers, ended, ids)

    return make


async def test_what_arrives_is_delivered_and_its_attempt_recorded(bench: Callable[..., Any]) -> None:
    b = await bench(Delivered(status=200, excerpt="ok", result={"id": 7}))
    assert await b.deliverer(b.ids["notify-1"]) is None
    state = await b.state()
    assert (state.status, state.attempts, state.result) == (DeliveryStatus.DELIVERED, 1, {"id": 7})
    (attempt,) = await b.store.deliveries.attempts(state.id)
    assert (attempt.number, attempt.outcome, attempt.status, attempt.excerpt) == (1, "delivered", 200, "ok")
    assert b.ended == [("notify-1", "delivered")]


async def test_a_second_wake_up_of_what_has_ended_does_nothing(bench: Callable[..., Any]) -> None:
    b = await bench(Delivered())
    await b.deliverer(b.ids["notify-1"])
    assert await b.deliverer(b.ids["notify-1"]) is None
    assert len(b.notifiers[Verb.NOTIFY].sent) == 1


async def test_a_wake_up_of_what_does_not_exist_does_nothing(bench: Callable[..., Any]) -> None:
    b = await bench()
    assert await b.deliverer("dlv_unknown") is None


async def test_a_retry_is_due_later_and_an_early_wake_up_waits_for_it(bench: Callable[..., Any]) -> None:
    b = await bench(Retry(reason="503", status=503), Delivered())
    due = await b.deliverer(b.ids["notify-1"])
    assert due is not None
    assert due > b.clock.now + timedelta(seconds=4)
    assert await b.deliverer(b.ids["notify-1"]) == due
    assert len(b.notifiers[Verb.NOTIFY].sent) == 1
    b.clock.now = due
    assert await b.deliverer(b.ids["notify-1"]) is None
    attempts = await b.store.deliveries.attempts(b.ids["notify-1"])
    assert [(a.number, a.outcome, a.reason) for a in attempts] == [(1, "retry", "503"), (2, "delivered", None)]


async def test_it_is_rendered_once_and_every_attempt_sends_the_same(bench: Callable[..., Any]) -> None:
    numbers = iter(range(10))
    b = await bench(Retry(reason="503"), Delivered(), rendering=lambda: {"text": next(numbers)})
    b.clock.now = await b.deliverer(b.ids["notify-1"])
    await b.deliverer(b.ids["notify-1"])
    assert [d.request for d in b.notifiers[Verb.NOTIFY].sent] == [{"text": 0}, {"text": 0}]


async def test_a_text_that_cannot_be_rendered_ends_dead_with_the_name(bench: Callable[..., Any]) -> None:
    def fail() -> Json:
        raise TemplateError("object.custmer is undefined")

    b = await bench(rendering=fail)
    assert await b.deliverer(b.ids["notify-1"]) is None
    state = await b.state()
    assert (state.status, state.reason) == (DeliveryStatus.DEAD, "object.custmer is undefined")
    assert len(await b.store.deliveries.attempts(state.id)) == 1


async def test_a_fault_of_ours_is_on_record_and_tried_again(bench: Callable[..., Any]) -> None:
    b = await bench(ZeroDivisionError("secret"), Delivered())
    due = await b.deliverer(b.ids["notify-1"])
    assert due is not None
    (attempt,) = await b.store.deliveries.attempts(b.ids["notify-1"])
    assert attempt.reason == "internal error: ZeroDivisionError (it may have arrived)"


async def test_a_lost_answer_says_that_it_may_have_arrived(bench: Callable[..., Any]) -> None:
    b = await bench(Retry(reason="no answer within 15 s", maybe_delivered=True))
    await b.deliverer(b.ids["notify-1"])
    (attempt,) = await b.store.deliveries.attempts(b.ids["notify-1"])
    assert attempt.reason == "no answer within 15 s (it may have arrived)"


async def stopped(b: Bench, step: str = "notify-1") -> datetime | None:
    """Attempt it, and stop while it waits for the answer."""
    waiting = asyncio.Event()

    async def deliver(delivery: Delivery) -> Outcome:
        waiting.set()
        await asyncio.Event().wait()
        return Delivered()

    for notifier in b.notifiers.values():
        notifier.deliver = deliver  # type: ignore[method-assign]  # this one hangs
    task = asyncio.create_task(b.deliverer(b.ids[step]))
    await asyncio.wait_for(waiting.wait(), 10)
    task.cancel()
    return await task


async def test_what_is_stopped_while_it_waits_for_the_answer_is_on_record_and_due_at_once(
    bench: Callable[..., Any],
) -> None:
    """Also the last attempt: that we end is no reason to give up."""
    b = await bench(steps=(replace(NOTIFY, retry=RetryPolicy(attempts=1)),))
    assert await stopped(b) == b.clock.now
    state = await b.state()
    assert (state.status, state.attempts, state.next_attempt) == (DeliveryStatus.PENDING, 1, b.clock.now)
    (attempt,) = await b.store.deliveries.attempts(b.ids["notify-1"])
    assert (attempt.outcome, attempt.reason) == ("retry", "stopped while waiting for the answer (it may have arrived)")


async def test_waiting_for_its_turn_uses_up_no_attempt(bench: Callable[..., Any]) -> None:
    b = await bench(Retry(reason="busy", after=timedelta(seconds=3), attempted=False), Delivered())
    assert await b.deliverer(b.ids["notify-1"]) == b.clock.now + timedelta(seconds=3)
    assert (await b.state()).attempts == 0
    assert await b.deliverer(b.ids["notify-1"]) is None


async def test_a_store_that_is_away_is_not_an_attempt(bench: Callable[..., Any]) -> None:
    b = await bench(StoreUnavailable("gone"), Delivered())
    with pytest.raises(StoreUnavailable):
        await b.deliverer(b.ids["notify-1"])
    assert await b.store.deliveries.attempts(b.ids["notify-1"]) == []


async def test_a_held_write_can_be_released(bench: Callable[..., Any]) -> None:
    write = Step(id="refund", verb=Verb.STRIPE, targets=("refunds.create",))
    b = await bench(Held(reason="cap of 20 an hour reached"), Delivered(), steps=(write,))
    assert await b.deliverer(b.ids["refund"]) is None
    assert (await b.state("refund")).status is DeliveryStatus.HELD
    assert await b.store.deliveries.retry([b.ids["refund"]]) == 1
    b.clock.now = datetime.now(UTC)
    await b.deliverer(b.ids["refund"])
    assert (await b.state("refund")).status is DeliveryStatus.DELIVERED


CHAIN = (
    Step(id="payout", verb=Verb.STRIPE, targets=("payouts.retrieve",)),
    Step(id="tell", verb=Verb.NOTIFY, targets=("payments",), needs=("payout",)),
)


async def test_a_step_reads_the_result_of_the_one_it_waited_for(bench: Callable[..., Any]) -> None:
    b = await bench(Delivered(result={"status": "failed"}), steps=CHAIN)
    assert await b.deliverer(b.ids["tell"]) is None, "it waits"
    await b.deliverer(b.ids["payout"])
    b.clock.now = datetime.now(UTC)
    assert (await b.state("tell")).status is DeliveryStatus.PENDING
    await b.deliverer(b.ids["tell"])
    (scene,) = b.notifiers[Verb.NOTIFY].scenes
    assert scene["steps"]["payout"]["result"] == {"status": "failed"}


async def test_a_step_that_needs_a_dead_one_is_skipped_and_says_so(bench: Callable[..., Any]) -> None:
    b = await bench(Refused(reason="404"), steps=CHAIN)
    await b.deliverer(b.ids["payout"])
    state = await b.state("tell")
    assert (state.status, state.reason) == (DeliveryStatus.SKIPPED, "step payout did not succeed")


async def test_on_error_continue_lets_the_reader_run_with_the_reason(bench: Callable[..., Any]) -> None:
    tolerant = (replace(CHAIN[0], on_error=OnError.CONTINUE), CHAIN[1])
    b = await bench(Refused(reason="404 no such payout"), steps=tolerant)
    await b.deliverer(b.ids["payout"])
    b.clock.now = datetime.now(UTC)
    b.notifiers[Verb.NOTIFY].outcomes = [Delivered()]
    await b.deliverer(b.ids["tell"])
    (scene,) = b.notifiers[Verb.NOTIFY].scenes
    assert scene["steps"]["payout"] == {"ok": False, "result": None, "reason": "404 no such payout"}


@pytest.mark.parametrize(("status", "ends"), [("failed", DeliveryStatus.DELIVERED), ("paid", DeliveryStatus.SKIPPED)])
async def test_an_if_is_judged_on_the_result_that_it_waited_for(
    bench: Callable[..., Any], status: str, ends: DeliveryStatus
) -> None:
    """Skipped with what stood there, and never sent."""
    failed = PathTest(path="$steps.payout.result.status", operations=(Operation(operator="eq", operand="failed"),))
    tell = replace(CHAIN[1], condition=failed, asks_steps=True)
    b = await bench(Delivered(result={"status": status}), steps=(CHAIN[0], tell))
    await b.deliverer(b.ids["payout"])
    b.clock.now = datetime.now(UTC)
    b.notifiers[Verb.NOTIFY].outcomes = [Delivered()]
    await b.deliverer(b.ids["tell"])
    state = await b.state("tell")
    assert state.status is ends
    if ends is DeliveryStatus.SKIPPED:
        assert state.reason == "if: $steps.payout.result.status is paid, needs failed"
        assert not b.notifiers[Verb.NOTIFY].sent


async def test_on_failure_runs_once_and_knows_what_failed(bench: Callable[..., Any]) -> None:
    """Whichever of the steps is given up first."""
    alarm = Step(id="alarm", verb=Verb.CALLBACK, targets=("case-system",))
    b = await bench(Refused(reason="404 no such payout"), steps=CHAIN, on_failure=(alarm,))
    assert (await b.state("alarm")).status is DeliveryStatus.WAITING
    await b.deliverer(b.ids["payout"])
    b.clock.now = datetime.now(UTC)
    assert (await b.state("alarm")).status is DeliveryStatus.PENDING
    b.notifiers[Verb.CALLBACK].outcomes = [Delivered()]
    await b.deliverer(b.ids["alarm"])
    assert (await b.state("alarm")).status is DeliveryStatus.DELIVERED
    (scene,) = b.notifiers[Verb.CALLBACK].scenes
    assert scene["failed"]["step"] == "payout"
    assert scene["failed"]["reason"] == "404 no such payout"
    assert scene["steps"]["payout"]["ok"] is False


async def test_on_failure_ends_quietly_where_nothing_failed(bench: Callable[..., Any]) -> None:
    """On record, with the reason."""
    alarm = Step(id="alarm", verb=Verb.CALLBACK, targets=("case-system",))
    b = await bench(Delivered(), on_failure=(alarm,))
    await b.deliverer(b.ids["notify-1"])
    state = await b.state("alarm")
    assert (state.status, state.reason) == (DeliveryStatus.SKIPPED, "no step failed")


async def test_a_clock_that_was_set_back_does_not_keep_a_delivery_waiting(bench: Callable[..., Any]) -> None:
    """Its job says when it is due; what was written by a clock that was ahead does not."""
    made = await bench(Retry(reason="503"), Delivered())
    await made.deliverer(made.ids["notify-1"])
    made.clock.now -= timedelta(hours=1)
    assert await made.deliverer(made.ids["notify-1"]) is None
    assert (await made.state()).status is DeliveryStatus.DELIVERED
