"""uvicorn, as a deployment runs it, in a process that kills itself at a named step of an event's way.

python -m tests.crash.launcher <step> <times> <uvicorn's arguments>      # SIGKILL when the step is reached so often

The steps are those of `STEPS`: each is the moment between two of them. Nothing in the product knows of this: the
objects are wrapped here, before uvicorn imports the application.
"""

import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

import uvicorn

from engine.receive import replies
from engine.store.adapter import JobSource
from engine.store.committer import Committer
from engine.store.deliveries import Deliveries
from notifiers.callback import CallbackNotifier

Asked = TypeVar("Asked", bound=Callable[..., Awaitable[Any]])


class Died(Protocol):
    """Counts a step, and ends the process."""

    def __call__(self) -> None: ...


def after(step: Asked, died: Died) -> Asked:
    """The step as it is, and then the end."""

    @functools.wraps(step)
    async def wrapped(*arguments: Any, **options: Any) -> Any:
        result = await step(*arguments, **options)
        died()
        return result

    return cast("Asked", wrapped)


def before(step: Asked, died: Died) -> Asked:
    """The end, as the step is about to begin."""

    @functools.wraps(step)
    async def wrapped(*arguments: Any, **options: Any) -> Any:
        died()
        return await step(*arguments, **options)

    return cast("Asked", wrapped)


STEPS: dict[str, tuple[object, str, Callable[[Any, Died], Any]]] = {
    "received": (Committer, "commit", before),
    "committed": (Committer, "commit", after),
    "acknowledged": (replies, "send_received", after),
    "job taken": (Deliveries, "begin", after),
    "rendered": (CallbackNotifier, "deliver", before),
    "sent": (CallbackNotifier, "deliver", after),
    "recorded": (Deliveries, "record", after),
    "job ended": (JobSource, "delete", after),
}
"""The last thing done before the process ends, and where that is."""


def arm(name: str, times: int) -> None:
    """Have this process die the so-manieth time that the step is reached."""
    left = times

    def died() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    owner, attribute, when = STEPS[name]
    setattr(owner, attribute, when(getattr(owner, attribute), died))


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    uvicorn.main(sys.argv[3:], prog_name="uvicorn")
