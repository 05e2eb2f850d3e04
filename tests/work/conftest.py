"""Rules at work on a real database."""

from collections.abc import Callable

import pytest

from engine.store import Store
from tests.work.memory import World


@pytest.fixture
async def world(store: Store) -> Callable[..., World]:
    """A process with these rules, on a clock that the test sets."""
    return lambda *rules: World(store, rules)
