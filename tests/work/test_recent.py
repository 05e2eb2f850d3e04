"""What was just committed is at hand, within bounds; the rest is read from the store."""

from engine.model.event import Event
from engine.work import recent
from engine.work.recent import RecentEvents
from tests.builders import event


async def fetch(key: str) -> Event | None:
    """A store that holds one event."""
    return event(id="evt_stored") if key == "evt_stored" else None


async def test_a_recent_event_is_at_hand_and_others_are_fetched() -> None:
    events = RecentEvents(fetch)
    fresh = event(id="evt_fresh")
    events.add(fresh)
    assert await events.get("evt_fresh") is fresh
    stored = await events.get("evt_stored")
    assert stored is not None
    assert stored.id == "evt_stored"
    assert await events.get("evt_unknown") is None


async def test_the_oldest_make_room() -> None:
    events = RecentEvents(fetch)
    for number in range(recent.MOST_EVENTS + 1):
        events.add(event(id=f"evt_{number}"))
    assert await events.get("evt_0") is None
    assert await events.get(f"evt_{recent.MOST_EVENTS}") is not None


async def test_large_bodies_are_bounded_by_their_bytes_also_when_added_twice() -> None:
    events = RecentEvents(fetch)
    for _ in range(2):
        for number in range(20):
            events.add(event(id=f"evt_{number}", padding="x" * 1024 * 1024))
    held = [number for number in range(20) if await events.get(f"evt_{number}") is not None]
    assert held == list(range(20 - 15, 20))
