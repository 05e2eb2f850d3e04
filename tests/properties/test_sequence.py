"""`preceded_by` and `not_followed_by` against their definitions, in any order of coming, with the same event twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.model.condition import Reference
from engine.model.delivery import FiringStatus
from engine.model.event import Event
from engine.model.rule import Rule, Severity, Step, Verb, When
from engine.model.timing import Absence, Other, Timing
from engine.rulebook import Rulebook
from engine.testing.world import World
from notifiers import Destination
from tests.builders import event

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
TRIGGER, OTHER = "payout.failed", "payout.paid"
SAME = ((Reference(path="$account.id"), Reference(path="$account.id")),)

# A second, which of two accounts, and whether it is the trigger. All within the hour that events may be late.
happened = st.lists(
    st.tuples(st.integers(0, 600), st.integers(1, 2), st.booleans()), min_size=1, max_size=14, unique=True
)


def made(number: int, at: int, account: int, trigger: bool, came: int) -> Event:
    moment = START + timedelta(seconds=at)
    built = event(
        TRIGGER if trigger else OTHER,
        id=f"evt_{number}",
        created=int(moment.timestamp()),
        account=f"acct_{account}",
    )
    return replace(built, received=START + timedelta(seconds=came))


def rule(timing: Timing) -> Rule:
    step = Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk",))
    return Rule(id="r", when=(When(types=(TRIGGER,), livemode=None),), steps=(step,), timing=timing)


def other(within: int) -> Other:
    return Other(when=(When(types=(OTHER,), livemode=None),), same=SAME, within=timedelta(seconds=within))


def fired(timing: Timing, events: list[Event]) -> set[str]:
    """The triggers that fired, when all that was waited for has passed."""

    def expand(step: Step, severity: Severity, livemode: bool) -> list[Destination]:
        return [Destination(name=target) for target in step.targets]

    world = World(Rulebook(revision="r" * 64, rules=(rule(timing),)), expand, START)
    for each in events:
        world.feed(each)
        world.feed(each)  # Stripe sends some twice
    world.advance(START + timedelta(days=1))
    return {firing.event for firing in world.firings.values() if firing.status is FiringStatus.FIRED}


@settings(max_examples=200)
@given(happened, st.integers(1, 300))
def test_a_trigger_fires_exactly_if_the_other_came_before_in_time(
    story: list[tuple[int, int, bool]], within: int
) -> None:
    """In whatever order they come: what comes late lets it fire late."""
    events = [made(number, *each, came=number) for number, each in enumerate(story)]
    expected = {
        f"evt_{number}"
        for number, (at, account, trigger) in enumerate(story)
        if trigger and any(not t and a == account and at - within <= when <= at for when, a, t in story)
    }
    assert fired(Timing(preceded_by=other(within)), events) == expected


@settings(max_examples=200)
@example([(9, 1, True), (207, 1, False)], 198, True)  # when its time is over
@given(happened, st.integers(1, 300), st.booleans())
def test_a_trigger_fires_exactly_if_nothing_followed_in_time(
    story: list[tuple[int, int, bool]], within: int, in_order: bool
) -> None:
    """In the order in which it happened each comes when it is made; else all come at once, before any time is over."""
    story = sorted(story) if in_order else story
    events = [made(number, *each, came=each[0] if in_order else 0) for number, each in enumerate(story)]
    expected = {
        f"evt_{number}"
        for number, (at, account, trigger) in enumerate(story)
        if trigger and not any(not t and a == account and at <= when < at + within for when, a, t in story)
    }
    assert fired(Timing(not_followed_by=(Absence(other=other(within)),)), events) == expected


@settings(max_examples=100)
@given(happened, st.integers(1, 300))
def test_started_anew_only_the_last_of_a_key_can_fire(story: list[tuple[int, int, bool]], within: int) -> None:
    """With `restart` a later trigger that comes in time takes the place of one that waits."""
    story = sorted(story)
    events = [made(number, *each, came=each[0]) for number, each in enumerate(story)]
    expected = {
        f"evt_{number}"
        for number, (at, account, trigger) in enumerate(story)
        if trigger
        and not any(
            a == account and ((not t and at <= when < at + within) or (t and at < when < at + within))
            for when, a, t in story
        )
    }
    found = fired(Timing(not_followed_by=(Absence(other=other(within), restart=True),)), events)
    assert found == expected
