"""Processes know of each other, and share what only so many may do at once."""

import pytest

from engine.store import Store
from engine.store.members import Members
from tests.store.plans import Database


def test_a_process_alone_has_all_of_it(store: Store) -> None:
    assert store.members.share(5) == 5


@pytest.mark.parametrize("all_", [1, 2, 3, 7])
async def test_together_they_have_just_as_many(store: Store, second: Store, all_: int) -> None:
    third = Members(second._pool)
    members = [store.members, second.members, third]
    for _ in range(2):
        for each in members:
            await each.beat()
    shares = [each.share(all_) for each in members]
    assert sum(shares) == all_
    assert max(shares) - min(shares) <= 1


async def test_one_that_gives_no_sign_of_life_counts_no_more(store: Store, second: Store, look: Database) -> None:
    await second.members.beat()
    await store.members.beat()
    assert store.members.share(4) == 2
    await look.execute("update tocsin.processes set seen = seen - interval '1 minute'")
    await store.members.beat()
    assert store.members.share(4) == 4
