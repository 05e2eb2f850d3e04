"""An event once more: messages go out again under new ids, and nothing acts twice that was not asked to."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.model.condition import Operation, PathTest, Reference
from engine.model.delivery import Delivery, DeliveryStatus, Firing, FiringStatus, firing_id
from engine.model.event import Json
from engine.model.rule import OnError, Rule, Severity, Step, Verb, When
from engine.model.timing import Digest, Incident, Reminder, Threshold, Timing
from engine.plan import make_plan
from engine.replay import Replay, make_replay
from notifiers import Destination
from tests.builders import RECEIVED, event

NOW = RECEIVED + timedelta(days=2)
LONG = timedelta(days=90)
EVENT = event("payout.failed")
TELL = Step(id="tell", verb=Verb.NOTIFY, targets=("risk",))
CALL = Step(id="call", verb=Verb.CALLBACK, targets=("case",))
READ = Step(id="read", verb=Verb.STRIPE, targets=("payouts.retrieve",))
WRITE = Step(id="write", verb=Verb.STRIPE, targets=("accounts.update",))
AFTER = Step(id="after", verb=Verb.NOTIFY, targets=("risk",), needs=("write",))


def rule(*steps: Step, id_: str = "r", **changes: Any) -> Rule:
    return Rule(id=id_, when=(When(types=("payout.failed",)),), steps=steps, **changes)


def expand(step: Step, severity: Severity, livemode: bool) -> list[Destination]:
    return [Destination(name=target) for target in step.targets]


def first(rules: Sequence[Rule]) -> tuple[tuple[Firing, ...], list[Delivery]]:
    """What is on record once everything has arrived."""
    plan = make_plan(EVENT, rules, "", expand)
    done = [replace(d, status=DeliveryStatus.DELIVERED, result={"of": d.step}) for d in plan.deliveries]
    return plan.firings, done


def again(rules: Sequence[Rule], *repeat: str, only: Iterable[str] = (), **record: Any) -> Replay:
    firings, deliveries = first(rules)
    known = {"firings": firings, "deliveries": deliveries, **record}
    return make_replay(EVENT, rules, "", expand, only=tuple(only), repeat=repeat, now=NOW, **known)


def statuses(found: Replay) -> dict[str, str]:
    return {each.step: str(each.status) for each in found.plan.deliveries}


def test_messages_go_out_again_and_say_so() -> None:
    found = again([rule(TELL)])
    [delivery] = found.plan.deliveries
    _, [before] = first([rule(TELL)])
    assert (delivery.status, delivery.next_attempt, delivery.id != before.id) == (DeliveryStatus.PENDING, NOW, True)
    assert delivery.note == "Sent again by hand, 2026-01-03 00:00 UTC (replay 1)."
    assert [(firing.replay, firing.created) for firing in found.plan.firings] == [(1, NOW)]


def test_every_replay_has_the_next_number() -> None:
    firings, _ = first([rule(TELL)])
    later = [*firings, *again([rule(TELL)]).plan.firings]
    found = again([rule(TELL)], firings=later)
    assert found.number == 2
    assert found.plan.deliveries[0].id != again([rule(TELL)]).plan.deliveries[0].id


def test_what_acts_is_not_done_twice_unless_asked() -> None:
    rules = [rule(CALL, READ, WRITE)]
    assert statuses(again(rules)) == {"call": "delivered", "read": "pending", "write": "delivered"}
    [call, _, write] = again(rules).plan.deliveries
    _, done = first(rules)
    assert call.reason == f"not repeated: done as {done[0].id}; --callbacks repeats it"
    assert write.result == {"of": "write"}
    assert statuses(again(rules, "callbacks")) == {"call": "pending", "read": "pending", "write": "delivered"}
    assert statuses(again(rules, "writes")) == {"call": "delivered", "read": "pending", "write": "pending"}


def test_what_was_never_done_is_not_done_by_a_replay() -> None:
    found = again([rule(WRITE, TELL)], deliveries=[])
    assert statuses(found) == {"write": "skipped", "tell": "pending"}
    assert found.plan.deliveries[0].reason == "not done in a replay; --writes does it"


def test_a_text_that_reads_what_is_not_repeated_has_the_first_result() -> None:
    assert statuses(again([rule(WRITE, AFTER)])) == {"write": "delivered", "after": "pending"}
    assert statuses(again([rule(WRITE, AFTER)], deliveries=[])) == {"write": "skipped", "after": "skipped"}
    tolerant = rule(replace(WRITE, on_error=OnError.CONTINUE), AFTER)
    assert statuses(again([tolerant], deliveries=[])) == {"write": "skipped", "after": "pending"}
    assert statuses(again([rule(WRITE, AFTER)], "writes")) == {"write": "pending", "after": "waiting"}


def test_only_the_rule_that_is_asked_for_and_what_supersedes_it() -> None:
    rules = [rule(TELL, id_="a"), rule(TELL, id_="b", supersedes={"a": None})]
    found = again(rules, only=["a"])
    assert [(each.rule, each.status) for each in found.plan.deliveries] == [("a", DeliveryStatus.SKIPPED)]


@pytest.mark.parametrize("status", FiringStatus)
def test_a_rule_with_a_memory_is_replayed_where_it_fired(status: FiringStatus) -> None:
    counted = rule(TELL, timing=Timing(threshold=Threshold(within=timedelta(hours=1), count=3)))
    [firing], _ = first([counted])
    seen = replace(firing, status=status, reason="threshold: 2 of 3", context={"window": {"count": 3}})
    found = again([counted], firings=[seen])
    if status is FiringStatus.FIRED:
        assert [each.context for each in found.plan.firings] == [{"window": {"count": 3}}]
        assert statuses(found) == {"tell": "pending"}
    else:
        assert found.plan.firings == ()
        assert found.passed_over == {"r": "on record it did not fire: threshold: 2 of 3"}
    unseen = again([counted], firings=[])
    assert unseen.passed_over["r"].startswith("it has a memory, and did not see this event")


def followed(context: Json, cause: str = "later") -> Firing:
    """What came of the event's match later."""
    [firing], _ = first([rule(TELL)])
    return replace(firing, id=firing_id("r", cause), status=FiringStatus.FOLLOW_UP, context=context)


def test_what_came_later_is_not_the_match() -> None:
    """An incident that has ended is told again as it began, not as resolved."""
    going = rule(TELL, timing=Timing(incident=Incident()))
    [firing], _ = first([going])
    opened, over = ({"incident": {"id": "inc_1", "stage": stage}} for stage in ("opened", "resolved"))
    found = again([going], firings=[replace(firing, context=opened), followed(over)])
    assert [each.context for each in found.plan.firings] == [opened]


def test_a_reminder_is_told_again_as_the_last_one_was() -> None:
    """But for how far away it is now."""
    reminds = rule(TELL, timing=Timing(remind=Reminder(before=Reference(path="due"), at=(timedelta(days=1),))))
    [firing], _ = first([reminds])
    due = (NOW + timedelta(days=1)).isoformat()
    told = [{"reminder": {"lead": lead, "due": due, "left": f"in {lead}"}} for lead in ("7d", "3d")]
    known = [firing, *(followed(each, str(each)) for each in told)]
    found = again([reminds], firings=known)
    assert found.passed_over == {}
    assert [each.context for each in found.plan.firings] == [
        {"reminder": {"lead": "3d", "due": due, "left": "in 24 hours"}}
    ]


@pytest.mark.parametrize("name", ["incident", "window"])
def test_a_rule_whose_texts_could_not_be_written_is_not_replayed(name: str) -> None:
    """It has the key since later: of this event nothing is on record that they could tell."""
    text = {"title": f"{{{{ {name}.count }}}}", "text": "{{ object.id }}"}
    timing = {"incident": Timing(incident=Incident()), "window": Timing(threshold=Threshold(within=LONG, count=3))}
    found = again([rule(replace(TELL, options=text), timing=timing[name])])
    assert found.passed_over == {"r": f"its texts tell of the {name}, and of this event there is none on record"}
    assert again([rule(TELL, timing=timing[name])]).passed_over == {}


@pytest.mark.parametrize("name", ["incident", "window"])
@pytest.mark.parametrize("count", [1, 2])
def test_the_if_of_a_step_is_asked_of_what_the_rule_remembered_then(name: str, count: int) -> None:
    """And where nothing of it is on record, the rule is passed over rather than the step skipped."""
    timing = {"incident": Timing(incident=Incident()), "window": Timing(threshold=Threshold(within=LONG, count=1))}
    condition = PathTest(path=f"${name}.count", operations=(Operation(operator="gte", operand=2),))
    asks = rule(replace(TELL, condition=condition), timing=timing[name])
    [firing], _ = first([asks])
    found = again([asks], firings=[replace(firing, context={name: {"count": count}})])
    assert statuses(found) == {"tell": "pending" if count == 2 else "skipped"}
    assert [each.context for each in found.plan.firings] == [{name: {"count": count}}]
    why = f"the if of its step 'tell' asks about the {name}, and of this event there is none on record"
    assert again([asks]).passed_over == {"r": why}


def test_an_if_about_a_digest_needs_nothing_on_record() -> None:
    condition = PathTest(path="$digest.count", operations=(Operation(operator="gte", operand=2),))
    step = replace(TELL, condition=condition, asks_digest=True)
    gathers = rule(step, timing=Timing(digest=Digest(every=timedelta(hours=1))))
    assert again([gathers]).passed_over == {}
