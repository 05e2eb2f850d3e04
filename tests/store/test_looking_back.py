"""What is asked of the past: events of some types, how many there were, how often rules held."""

from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import NOTHING, Plan
from engine.model.rule import RuleMode
from engine.store import Store, events
from engine.store.firings import Hits
from engine.store.listing import Asked
from tests.builders import RECEIVED, event
from tests.store.plans import REVISION, Database, firing

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def _ids(
    store: Store, *, since: datetime = LONG_AGO, most: int = 100, types: list[str] | None = None
) -> list[list[str]]:
    """Those of each batch."""
    return [[each.id for each in batch] async for batch in store.events.scan(since=since, most=most, types=types)]


async def _stored(store: Store, *types: str) -> list[str]:
    """Events of those types, each received a second after the one before; their ids."""
    sent = [event(name, received=RECEIVED + timedelta(seconds=place)) for place, name in enumerate(types)]
    for each in sent:
        await store.committer.commit(each, NOTHING, REVISION)
    return [each.id for each in sent]


async def test_events_are_looked_through_newest_first(store: Store) -> None:
    """So that a bound takes the newest."""
    first, second, third = await _stored(store, "payout.failed", "payout.paid", "payout.failed")
    assert await _ids(store) == [[third, second, first]]
    assert await _ids(store, most=2) == [[third, second]]
    assert await _ids(store, types=["payout.failed"]) == [[third, first]]
    assert await _ids(store, types=[]) == []
    assert await _ids(store, since=RECEIVED + timedelta(seconds=1)) == [[third, second]]


async def test_a_look_holds_no_more_than_a_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And can be left in the middle; the connection is then as good as before."""
    first, second, third = await _stored(store, "payout.failed", "payout.paid", "payout.failed")
    monkeypatch.setattr(events, "SCAN_BATCH", 2)
    assert await _ids(store) == [[third, second], [first]]
    async with aclosing(store.events.scan(since=LONG_AGO, most=100)) as batches:
        assert [each.id for each in await anext(batches)] == [third, second]
    assert await _ids(store) == [[third, second], [first]]


async def test_types_are_counted_with_their_latest(store: Store) -> None:
    await _stored(store, "payout.failed", "payout.paid", "payout.failed")
    found = await store.events.types(LONG_AGO)
    assert {name: (each.count, each.latest) for name, each in found.items()} == {
        "payout.failed": (2, RECEIVED + timedelta(seconds=2)),
        "payout.paid": (1, RECEIVED + timedelta(seconds=1)),
    }
    assert set(await store.events.types(RECEIVED + timedelta(seconds=2))) == {"payout.failed"}
    assert set(await store.events.types(LONG_AGO, ["payout.paid", "unheard"])) == {"payout.paid"}
    assert await store.events.types(LONG_AGO, []) == {}


async def test_every_type_that_is_stored_has_its_name_once(store: Store) -> None:
    assert await store.events.type_names() == []
    await _stored(store, "payout.paid", "payout.failed", "v1.a", "payout.paid")
    assert await store.events.type_names() == ["payout.failed", "payout.paid", "v1.a"]


async def test_hits_tell_what_fired_from_what_would_have(store: Store) -> None:
    """Within the time; the latest of all time; and nothing for a rule that never held."""
    for seconds, mode in ((0, RuleMode.LIVE), (10, RuleMode.LIVE), (20, RuleMode.SHADOW)):
        sent = event(received=RECEIVED + timedelta(seconds=seconds))
        fired = replace(firing(sent, "a"), mode=mode)
        await store.committer.commit(sent, Plan(firings=(fired,)), REVISION)
    hits = await store.events.hits(["a", "b"], RECEIVED + timedelta(seconds=5))
    latest = RECEIVED + timedelta(seconds=20)
    assert hits == {"a": Hits(fired=1, would=1, latest=latest), "b": Hits(fired=0, would=0, latest=None)}
    assert (await store.events.hits(["a"], latest + timedelta(days=1)))["a"] == Hits(fired=0, would=0, latest=latest)


async def test_a_rare_type_is_found_without_reading_the_rest(store: Store, look: Database) -> None:
    """And the newest of all types without reading the older ones."""
    await look.execute(
        """insert into tocsin.events (
            dedupe_key, id, payload, type, base_type, scope, scope_source, livemode, created, endpoint, received,
            revision, body
        )
        select 'evt_' || n, 'evt_' || n, 'snapshot', case when n % 1000 = 0 then 'rare' else 'type.' || n % 7 end,
            '', 'connected', 'configured', true, now(), 'c', now() - n * interval '1 second', 'r', '{}'
        from generate_series(1, 20000) n"""
    )
    await look.execute("analyze tocsin.events")

    async def plan(sql: str, *arguments: object) -> str:
        return "\n".join(row[0] for row in await look.rows(f"explain {sql}", *arguments))

    assert "events_type" in await plan(*events.newest(Asked(), ["rare"], LONG_AGO, 1000))
    assert "Seq Scan" not in await plan(*events.newest(Asked(), None, LONG_AGO, 1000))
    assert "events_type" in await plan(events.COUNT_TYPES, LONG_AGO, ["rare"])
    names = await plan(events.NAME_TYPES)
    assert names.count("using events_type") == 2, names
    assert "Seq Scan" not in names
