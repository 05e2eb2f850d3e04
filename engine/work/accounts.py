"""What is known of the accounts that events are about: learnt from their own events, read from Stripe, kept."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from engine.model.event import Event, Json, Payload
from engine.render import told_of
from engine.store.accounts import SeenAccount

log = structlog.get_logger("tocsin.accounts")

FRESH = timedelta(hours=24)
"""How old what is known of an account may be before rules that ask for it have it read again."""

MOST_WAITING = 1_000
MOST_KNOWN = 10_000
KNOWN_FOR = timedelta(minutes=5)
"""How long what messages say of an account is remembered without a look at the database, where other processes may have
learnt more."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An account as it was last seen (empty: never), and whether that is recent."""

    object: Mapping[str, Json]
    fresh: bool


class Kept(Protocol):
    """The store's accounts."""

    async def get(self, account: str, livemode: bool) -> SeenAccount | None: ...
    async def keep(self, seen: Sequence[SeenAccount]) -> None: ...


class AccountBook:
    """Accounts by id and mode.

    What is learnt from events is written in batches, beside their commit: it is knowledge that can be read again, and
    no event waits for it.
    """

    def __init__(self, kept: Kept, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._kept = kept
        self._clock = clock
        self._waiting: dict[tuple[str, bool], SeenAccount] = {}
        self._known: dict[tuple[str, bool], tuple[datetime, Mapping[str, Json] | None]] = {}
        self._noted = asyncio.Event()

    def learn(self, event: Event) -> None:
        """Note the account that an event carries, where it carries one and is about it."""
        found = event.object
        own = event.payload is Payload.SNAPSHOT and event.object_type == "account" and event.object_id == event.account
        if found is None or event.account is None or not own or len(self._waiting) >= MOST_WAITING:
            return
        key = (event.account, event.livemode)
        before = self._waiting.get(key)
        if before is None or before.as_of < event.created:
            seen = SeenAccount(account=event.account, livemode=event.livemode, object=found, as_of=event.created)
            self._waiting[key] = seen
            self._noted.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Write what was noted, until `stop`; what cannot be written is noted again by the account's next event."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                noted = asyncio.create_task(self._noted.wait())
                await asyncio.wait({noted, stopping}, return_when=asyncio.FIRST_COMPLETED)
                noted.cancel()
                await self._write()
        finally:
            stopping.cancel()

    async def told(self, account: str, livemode: bool) -> Mapping[str, Json] | None:
        """What messages say of the account as it was last seen (`engine.render.told_of`), None if it never was; as it
        was known here up to five minutes ago."""
        known, found = self.at_hand(account, livemode)
        if not known:
            seen = await self._kept.get(account, livemode)
            found = self._remember((account, livemode), None if seen is None else seen.object)
        return found

    def at_hand(self, account: str, livemode: bool) -> tuple[bool, Mapping[str, Json] | None]:
        """Whether `told` would answer without a look at the database, and what."""
        at, found = self._known.get((account, livemode), (None, None))
        return (True, found) if at is not None and self._clock() - at <= KNOWN_FOR else (False, None)

    async def fresh(self, account: str, livemode: bool, since: datetime | None = None) -> "Seen":
        """The account as the database has it, and whether that is recent enough to judge a rule on: of today, and not
        from before `since`."""
        seen = await self._kept.get(account, livemode)
        if seen is None:
            return Seen({}, fresh=False)
        recent = self._clock() - seen.as_of <= FRESH and (since is None or seen.as_of >= since)
        return Seen(seen.object, fresh=recent)

    async def keep(self, account: str, livemode: bool, found: Mapping[str, Json]) -> None:
        """Keep what Stripe answered just now."""
        await self._kept.keep([SeenAccount(account=account, livemode=livemode, object=found, as_of=self._clock())])
        self._remember((account, livemode), found)

    async def _write(self) -> None:
        self._noted.clear()
        batch, self._waiting = list(self._waiting.values()), {}
        if not batch:
            return
        try:
            await self._kept.keep(batch)
            for seen in batch:
                self._remember((seen.account, seen.livemode), seen.object)
        except Exception as error:  # the outermost loop: what accounts are called is worth no crash
            log.warning("accounts_not_kept", accounts=len(batch), reason=type(error).__name__)

    def _remember(self, key: tuple[str, bool], found: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
        """Keep what messages say, and no more: whole accounts of ten thousand would fill the memory."""
        told = told_of(found)
        self._known.pop(key, None)
        self._known[key] = (self._clock(), told)
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return told
