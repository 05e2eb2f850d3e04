"""In front of every attempt: whether the destination is to be left alone, and whether it is this delivery's turn.

How destinations stand is kept in memory and read again every second, so that a destination that works costs nothing;
only failures, probes and claims under a rate are written. What has to wait is put off in the database and its job with
it: it holds no seat, uses up no attempt, and comes back once, when it is due.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from engine.decide.breaker import (
    Breaker,
    BreakerState,
    Counts,
    Go,
    Wait,
    admitted,
    asked_of,
    is_quiet,
    noted,
    probed,
    probing,
    ramp,
    sign_of,
)
from engine.errors import StoreError
from engine.model.delivery import Delivery
from engine.model.destination import BreakerPolicy, Sign
from engine.model.outcome import Outcome, Retry
from engine.source import Rate
from engine.store.destinations import Standing
from engine.store.rates import Place
from engine.work.destinations import Destination

log = structlog.get_logger("tocsin.destinations")

LOOK_EVERY = 1.0
"""Seconds between two looks at how other processes see destinations."""

PACE = timedelta(seconds=0.1)
"""How far apart what waits for an open breaker looks again whether it may go."""

PUNCTUAL = timedelta(seconds=5)
"""How late a delivery may come for the place that it was given at a rate."""

RELEASED_AT_ONCE = 1_000
CHANGES = 20
"""How often a change is tried again that other processes were quicker with."""

_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Leave to try, to be given back with `Gate.leave`."""

    destination: Destination
    probe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """It is not this delivery's turn: it was put off until then."""

    until: datetime


class Kept(Protocol):
    """How destinations stand for all processes: `store.destinations`."""

    async def all(self) -> list[Standing]: ...
    async def get(self, name: str) -> Standing: ...
    async def save(self, name: str, breaker: Breaker, version: int) -> Standing | None: ...
    async def put_off(self, delivery_id: str, until: datetime, reason: str, gate: str | None) -> None: ...
    async def release(self, name: str, at: Callable[[int], datetime], most: int) -> int: ...


class Claims(Protocol):
    """The rates that all processes keep together: `store.rates`."""

    async def claim(self, limits: tuple[tuple[str, Rate], ...]) -> Place: ...


async def _nobody(standing: Sequence[Standing]) -> None:
    return None


class Gate:
    """The breakers and rates of all destinations, as this process knows them. To be used from one event loop.

    `seen` is told at every look how destinations stand, `put_off` of every delivery that was: `breaker` or `rate`.
    """

    def __init__(
        self,
        destination: Callable[[Delivery], Destination],
        kept: Kept,
        rates: Claims,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        seen: Callable[[Sequence[Standing]], Awaitable[None]] = _nobody,
        put_off: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._seen = seen
        self._put_off = put_off
        self._destination = destination
        self._kept = kept
        self._rates = rates
        self._clock = clock
        self._known: dict[str, Standing] = {}
        self._policies: dict[str, BreakerPolicy] = {}
        self._worked: dict[str, tuple[datetime, int]] = {}
        self._lines: dict[str, tuple[object, int]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def standing(self) -> list[Standing]:
        """The destinations that are not simply closed, as this process knows them, by name."""
        now = self._clock()
        found = (self._known[name] for name in sorted(self._known))
        return [each for each in found if _open(each) or admitted(each.breaker, self._policy(each.name), now) != Go()]

    async def enter(self, delivery: Delivery) -> Pass | Later:
        """Leave to try that delivery now, or until when it was put off. Raises StoreError."""
        destination, now = self._destination(delivery), self._clock()
        go = self._look(destination, now)
        if isinstance(go, Wait):
            return await self._in_line(delivery, destination, go)
        if destination.rates and not _has_turn(delivery, now):
            place = await self._rates.claim(destination.rates)
            if place.wait or not place.granted:
                return await self._take_turn(delivery, destination, place)
        if go.probe:
            wait = await self._probe(destination)
            if wait is not None:
                return await self._in_line(delivery, destination, wait)
        return Pass(destination=destination, probe=go.probe)

    async def leave(self, given: Pass, outcome: Outcome) -> None:
        """How the attempt went. What cannot be written down is only logged: the delivery has its own record."""
        name, policy = given.destination.name, given.destination.breaker
        if policy is None:
            return
        now, sign, asked = self._clock(), sign_of(outcome), asked_of(outcome)
        reason = outcome.reason[:_LONGEST] if isinstance(outcome, Retry) else None
        try:
            if given.probe:
                await self._change(name, lambda breaker: probed(breaker, policy, sign, now, reason=reason))
            if asked is None and sign is not Sign.FAILS:
                self._count(name, policy, sign, now)
            elif not given.probe or asked is not None:
                await self._fail(name, policy, sign, now, reason, asked)
        except StoreError as error:
            log.warning("destination_not_noted", destination=name, reason=str(error))

    async def run(self, stop: asyncio.Event) -> None:
        """Keep what this process knows fresh, and let go of what waits for a breaker that has closed, until `stop`."""
        while not stop.is_set():
            try:
                await self.look()
            except Exception as error:  # the outermost loop: what is known stays as it is until the next look
                log.warning("destinations_not_read", reason=type(error).__name__)
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await stop.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Read how all destinations stand, and write down what has come of it. Raises StoreError."""
        read = {each.name: each for each in await self._kept.all()}
        for name, known in self._known.items():
            if name in read and read[name].version < known.version:
                read[name] = known  # changed by ourselves while it was read
        self._known = read
        for name, standing in list(read.items()):
            policy = self._policy(name)
            await self._share(name, policy)
            if standing.waiting:
                await self._release(name, policy)
        await self._seen(list(self._known.values()))

    def _policy(self, name: str) -> BreakerPolicy:
        """As the last delivery to it had it; one that none has gone to is judged as by default."""
        return self._policies.get(name) or BreakerPolicy()

    def _breaker(self, name: str) -> Breaker:
        known = self._known.get(name)
        return Breaker() if known is None else known.breaker

    def _look(self, destination: Destination, now: datetime) -> Go | Wait:
        if destination.breaker is None:
            return Go()
        self._policies[destination.name] = destination.breaker
        return admitted(self._breaker(destination.name), destination.breaker, now)

    async def _in_line(self, delivery: Delivery, destination: Destination, wait: Wait) -> Later:
        """Put off behind those that wait for the same: the first comes back at that moment, the others one by one."""
        name = destination.name
        breaker = self._breaker(name)
        key = (breaker.state, breaker.until)
        before, place = self._lines.get(name, (key, 0))
        place = place if before == key else 0
        self._lines[name] = (key, place + 1)
        until = wait.until + place * PACE
        self._put_off("breaker")
        await self._kept.put_off(delivery.id, until, wait.reason, name)
        return Later(until=until)

    async def _take_turn(self, delivery: Delivery, destination: Destination, place: Place) -> Later:
        self._put_off("rate")
        rates = ", ".join(f"{rate} of {name}" for name, rate in destination.rates)
        if place.granted:
            until = self._clock() + place.wait
            await self._kept.put_off(delivery.id, until, f"its turn at {rates}", None)
            return Later(until=until)
        # No place was to be had: nobody comes back for one at the same moment as all others.
        until = self._clock() + place.wait * random.uniform(0.5, 1)  # noqa: S311  no secret
        await self._kept.put_off(delivery.id, until, f"a place at {rates}: many wait", f"rate of {destination.name}")
        return Later(until=until)

    async def _probe(self, destination: Destination) -> Wait | None:
        """Become the probe; None: it is ours. Otherwise another was quicker, and this is what to wait for."""
        name, policy = destination.name, destination.breaker
        assert policy is not None
        mine = False

        def change(breaker: Breaker) -> Breaker:
            nonlocal mine
            now = self._clock()
            mine = admitted(breaker, policy, now) == Go(probe=True)
            return probing(breaker, now) if mine else breaker

        await self._change(name, change)
        found = admitted(self._breaker(name), policy, self._clock())
        if mine:
            return None
        return found if isinstance(found, Wait) else Wait(until=self._clock() + PACE, reason="the breaker has closed")

    def _count(self, name: str, policy: BreakerPolicy, sign: Sign, now: datetime) -> None:
        """A request that went well is written down with the next one that does not, or by `look`."""
        if sign is Sign.WORKS:
            since, number = self._worked.get(name, (now, 0))
            fresh = timedelta() <= now - since < policy.window / 2
            self._worked[name] = (since, number + 1) if fresh else (now, 1)

    async def _fail(
        self,
        name: str,
        policy: BreakerPolicy,
        sign: Sign,
        now: datetime,
        reason: str | None,
        asked: timedelta | None,
    ) -> None:
        worked = self._uncounted(name, policy, now)
        failed = sign is Sign.FAILS
        seen = Counts(requests=worked + 1, failures=int(failed))
        await self._change(name, lambda breaker: noted(breaker, policy, seen, now, reason=reason, asked=asked))

    async def _share(self, name: str, policy: BreakerPolicy) -> None:
        """Write down what went well where others have seen failures that still count."""
        now = self._clock()
        if self._breaker(name).state is BreakerState.CLOSED and not is_quiet(self._breaker(name), policy, now):
            worked = self._uncounted(name, policy, now)
            if worked:
                await self._change(name, lambda breaker: noted(breaker, policy, Counts(requests=worked), now))

    def _uncounted(self, name: str, policy: BreakerPolicy, now: datetime) -> int:
        since, number = self._worked.pop(name, (now, 0))
        return number if timedelta() <= now - since < policy.window / 2 else 0

    async def _change(self, name: str, change: Callable[[Breaker], Breaker]) -> None:
        """Change it for all processes, from what it is now. `change` may be called more than once."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            for _ in range(CHANGES):
                known = self._known.get(name) or Standing(name=name)
                after = change(known.breaker)
                if after == known.breaker:
                    return
                saved = await self._kept.save(name, after, known.version)
                if saved is not None:
                    self._known[name] = replace(saved, waiting=known.waiting)
                    _tell(name, known.breaker, after)
                    return
                self._known[name] = await self._kept.get(name)
            log.warning("destination_not_noted", destination=name, reason="others are always quicker")

    async def _release(self, name: str, policy: BreakerPolicy) -> None:
        breaker = self._breaker(name)
        now = self._clock()
        if admitted(breaker, policy, now) != Go():
            return
        closed = breaker.since or now

        def at(place: int) -> datetime:
            return max(now, closed + ramp(place))

        released = await self._kept.release(name, at, RELEASED_AT_ONCE)
        if released:
            log.info("destination_released", destination=name, deliveries=released)


def _open(standing: Standing) -> bool:
    return standing.breaker.state is not BreakerState.CLOSED


def _has_turn(delivery: Delivery, now: datetime) -> bool:
    """Whether it comes for the place that it was given."""
    return delivery.put_off and delivery.gate is None and delivery.turn is not None and now - delivery.turn < PUNCTUAL


def _tell(name: str, before: Breaker, after: Breaker) -> None:
    if before.state is BreakerState.CLOSED and after.state is BreakerState.OPEN:
        log.warning("breaker_opened", destination=name, reason=after.reason)
    if before.state is not BreakerState.CLOSED and after.state is BreakerState.CLOSED:
        log.info("breaker_closed", destination=name)
