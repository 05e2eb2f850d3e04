"""Reading a request's body with a cap on its size and a bound on the time it may take."""

import asyncio
from asyncio import Task, TimerHandle
from collections.abc import Awaitable, Callable, MutableMapping
from enum import StrEnum
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_LONGEST_LENGTH = 19
"""Digits of a Content-Length worth reading as a number."""


class Unread(StrEnum):
    """Why a body was not read to its end. A metric label: never renamed."""

    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    DISCONNECTED = "disconnected"


class BodyReader:
    """Reads bodies of at most `limit` bytes within `timeout` seconds each; one for every path of the process.

    One timer watches all bodies being read, because a timer each (`asyncio.timeout`) costs as much as verifying
    the signature. A slow one is cut off up to a quarter of the timeout late.
    """

    def __init__(self, *, limit: int, timeout: float) -> None:
        self._limit = limit
        self._timeout = timeout
        self._started: dict[Task[Any], float] = {}
        self._late: set[Task[Any]] = set()
        self._timer: TimerHandle | None = None

    async def read(self, receive: Receive, content_length: bytes | None) -> bytes | Unread:
        """The body, or why not. What Content-Length claims can only refuse a body early, never let it grow."""
        if content_length is not None and self._claims_too_much(content_length):
            return Unread.TOO_LARGE
        task = self._watch()
        try:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                body: bytes = message.get("body", b"")
                return body if len(body) <= self._limit else Unread.TOO_LARGE
            return await self._join(message, receive)
        except asyncio.CancelledError:
            if task in self._late and task.uncancel() == 0:
                return Unread.TOO_SLOW
            raise
        finally:
            self._started.pop(task, None)
            self._late.discard(task)

    async def _join(self, message: Message, receive: Receive) -> bytes | Unread:
        parts: list[bytes] = []
        size = 0
        while message["type"] == "http.request":
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                return Unread.TOO_LARGE
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
            message = await receive()
        return Unread.DISCONNECTED

    def _claims_too_much(self, content_length: bytes) -> bool:
        claimed = content_length.strip()
        return claimed.isdigit() and (len(claimed) > _LONGEST_LENGTH or int(claimed) > self._limit)

    def _watch(self) -> Task[Any]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a body is read within a task")
        loop = asyncio.get_running_loop()
        self._started[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._timeout / 4, self._sweep)
        return task

    def _sweep(self) -> None:
        """Cut off what has taken too long, and come again as long as anything is being read."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._timeout
        for task, started in list(self._started.items()):
            if started <= oldest:
                del self._started[task]
                self._late.add(task)
                task.cancel()
        self._timer = loop.call_later(self._timeout / 4, self._sweep) if self._started else None
