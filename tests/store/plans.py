"""Firings and deliveries of built events."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg

from engine.model.delivery import Attempt, Delivery, Firing, Plan, delivery_id, firing_id
from engine.model.event import Event
from engine.model.rule import RuleMode, Severity, Verb
from engine.store.connect import Connection

REVISION = "f" * 64


def firing(event: Event, rule: str = "payout-failed") -> Firing:
    """That rule fired for that event."""
    return Firing(
        id=firing_id(rule, event.dedupe_key),
        rule=rule,
        revision=REVISION,
        event=event.dedupe_key,
        account=event.account,
        severity=Severity.HIGH,
        mode=RuleMode.LIVE,
        replay=0,
        created=event.received,
    )


def delivery(fired: Firing, step: str = "tell", **changes: Any) -> Delivery:
    """A step of that firing, due since it fired."""
    destination = changes.pop("destination", "case-system")
    built = Delivery(
        id=delivery_id(fired.id, step, destination),
        firing=fired.id,
        event=fired.event,
        rule=fired.rule,
        revision=fired.revision,
        step=step,
        verb=Verb.CALLBACK,
        destination=destination,
        account=fired.account,
        livemode=True,
        next_attempt=fired.created,
        created=fired.created,
    )
    return replace(built, **changes)


def plan(event: Event, *rules: str) -> Plan:
    """Those rules fired, with one delivery each; one rule where none is named."""
    firings = tuple(firing(event, rule) for rule in rules or ("payout-failed",))
    return Plan(firings=firings, deliveries=tuple(delivery(each) for each in firings))


def attempt(of: Delivery, **changes: Any) -> Attempt:
    """A try that failed."""
    now = datetime.now(UTC)
    built = Attempt(
        delivery=of.id,
        number=of.attempts + 1,
        started=now,
        duration=now - now,
        outcome="retry",
        reason="503",
        status=503,
        excerpt="busy",
    )
    return replace(built, **changes)


class Database:
    """A look into the database past the store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def count(self, table: str) -> int:
        """Rows of a table of Tocsin's."""
        return int(await self._connection.fetchval(f"select count(*) from tocsin.{table}"))

    async def jobs(self) -> list[str]:
        """The deliveries that have a job, queued or picked."""
        return [
            row["dedupe_key"] for row in await self.rows("select dedupe_key from tocsin_queue.pgqueuer order by id")
        ]

    async def rows(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """What a query gives."""
        return list(await self._connection.fetch(sql, *arguments))

    async def execute(self, sql: str, *arguments: object) -> None:
        """Change something behind the store's back."""
        await self._connection.execute(sql, *arguments)


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 10) -> bool:
    """Whether it becomes true in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await true():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
