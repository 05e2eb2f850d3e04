"""Writes that arrive together are written together, and none of them fails for another's sake."""

import asyncio
from collections.abc import Sequence

import pytest

from engine.errors import StoreUnavailable
from engine.store.grouped import Grouped


class Written:
    """Writes words and says how long they are; remembers the groups. `poison` cannot be written at all."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.unavailable = False
        self.grouped: Grouped[str, int] = Grouped(self._write, self._alone, key=lambda word: word.partition("-")[0])

    async def _write(self, words: Sequence[str]) -> list[int]:
        self.groups.append(list(words))
        await self.go_on.wait()
        if self.unavailable:
            raise StoreUnavailable("the database is away")
        if "poison" in words:
            raise ValueError("poison")
        return [len(word) for word in words]

    async def _alone(self, word: str) -> int:
        return (await self._write([word]))[0]


async def test_what_arrives_while_one_group_is_written_is_the_next() -> None:
    """In the order of their keys, as every process writes them."""
    written = Written()
    written.go_on.clear()
    first = asyncio.create_task(written.grouped.add("first"))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(written.grouped.add(word)) for word in ("b", "ccc", "aa")]
    await asyncio.sleep(0)
    written.go_on.set()
    assert await first == 5
    assert await asyncio.gather(*rest) == [1, 3, 2]
    assert written.groups == [["first"], ["aa", "b", "ccc"]]


async def test_a_key_is_once_in_a_group() -> None:
    """What is written of it first is there when the second is."""
    written = Written()
    assert await asyncio.gather(*map(written.grouped.add, ("a-1", "b", "a-22"))) == [3, 1, 4]
    assert written.groups == [["a-1", "b"], ["a-22"]]


async def test_what_is_refused_does_not_fail_its_neighbours() -> None:
    """It fails alone, with its own reason."""
    written = Written()
    found = await asyncio.gather(*map(written.grouped.add, ("aa", "poison", "z")), return_exceptions=True)
    assert (found[0], found[2]) == (2, 1)
    assert isinstance(found[1], ValueError)


async def test_a_database_that_is_away_fails_all_of_a_group() -> None:
    """Not one after the other, each waiting as long; and what comes later is tried again."""
    written = Written()
    written.unavailable = True
    found = await asyncio.gather(*map(written.grouped.add, ("a", "b")), return_exceptions=True)
    assert [type(each) for each in found] == [StoreUnavailable] * 2
    assert found[0] is not found[1]
    assert written.groups == [["a", "b"]]
    written.unavailable = False
    assert await written.grouped.add("c") == 1


async def test_who_leaves_does_not_disturb_the_others() -> None:
    """A cancelled caller's item may be written all the same."""
    written = Written()
    leaving, staying = (asyncio.create_task(written.grouped.add(word)) for word in ("a", "bb"))
    written.go_on.clear()
    await asyncio.sleep(0)
    leaving.cancel()
    written.go_on.set()
    assert await staying == 2
    with pytest.raises(asyncio.CancelledError):
        await leaving
