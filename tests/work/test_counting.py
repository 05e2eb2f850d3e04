"""What is seen on the way of an event."""

from engine.model.event import Event
from engine.observe import Metrics
from engine.store import Store
from engine.work.accounts import AccountBook
from engine.work.counting import observer
from engine.work.recent import RecentEvents
from tests.builders import event
from tests.store.plans import plan


async def test_what_a_snapshot_adds_is_written_from_it_also_when_its_thin_twin_came_first(store: Store) -> None:
    async def fetch(key: str) -> Event | None:
        return None

    recent = RecentEvents(fetch)
    seen = observer(Metrics(), {}, recent, AccountBook(store.accounts))
    thin, snapshot = event("v1.payout.failed", id="evt_thin", snapshot_event="evt_1"), event(id="evt_1")
    seen(thin, plan(thin), True)
    assert await recent.get("evt_1") is thin
    seen(snapshot, plan(snapshot), False)
    assert await recent.get("evt_1") is snapshot
    seen(thin, plan(thin), False)
    assert await recent.get("evt_1") is snapshot
