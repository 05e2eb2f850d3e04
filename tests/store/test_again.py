"""What was given up is counted and gone through without reading it all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import Verb
from engine.store import Store
from engine.store.again import Choice
from tests.builders import event
from tests.store.plans import Database, delivery, firing

NOW = datetime.now(UTC)
DEAD = DeliveryStatus.DEAD


def dead(number: int, **changes: object) -> Delivery:
    made = delivery(firing(event()), f"step-{number}", status=DEAD, next_attempt=None)
    given = {"created": NOW - timedelta(minutes=100 - number), "finished": NOW, **changes}
    return replace(made, **given)  # type: ignore[arg-type]


def choice(**changes: object) -> Choice:
    return replace(Choice(statuses=[DEAD], now=NOW), **changes)  # type: ignore[arg-type]


@pytest.fixture
async def ten(store: Store) -> list[Delivery]:
    """Ten to a callback, two to a channel's recipients, and one old and one young Stripe write."""
    callbacks = [dead(n) for n in range(10)]
    mails = [dead(20 + n, verb=Verb.NOTIFY, destination=f"mail/{n}@x") for n in range(2)]
    writes = [
        dead(30 + n, verb=Verb.STRIPE, destination="refunds.create", first_attempt=NOW - timedelta(hours=hours))
        for n, hours in enumerate((1, 24))
    ]
    await store.deliveries.insert([*callbacks, *mails, *writes])
    return callbacks


async def test_they_are_counted_by_where_they_go(store: Store, ten: list[Delivery]) -> None:
    """A write whose key Stripe may have forgotten apart."""
    found = {each.destination: (each.ready, each.stale) for each in await store.again.count(choice())}
    assert found == {"case-system": (10, 0), "mail/0@x": (1, 0), "mail/1@x": (1, 0), "refunds.create": (1, 1)}
    assert sum(each.stale for each in await store.again.count(choice(again=True))) == 0


@pytest.mark.parametrize(
    ("chosen", "number"),
    [
        ({"destinations": ["mail", "mail/*"]}, 2),
        ({"rule": "payout-*"}, 13),
        ({"rule": "other"}, 0),
        ({"since": NOW - timedelta(minutes=95)}, 8),
        ({"statuses": [DeliveryStatus.HELD]}, 0),
    ],
)
async def test_they_are_chosen(store: Store, ten: list[Delivery], chosen: dict[str, object], number: int) -> None:
    assert len(await store.again.page(choice(**chosen), None, 100)) == number


async def test_pages_go_through_all_of_them_the_oldest_first(store: Store, ten: list[Delivery]) -> None:
    """Those that were made due meanwhile are gone, and none is missed."""
    found, last = [], None
    while page := await store.again.page(choice(destinations=["case-system"]), last, 3):
        await store.deliveries.retry([each.id for each in page])
        found += [each.id for each in page]
        last = page[-1]
    assert found == [each.id for each in ten]


async def test_pages_go_through_both_statuses_in_the_order_of_time(store: Store) -> None:
    statuses = [DEAD, DeliveryStatus.HELD]
    made = [dead(number, status=statuses[number % 2]) for number in range(9)]
    await store.deliveries.insert(made)
    found, last = [], None
    while page := await store.again.page(choice(statuses=statuses), last, 2):
        found += [each.id for each in page]
        last = page[-1]
    assert found == [each.id for each in made]


async def test_each_is_due_after_its_own_while_and_so_is_its_job(
    store: Store, ten: list[Delivery], look: Database
) -> None:
    waits = [timedelta(hours=number) for number in range(3)]
    assert await store.deliveries.retry([each.id for each in ten[:3]], after=waits) == 3
    due = [(await store.deliveries.get(each.id)) for each in ten[:3]]
    times = [each.next_attempt for each in due if each is not None and each.next_attempt is not None]
    assert [later - times[0] for later in times] == waits
    jobs = await look.rows("select execute_after - now() as wait from tocsin_queue.pgqueuer order by execute_after")
    assert [round(row["wait"] / timedelta(hours=1)) for row in jobs] == [0, 1, 2]
