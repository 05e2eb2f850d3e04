"""Incidents against the plain model, in any order and with every event any number of times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.decide import incidents, reminders
from engine.decide.memory import Kept, second_of
from engine.model.condition import Reference
from engine.model.delivery import FiringStatus
from engine.model.event import Event
from engine.model.incident import Incident as Held
from engine.model.incident import IncidentStatus
from engine.model.rule import Rule, Step, Verb, When
from engine.model.timing import Incident, Other, Reminder, Timing
from tests.builders import event

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
ACCOUNT, DUE = Reference(path="$account.id"), Reference(path="due")
PAID = Other(when=(When(types=("payout.paid",), livemode=None),), same=((ACCOUNT, ACCOUNT),))
STEPS = (Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk",)),)


def made(second: int, kind: str, number: int) -> Event:
    moment = int((START + timedelta(seconds=second)).timestamp())
    return replace(event(kind, created=moment, id=f"evt_{number}"), received=START + timedelta(seconds=second))


def rule(timing: Timing) -> Rule:
    return Rule(id="r", when=(When(types=("payout.failed",), livemode=None),), steps=STEPS, timing=timing)


RULE = rule(Timing(incident=Incident(resolve=PAID)))


@dataclass
class Course:
    """Events given to the reducer, each once as the store does, and what it made of them."""

    def __init__(self) -> None:
        self.kept = Kept({})
        self.seen: set[str] = set()
        self.opened: list[Held] = []
        self.resolved: list[Held] = []
        self.steps: list[str] = []

    def give(self, each: Event) -> None:
        if each.id in self.seen:
            return
        self.seen.add(each.id)
        if each.type == "payout.paid":
            ended = incidents.resolve(RULE, each, self.kept, each.received)
            self.resolved += ended
            self.steps += ["resolved"] * len(ended)
        else:
            taken = incidents.take(RULE, each, self.kept, incidents.cell_of(RULE, each), each.received)
            if taken.opened:
                self.opened.append(taken.incident)
                self.steps.append("opened")
            if taken.resolver is not None:
                self.resolved.append(
                    incidents.end(self.kept, taken.incident, each.received, "late", second=taken.resolver[0])
                )
                self.steps.append("resolved")


events = st.lists(
    st.tuples(st.integers(0, 600), st.sampled_from(["payout.failed", "payout.failed", "payout.paid"])), max_size=25
)


def plain(found: Sequence[Event]) -> list[tuple[str, int]]:
    """The definition, in the order in which things happened: who opened each incident, and its matches."""
    runs: list[tuple[str, int]] = []
    is_open = False
    for each in sorted(found, key=lambda one: (second_of(one), one.type == "payout.paid", one.id)):
        if each.type == "payout.paid":
            is_open = False
        elif is_open:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((each.id, 1))
            is_open = True
    return runs


@settings(max_examples=300)
@given(events)
def test_in_order_it_is_as_the_definition_says(drawn: list[tuple[int, str]]) -> None:
    found = [made(second, kind, number) for number, (second, kind) in enumerate(drawn)]
    found.sort(key=lambda one: (second_of(one), one.type == "payout.paid", one.id))
    course = Course()
    for each in found:
        course.give(each)
    counts = {each.id: each.count for each in [*course.resolved, *incidents.every(course.kept.state)]}
    assert [(each.first_id, counts[each.id]) for each in course.opened] == plain(found)


@settings(max_examples=300)
@given(events, st.randoms(use_true_random=False), st.integers(0, 25))
def test_in_any_order_opening_and_resolving_alternate(drawn: list[tuple[int, str]], random: object, again: int) -> None:
    found = [made(second, kind, number) for number, (second, kind) in enumerate(drawn)]
    given_ = [*found, *found[:again]]
    random.shuffle(given_)  # type: ignore[attr-defined]  # hypothesis' own Random
    course = Course()
    for each in given_:
        course.give(each)
        assert len(incidents.every(course.kept.state)) <= 1
    assert course.steps == ["opened", "resolved"] * len(course.resolved) + ["opened"] * (
        len(course.opened) - len(course.resolved)
    )
    assert len(course.opened) - len(course.resolved) in (0, 1)
    assert all(each.status is IncidentStatus.RESOLVED for each in course.resolved)
    # Something is told wherever the definition tells of something, and what is over in the end is over.
    assert bool(course.opened) == bool(plain(found))
    last = max((second_of(one) for one in found if one.type == "payout.failed"), default=0)
    over = any(second_of(one) >= last for one in found if one.type == "payout.paid")
    assert bool(incidents.every(course.kept.state)) == (bool(plain(found)) and not over)


REMINDER = rule(Timing(remind=Reminder(before=DUE, at=(timedelta(seconds=60), timedelta(seconds=20)), same=(ACCOUNT,))))


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 100), st.one_of(st.none(), st.integers(101, 300))), min_size=1, max_size=12))
def test_reminders_are_for_the_deadline_of_the_newest_event(drawn: list[tuple[int, int | None]]) -> None:
    """Each lead time of a deadline is told once, and in the end the newest event alone waits."""
    kept, told = Kept({}), []
    for number, (second, due) in enumerate(drawn):
        moment = None if due is None else int((START + timedelta(seconds=due)).timestamp())
        each = event(
            created=int((START + timedelta(seconds=second)).timestamp()), object={"due": moment}, id=f"evt_{number}"
        )
        planned = reminders.match(REMINDER, each, kept, reminders.cell_of(REMINDER, each), START)
        told += [planned.alert.cause] if planned.alert else []
        for settled in planned.settled:
            assert settled.status in (FiringStatus.NO, FiringStatus.FIRED)
    assert len(told) == len(set(told))
    newest = max(second for second, _ in drawn)
    last = [due for second, due in drawn if second == newest][-1]
    entries = [each for each in kept.state.get("waiting", {}).values() if each["second"] != each["due"]]
    assert [entry["due"] for entry in entries] == (
        [] if last is None else [int((START + timedelta(seconds=last)).timestamp())]
    )
