"""What rules remember is exact whoever is killed: every stored event counts once, and a threshold fires once."""

import json
from typing import Any

import asyncpg

from engine.decide.entries import MATCHES
from tests.crash.ledger import RULES, Ledger
from tests.crash.service import Service, deployment, embedded_database
from tests.crash.test_kill import Kills
from tests.crash.trouble import CALLBACK_SECRET
from tests.fakes.http_sink import http_sink

ENOUGH = 60

COUNTING = (
    RULES
    + f"""
  - id: many
    when: payout.failed
    threshold: {{count: {ENOUGH}, within: 1h}}
    then: {{callback: many, retry: {{attempts: 50, backoff: [1s]}}}}
"""
)


async def test_kills_neither_lose_nor_repeat_what_is_counted() -> None:
    """Two processes decide under one key; all events of the load were made in one second."""
    async with http_sink() as sink, http_sink() as other:
        common = {"secret": CALLBACK_SECRET, "allow_private": True, "timeout": "5s"}
        callbacks = {"sink": {"url": sink.url("/hook"), **common}, "many": {"url": other.url("/hook"), **common}}
        with deployment(COUNTING, {"callbacks": callbacks}) as folder:
            services = [Service(folder), Service(folder)]
            ledger = Ledger()
            kills = Kills(services)
            try:
                for service in services:
                    service.start()
                for service in services:
                    await service.ready()
                async with ledger.load(services):
                    for kill in (kills.one, kills.database, kills.all, kills.in_order):
                        await ledger.flows(events=ENOUGH // 2)
                        await kill()
                        for service in services:
                            await service.ready()
                    await ledger.flows(events=ENOUGH)
                await ledger.drained(sink, embedded_database(folder))
                stored, statuses, state = await _remembered(embedded_database(folder))
            finally:
                for service in services:
                    service.kill()
    counted = sum(entry[MATCHES] for entry in state["entries"])
    print(f"acknowledged {len(ledger.acknowledged)}, stored {stored}, counted {counted}, {statuses}")
    assert len(ledger.acknowledged) <= stored
    assert counted == stored
    assert statuses == {"fired": 1, "no": stored - 1}
    assert len({request.headers["webhook-id"] for request in other.requests}) == 1


async def _remembered(database: dict[str, Any]) -> "tuple[int, dict[str, int], dict[str, list[list[int]]]]":
    connection = await asyncpg.connect(**database)
    try:
        stored = await connection.fetchval("select count(*) from tocsin.events")
        rows = await connection.fetch("select status, count(*) from tocsin.firings where rule = 'many' group by 1")
        (state,) = await connection.fetch("select state from tocsin.states where rule = 'many'")
    finally:
        await connection.close()
    return stored, {row["status"]: row["count"] for row in rows}, json.loads(state["state"])
