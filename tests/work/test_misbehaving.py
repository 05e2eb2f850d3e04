"""Servers that misbehave: each is classified, tried again as the ladder says, on record with its reason, and delays no
healthy one beside it."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.destination import BreakerPolicy
from engine.model.rule import RetryPolicy, Verb
from engine.source import Rate
from engine.store import Store
from engine.work.destinations import Destination
from engine.work.gate import Gate
from notifiers.callback import CallbackNotifier
from notifiers.notify import NotifyNotifier
from tests.fakes.http_sink import (
    Answer,
    Behaviour,
    Drip,
    Flood,
    Garbage,
    Hang,
    Hangup,
    HttpSink,
    Reset,
    http_sink,
    limited,
    redirect,
    refused_port,
)
from tests.notifiers.deliveries import channel, target
from tests.store.conftest import look, second
from tests.store.plans import Database, until
from tests.work.delivering import Desk

__all__ = ["look", "second"]

LIMIT = 1.0
"""Seconds that an attempt may take."""

FIRST = RetryPolicy().waits[0]


@dataclass
class Two:
    """A desk with two callbacks: `bad`, whose server misbehaves, and `good`."""

    desk: Desk
    bad: HttpSink
    good: HttpSink


@pytest.fixture
async def two(store: Store) -> AsyncIterator[Two]:
    async with http_sink() as bad, http_sink() as good:
        timeout = timedelta(seconds=LIMIT)
        targets = {
            "bad": target(bad.url("/bad"), "bad", timeout=timeout),
            "good": target(good.url("/good"), "good", timeout=timeout),
            "refused": target(f"http://127.0.0.1:{refused_port()}/", "refused", timeout=timeout),
        }
        notifier = CallbackNotifier(targets, frozenset())
        try:
            yield Two(Desk(store, {Verb.CALLBACK: notifier}), bad, good)
        finally:
            await notifier.close()


def later(seconds: int) -> str:
    """A date in that many seconds, as HTTP writes it."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


RETRIED: dict[str, tuple[Callable[[], Behaviour], str, int | None]] = {
    "hangs": (Hang, "no answer within 1 s (it may have arrived)", None),
    "resets": (Reset, "the connection was reset (it may have arrived)", None),
    "hangs up": (Hangup, "the connection was closed without an answer (it may have arrived)", None),
    "is not HTTP": (Garbage, "the answer was not HTTP (it may have arrived)", None),
    "500": (lambda: Answer(status=500), "bad answered 500 Internal Server Error", 500),
    "503": (lambda: Answer(status=503), "bad answered 503 Service Unavailable", 503),
    "429": (limited, "bad answered 429 Too Many Requests", 429),
    "409": (lambda: Answer(status=409), "bad answered 409 Conflict", 409),
}


@pytest.mark.parametrize("name", RETRIED)
async def test_what_may_pass_is_tried_again_and_holds_nobody_up(two: Two, name: str) -> None:
    behaviour, reason, status = RETRIED[name]
    two.bad.always(behaviour())
    bad = await two.desk.fire("bad", number=30)
    good = await two.desk.fire("good", number=30)
    async with two.desk.working():
        await two.good.received(30)
        if name == "hangs":
            assert await two.desk.store.deliveries.attempts(bad[0]) == [], "all this while it has not given up yet"
        state, attempt = await two.desk.tried(bad[0])
        assert await two.desk.ended(good) == {DeliveryStatus.DELIVERED}
    assert (state.status, state.attempts) == (DeliveryStatus.PENDING, 1)
    assert attempt.outcome == "retry"
    assert attempt.reason is not None
    assert attempt.reason.endswith(reason)
    assert attempt.status == status
    assert state.next_attempt is not None
    wait = state.next_attempt - attempt.started - attempt.duration
    assert 0.89 * FIRST <= wait <= 1.11 * FIRST


async def test_a_refused_connection_has_not_arrived_and_is_tried_again(two: Two) -> None:
    (refused,) = await two.desk.fire("refused")
    good = await two.desk.fire("good", number=10)
    async with two.desk.working():
        state, attempt = await two.desk.tried(refused)
        assert await two.desk.ended(good) == {DeliveryStatus.DELIVERED}
    assert (state.status, attempt.reason) == (DeliveryStatus.PENDING, "refused: connection refused")


@pytest.mark.parametrize(("said", "seconds"), [(lambda: "40", 40), (lambda: later(40), 40), (lambda: "nonsense", 0)])
async def test_retry_after_is_kept_by_all_deliveries_to_it(two: Two, said: Callable[[], str], seconds: int) -> None:
    """In seconds and as a date; the first is told, and the next need not be."""
    two.bad.always(limited(said()))
    (first,) = await two.desk.fire("bad")
    async with two.desk.working():
        state, attempt = await two.desk.tried(first)
        (second,) = await two.desk.fire("bad")
        good = await two.desk.fire("good", number=10)
        assert await two.desk.ended(good) == {DeliveryStatus.DELIVERED}
        async with asyncio.timeout(5):
            while (waits := await two.desk.state(second)).reason is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert state.next_attempt is not None
    wait = (state.next_attempt - attempt.started).total_seconds()
    assert max(seconds - 2, 4) <= wait <= max(seconds, FIRST.total_seconds() * 1.1) + 1
    assert waits.put_off is bool(seconds)
    assert waits.attempts == (0 if seconds else 1)


ENDS: dict[str, tuple[Behaviour, DeliveryStatus, str | None]] = {
    "redirects": (
        redirect("https://elsewhere.example.com/x?y=1"),
        DeliveryStatus.DEAD,
        "redirects are not followed",
    ),
    "gone": (Answer(status=410), DeliveryStatus.DEAD, "bad answered 410 Gone"),
    "not found": (Answer(status=404), DeliveryStatus.DEAD, "bad answered 404 Not Found"),
    "unauthorized": (Answer(status=401), DeliveryStatus.DEAD, "bad answered 401 Unauthorized"),
    "100 MB": (Flood(100 * 1024 * 1024), DeliveryStatus.DELIVERED, None),
    "byte by byte": (Drip(), DeliveryStatus.DELIVERED, None),
}


@pytest.mark.parametrize("name", ENDS)
async def test_what_is_decided_ends_at_once(two: Two, name: str) -> None:
    """A status is an answer, whatever becomes of the body behind it."""
    behaviour, ends, reason = ENDS[name]
    two.bad.always(behaviour)
    bad = await two.desk.fire("bad", number=5)
    good = await two.desk.fire("good", number=20)
    async with two.desk.working():
        await two.good.received(20)
        assert await two.desk.ended(bad + good) == {ends, DeliveryStatus.DELIVERED}
    state = await two.desk.state(bad[0])
    assert (state.status, state.attempts) == (ends, 1)
    assert (state.reason is None) if reason is None else (reason in (state.reason or ""))
    assert len(two.bad.requests) == 5, "each was asked once"
    assert two.bad.written < 5 * 8 * 1024 * 1024, "a huge answer is not read"
    assert state.result is None or len(str(state.result)) < 200_000


async def test_an_hour_of_500s_uses_up_no_ladder_but_that_of_the_probes(two: Two) -> None:
    """The clock is stepped from one wake-up to the next, as the queue would: after the hour everything arrives, in a
    ramp, and each delivery had a few attempts of the many that its ladder would have used up."""
    desk = two.desk
    two.bad.always(Answer(status=500))
    desk.now = start = datetime.now(UTC)
    ids = await desk.fire("bad", number=60, retry=RetryPolicy(attempts=8))
    due = dict.fromkeys(ids, start)
    hour = start + timedelta(hours=1)
    while desk.now < hour:
        await woken(desk, due)
    during = len(two.bad.requests)
    states = [await desk.state(each) for each in ids]
    assert {state.status for state in states} == {DeliveryStatus.PENDING}
    assert sum(state.put_off for state in states) > 50
    assert all("breaker" in (state.reason or "") for state in states if state.put_off)
    policy = BreakerPolicy()
    assert during <= policy.requests + timedelta(hours=1) / policy.longest_wait + 6, "ten opened it, then only probes"
    two.bad.always(Answer())
    works = desk.now
    while due and min(due.values()) <= works + policy.longest_wait + timedelta(minutes=1):
        await woken(desk, due)
    assert len(due) < 10, "all that waited for the breaker; a probe that failed waits as its own ladder says"
    while due:
        await woken(desk, due)
    assert {(await desk.state(each)).status for each in ids} == {DeliveryStatus.DELIVERED}
    assert len(two.bad.requests) == during + 60


async def woken(desk: Desk, due: dict[str, datetime]) -> None:
    """Steps the clock to what is due next, and wakes it; those that wait for a breaker are looked after as well."""
    first = min(due, key=lambda each: due[each])
    assert desk.now is not None
    desk.now = max(desk.now, due[first])
    again = await desk.deliverer(first)
    if again is None:
        del due[first]
    else:
        due[first] = again
    await desk.gate.look()
    for each in due:
        due[each] = (await desk.state(each)).next_attempt or desk.now


async def test_a_name_that_leads_elsewhere_the_second_time_is_not_followed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public when it is looked at, private when it is connected to: the address is checked as that is done."""
    public, asked = "93.184.215.14", []
    real = socket.getaddrinfo

    def lookup(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host != "rebind.example.com":
            return real(host, port, *arguments, **options)
        asked.append(host)
        address = public if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    async with http_sink() as private:
        url = f"https://rebind.example.com:{private.port}/hook"
        notifier = CallbackNotifier({"bad": target(url, "bad", allow_private=False)}, frozenset())
        desk = Desk(store, {Verb.CALLBACK: notifier})
        try:
            first, second = [(await desk.fire("bad"))[0] for _ in range(2)]
            assert await desk.deliverer(first) is not None
            await notifier.close()  # and with it what it remembers of names
            assert await desk.deliverer(second) is None
        finally:
            await notifier.close()
        state = await desk.state(second)
        assert state.status is DeliveryStatus.DEAD
        assert "not public" in (state.reason or "")
        assert private.connections == 0
        assert len(asked) == 2


async def test_what_waits_for_a_breaker_holds_no_place_and_asks_for_nothing(two: Two, look: Database) -> None:
    """More of them than a process does at once: the healthy one beside them gets its own, and the queue is at rest."""
    two.bad.always(Answer(status=500))
    async with two.desk.working():
        opening = await two.desk.fire("bad", number=20)
        for each in opening:
            await two.desk.tried(each) if not (await two.desk.state(each)).put_off else None
        before = len(two.bad.requests)
        bad = await two.desk.fire("bad", number=300)
        good = await two.desk.fire("good", number=20)
        assert await two.desk.ended(good) == {DeliveryStatus.DELIVERED}
        async with asyncio.timeout(20):
            while not all([(await two.desk.state(each)).put_off for each in bad]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        soon = "execute_after < now() + interval '15 seconds' and payload is not null"
        waiting = {each.encode() for each in bad}

        async def at_rest() -> bool:  # a job is put off a moment after its delivery
            rows = await look.rows(f"select payload from tocsin_queue.pgqueuer where {soon}")
            return not waiting & {row["payload"] for row in rows}

        assert await until(at_rest)
    assert len(two.bad.requests) <= before + 10, "those that were under way when it opened"
    assert not any([(await two.desk.state(each)).attempts for each in bad[-200:]])


async def test_a_chat_service_that_does_not_answer_may_have_the_message(store: Store) -> None:
    async with http_sink() as chat:
        chat.always(Hang())
        url = f"json://127.0.0.1:{chat.port}/?cto=1&rto=1"
        channels = {"risk": channel("risk", url, timeout=timedelta(seconds=1))}
        desk = Desk(store, {Verb.NOTIFY: NotifyNotifier(channels, io.StringIO())})
        (message,) = await desk.fire("risk", verb=Verb.NOTIFY)
        assert await desk.deliverer(message) is not None
    (attempt,) = await store.deliveries.attempts(message)
    assert attempt.outcome == "retry"
    assert (attempt.reason or "").endswith("(it may have arrived)")


async def test_two_processes_at_a_rate_deliver_everything_and_each_waits_for_its_turn(
    store: Store, second: Store
) -> None:
    """Nobody asks again and again: what is put off is put off once, and uses up no attempt."""
    rate = Rate(count=20, every=timedelta(seconds=1))
    put_off: list[str] = []
    async with http_sink() as sink:
        notifier = CallbackNotifier({"slow": target(sink.url("/slow"), "slow")}, frozenset())
        desks = [Desk(each, {Verb.CALLBACK: notifier}) for each in (store, second)]

        def destination(delivery: Delivery) -> Destination:
            return Destination(name="callback slow", rates=(("callback slow", rate),))

        for desk in desks:
            desk.rules = desks[0].rules
            gate = Gate(destination, desk.store.destinations, desk.store.rates, put_off=put_off.append)
            desk.gate = desk.deliverer._gate = gate
        async with desks[0].working(), desks[1].working():
            ids = await desks[0].fire("slow", number=40)
            assert await desks[0].ended(ids, within=20) == {DeliveryStatus.DELIVERED}
        await notifier.close()
    assert len(sink.requests) == 40
    assert {(await desks[0].state(each)).attempts for each in ids} == {1}
    assert 30 <= len(put_off) <= 40
