"""Whose turn it is: a flood of one comes after what everybody else does, and nobody waits for ever."""

import asyncio

from engine.model.delivery import Plan
from engine.store import Store, turns
from engine.store.turns import MOST, SHARE, Turns
from tests.builders import event
from tests.store.plans import REVISION, delivery, firing
from tests.store.working import Handled, commit, working


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_whoever_keeps_to_a_share_comes_in_the_order_of_time() -> None:
    clock = Clock()
    order = Turns(clock)
    found = []
    for _ in range(50):
        found.append(order.priority("acct_1", "case-system"))
        clock.now += 1 / SHARE
    assert found == sorted(found, reverse=True)
    assert found[-1] == order.priority("acct_2", "case-system")


def test_a_flood_comes_after_what_others_do_later() -> None:
    clock = Clock()
    order = Turns(clock)
    flood = [order.priority("acct_1", "case-system") for _ in range(500)]
    clock.now += 20
    assert order.priority("acct_2", "case-system") > flood[-1]
    assert order.priority("acct_1", "elsewhere") > flood[-1]
    assert order.priority("acct_2", "case-system") < flood[0], "what was in its share keeps its turn"


def test_nobody_is_put_off_for_ever() -> None:
    clock = Clock()
    order = Turns(clock)
    last = [order.priority("acct_1", "case-system") for _ in range(100_000)][-1]
    clock.now += MOST + 1
    assert order.priority("acct_2", "case-system") < last


def test_a_destination_of_many_accounts_does_not_put_off_another() -> None:
    clock = Clock()
    order = Turns(clock)
    busy = [order.priority(f"acct_{n}", "busy") for n in range(2_000)]
    clock.now += 5
    assert order.priority("acct_0", "calm") > busy[-1]


def test_a_flood_of_one_account_does_not_put_off_its_destination() -> None:
    clock = Clock()
    order = Turns(clock)
    for _ in range(2_000):
        order.priority("acct_1", "busy")
    assert order.priority("acct_2", "busy") == order.priority("acct_2", "calm")


def test_a_clock_that_is_set_back_or_forward_is_followed() -> None:
    """Within the bound on how far a turn may be put off: an hour back does not cost anybody an hour."""
    clock = Clock()
    order, fresh = Turns(clock), Turns(clock)
    for step in (3600, -7200, 3600):
        for _ in range(100):
            order.priority("acct_1", "busy")
        clock.now += step
        assert fresh.priority(f"acct_{step}", "other") - order.priority("acct_1", "busy") <= MOST


def test_clocks_that_are_not_used_are_dropped() -> None:
    clock = Clock()
    order = Turns(clock)
    for number in range(turns._MOST_CLOCKS + 10):
        clock.now += 1
        order.priority(f"acct_{number}", "busy")
    assert len(order._accounts) < turns._MOST_CLOCKS + 10


async def test_a_quiet_account_does_not_wait_for_a_flood(store: Store) -> None:
    """Both are in the queue, the flood first; what the quiet one has is done before most of it."""
    sent = event(account="acct_noisy")
    fired = firing(sent)
    flood = [delivery(fired, f"step-{n}", destination="busy", account="acct_noisy") for n in range(300)]
    await store.committer.commit(sent, Plan(firings=(fired,), deliveries=tuple(flood)), REVISION)
    (quiet,) = await commit(store, 1, to="busy")
    handled = Handled()
    async with working(store, handled):
        await handled.reach(301)
    assert handled.ids.index(quiet) < 60


async def test_a_destination_without_room_is_left_in_the_queue(store: Store) -> None:
    """It is neither taken nor sent away, and what is for others is begun at once."""
    await commit(store, 300, to="hanging")
    calm = set(await commit(store, 20, to="calm"))
    hang = asyncio.Event()
    begun = Handled()

    async def handle(delivery_id: str) -> None:
        await begun(delivery_id)
        if delivery_id not in calm:
            await hang.wait()

    async with working(store, handle):
        await begun.reach(16 + 20)
        assert calm <= set(begun.ids)
        hang.set()
        await begun.reach(320)
    assert len(begun.ids) == 320
