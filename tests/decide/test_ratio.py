"""An event counts once in each of the two numbers of a ratio, whatever it is seen as, and however often."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from engine.decide.memory import Memory
from engine.decision import Undecided
from engine.model.condition import ALWAYS, Condition, Operation, PathTest, Reference
from engine.model.delivery import Firing
from engine.model.event import Event, Json
from engine.model.rule import Rule, Severity, Step, Verb, When
from engine.model.timing import Other, Ratio, Threshold, Timing
from engine.rulebook import Rulebook
from engine.testing.world import World
from notifiers import Destination
from tests.builders import CREATED, RECEIVED, event

HOUR = timedelta(hours=1)
ACCOUNT = Reference(path="$account.id")
STOLEN = PathTest(path="failure_code", operations=(Operation(operator="eq", operand="stolen"),))


def rule(where: Condition = ALWAYS, preceded_by: Other | None = None) -> Rule:
    """A rule that fires when half of four failed charges, or of more, are of its own."""
    of = When(types=("charge.failed",), livemode=None)
    ratio = Ratio(of=(of,), gte=Decimal("0.5"), min=4)
    timing = Timing(threshold=Threshold(within=HOUR, ratio=ratio), preceded_by=preceded_by)
    step = Step(id="notify-1", verb=Verb.NOTIFY, targets=("risk",))
    return Rule(id="r", when=(replace(of, where=where),), steps=(step,), timing=timing)


def expand(step: Step, severity: Severity, livemode: bool) -> list[Destination]:
    return [Destination(name=target) for target in step.targets]


def failed(number: int, code: str = "stolen") -> Event:
    made = event("charge.failed", id=f"evt_{number}", created=CREATED + number, object={"failure_code": code})
    return replace(made, received=RECEIVED + timedelta(seconds=number))


def twin_of(number: int) -> Event:
    """What Stripe sends of the same as a thin event: which charge, and nothing of it."""
    related: Json = {"id": "ch_1", "type": "charge", "url": "/v1/charges/ch_1"}
    told = {"snapshot_event": f"evt_{number}", "context": "acct_1", "related_object": related}
    made = event("v1.charge.failed", created=f"2026-01-01T00:00:{number:02}.000Z", **told)
    return replace(made, received=RECEIVED + timedelta(seconds=number))


def world(rule: Rule) -> World:
    return World(Rulebook(revision="r" * 64, rules=(rule,)), expand, RECEIVED)


def told(world: World, id_: str) -> tuple[str, int, float]:
    """Whether the event fired, of how many events it was, and the share of matches among them."""
    [found] = [firing for firing in world.firings.values() if firing.event == id_]
    assert found.context is not None
    return str(found.status), found.context["window"]["of"], found.context["window"]["ratio"]


@pytest.mark.parametrize("code", ["stolen", "lost"])
def test_a_thin_event_and_its_snapshot_are_one(code: str) -> None:
    """Two of four are stolen: half of them, which alerts. Counted twice they would be two of eight."""
    w = world(rule(STOLEN))
    for number in range(4):
        w.feed(twin_of(number))
    for number in range(4):
        w.feed(failed(number, "stolen" if number % 2 else code))
    assert told(w, failed(3).dedupe_key)[1:] == (4, 0.5 if code == "lost" else 1.0)
    assert [str(each.status) for each in w.firings.values()].count("fired") == 1


def test_a_trigger_whose_predecessor_comes_late_is_one_of_its_ratio() -> None:
    before = When(types=("account.updated",), livemode=None)
    w = world(rule(preceded_by=Other(when=(before,), same=((ACCOUNT, ACCOUNT),), within=HOUR)))
    for number in range(1, 5):
        w.feed(failed(number))
    assert {str(each.status) for each in w.firings.values()} == {"no"}
    late = event("account.updated", created=CREATED)
    w.feed(replace(late, received=RECEIVED + timedelta(seconds=10)))
    w.advance(RECEIVED + timedelta(minutes=1))
    assert [str(each.status) for each in w.firings.values()].count("fired") == 1
    assert max(told(w, failed(number).dedupe_key)[2] for number in range(1, 5)) == 1.0
    assert {told(w, failed(number).dedupe_key)[1] for number in range(1, 5)} <= {1, 2, 3, 4}


def test_an_event_that_is_read_for_its_rule_is_one() -> None:
    """First it is one of the events of the ratio, and once that is read which its rule asks for, a match as well; read
    again after a crash, it is that already."""
    fetching = rule(STOLEN)
    book = Rulebook(revision="r" * 64, rules=(fetching,))
    memory = Memory()
    known: dict[str, dict[str, Firing]] = {}
    plans = []
    for number in range(4):
        first, read = failed(number, "unread"), failed(number)
        for wants, each in ((("object",), first), ((), read), ((), read)):
            plan = _undecided(book, each, wants).decide(memory, known.get(each.dedupe_key, {}), each.received)
            known.setdefault(each.dedupe_key, {}).update({firing.id: firing for firing in plan.firings})
            plans += [plan] if plan.firings else []
    found = [plan.firings[0] for plan in plans if plan.firings[0].rule == "r"]
    assert [(each.context or {})["window"]["of"] for each in found] == [1, 2, 3, 4]
    assert str(found[-1].status) == "fired"


def _undecided(book: Rulebook, event: Event, wants: Sequence[str]) -> Undecided:
    matches = book.match(event)
    sightings = book.sightings(event, matches)
    return Undecided(event, [match.rule for match in matches], sightings, book.revision, expand, wants)
