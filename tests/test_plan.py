"""What must come of an event is planned once, with ids that never change."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from engine.decide.judge import Verdict
from engine.decide.noise import Noise
from engine.model.condition import Operation, PathTest
from engine.model.delivery import DeliveryStatus, FiringStatus, Plan
from engine.model.event import Event
from engine.model.position import Position
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb, When
from engine.model.timing import Timing
from engine.plan import make_plan
from engine.work.deliver import why_skipped
from tests.builders import RECEIVED, event


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


def test_a_superseded_rule_does_not_notify_and_says_by_what() -> None:
    """Its other steps run; a shadow rule supersedes nothing; the order of the rules does not matter."""
    call = Step(id="call", verb=Verb.CALLBACK, targets=("case-system",))
    small = rule(notify("risk"), call, name="small")
    place = Position(file="a.yaml", line=1, column=1)
    big = replace(rule(notify("risk"), name="big"), supersedes={"small": place, "absent": place})
    for plan in (planned(small, big), planned(big, small)):
        ended = {(each.rule, each.step): (each.status, each.reason) for each in plan.deliveries}
        assert ended["small", "notify-1"] == (DeliveryStatus.SKIPPED, "superseded by big")
        assert ended["small", "call"] == (DeliveryStatus.PENDING, None)
        assert ended["big", "notify-1"] == (DeliveryStatus.PENDING, None)
    shadow = replace(big, mode=RuleMode.SHADOW)
    assert planned(small, shadow).deliveries[0].status is DeliveryStatus.PENDING


def test_a_step_whose_condition_does_not_hold_is_skipped_with_the_reason() -> None:
    """What can be judged now is; what reads another step's result waits for it."""
    over = PathTest(path="amount", operations=(Operation(operator="gte", operand=10**9),))
    asked = PathTest(path="$steps.call.ok", operations=(Operation(operator="eq", operand=True),))
    call = Step(id="call", verb=Verb.CALLBACK, targets=("case-system",))
    plan = planned(
        rule(
            replace(notify("risk"), condition=over),
            call,
            replace(notify("risk", step="after", needs=("call",)), condition=asked, asks_steps=True),
        )
    )
    first, _, after = plan.deliveries
    assert first.status is DeliveryStatus.SKIPPED
    assert first.reason is not None
    assert first.reason.startswith("if: amount is ")
    assert after.status is DeliveryStatus.WAITING


def test_steps_of_on_failure_wait_from_the_start() -> None:
    """And are skipped at once where nothing of the rule is sent."""
    alarm = notify("ops", step="alarm")
    waiting = planned(replace(rule(notify("risk")), on_failure=(alarm,))).deliveries
    assert [each.status for each in waiting] == [DeliveryStatus.PENDING, DeliveryStatus.WAITING]
    skipped = planned(replace(rule(notify("quiet")), on_failure=(alarm,))).deliveries
    assert [(each.status, each.reason) for each in skipped][1] == (DeliveryStatus.SKIPPED, "no step failed")


def test_a_stripe_write_is_not_for_an_event_that_came_a_day_late_unless_the_rule_says_so() -> None:
    late = event()
    late = replace(late, received=late.created + timedelta(hours=25))
    write = Step(id="refund", verb=Verb.STRIPE, targets=("refunds.create",))
    read = Step(id="read", verb=Verb.STRIPE, targets=("payouts.retrieve",))
    found = {each.step: each for each in planned(rule(write, read, notify("risk")), of=late).deliveries}
    assert found["refund"].status is DeliveryStatus.SKIPPED
    assert (found["refund"].reason or "").startswith("max_age: ")
    assert {found["read"].status, found["notify-1"].status} == {DeliveryStatus.PENDING}
    willing = replace(rule(write), timing=Timing(max_age=timedelta(days=7)))
    assert planned(willing, of=late).deliveries[0].status is DeliveryStatus.PENDING


WINDOW = PathTest(path="$window.count", operations=(Operation(operator="gte", operand=100),))


def test_the_if_of_a_step_knows_what_the_rule_remembers() -> None:
    """What it was when the rule fired."""
    step = replace(notify("risk"), condition=WINDOW)

    def statuses(context: object) -> list[DeliveryStatus]:
        verdicts = {"payout-failed": Verdict(FiringStatus.FIRED, context=context)}
        plan = make_plan(event(id="evt_1"), [rule(step)], "rev", expand, verdicts=verdicts)
        return [delivery.status for delivery in plan.deliveries]

    assert statuses({"window": {"count": 100}}) == [DeliveryStatus.PENDING]
    assert statuses({"window": {"count": 99}}) == [DeliveryStatus.SKIPPED]
    assert statuses(None) == [DeliveryStatus.SKIPPED]


def test_the_if_of_a_step_that_waits_knows_it_too() -> None:
    step = replace(notify("risk"), condition=WINDOW, asks_steps=True)
    happened = event(id="evt_1")
    assert why_skipped(rule(step), step, happened, {}, RECEIVED, {"window": {"count": 100}}) is None
    why = why_skipped(rule(step), step, happened, {}, RECEIVED, {"window": {"count": 3}})
    assert why == "if: $window.count is 3, needs >= 100"


def test_a_message_that_waits_for_another_step_is_not_gathered_before_it_is_known_whether_it_is_meant() -> None:
    first, then = notify("risk"), notify("payments", step="later", needs=("notify-1",))
    gathers = rule(first, then)
    plan = make_plan(event(), [gathers], "rev", expand, quieten=lambda rule: Noise(digest="d", reason="digest"))
    found = {each.step: each.status for each in plan.deliveries}
    assert found == {"notify-1": DeliveryStatus.GATHERED, "later": DeliveryStatus.PENDING}
