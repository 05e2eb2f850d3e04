"""What is read of a digest when its message is written."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest

from engine.model.delivery import DeliveryStatus
from engine.model.event import Event, Json
from engine.model.timing import Digest, Timing
from engine.work.digests import Digests
from tests.work.memory import World, at
from tests.work.test_memory import HOUR, rule


class Stored:
    """The store's events, but for the first so many."""

    def __init__(self, world: World, without: int) -> None:
        self._world = world
        self._without = without

    async def many(self, keys: Sequence[str]) -> dict[str, Event]:
        return await self._world.store.events.many(keys[self._without :])


async def unknown(account: str, livemode: bool) -> Mapping[str, Json] | None:
    """Nothing is told of anybody."""
    return None


@pytest.mark.parametrize(
    ("missing", "notes"),
    [
        (0, []),
        (1, ["1 more is not counted: it was forgotten in the meantime"]),
        (2, ["2 more are not counted: they were forgotten in the meantime"]),
    ],
)
async def test_it_says_how_many_are_no_longer_stored(
    world: Callable[..., World], missing: int, notes: list[str]
) -> None:
    """Nothing drops out without a word."""
    timing = Timing(digest=Digest(every=HOUR))
    w = world(rule(timing))
    await w.send(*(at(minute) for minute in range(3)))
    await w.later(HOUR + timedelta(seconds=2))
    [digest] = [d for d in await w.store.deliveries.ls(limit=9) if d.digest and d.status is DeliveryStatus.PENDING]
    names = await Digests(w.store.deliveries, Stored(w, missing), unknown).scene(digest, rule(timing), w.now)
    assert (names["digest"]["count"], names["digest"]["notes"]) == (3 - missing, notes)
