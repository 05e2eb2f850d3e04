"""The way of commands to the store: load the settings, open it, do one thing, close it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from engine.errors import TocsinError

if TYPE_CHECKING:
    from engine.model.delivery import Delivery
    from engine.model.event import Event
    from engine.settings import Settings
    from engine.store import Store

Result = TypeVar("Result")

SHORT = 12
"""Characters of a delivery's id that are shown in a terminal, and that are enough to name it again."""

_SHORTEST = 8
_RECENT = 20_000
"""How many deliveries are looked through for one whose id begins so."""


def with_store(use: Callable[["Store"], Awaitable[Result]]) -> Result:
    """What `use` makes of the configured store, which is started first if it is the embedded one and is not running.

    Raises ConfigError and StoreError.
    """
    import asyncio

    from engine import wiring

    settings = wiring.load()
    quiet(settings)

    async def run() -> Result:
        async with wiring.stored(settings) as store:
            return await use(store)

    return asyncio.run(run())


def quiet(settings: "Settings") -> None:
    """Lets only warnings of the log through, to standard error: a command's output is its own."""
    from engine.observe import logs

    logs.configure(log_format=settings.logs.format, level="warning", secrets=settings.secrets())


async def event_of(store: "Store", event_id: str) -> "Event":
    """The stored event of that id. Raises TocsinError where there is none."""
    found = await store.events.get(event_id)
    if found is None:
        raise TocsinError(f"no event '{event_id}' is stored; `tocsin events ls` shows the latest")
    return found


async def delivery_of(store: "Store", delivery_id: str) -> "Delivery":
    """The delivery of that id, or the recent one whose id alone begins so.

    Raises TocsinError where there is none, or more than one.
    """
    found = await store.deliveries.get(delivery_id)
    if found is not None:
        return found
    if len(delivery_id) < _SHORTEST or not delivery_id.startswith("dlv_"):
        raise _no_delivery(delivery_id)
    recent = await store.deliveries.ls(limit=_RECENT)
    begin_so = [delivery for delivery in recent if delivery.id.startswith(delivery_id)]
    if len(begin_so) > 1:
        raise TocsinError(f"{len(begin_so)} deliveries begin with '{delivery_id}'; give more of the id")
    if not begin_so:
        raise _no_delivery(delivery_id)
    return begin_so[0]


def _no_delivery(delivery_id: str) -> TocsinError:
    return TocsinError(f"no delivery '{delivery_id}' is stored; `tocsin deliveries ls` shows the latest")
