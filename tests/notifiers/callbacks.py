"""What the tests of callbacks share: a notifier, a sink, one callback to it."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from engine.model.outcome import Delivered, Refused, Retry
from engine.model.rule import Verb
from engine.settings import CallbackTarget
from notifiers.callback import CallbackNotifier
from tests.fakes.http_sink import (
    HttpSink,
    http_sink,
)
from tests.notifiers.deliveries import rendered, step, target

OLD = "whsec_" + base64.b64encode(b"old secret, 24 bytes long").decode()
NEW = "whsec_" + base64.b64encode(b"new secret, 24 bytes long").decode()


@asynccontextmanager
async def notifier(*targets: CallbackTarget, hosts: frozenset[str] = frozenset()) -> AsyncIterator[CallbackNotifier]:
    made = CallbackNotifier({each.name: each for each in targets}, hosts, clock=lambda: 1_700_000_000.5)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as running:
        yield running


async def send(sink: HttpSink, *, within: float = 5, **options: object) -> Delivered | Retry | Refused:
    """One callback with those options of the step to the sink."""
    async with notifier(target(sink.url("/hook"), timeout=timedelta(seconds=within))) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases", **options), "cases"))
    assert isinstance(outcome, Delivered | Retry | Refused)
    return outcome
