"""What becomes of the messages of a rule that has fired: whether they go out now, wait, or are kept quiet.

Only notify steps are concerned. In the fixed order: throttle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.decide import throttle
from engine.decide.keys import key_of
from engine.decide.memory import Cell, Memory, shape_of
from engine.model.delivery import Timer
from engine.model.event import Event
from engine.model.rule import Rule

THROTTLE = "throttle"


@dataclass(frozen=True, slots=True)
class Noise:
    """What to do with the messages of a firing. `silence`: they are kept quiet by what it names, for `reason`.
    `digest`: they wait for the digest of that name. `note`: a line that goes out with them."""

    silence: str | None = None
    reason: str | None = None
    digest: str | None = None
    note: str | None = None
    timers: tuple[Timer, ...] = ()


ALOUD = Noise()


def cells(rule: Rule, event: Event) -> Iterator[Cell]:
    """What the rule remembers that its messages about an event depend on."""
    if rule.timing.throttle is not None:
        yield Cell(rule.id, THROTTLE, key_of(rule.timing.throttle.per, event))


def quieten(rule: Rule, event: Event, memory: Memory, now: datetime) -> Noise:
    """What to do with the messages of a firing, which counts thereby as sent where it says so."""
    if rule.timing.throttle is None:
        return ALOUD
    cell = Cell(rule.id, THROTTLE, key_of(rule.timing.throttle.per, event))
    kept = memory.open(cell, shape_of(rule.timing.throttle))
    paced = throttle.pace(rule.timing.throttle, kept.state, now)
    kept.until = throttle.quiet_until(rule.timing.throttle, kept.state)
    if paced.sends:
        return Noise(note=left_out(paced.left_out, paced.since)) if paced.left_out else ALOUD
    assert paced.until is not None
    timer = Timer(
        rule=rule.id,
        part=THROTTLE,
        key=cell.key,
        due=paced.until,
        event=event.dedupe_key,
        account=event.account,
        livemode=event.livemode,
    )
    return Noise(silence=THROTTLE, reason=paced.reason, timers=(timer,))


def left_out(number: int, since: datetime | None) -> str:
    """`and 12 more left out since 14:02 UTC`."""
    return f"and {number:,} more left out since {since:%H:%M} UTC" if since else f"and {number:,} more left out"
