"""Revisions of the rules are kept whole, each text once."""

import asyncio

from engine.store import Store
from tests.store.plans import Database

FIRST = {"rules/a.yaml": "id: a\n", "rules/b.yaml": "id: b\n"}
SECOND = {"rules/a.yaml": "id: a\n", "rules/b.yaml": "id: b2\n"}


async def test_a_revision_comes_back_whole(store: Store) -> None:
    """Its files by name, and the default_livemode that is part of what they mean."""
    await store.revisions.remember("r1", FIRST, True)
    await store.revisions.remember("r2", SECOND, None)
    assert await store.revisions.get("r1") == (FIRST, True)
    assert await store.revisions.get("r2") == (SECOND, None)
    assert await store.revisions.get("r3") is None


async def test_last_good_is_what_was_in_force_last(store: Store) -> None:
    """Also when that was a return to an earlier revision; nothing before the first."""
    assert await store.revisions.last_good() == {}
    await store.revisions.remember("r1", FIRST, True)
    await store.revisions.remember("r2", SECOND, True)
    assert await store.revisions.last_good() == SECOND
    await store.revisions.remember("r1", FIRST, True)
    assert await store.revisions.last_good() == FIRST


async def test_no_rules_is_a_revision_too(store: Store) -> None:
    """All files deleted: a restart must not bring them back."""
    await store.revisions.remember("r1", FIRST, True)
    await store.revisions.remember("r0", {}, True)
    assert await store.revisions.get("r0") == ({}, True)
    assert await store.revisions.last_good() == {}


async def test_an_edit_costs_only_the_file_that_changed(store: Store, look: Database) -> None:
    """Ten thousand rules, edited every minute, must not fill the disk."""
    await store.revisions.remember("r1", FIRST, True)
    await store.revisions.remember("r2", SECOND, True)
    assert await look.count("rule_texts") == 3


async def test_processes_that_load_the_same_rules_at_once_agree(store: Store, second: Store) -> None:
    """They all start together after a deployment."""
    calls = [
        each.revisions.remember(name, files, True)
        for _ in range(5)
        for each in (store, second)
        for name, files in (("r1", FIRST), ("r2", SECOND))
    ]
    await asyncio.gather(*calls)
    assert await store.revisions.get("r1") == (FIRST, True)
    assert await store.revisions.get("r2") == (SECOND, True)
