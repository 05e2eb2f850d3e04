"""What was given up is told once, in one message, and never forgotten."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import OWN_RULE, DeliveryStatus
from engine.model.rule import Verb
from engine.store import Store
from engine.work.dead import EVERY, dead_reports
from tests.decide.test_retry import delivery

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Told:
    """An ops channel, and a clock."""

    def __init__(self, store: Store) -> None:
        self.now = NOON
        self.reports: list[tuple[str, str, str]] = []
        self.failing = False
        self.dead = dead_reports(store.dead, self.report, clock=lambda: self.now)

    async def report(self, subject: str, title: str, text: str) -> None:
        if self.failing:
            raise ConnectionError
        if (subject, title, text) not in self.reports:
            self.reports.append((subject, title, text))


async def give_up(store: Store, key: str, at: datetime, **fields: object) -> None:
    made = delivery(key=key)
    given = {"status": DeliveryStatus.DEAD, "reason": "503", "finished": at, "created": at, **fields}
    await store.deliveries.insert([replace(made, **given)])  # type: ignore[arg-type]


@pytest.fixture
async def told(store: Store) -> Told:
    made = Told(store)
    assert await made.dead.once() == 0  # from now on
    return made


async def test_a_clock_that_was_set_back_hides_nothing(store: Store, told: Told) -> None:
    """What is given up from then on is told, though it is before what was told already."""
    told.now = NOON - timedelta(hours=1)
    assert await told.dead.once() == 0
    await give_up(store, "dlv_1", told.now + timedelta(minutes=1))
    told.now += EVERY + timedelta(seconds=20)
    assert await told.dead.once() == 1


async def test_what_was_given_up_is_told_once_by_destination(store: Store, told: Told) -> None:
    """The most first, with the rules and the latest reason; each five minutes by themselves."""
    for number in range(3):
        at = NOON + timedelta(seconds=10 + number)
        await give_up(store, f"dlv_{number}", at, destination="risk", rule=f"r{number % 2}", reason=f"50{number}")
    await give_up(store, "dlv_c", NOON + timedelta(minutes=1), verb=Verb.CALLBACK, destination="cases", rule="r9")
    await give_up(store, "dlv_ok", NOON + timedelta(minutes=1), status=DeliveryStatus.DELIVERED)
    await give_up(store, "dlv_later", NOON + timedelta(minutes=6), destination="risk")
    told.now = NOON + EVERY + timedelta(seconds=20)
    assert await told.dead.once() == 4
    ((_, title, text),) = told.reports
    assert title == "4 deliveries were given up"
    assert text.splitlines()[:4] == [
        "Between 23 Nov 11:55 and 12:05 UTC:",
        "",
        "3 × notify risk (rule r0, r1), the latest: 502",
        "1 × callback cases (rule r9), the latest: 503",
    ]
    assert await told.dead.once() == 0
    told.now += EVERY
    assert await told.dead.once() == 1
    assert len(told.reports) == 2


async def test_a_report_that_could_not_be_stored_is_made_again(store: Store, told: Told) -> None:
    """The mark moves after it."""
    await give_up(store, "dlv_1", NOON + timedelta(seconds=1))
    told.now = NOON + EVERY * 3
    told.failing = True
    with pytest.raises(ConnectionError):
        await told.dead.once()
    told.failing = False
    assert await told.dead.once() == 1
    assert await told.dead.once() == 0
    assert len(told.reports) == 1


async def test_two_processes_say_the_same(store: Store, told: Told) -> None:
    """So that what both of them found is sent once."""
    await give_up(store, "dlv_1", NOON + timedelta(seconds=1))
    told.now = NOON + EVERY + timedelta(minutes=1)
    await asyncio.gather(told.dead.once(), dead_reports(store.dead, told.report, clock=lambda: told.now).once())
    assert len(told.reports) == 1


async def test_reports_that_did_not_arrive_are_not_reported(store: Store, told: Told) -> None:
    """They would go the same way; what could not be read from Stripe is."""
    at = NOON + timedelta(seconds=1)
    await give_up(store, "dlv_own", at, rule=OWN_RULE, firing=None)
    await give_up(store, "dlv_fetch", at, rule=OWN_RULE, verb=Verb.FETCH, destination="stripe")
    told.now = NOON + EVERY * 2
    assert await told.dead.once() == 1
