"""`fetch` of a step: the object is read anew when the step is carried out, and its `if` and texts are about that."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.event import Event, Json
from engine.model.fetch import Fetch
from engine.model.rule import Rule, When
from engine.plan import seen_by
from engine.store import Store
from engine.stripe_api.client import Call, Success
from engine.work import fetch
from tests.builders import event
from tests.fakes.stripe_api import Fault
from tests.work.fetching import Bench, at_the_bench

RULES = """
rules:
  - id: still-failed
    when: {type: payout.failed, where: {status: failed}}
    then:
      - {notify: risk, fetch: object, if: {status: failed}, title: "{{ object.status }} {{ object.id }}"}
  - id: call
    when: payout.canceled
    then: {callback: case, fetch: object}
"""
REMINDS = """
rules:
  - id: reminds
    when: charge.dispute.created
    remind: {before: evidence_details.due_by, at: [24h]}
    then: {notify: risk, fetch: object, if: {status: needs_response}, title: "{{ object.status }} {{ reminder.left }}"}
"""


@pytest.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    async with at_the_bench(store, RULES) as made:
        yield made


def failed() -> Event:
    return event("payout.failed", object={"id": "po_1", "status": "failed"})


def now(bench: Bench, status: str) -> None:
    """How the payout stands at Stripe."""
    bench.stripe.put(
        "/v1/payouts/po_1", {"id": "po_1", "object": "payout", "status": status}, account="acct_1", livemode=True
    )


async def test_it_is_read_as_the_account_of_the_event(bench: Bench) -> None:
    now(bench, "failed")
    assert await bench.accept(failed()) == {"still-failed": "delivered"}
    assert bench.sent.titles == ["failed po_1"]
    (asked,) = bench.stripe.requests
    assert (asked.path, asked.account) == ("/v1/payouts/po_1", "acct_1")


async def test_what_is_no_longer_so_is_not_told(bench: Bench) -> None:
    """With the reason on record; the event stays as it came."""
    now(bench, "paid")
    given = failed()
    assert await bench.accept(given) == {"still-failed": "skipped"}
    [delivery] = await bench.store.deliveries.ls(event=given.dedupe_key, limit=9)
    assert delivery.reason == "if: status is paid, needs failed"
    assert bench.sent.titles == []
    stored = await bench.store.events.get(given.dedupe_key)
    assert stored is not None
    assert (stored.object or {})["status"] == "failed"
    assert stored.fetched is None


async def test_what_was_read_for_the_rule_does_not_stand_before_it() -> None:
    """Which may have wanted something else included."""
    wanted = Fetch(object=True, include=("requirements",))
    rule = Rule(id="r", when=(When(types=("v2.core.account.updated",), fetch=wanted),), steps=())
    related = {"id": "acct_1", "type": "v2.core.account", "url": "/v2/core/accounts/acct_1"}
    thin = event("v2.core.account.updated", context="acct_1", related_object=related)
    seen = seen_by(rule, replace(thin, fetched={wanted.object_need: {"id": "acct_1", "contact_email": "old"}}))

    async def read(given: Event, call: Call) -> Success:
        return Success(status=200, data={"id": "acct_1", "contact_email": "new"}, request_id=None)

    found = await fetch.rereading(read)(seen, Fetch(object=True, include=("identity",)))
    assert isinstance(found, Event)
    assert (seen_by(rule, found).object or {})["contact_email"] == "new"


async def test_what_cannot_be_read_is_told_as_it_came(bench: Bench) -> None:
    """An alert is not lost because its object is gone, and says so."""
    assert await bench.accept(failed()) == {"still-failed": "delivered"}
    assert bench.sent.titles == ["failed po_1"]
    [note] = bench.sent.notes
    assert note is not None
    assert note.startswith("told as it was when the event came, for it could not be read anew (object: ")


async def test_stripe_is_asked_three_times_before_it_is_told_as_it_came(bench: Bench) -> None:
    """Each is a try of the message, which says so when it goes out without."""
    now(bench, "failed")
    bench.stripe.fault(*[Fault(status=500)] * 20)
    given = failed()
    assert await bench.accept(given) == {"still-failed": "pending"}
    for attempts in (1, 2):
        [delivery] = await bench.store.deliveries.ls(event=given.dedupe_key, limit=9)
        assert (delivery.attempts, bench.sent.titles) == (attempts, [])
        bench.ahead += timedelta(hours=1)
        await bench.settle(given)
    assert bench.sent.titles == ["failed po_1"]
    assert "Stripe answered 500" in (bench.sent.notes[0] or "")


async def test_a_step_that_is_tried_once_is_told_at_once(store: Store) -> None:
    """Its own retries may be over before Stripe was asked three times."""
    once = RULES.replace("fetch: object, if:", "fetch: object, retry: {attempts: 1}, if:")
    async with at_the_bench(store, once) as bench:
        bench.stripe.fault(*[Fault(status=500)] * 20)
        assert await bench.accept(failed()) == {"still-failed": "delivered"}
        assert bench.sent.titles == ["failed po_1"]


async def test_a_stripe_that_hangs_holds_up_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for long, and left alone for a while: whoever waits holds a seat of a channel that works."""
    monkeypatch.setattr(fetch, "REREAD_WITHIN", 0.2)
    now(bench, "failed")
    bench.stripe.fault(*[Fault(hang=True)] * 20)
    first, second = failed(), event("payout.failed", object={"id": "po_1", "status": "failed", "amount": 2})
    assert await bench.accept(first) == {"still-failed": "pending"}
    assert await bench.accept(second) == {"still-failed": "pending"}
    [delivery] = await bench.store.deliveries.ls(event=second.dedupe_key, limit=9)
    assert delivery.reason == "object: Stripe does not answer"
    assert len(bench.stripe.requests) == 1
    for _ in range(2):
        bench.ahead += timedelta(hours=1)
        await bench.settle(second)
    assert bench.sent.titles == ["failed po_1"]


async def test_a_call_is_not_made_with_what_may_not_be_so_any_more(bench: Bench) -> None:
    """Where it cannot be read anew, the step is dead with that reason."""
    given = event("payout.canceled", object={"id": "po_9", "status": "canceled"})
    assert await bench.accept(given) == {"call": "dead"}
    [delivery] = await bench.store.deliveries.ls(event=given.dedupe_key, limit=9)
    assert (delivery.reason or "").startswith("object: ")


async def test_a_reminder_knows_how_it_stands_when_it_is_sent(store: Store) -> None:
    """Not how it stood when the dispute was opened."""
    moment = datetime.now(UTC)
    due = int((moment + timedelta(hours=10)).timestamp())
    found = {"id": "dp_1", "object": "dispute", "status": "under_review", "evidence_details": {"due_by": due}}
    open_ = {**found, "status": "needs_response"}
    moved = {**open_, "evidence_details": {"due_by": due + 60}}
    async with at_the_bench(store, REMINDS) as bench:
        bench.stripe.put("/v1/disputes/dp_1", found, account="acct_1", livemode=True)
        assert await bench.accept(_disputed(open_, moment)) == {"reminds": "skipped"}
        bench.stripe.put("/v1/disputes/dp_1", open_, account="acct_1", livemode=True)
        assert await bench.accept(_disputed(moved, moment)) == {"reminds": "delivered"}
    assert bench.sent.titles == ["needs_response in 10 hours"]


def _disputed(found: dict[str, Json], moment: datetime) -> Event:
    return event("charge.dispute.created", object=found, created=int(moment.timestamp()), received=moment)
