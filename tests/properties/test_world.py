"""The world in memory against the store: the same events on the same clock come to the same firings and deliveries."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.decision import Ripe, Undecided
from engine.model.condition import Money, Reference
from engine.model.delivery import Delivery, Firing, Plan
from engine.model.event import Event, Json
from engine.model.mute import Mute
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb, When
from engine.model.timing import (
    Absence,
    Calendar,
    Digest,
    Escalation,
    Incident,
    Other,
    Quiet,
    QuietDo,
    Ratio,
    Reminder,
    Threshold,
    Throttle,
    Timing,
)
from engine.pipeline import Pipeline
from engine.rulebook import Rulebook
from engine.store import Store
from engine.testing.world import Change, World, left_out_only
from engine.work.timers import Clock
from notifiers import Destination
from tests.builders import event

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END = NOON + timedelta(days=2)
HOUR, TEN = timedelta(hours=1), timedelta(minutes=10)
LEAVES = "account.application.deauthorized"
TYPES = ("charge.failed", "charge.succeeded", "payout.failed", "payout.paid", "account.updated", LEAVES)
ACCOUNT = Reference(path="$account.id")
_examples = itertools.count(1)


def _other(type_: str, path: str = "$account.id", within: timedelta = HOUR) -> Other:
    when = When(types=(type_,), livemode=None)
    return Other(when=(when,), same=((Reference(path=path), Reference(path=path)),), within=within)


def _ends(type_: str) -> Other:
    """What resolves, or settles, all of an account."""
    return replace(_other(type_), within=None)


def _step(id_: str) -> Step:
    return Step(id=id_, verb=Verb.NOTIFY, targets=("risk",))


NIGHT = Calendar(name="night", timezone="Europe/Berlin", begin=time(13, 30), end=time(14, 0))
USD = Money(amount=Decimal(300), currency="usd", minor=30_000)
TIMINGS: dict[str, tuple[str, Timing]] = {
    "count": ("charge.failed", Timing(threshold=Threshold(within=TEN, count=3))),
    "sum": ("charge.failed", Timing(threshold=Threshold(within=TEN, sums=((Reference(path="amount"), USD),)))),
    "ratio": (
        "charge.failed",
        Timing(
            threshold=Threshold(
                within=HOUR,
                ratio=Ratio(of=(When(types=("charge.*",), livemode=None),), gte=Decimal("0.5"), min=4),
            )
        ),
    ),
    "shared": (
        "charge.failed",
        Timing(
            threshold=Threshold(
                within=HOUR, ratio=Ratio(of=(When(types=("charge.*",), livemode=None),), gte=Decimal("0.5"), min=2)
            ),
            preceded_by=_other("account.updated"),
        ),
    ),
    "preceded": ("payout.failed", Timing(preceded_by=_other("account.updated"))),
    "absent": ("payout.failed", Timing(not_followed_by=(Absence(other=_other("payout.paid", "id")),))),
    "restarted": (
        "charge.failed",
        Timing(not_followed_by=(Absence(other=_other("charge.succeeded", within=TEN), restart=True),)),
    ),
    "throttled": ("charge.failed", Timing(throttle=Throttle(max=2, every=TEN))),
    "old": ("charge.failed", Timing(max_age=TEN)),
    "both": ("charge.failed", Timing(threshold=Threshold(within=HOUR, count=2), throttle=Throttle(max=1, every=HOUR))),
    "plain": ("payout.*", Timing()),
    "digest": ("charge.*", Timing(digest=Digest(every=HOUR, per=(ACCOUNT,)))),
    "held": ("payout.failed", Timing(quiet=Quiet(during=(NIGHT,)))),
    "dropped": ("payout.failed", Timing(quiet=Quiet(during=(NIGHT,), do=QuietDo.DROP))),
    "all": (
        "charge.failed",
        Timing(quiet=Quiet(during=(NIGHT,)), digest=Digest(every=TEN), threshold=Threshold(within=TEN, count=2)),
    ),
    "incident": (
        "charge.failed",
        Timing(incident=Incident(resolve=_ends("charge.succeeded"), resolve_after=HOUR), on_update=(_step("again"),)),
    ),
    "escalated": (
        "payout.failed",
        Timing(
            incident=Incident(per=(ACCOUNT, Reference(path="id")), resolve=_ends("payout.paid")),
            escalate=(Escalation(after=TEN, steps=(_step("ten"),)), Escalation(after=HOUR, steps=(_step("hour"),))),
            on_resolve=(_step("over"),),
        ),
    ),
    "calm": (
        "charge.*",
        Timing(
            threshold=Threshold(within=TEN, count=2),
            incident=Incident(resolve_after=TEN),
            throttle=Throttle(max=1, every=HOUR),
        ),
    ),
    "missed": (
        "payout.failed",
        Timing(
            not_followed_by=(Absence(other=_other("payout.paid", "id", TEN)),),
            incident=Incident(resolve=_ends("charge.succeeded")),
        ),
    ),
    "reminded": (
        "payout.*",
        Timing(remind=Reminder(before=Reference(path="due"), at=(HOUR, TEN), until=_ends("charge.failed"))),
    ),
    "back": (LEAVES, Timing(not_followed_by=(Absence(other=_other("account.updated")),))),
    "shadow": ("charge.failed", Timing(throttle=Throttle(max=1, every=TEN))),
}


def rules(prefix: str) -> tuple[Rule, ...]:
    """One of every kind, `plain` above `preceded`."""
    steps = (
        Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk", "payments")),
        Step(id="callback-2", verb=Verb.CALLBACK, targets=("case",)),
    )
    return tuple(
        Rule(
            id=prefix + name,
            when=(When(types=(type_,), livemode=None),),
            steps=steps,
            mode=RuleMode.SHADOW if name == "shadow" else RuleMode.LIVE,
            timing=timing,
            supersedes={prefix + "preceded": None} if name == "plain" else {},  # type: ignore[dict-item]  # no place
        )
        for name, (type_, timing) in TIMINGS.items()
    )


def expand(step: Step, severity: Severity, livemode: bool) -> list[Destination]:
    return [Destination(name=target) for target in step.targets]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, int, str, str, str, int]]:
    """Events as they come: seconds passed since the one before, seconds late, type, account, object, amount."""
    one = st.tuples(
        st.sampled_from([0, 1, 30, 120, 600, 4_000]),
        st.sampled_from([0, 0, 0, 5, 100, 900]),
        st.sampled_from(TYPES),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from([5_000, 12_000, 30_000]),
    )
    return draw(st.lists(one, min_size=1, max_size=25))


def events_of(history: Sequence[tuple[int, int, str, str, str, int]], prefix: str) -> list[Event]:
    """Each at its time; every fifth comes twice, and every third thin before."""
    now, found = NOON, []
    for number, (passed, late, type_, account, object_, amount) in enumerate(history):
        now += timedelta(seconds=passed)
        made = event(
            type_,
            id=f"evt_{prefix}{number}",
            created=int((now - timedelta(seconds=late)).timestamp()),
            account=f"acct_{prefix}{account}",
            object={
                "id": f"ob_{prefix}{object_}",
                "amount": amount,
                "currency": "usd",
                "due": int((now + timedelta(seconds=amount)).timestamp()) if amount != 12_000 else None,
            },
        )
        if number % 3 == 2:
            found.append(replace(_thin(made), received=now))
        found += [replace(made, received=now)] * (2 if number % 5 == 4 else 1)
    return found


def _thin(whole: Event) -> Event:
    """What Stripe sends of the same as a thin event: which object, and nothing of it."""
    related = {"id": whole.object_id, "type": "charge", "url": f"/v1/charges/{whole.object_id}"}
    created = f"{whole.created:%Y-%m-%dT%H:%M:%S}.000Z"
    return event(
        f"v1.{whole.type}",
        id=f"{whole.id}_thin",
        snapshot_event=whole.id,
        context=whole.account,
        related_object=related,
        created=created,
    )


class Stepped(datetime):
    """A clock that stands where it was put."""

    at = NOON

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # it is one
        return cls.at


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> type[Stepped]:
    monkeypatch.setattr("engine.store.committer.datetime", Stepped)
    monkeypatch.setattr("engine.testing.world.SWEEP", 1)
    return Stepped


def mutes_of(spans: list[tuple[int, int, int | None]], prefix: str) -> list[Mute]:
    """What is muted when, in minutes from noon, and of which account (None: of any)."""
    return [
        Mute(
            id=f"mut_{number}",
            rule=f"{prefix}*",
            account=None if account is None else f"acct_{prefix}{account}",
            start=NOON + timedelta(minutes=begin),
            end=NOON + timedelta(minutes=begin + length),
            author="kim",
            comment="known",
        )
        for number, (begin, length, account) in enumerate(spans)
    ]


MUTES = st.lists(st.tuples(st.integers(0, 1_500), st.integers(1, 600), st.sampled_from([None, 0, 1])), max_size=2)


async def through_store(
    store: Store, book: Rulebook, events: Sequence[Event], clock_at: type[Stepped], mutes: Sequence[Mute] = ()
) -> None:
    """The events through the pipeline and the clock of the service, which stops at each timer."""
    pipeline = Pipeline(rulebook=lambda: book, expand=expand, committer=store.committer, mutes=lambda: mutes)
    clock = Clock(
        timers=store.timers,
        event=store.events.get,
        rulebook=lambda: book,
        expand=expand,
        summary=left_out_only,
        mutes=lambda: mutes,
        now=lambda: clock_at.at,
    )

    async def pass_to(moment: datetime) -> None:
        while (due := await store.timers.next_due()) is not None and due <= moment:
            clock_at.at = max(clock_at.at, due)
            await store.timers.forget(clock_at.at)
            await clock.once()
        clock_at.at = max(clock_at.at, moment)
        await store.timers.forget(clock_at.at)

    clock_at.at = NOON
    for each in events:
        await pass_to(each.received)
        await pipeline.accept(each)
        await pass_to(each.received)
    await pass_to(END)


@given(history=histories(), spans=MUTES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_world_is_as_the_store(
    store: Store,
    stepped: type[Stepped],
    history: list[tuple[int, int, str, str, str, int]],
    spans: list[tuple[int, int, int | None]],
) -> None:
    prefix = f"x{next(_examples)}-"
    mutes = mutes_of(spans, prefix)
    book = Rulebook(revision="r" * 64, rules=rules(prefix))
    events = events_of(history, prefix)
    await through_store(store, book, events, stepped, mutes)
    world = World(book, expand, NOON, mutes=mutes)
    for each in events:
        world.feed(each)
    world.advance(END)

    keys = {each.dedupe_key for each in events}
    stored = {firing.id: firing for key in keys for firing in await store.events.firings(key)}
    assert {id_: _firing(each) for id_, each in world.firings.items()} == {
        id_: _firing(each) for id_, each in stored.items()
    }
    kept = [each for each in await store.deliveries.ls(limit=100_000) if each.rule.startswith(prefix)]
    assert {each.id: _delivery(each) for each in world.deliveries.values()} == {
        each.id: _delivery(each) for each in kept
    }
    told: dict[str, str] = {}
    brief = World(book, expand, NOON, told=lambda change: told.update(_statuses(change)), brief=True, mutes=mutes)
    for each in events:
        brief.feed(each)
    brief.advance(END)
    assert told == {id_: str(each.status) for id_, each in stored.items()}


def _statuses(change: Change) -> dict[str, str]:
    return {firing.id: str(firing.status) for firing in change.firings}


def _firing(firing: Firing) -> object:
    return firing.rule, firing.event, firing.status, firing.reason, firing.context


def _delivery(delivery: Delivery) -> object:
    return (
        *(delivery.rule, delivery.event, delivery.step, delivery.destination, delivery.account, delivery.digest),
        *(delivery.status, delivery.reason, delivery.silence, delivery.note, delivery.created, delivery.request),
    )


ANY_TIME = st.one_of(
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.sampled_from([0, 253_402_300_799, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]),
)


@given(st.lists(st.tuples(st.sampled_from(TYPES), ANY_TIME), min_size=1, max_size=8))
def test_an_event_created_at_any_time_is_decided_and_those_after_it(history: list[tuple[str, Json]]) -> None:
    """What an event says of its time keeps no later one of its account from being decided."""
    read = [event(type_, id=f"evt_{n}", created=created) for n, (type_, created) in enumerate(history)]
    assert all(EPOCH <= each.created <= each.received + timedelta(days=365) for each in read)
    _decided(read)


@given(st.lists(st.tuples(st.sampled_from(TYPES), st.datetimes(timezones=st.just(UTC))), min_size=1, max_size=8))
@example([("payout.failed", datetime.max.replace(tzinfo=UTC)), ("account.updated", datetime.max.replace(tzinfo=UTC))])
@example([("charge.failed", datetime.max.replace(tzinfo=UTC)), ("charge.succeeded", datetime.min.replace(tzinfo=UTC))])
def test_what_was_stored_with_any_time_is_decided(history: list[tuple[str, datetime]]) -> None:
    """A database may hold events that were taken at their word."""
    _decided([replace(event(type_, id=f"evt_{n}"), created=at) for n, (type_, at) in enumerate(history)])


def _decided(events: Sequence[Event]) -> None:
    """Feed the events and two later ones, without what catches a fault of ours."""
    world = World(Rulebook(revision="r" * 64, rules=rules("t-")), expand, NOON)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Undecided, "alert", _raise_again)
        patched.setattr(Ripe, "alert", _raise_again)
        for each in [*events, event("payout.failed", id="evt_after"), event("charge.failed", id="evt_also")]:
            world.feed(replace(each, received=NOON))
        world.advance(END)
    assert {"evt_after", "evt_also"} <= {firing.event for firing in world.firings.values()}


def _raise_again(*_: object) -> Plan:
    raise
