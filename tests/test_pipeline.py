"""What must come of an event is planned once, with ids that never change."""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.model.delivery import DeliveryStatus, Plan
from engine.model.event import Event
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb, When
from engine.pipeline import make_plan
from tests.builders import event


@dataclass(frozen=True)
class To:
    """A destination, and why it is not for this event."""

    name: str
    skipped: str | None = None


def expand(step: Step, severity: Severity, livemode: bool) -> Iterable[To]:
    """Every target is a destination; `quiet` takes nothing."""
    return [To(target, "min_severity is high" if target == "quiet" else None) for target in step.targets]


def notify(*targets: str, step: str = "notify-1", needs: tuple[str, ...] = ()) -> Step:
    return Step(id=step, verb=Verb.NOTIFY, targets=targets, needs=needs)


def rule(*steps: Step, name: str = "payout-failed", mode: RuleMode = RuleMode.LIVE) -> Rule:
    return Rule(id=name, when=(When(types=("payout.failed",)),), steps=steps, mode=mode)


def planned(*rules: Rule, of: Event | None = None, replay: int = 0) -> Plan:
    return make_plan(of or event(id="evt_1"), rules, "rev", expand, replay)


def test_every_step_and_destination_is_a_delivery_of_its_own() -> None:
    plan = planned(rule(notify("risk", "on-call"), Step(id="case", verb=Verb.CALLBACK, targets=("case-system",))))
    assert [(d.step, d.destination) for d in plan.deliveries] == [
        ("notify-1", "risk"),
        ("notify-1", "on-call"),
        ("case", "case-system"),
    ]
    assert {d.firing for d in plan.deliveries} == {plan.firings[0].id}


def test_planning_twice_gives_the_same_ids_and_a_replay_gives_others() -> None:
    first, again = planned(rule(notify("risk"))), planned(rule(notify("risk")))
    assert [d.id for d in first.deliveries] == [d.id for d in again.deliveries]
    replayed = planned(rule(notify("risk")), replay=1)
    assert replayed.firings[0].id != first.firings[0].id
    assert replayed.deliveries[0].id != first.deliveries[0].id


def test_ids_differ_by_rule_event_step_and_destination() -> None:
    plans = [
        planned(rule(notify("risk", "on-call"), notify("risk", step="again"))),
        planned(rule(notify("risk"), name="other")),
        planned(rule(notify("risk")), of=event(id="evt_2")),
    ]
    ids = [d.id for plan in plans for d in plan.deliveries]
    assert len(ids) == len(set(ids)) == 5


def test_a_thin_event_and_its_snapshot_twin_plan_the_same_firing() -> None:
    twin = event("v1.payout.failed", id="evt_thin", snapshot_event="evt_1")
    assert planned(rule(notify("risk")), of=twin).firings[0].id == planned(rule(notify("risk"))).firings[0].id


def test_a_shadow_rule_fires_on_record_only() -> None:
    plan = planned(rule(notify("risk"), mode=RuleMode.SHADOW))
    assert plan.firings[0].mode is RuleMode.SHADOW
    assert plan.deliveries == ()


def test_a_destination_that_refuses_is_on_record_with_its_reason() -> None:
    (delivery,) = planned(rule(notify("quiet"))).deliveries
    assert (delivery.status, delivery.reason) == (DeliveryStatus.SKIPPED, "min_severity is high")
    assert delivery.finished is not None


def test_a_step_that_reads_anothers_result_waits_for_it() -> None:
    plan = planned(rule(notify("risk", step="first"), notify("log", step="second", needs=("first",))))
    assert [(d.step, d.status) for d in plan.deliveries] == [
        ("first", DeliveryStatus.PENDING),
        ("second", DeliveryStatus.WAITING),
    ]
    assert plan.deliveries[1].next_attempt is None


def test_a_step_does_not_wait_for_one_that_is_skipped_from_the_start() -> None:
    plan = planned(rule(notify("quiet", step="first"), notify("log", step="second", needs=("first",))))
    assert plan.deliveries[1].status is DeliveryStatus.SKIPPED
    assert plan.deliveries[1].reason == "step first did not succeed"
