"""Writes of one kind that arrive together go to the database together, as events do in the group commit: everything
that arrives while one statement is under way is the next.

Deliveries that were committed together begin together, render together and end together; a statement for each of them
would cost more than all else about them.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from engine.errors import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 200
"""Items of one statement."""


class Grouped(Generic[Item, Result]):
    """Has `write` write many items at once, each key once in a group, in the order of their keys; it returns a result
    for each.

    What fails as a group is done item by item, by `alone`: one that is refused does not fail its neighbours. Where the
    database is not available all of them fail, each with a StoreUnavailable of its own.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        alone: Callable[[Item], Awaitable[Result]],
        key: Callable[[Item], str],
    ) -> None:
        self._write = write
        self._alone = alone
        self._key = key
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Returns when the item is written. Cancelled, it may be written all the same."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._serve(self._take())
        finally:
            self._writing = None

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        taken: dict[str, tuple[Item, asyncio.Future[Result]]] = {}
        later = []
        while self._waiting and len(taken) < MOST:
            entry = self._waiting.popleft()
            if taken.setdefault(self._key(entry[0]), entry) is not entry:
                later.append(entry)
        self._waiting.extendleft(reversed(later))
        return [taken[key] for key in sorted(taken)]

    async def _serve(self, group: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._write([item for item, _ in group])
        except StoreUnavailable as error:
            for _, done in group:
                _fail(done, StoreUnavailable(str(error)))
        except Exception:  # whatever it was, it is one item's
            for item, done in group:
                try:
                    _succeed(done, await self._alone(item))
                except Exception as error:  # its caller's now
                    _fail(done, error)
        else:
            for (_, done), result in zip(group, results, strict=True):
                _succeed(done, result)


def _succeed(done: "asyncio.Future[Result]", result: Result) -> None:
    if not done.done():  # the caller may have gone
        done.set_result(result)


def _fail(done: "asyncio.Future[Result]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
