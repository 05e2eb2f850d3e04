"""What rendering may spend: steps, time, and how much it may write out.

A template can put one list into another many times over without making it any larger in memory: ten lists of ten,
six times, are a million elements once they are written out or compared. So what is made, and what is written out, is
paid for as it is gone through, not measured when it is there.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from engine.errors import TemplateError

MAX_TEXT = 32_768
"""The longest text an expression may build, and the longest a template may give, in characters."""

MAX_STEPS = 10_000
MAX_SECONDS = 2.0

MAX_WRITTEN = 4 * 1024 * 1024
"""How much one text, or one value with all texts in it, may write out: characters, and NODE for each element."""

NODE = 8
"""What an element of a list or map costs beside its characters: about its part of the time."""


@dataclass(slots=True)
class Allowance:
    """What is left to a text, or to all texts of one value together."""

    size: int = MAX_WRITTEN
    until: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def write(self, size: int) -> None:
        """Take what is written out; raises TemplateError when there is no more."""
        self.size -= size
        if self.size < 0:
            raise TemplateError(f"more than {MAX_WRITTEN // 1024 // 1024} MiB would have to be written out")

    def check(self) -> None:
        """Raise TemplateError when the time is over."""
        if time.monotonic() > self.until:
            raise TemplateError(f"the text takes more than {MAX_SECONDS:g} s to write")


@dataclass(slots=True)
class Budget:
    """What one rendering may still spend; its scene and the paths its text reads, to name what is undefined."""

    scene: Mapping[str, Any]
    paths: frozenset[tuple[str | int, ...]] = frozenset()
    steps: int = MAX_STEPS
    allowance: Allowance = field(default_factory=Allowance)

    def spend(self, steps: int = 1) -> None:
        """Take steps from the budget; raises TemplateError when it is used up."""
        self.steps -= steps
        if self.steps < 0:
            raise TemplateError(f"the text loops more than {MAX_STEPS:,} times")
        self.allowance.check()


_budget: ContextVar[Budget | None] = ContextVar("render_budget", default=None)
_together: ContextVar[Allowance | None] = ContextVar("render_allowance", default=None)


@contextmanager
def budget_for(scene: Mapping[str, Any], paths: frozenset[tuple[str | int, ...]]) -> Iterator[None]:
    """Give the rendering inside a budget of its own; within `together`, part of that."""
    allowance = _together.get()
    if allowance is not None:
        allowance.check()
    token = _budget.set(Budget(scene, paths, allowance=allowance or Allowance()))
    try:
        yield
    finally:
        _budget.reset(token)


@contextmanager
def together() -> Iterator[Allowance]:
    """Have all renderings inside share one allowance."""
    allowance = Allowance()
    token = _together.set(allowance)
    try:
        yield allowance
    finally:
        _together.reset(token)


def current() -> Budget | None:
    """The budget of the rendering that is under way."""
    return _budget.get()


def pay(size: int) -> None:
    """Take what is written out from the budget of the rendering that is under way, where one is."""
    budget = _budget.get()
    if budget is not None:
        budget.allowance.write(size)


def weigh(value: Any) -> None:
    """Pay for a list or map, with all that is in it."""
    budget = _budget.get()
    if budget is None:
        return
    write = budget.allowance.write
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            write(NODE + len(found))
        elif isinstance(found, Mapping):
            write(NODE + sum(len(key) for key in found if isinstance(key, str)))
            waiting += found.values()
        else:
            write(NODE)
            if isinstance(found, list | tuple):
                waiting += found
