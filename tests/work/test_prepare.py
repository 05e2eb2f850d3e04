"""What can be said before the commit is committed with the event; everything else waits until it is attempted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine.errors import TemplateError
from engine.model.delivery import Plan
from engine.model.event import Event, Json
from engine.model.rule import Rule, Step, Verb, When
from engine.plan import make_plan
from engine.work import prepare
from engine.work.prepare import Prepare
from tests.builders import event
from tests.work.test_deliver import Rules, Scripted, To

TELL = Step(id="tell", verb=Verb.NOTIFY, targets=("payments", "support"))
ACME: Mapping[str, Json] = {"name": "Acme"}


def known(account: str, livemode: bool) -> tuple[bool, Mapping[str, Json] | None]:
    """Every account is Acme."""
    return True, ACME


def planned(incoming: Event, *steps: Step, **fields: Any) -> tuple[Rule, Plan]:
    """A rule with those steps, and what comes of the event by it."""
    rule = Rule(id="payout-failed", when=(When(types=("payout.failed",)),), steps=steps, **fields)
    return rule, make_plan(incoming, [rule], "rev", lambda step, s, live: [To(name) for name in step.targets])


def requests(plan: Plan) -> dict[str, Json]:
    """By step and destination."""
    return {f"{d.step} {d.destination}": d.request for d in plan.deliveries}


def test_what_waits_for_nothing_is_rendered_with_the_event() -> None:
    """With what is told of its account, as an attempt would."""
    incoming = event()
    rule, plan = planned(incoming, TELL)
    notifier = Scripted(Verb.NOTIFY, [])
    done = Prepare({Verb.NOTIFY: notifier}, known)(incoming, plan, Rules((rule,)))
    assert requests(done) == {"tell payments": {"text": "hello"}, "tell support": {"text": "hello"}}
    assert [scene["account"]["name"] for scene in notifier.scenes] == ["Acme", "Acme"]
    assert [replace(d, request=None) for d in done.deliveries] == list(plan.deliveries)


def test_what_waits_for_a_step_is_not() -> None:
    """Nor what only a failure leads to, nor a verb that prepares nothing."""
    incoming = event()
    ask = Step(id="ask", verb=Verb.STRIPE, targets=("payouts.retrieve",))
    then = replace(TELL, id="then", needs=("ask",))
    late = replace(TELL, id="late", targets=("payments",))
    rule, plan = planned(incoming, ask, then, on_failure=(late,))
    done = Prepare({Verb.NOTIFY: Scripted(Verb.NOTIFY, [])}, known)(incoming, plan, Rules((rule,)))
    assert set(requests(done).values()) == {None}
    assert done == plan


def test_what_is_about_an_account_that_is_not_at_hand_is_not() -> None:
    """No event waits for its commit until somebody has been asked."""
    incoming = event()
    rule, plan = planned(incoming, TELL)
    prepared = Prepare({Verb.NOTIFY: Scripted(Verb.NOTIFY, [])}, lambda account, livemode: (False, None))
    assert prepared(incoming, plan, Rules((rule,))) == plan
    itself = event("payout.failed", object={"object": "account", "id": "acct_1"})
    rule, plan = planned(itself, TELL)
    assert None not in requests(prepared(itself, plan, Rules((rule,)))).values()


def test_what_is_large_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event times its deliveries: the commit of a batch must not grow with the number of callbacks."""
    incoming = event()
    monkeypatch.setattr(prepare, "LARGEST", len(incoming.body) * 2 - 1)
    rule, plan = planned(incoming, TELL)
    assert Prepare({Verb.NOTIFY: Scripted(Verb.NOTIFY, [])}, known)(incoming, plan, Rules((rule,))) == plan


@pytest.mark.parametrize("error", [TemplateError("no field x"), ZeroDivisionError("a fault of ours")])
def test_what_cannot_be_rendered_is_left_to_its_first_attempt(error: Exception) -> None:
    """The event is stored all the same, and the reason is put on record there."""

    def fail() -> Json:
        raise error

    incoming = event()
    rule, plan = planned(incoming, TELL)
    notifier = Scripted(Verb.NOTIFY, [], rendering=fail)
    assert Prepare({Verb.NOTIFY: notifier}, known)(incoming, plan, Rules((rule,))) == plan
