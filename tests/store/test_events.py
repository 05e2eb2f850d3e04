"""Events come back as they went in, and are found by what people know of them."""

import asyncio
import itertools
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.model.delivery import NOTHING
from engine.model.event import Event
from engine.receive.parse import parse
from engine.store import Store
from engine.store.connect import Target
from tests.builders import event
from tests.store.plans import REVISION, plan

BUILT = [
    event(),
    event("account.updated", previous={"payouts_enabled": True}, account=None, livemode=False),
    event("charge.refunded", object=..., request="req_1"),
    event("v2.core.account[requirements].updated", context="acct_1/acct_2"),
    event("v1.payout.failed", snapshot_event="evt_the_twin"),
]


@pytest.mark.parametrize("sent", BUILT, ids=lambda sent: sent.type)
async def test_an_event_comes_back_as_it_was(store: Store, sent: Event) -> None:
    """Every field, the parsed ones from the body; by its id and by its dedupe key."""
    await store.committer.commit(sent, NOTHING, REVISION)
    for key in (sent.id, sent.dedupe_key):
        found = await store.events.get(key)
        assert found is not None
        for field in fields(Event):
            assert getattr(found, field.name) == getattr(sent, field.name), field.name
    assert await store.events.revision_of(sent.dedupe_key) == REVISION


async def test_a_body_is_kept_byte_for_byte_however_large(store: Store) -> None:
    """Also beyond a page of the database."""
    sent = event(object={"filler": "x" * 300_000, "odd": "\ud800\0"})
    await store.committer.commit(sent, NOTHING, REVISION)
    found = await store.events.get(sent.id)
    assert found is not None
    assert found.body == sent.body


async def test_a_body_is_parsed_as_it_was_when_it_arrived(database: str) -> None:
    """The parser is given by whoever opens the store; integers beyond 64 bits and deep nesting included."""
    store = await Store.connect(Target.from_url(database), parse=parse)
    sent = event(object={"amount": 2**70})
    await store.committer.commit(sent, NOTHING, REVISION)
    assert await store.events.get(sent.id) == sent
    await store.close()


async def test_empty_strings_are_nulls_alone_and_among_others(store: Store) -> None:
    """Whatever an event's neighbours in the batch are."""
    sent = [replace(event(), context="", api_version="") for _ in range(3)]
    await store.committer.commit(sent[0], NOTHING, REVISION)
    await asyncio.gather(*(store.committer.commit(each, NOTHING, REVISION) for each in sent[1:]))
    for each in sent:
        found = await store.events.get(each.id)
        assert found is not None
        assert (found.context, found.api_version) == (None, None)


async def test_what_is_not_there_is_none(store: Store) -> None:
    """No exception for an id that somebody mistyped."""
    assert await store.events.get("evt_nowhere") is None
    assert await store.events.revision_of("evt_nowhere") is None
    assert await store.events.firings("evt_nowhere") == []


async def test_events_are_listed_newest_first_by_type_account_mode_and_time(store: Store) -> None:
    """In a type, only `*` is special."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    days = itertools.count()
    sent = [
        event(name, received=start + timedelta(days=next(days)), account=account, livemode=livemode)
        for name, account, livemode in (
            ("payout.failed", "acct_1", True),
            ("payout.paid", "acct_2", True),
            ("payout_x.paid", "acct_1", False),
        )
    ]
    for each in sent:
        await store.committer.commit(each, NOTHING, REVISION)

    async def found(**by: Any) -> list[int]:
        return [sent.index(each) for each in await store.events.ls(**by)]

    assert await found() == [2, 1, 0]
    assert await found(limit=2) == [2, 1]
    assert await found(type="payout.*") == [1, 0]
    assert await found(type="payout_*") == [2]
    assert await found(type="payout.failed") == [0]
    assert await found(account="acct_1") == [2, 0]
    assert await found(livemode=False) == [2]
    assert await found(since=start + timedelta(days=1)) == [2, 1]
    assert await found(before=start + timedelta(days=1)) == [0]


async def test_firings_of_an_event_name_the_rules(store: Store) -> None:
    """With the revision that judged it."""
    sent = event()
    wanted = plan(sent, "b-rule", "a-rule")
    await store.committer.commit(sent, wanted, REVISION)
    assert [f.rule for f in await store.events.firings(sent.dedupe_key)] == ["a-rule", "b-rule"]
