"""Events that this process has just committed, so that delivering what came of them need not read them again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from engine.model.event import Event

MOST_EVENTS = 1_000
MOST_BYTES = 16 * 1024 * 1024


class RecentEvents:
    """The latest events by dedupe key, bounded in number and in the bytes of their bodies; the rest is fetched."""

    def __init__(self, fetch: Callable[[str], Awaitable[Event | None]]) -> None:
        self._fetch = fetch
        self._events: OrderedDict[str, Event] = OrderedDict()
        self._bytes = 0

    def add(self, event: Event) -> None:
        """Keep an event that is committed."""
        known = self._events.pop(event.dedupe_key, None)
        self._bytes += len(event.body) - (len(known.body) if known else 0)
        self._events[event.dedupe_key] = event
        while len(self._events) > MOST_EVENTS or self._bytes > MOST_BYTES:
            _, oldest = self._events.popitem(last=False)
            self._bytes -= len(oldest.body)

    async def get(self, key: str) -> Event | None:
        """The event of that dedupe key, None when it was never stored."""
        return self._events.get(key) or await self._fetch(key)
