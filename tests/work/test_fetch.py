"""What rules want read from Stripe: read as the event's account, kept with the event, and rules judged on it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.event import Json
from engine.model.verdict import VerdictKind
from engine.store import Store
from engine.store.accounts import SeenAccount
from engine.work.accounts import AccountBook
from tests.builders import event
from tests.fakes.stripe_api import Fault
from tests.work.fetching import Bench, at_the_bench

DUE = "v2.core.account[requirements].updated"

RULES = """
rules:
  - id: due
    when:
      type: "v2.core.account[requirements].updated"
      fetch: {object: {include: [requirements]}}
      where: {requirements.summary.minimum_deadline.status: past_due}
    then: {notify: risk, title: "{{ object.requirements.summary.minimum_deadline.status }} of {{ object.id }}"}
  - id: big-charge
    when:
      type: charge.dispute.created
      fetch: [charge]
      where: {charge.amount: {gte: 1000}, charge.currency: usd}
    then: {notify: risk, title: "{{ object.charge.id }} {{ object.id }}"}
  - id: any-dispute
    when: charge.dispute.created
    then: {notify: risk}
  - id: payout-now
    when: {type: payout.updated, fetch: object, where: {status: paid}}
    then: {notify: risk}
  - id: payout-failed
    when: {type: payout.failed, where: {failure_code: account_closed}}
    then: {notify: risk, title: "{{ object.failure_code }}"}
  - id: german
    when: {type: topup.failed, where: {$account.country: DE, $account.charges_enabled: true}}
    then: {notify: risk, title: "{{ account.name }} {{ account.metadata.tier }}"}
  - id: called
    when: refund.failed
    then: {notify: risk, title: "{{ account.label }}"}
  - id: of-a-word
    when: {type: transfer.created, fetch: [metadata.ref], where: {metadata.ref.amount: 5}}
    then: {notify: risk}
  - id: german-transfer
    when: {type: transfer.created, where: {$account.country: DE}}
    then: {notify: risk}
  - id: switched-off
    when: {type: account.updated, where: {id: {same_as: $account.id}, $account.charges_enabled: false}}
    then: {notify: risk}
  - id: several
    when:
      - {type: topup.canceled, fetch: [balance_transaction]}
      - {type: refund.created, fetch: [charge], where: {charge.amount: 5}}
    then: {notify: risk, title: "{{ object.charge.amount }}"}
  - id: rest
    when: {unmatched: true}
    then: {notify: risk}
"""


@pytest.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    async with at_the_bench(store, RULES) as made:
        yield made


async def test_a_thin_event_is_judged_on_what_was_included(bench: Bench) -> None:
    """Read as the platform, of its own account; nothing fires before, and `explain` sees what was read."""
    given = event(DUE)
    bench.stripe.put(
        "/v2/core/accounts/acct_1",
        {"id": "acct_1", "requirements": {"summary": {"minimum_deadline": {"status": "past_due"}}}},
        livemode=True,
    )
    await bench.pipeline.accept(given)
    assert (await bench.verdicts(given))["due"] is VerdictKind.WAITING
    assert await bench.settle(given) == {"tocsin": "delivered", "due": "delivered"}
    assert bench.sent.titles == ["past_due of acct_1"]
    (asked,) = bench.stripe.requests
    assert (asked.path, asked.account, asked.context) == ("/v2/core/accounts/acct_1", None, None)
    assert asked.params == {"include": ["requirements"]}
    assert (await bench.verdicts(given))["due"] is VerdictKind.FIRED
    assert [firing.rule for firing in await bench.store.events.firings(given.dedupe_key)] == ["due"]


async def test_what_was_read_may_say_no_and_then_nobody_looks_after_it(bench: Bench) -> None:
    """A rule for the unmatched waits until everything is judged."""
    given = event(DUE)
    bench.stripe.put("/v2/core/accounts/acct_1", {"id": "acct_1", "requirements": {}}, livemode=True)
    assert await bench.accept(given) == {"tocsin": "delivered", "rest": "delivered"}
    assert await bench.verdicts(given) == {"due": VerdictKind.NO, "rest": VerdictKind.FIRED}


async def test_an_id_is_replaced_by_its_object_and_the_other_rules_do_not_wait(bench: Bench) -> None:
    """Read in the event's account; rules without `fetch` see the id."""
    given = event("charge.dispute.created", object={"id": "du_1", "object": "dispute", "charge": "ch_1"})
    charge = {"id": "ch_1", "object": "charge", "amount": 5000, "currency": "usd"}
    bench.stripe.put("/v1/charges/ch_1", charge, account="acct_1", livemode=True)
    await bench.pipeline.accept(given)
    assert [each.rule for each in await bench.store.events.firings(given.dedupe_key)] == ["any-dispute"]
    done = await bench.settle(given)
    assert done == {"tocsin": "delivered", "any-dispute": "delivered", "big-charge": "delivered"}
    assert "ch_1 du_1" in bench.sent.titles
    assert bench.fired == ["big-charge"]  # what fired at once is counted when it does
    (asked,) = bench.stripe.requests
    assert (asked.path, asked.account) == ("/v1/charges/ch_1", "acct_1")


async def test_the_object_as_it_is_now_takes_the_place_of_the_one_that_was_sent(bench: Bench) -> None:
    """By the retrieve operation of its type."""
    given = event("payout.updated", object={"id": "po_1", "object": "payout", "status": "in_transit"})
    now = {"id": "po_1", "object": "payout", "status": "paid"}
    bench.stripe.put("/v1/payouts/po_1", now, account="acct_1", livemode=True)
    assert (await bench.accept(given))["payout-now"] == "delivered"


async def test_a_thin_twin_reads_its_object_by_default_and_the_snapshot_fires_nothing_twice(bench: Bench) -> None:
    """Whichever comes first; a thin event whose rules do not ask for the object reads nothing."""
    found = {"id": "po_1", "object": "payout", "failure_code": "account_closed"}
    bench.stripe.put("/v1/payouts/po_1", found, account="acct_1", livemode=True)
    related = {"id": "po_1", "type": "payout", "url": "/v1/payouts/po_1"}
    twin = event("v1.payout.failed", id="evt_thin", snapshot_event="evt_7", context="acct_1", related_object=related)
    assert await bench.accept(twin) == {"tocsin": "delivered", "payout-failed": "delivered"}
    assert bench.sent.titles == ["account_closed"]
    snapshot = event("payout.failed", id="evt_7", object=found)
    assert await bench.accept(snapshot) == {"tocsin": "delivered", "payout-failed": "delivered"}
    assert len(bench.sent.titles) == 1
    quiet = event("v1.payout.paid", context="acct_1", related_object=related)
    assert await bench.accept(quiet) == {"rest": "delivered"}
    assert len(bench.stripe.requests) == 1


async def test_a_snapshot_that_comes_while_its_twin_is_read_makes_that_needless(bench: Bench) -> None:
    """Nothing is asked of Stripe, and everything fires once."""
    related = {"id": "po_1", "type": "payout", "url": "/v1/payouts/po_1"}
    twin = event("v1.payout.failed", snapshot_event="evt_8", context="acct_1", related_object=related)
    await bench.pipeline.accept(twin)
    found = {"id": "po_1", "object": "payout", "failure_code": "account_closed"}
    snapshot = event("payout.failed", id="evt_8", object=found)
    assert await bench.accept(snapshot) == {"tocsin": "delivered", "payout-failed": "delivered"}
    assert bench.stripe.requests == []
    assert len(bench.sent.titles) == 1


async def test_a_failure_is_tried_again_and_never_a_no(bench: Bench) -> None:
    """What cannot be read is an error on record; so is what there is no key for."""
    given = event(DUE)
    bench.stripe.fault(*[Fault(status=503, type="api_error")] * 2)
    assert await bench.accept(given) == {"tocsin": "pending"}
    assert (await bench.verdicts(given))["due"] is VerdictKind.WAITING
    gone = event(DUE, related_object={"id": "acct_2", "type": "v2.core.account", "url": "/v2/core/accounts/acct_2"})
    assert await bench.accept(gone) == {"tocsin": "dead"}
    (reading,) = await bench.store.deliveries.ls(event=gone.dedupe_key, limit=9)
    assert reading.reason is not None
    assert reading.reason.startswith("object:requirements: Stripe answered 404")
    stored = await bench.store.events.get(gone.dedupe_key)
    assert stored is not None
    (verdict, _) = bench.rulebook.explain(stored, unread=reading.reason)
    assert verdict.kind is VerdictKind.ERROR
    assert verdict.because is not None
    assert verdict.because.actual.startswith("could not be read: object:requirements: Stripe answered 404")


@pytest.mark.parametrize("url", ["//evil.example/x", "//[", "http://evil.example/v1/x", "/v1/../x", "/other", None, 7])
async def test_a_url_that_leads_elsewhere_is_never_followed(bench: Bench, url: Json) -> None:
    """However the event came by it."""
    given = event(DUE, related_object={"id": "acct_1", "type": "v2.core.account", "url": url})
    assert await bench.accept(given) == {"tocsin": "dead"}
    assert bench.stripe.requests == []


async def test_what_was_read_first_stays(bench: Bench) -> None:
    """Done again after a crash, it is judged on the same, and fires nothing twice."""
    given = event(DUE)
    path, due = "/v2/core/accounts/acct_1", {"summary": {"minimum_deadline": {"status": "past_due"}}}
    bench.stripe.put(path, {"id": "acct_1", "requirements": due}, livemode=True)
    await bench.accept(given)
    bench.stripe.put(path, {"id": "acct_1", "requirements": {}}, livemode=True)
    kept = await bench.store.events.keep_fetched(given.dedupe_key, {"object:requirements": {}})
    assert kept is not None
    assert kept["object:requirements"]["requirements"] == due
    stored = await bench.store.events.get(given.dedupe_key)
    assert stored is not None
    assert bench.rulebook.wants(stored) == ()
    assert [match.rule.id for match in bench.rulebook.match(stored)] == ["due"]
    assert bench.rulebook.match(replace(stored, fetched=None)) == ()


ACCOUNT = {
    "id": "acct_1",
    "object": "account",
    "business_profile": {"name": "Acme GmbH"},
    "country": "DE",
    "charges_enabled": True,
    "metadata": {"tier": "gold"},
}


async def test_fields_of_the_account_are_read_once_a_day_and_kept_with_each_event(bench: Bench) -> None:
    """As the platform; `explain` stays exact when the account changes."""
    bench.stripe.put("/v1/accounts/acct_1", ACCOUNT, livemode=True)
    first, second = event("topup.failed"), event("topup.failed")
    assert await bench.accept(first) == {"tocsin": "delivered", "german": "delivered"}
    assert await bench.accept(second) == {"tocsin": "delivered", "german": "delivered"}
    assert bench.sent.titles == ["Acme GmbH gold"] * 2
    (asked,) = bench.stripe.requests
    assert (asked.path, asked.account) == ("/v1/accounts/acct_1", None)
    moved = SeenAccount(
        account="acct_1", livemode=True, object={**ACCOUNT, "country": "FR"}, as_of=datetime.now(UTC) + timedelta(1)
    )
    await bench.store.accounts.keep([moved])
    third = event("topup.failed")
    assert await bench.accept(third) == {"tocsin": "delivered", "rest": "delivered"}
    assert await bench.verdicts(third) == {"german": VerdictKind.NO, "rest": VerdictKind.FIRED}
    assert (await bench.verdicts(first))["german"] is VerdictKind.FIRED


async def test_the_platform_has_no_fields_and_nothing_is_read_for_it(bench: Bench) -> None:
    """They are missing, which is a no."""
    assert await bench.accept(event("topup.failed", account=None)) == {"rest": "delivered"}
    assert bench.stripe.requests == []


async def test_an_account_that_cannot_be_read_is_what_it_last_was_else_an_error(bench: Bench) -> None:
    """It may have disconnected since."""
    unknown = event("topup.failed", account="acct_9")
    assert await bench.accept(unknown) == {"tocsin": "dead"}
    old = SeenAccount(
        account="acct_9", livemode=True, object={**ACCOUNT, "id": "acct_9"}, as_of=datetime(2026, 1, 1, tzinfo=UTC)
    )
    await bench.store.accounts.keep([old])
    known = event("topup.failed", account="acct_9")
    assert (await bench.accept(known))["german"] == "delivered"


async def test_messages_call_accounts_by_the_name_they_were_last_seen_with(bench: Bench) -> None:
    """Learnt from the account's own events; a rule need not ask for it."""
    book = AccountBook(bench.store.accounts)
    stop = asyncio.Event()
    running = asyncio.create_task(book.run(stop))
    book.learn(event("account.updated", object={**ACCOUNT, "business_profile": {"name": "Acme"}}))
    book.learn(event("payout.failed"))
    for _ in range(100):
        if await bench.store.accounts.get("acct_1", True):
            break
        await asyncio.sleep(0.02)
    stop.set()
    await running
    assert await book.told("acct_1", True) == {"name": "Acme", "country": "DE", "email": None}  # and no more of it
    await bench.accept(event("refund.failed"))
    assert bench.sent.titles == ["Acme (acct_1)"]


async def test_what_is_older_than_what_is_known_of_an_account_changes_nothing(store: Store) -> None:
    """Events come in any order."""
    now = datetime.now(UTC)
    new = SeenAccount(account="acct_3", livemode=True, object={"country": "DE"}, as_of=now)
    await store.accounts.keep([new])
    await store.accounts.keep([replace(new, object={"country": "FR"}, as_of=now - timedelta(hours=1))])
    await store.accounts.keep([replace(new, object={"country": "US"}, livemode=False)])
    known = await store.accounts.get("acct_3", True)
    assert known is not None
    assert known.object == {"country": "DE"}


async def test_what_one_rule_wants_and_cannot_have_keeps_no_other_waiting(bench: Bench) -> None:
    """It is on record as what could not be read; the other rule is judged on what was."""
    bench.stripe.put("/v1/accounts/acct_1", ACCOUNT, livemode=True)
    given = event("transfer.created", object={"metadata": {"ref": "hello"}})
    assert await bench.accept(given) == {"tocsin": "dead", "german-transfer": "delivered"}
    assert await bench.verdicts(given) == {
        "of-a-word": VerdictKind.WAITING,
        "german-transfer": VerdictKind.FIRED,
        "rest": VerdictKind.NO,
    }


async def test_the_ids_of_an_object_that_is_read_are_read_after_it(bench: Bench) -> None:
    """Of a thin event, where the ids are known only then."""
    dispute = {"id": "du_1", "object": "dispute", "charge": "ch_1"}
    bench.stripe.put("/v1/disputes/du_1", dispute, account="acct_1", livemode=True)
    charge = {"id": "ch_1", "object": "charge", "amount": 5000, "currency": "usd"}
    bench.stripe.put("/v1/charges/ch_1", charge, account="acct_1", livemode=True)
    related = {"id": "du_1", "type": "dispute", "url": "/v1/disputes/du_1"}
    twin = event("v1.charge.dispute.created", context="acct_1", related_object=related, snapshot_event="evt_9")
    assert (await bench.accept(twin))["big-charge"] == "delivered"
    assert "ch_1 du_1" in bench.sent.titles


async def test_a_snapshot_has_read_what_its_twin_did_not_want(bench: Bench) -> None:
    """The two ask for different things; what the first had read stays."""
    related = {"id": "du_2", "type": "dispute", "url": "/v1/disputes/du_2"}
    twin = event("v1.charge.dispute.created", context="acct_1", related_object=related, snapshot_event="evt_10")
    await bench.accept(twin)  # which finds no dispute
    charge = {"id": "ch_2", "object": "charge", "amount": 5000, "currency": "usd"}
    bench.stripe.put("/v1/charges/ch_2", charge, account="acct_1", livemode=True)
    snapshot = event(
        "charge.dispute.created", id="evt_10", object={"id": "du_2", "object": "dispute", "charge": "ch_2"}
    )
    await bench.accept(snapshot)
    assert [firing.rule for firing in await bench.store.events.firings("evt_10")].count("big-charge") == 1
    kept = await bench.store.events.keep_fetched("evt_10", {"id:charge": {"amount": 1}, "more": {}})
    assert kept is not None
    assert (kept["id:charge"]["amount"], kept["more"]) == (5000, {})


async def test_an_event_of_the_account_itself_says_what_its_fields_are(bench: Bench) -> None:
    """However lately it was seen to be otherwise."""
    seen = SeenAccount(account="acct_1", livemode=True, object=ACCOUNT, as_of=datetime.now(UTC))
    await bench.store.accounts.keep([seen])
    given = event("account.updated", object={**ACCOUNT, "charges_enabled": False})
    assert (await bench.accept(given))["switched-off"] == "delivered"
    assert bench.stripe.requests == []


async def test_texts_see_the_event_as_the_when_that_held(bench: Bench) -> None:
    """Of several, whichever comes first."""
    charge = {"id": "ch_1", "object": "charge", "amount": 5}
    bench.stripe.put("/v1/charges/ch_1", charge, account="acct_1", livemode=True)
    given = event("refund.created", object={"id": "re_1", "object": "refund", "charge": "ch_1"})
    assert (await bench.accept(given))["several"] == "delivered"
    assert bench.sent.titles == ["5"]
