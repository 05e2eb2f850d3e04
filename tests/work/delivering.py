"""The worker's part of Tocsin on a real store and real servers: commit a firing, and its deliveries go out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from engine.decide.retry import Decision
from engine.model.delivery import Attempt, Delivery, DeliveryStatus
from engine.model.destination import BreakerPolicy
from engine.model.event import Json
from engine.model.outcome import Notifier, Outcome
from engine.model.rule import RetryPolicy, Rule, Step, Verb, When
from engine.plan import make_plan
from engine.store import Store
from engine.work.deliver import Deliverer
from engine.work.destinations import Destination
from engine.work.gate import Gate
from tests.builders import event

RETRY = RetryPolicy()
DRAIN = timedelta(seconds=1)


@dataclass(frozen=True)
class To:
    """Where a step goes, as the plan has it."""

    name: str
    skipped: str | None = None


@dataclass(frozen=True)
class Rules:
    """The rules of the one revision there is."""

    rules: Mapping[str, Rule]

    def rule(self, rule_id: str) -> Rule | None:
        return self.rules.get(rule_id)


def destination_of(delivery: Delivery) -> Destination:
    """Each callback by itself, with the usual breaker."""
    return Destination(name=f"{delivery.verb} {delivery.destination}", breaker=BreakerPolicy())


@dataclass
class Desk:
    """One process's worker; `now` moves on by itself until it is set."""

    store: Store
    notifiers: Mapping[Verb, Notifier]
    now: datetime | None = None
    rules: dict[str, Rule] = field(default_factory=dict)
    gate: Gate = field(init=False)
    deliverer: Deliverer = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(destination_of, self.store.destinations, self.store.rates, self.clock)
        self.deliverer = Deliverer(
            deliveries=self.store.deliveries,
            event=self.store.events.get,
            rulebook=self._rulebook,
            notifiers=self.notifiers,
            finished=self._finished,
            gate=self.gate,
            clock=self.clock,
        )

    def clock(self) -> datetime:
        return self.now or datetime.now(UTC)

    async def fire(
        self,
        *places: str,
        verb: Verb = Verb.CALLBACK,
        number: int = 1,
        options: Mapping[str, Json] | None = None,
        retry: RetryPolicy = RETRY,
    ) -> list[str]:
        """So many events fire a rule with a step to each of the places; the ids of the deliveries."""
        rule = Rule(
            id=f"rule-{len(self.rules)}",
            when=(When(types=("payout.failed",)),),
            steps=tuple(
                Step(id=f"{verb}-{place}", verb=verb, targets=(place,), options=options or {}, retry=retry)
                for place in places
            ),
        )
        self.rules[rule.id] = rule
        ids = []
        for _ in range(number):
            sent = event()
            plan = make_plan(sent, [rule], "rev", lambda step, severity, live: [To(name) for name in step.targets])
            await self.store.committer.commit(sent, plan, "rev")
            ids += [delivery.id for delivery in plan.deliveries]
        return ids

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Deliver while inside."""
        stop = asyncio.Event()
        kinds = {str(verb): self.deliverer for verb in self.notifiers}
        tasks = [
            asyncio.create_task(self.store.jobs.run(kinds, stop, DRAIN)),
            asyncio.create_task(self.gate.run(stop)),
        ]
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(15):
                await asyncio.gather(*tasks)

    async def state(self, delivery_id: str) -> Delivery:
        found = await self.store.deliveries.get(delivery_id)
        assert found is not None
        return found

    async def tried(self, delivery_id: str, number: int = 1, within: float = 10) -> tuple[Delivery, Attempt]:
        """The delivery and its attempt of that number, once there is one."""
        async with asyncio.timeout(within):
            while len(attempts := await self.store.deliveries.attempts(delivery_id)) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return await self.state(delivery_id), attempts[number - 1]

    async def ended(self, ids: list[str], within: float = 10) -> set[DeliveryStatus]:
        """How they ended, once all have."""
        async with asyncio.timeout(within):
            while True:
                states = {(await self.state(each)).status for each in ids}
                if DeliveryStatus.PENDING not in states:
                    return states
                await asyncio.sleep(0.05)

    async def _rulebook(self, revision: str) -> Rules:
        return Rules(self.rules)

    async def _finished(self, delivery: Delivery, outcome: Outcome, decision: Decision, seconds: float) -> None:
        return None
