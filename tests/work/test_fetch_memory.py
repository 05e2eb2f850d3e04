"""Rules with a memory and thin events: what they count, compare and wait for is what was read of them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from engine.model.event import Event
from engine.store import Store
from tests.builders import event
from tests.work.fetching import Bench, at_the_bench

RULES = """
rules:
  - id: not-repaired
    when: payout.failed
    not_followed_by: {type: payout.paid, within: 1h, same: id, where: {amount: {gte: 1 USD}, currency: usd}}
    then: {notify: risk}
  - id: much
    when: topup.failed
    threshold: {within: 1h, sum: {amount: 100 USD}, per: statement_descriptor}
    then: {notify: risk}
  - id: half
    when: {type: refund.failed, where: {reason: duplicate}}
    threshold:
      within: 1h
      ratio: {of: {type: refund.failed, where: {amount: {gte: 1 USD}, currency: usd}}, gte: 50%, min: 4}
    then: {notify: risk}
  - id: share
    when: transfer.reversed
    threshold: {within: 1h, ratio: {of: [transfer.reversed, transfer.created], gte: 50%, min: 2}, per: destination}
    then: {notify: risk}
  - id: goes-on
    when: charge.failed
    incident: {resolve_after: 2h}
    on_update: {notify: risk, title: "from {{ incident.first.object.amount }} to {{ object.amount }}"}
    then: {notify: risk, title: "{{ object.amount }}"}
  - id: gathers
    when: coupon.deleted
    digest: {every: 1h, group_by: name}
    then:
      notify: risk
      title: "{{ digest.totals }}: {{ digest.items[1].object.name }}, {{ digest.groups[0].count }}"
"""


@pytest.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    async with at_the_bench(store, RULES) as made:
        yield made


def thin(bench: Bench, type_: str, number: int, **fields: object) -> Event:
    """A thin event, and its object as it can be read."""
    name = type_.partition(".")[0]
    id_ = f"ob_{number}"
    bench.stripe.put(f"/v1/{name}s/{id_}", {"id": id_, "object": name, **fields}, account="acct_1", livemode=True)
    related = {"id": id_, "type": name, "url": f"/v1/{name}s/{id_}"}
    return event(f"v1.{type_}", context="acct_1", related_object=related)


async def statuses(bench: Bench, given: Event) -> dict[str, str]:
    return {each.rule: str(each.status) for each in await bench.store.events.firings(given.dedupe_key)}


async def test_what_follows_is_known_by_its_object(bench: Bench) -> None:
    failed, other = (thin(bench, "payout.failed", number, amount=200, currency="usd") for number in (1, 2))
    for each in (failed, other):
        await bench.accept(each)
        assert (await statuses(bench, each))["not-repaired"] == "waiting"
    await bench.accept(thin(bench, "payout.paid", 1, amount=200, currency="usd"))
    await bench.accept(thin(bench, "payout.paid", 2, amount=50, currency="usd"))
    assert (await statuses(bench, failed))["not-repaired"] == "no"
    assert (await statuses(bench, other))["not-repaired"] == "waiting"


async def test_amounts_add_up_by_what_they_are_counted_under(bench: Bench) -> None:
    found = []
    for number, source in enumerate("aab"):
        given = thin(bench, "topup.failed", number, amount=6000, currency="usd", statement_descriptor=source)
        await bench.accept(given)
        found.append((await statuses(bench, given))["much"])
    assert found == ["no", "fired", "no"]


async def test_a_share_is_of_what_could_be_read(bench: Bench) -> None:
    """Of six refunds two are small; of the other four two were duplicates."""
    found = []
    for number, (amount, reason) in enumerate(
        [(50, "a"), (50, "a"), (200, "a"), (200, "a"), (200, "duplicate"), (200, "duplicate")]
    ):
        given = thin(bench, "refund.failed", number, amount=amount, reason=reason, currency="usd")
        await bench.accept(given)
        found.append((await statuses(bench, given)).get("half"))
    assert found == [None, None, None, None, "no", "fired"]


async def test_a_share_is_of_the_events_that_are_counted_with_it(bench: Bench) -> None:
    """All of them have what they are counted by read, not the rule's own alone."""
    for number in range(4):
        await bench.accept(thin(bench, "transfer.created", number, destination="acct_2"))
    found = []
    for number in (5, 6):
        given = thin(bench, "transfer.reversed", number, destination="acct_2")
        await bench.accept(given)
        found.append((await statuses(bench, given))["share"])
    assert found == ["no", "no"]


async def test_an_incident_is_told_with_the_object_of_its_first_event(bench: Bench) -> None:
    """Which was read when that came."""
    for number, amount in enumerate((500, 700)):
        await bench.accept(thin(bench, "charge.failed", number, amount=amount))
    assert bench.sent.titles == ["500", "from 500 to 700"]


async def test_a_digest_adds_up_and_groups_what_was_read(bench: Bench) -> None:
    for number, name in enumerate(("Spring", "Autumn", "Spring")):
        await bench.accept(thin(bench, "coupon.deleted", number, name=name, amount=250, currency="eur"))
    await bench.later(timedelta(hours=2))
    assert bench.sent.titles == ["€7.50: Spring, 2"]
