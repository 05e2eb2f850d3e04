"""What becomes of the messages of a rule that has fired: whether they go out now, wait, or are kept quiet.

Only notify steps are concerned. In the fixed order: mute, throttle, quiet, digest; what a quiet time drops would never
be sent, and does not count for a throttle.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from engine.decide import shapes, throttle
from engine.decide.calendars import next_due, quiet_until
from engine.decide.keys import key_of
from engine.decide.memory import Cell, Kept, Memory
from engine.model.delivery import Silencing, Timer
from engine.model.event import Event, Json
from engine.model.mute import Mute
from engine.model.rule import Rule
from engine.model.timing import NO_TIMING, QuietDo, Throttle
from engine.render.noise import acted_late, clock_text, left_out_since

THROTTLE, QUIET, DIGEST = "throttle", "quiet", "digest"


@dataclass(frozen=True, slots=True)
class Noise:
    """What to do with the messages of a firing. `silence`: they are kept quiet by what it names, for `reason`.
    `digest`: they wait for the digest of that name. `note`: a line that goes out with them. `update`: the steps of
    `on_update` run, and what to do with their messages. `context`: what texts read of it."""

    silence: str | None = None
    reason: str | None = None
    digest: str | None = None
    note: str | None = None
    timers: tuple[Timer, ...] = ()
    update: "Noise | None" = None
    context: Mapping[str, Json] | None = None


ALOUD = Noise()


def cells(rule: Rule, event: Event) -> Iterator[Cell]:
    """What the rule remembers that its messages about an event depend on."""
    if rule.timing.throttle is not None:
        yield Cell(rule.id, THROTTLE, key_of(rule.timing.throttle.per, event))
    if rule.timing.digest is not None or rule.timing.quiet is not None:
        yield gather_cell(rule, event)


class Loud(Protocol):
    """`quieten` of one decision."""

    def __call__(self, rule: Rule, event: Event, *, update: bool = False) -> Noise: ...


def quieten(
    rule: Rule, event: Event, memory: Memory, now: datetime, mutes: Sequence[Mute] = (), *, update: bool = False
) -> Noise:
    """What to do with the messages of a firing, which counts thereby as sent where it says so. `update`: they are those
    of `on_update`."""
    timing = rule.timing
    muted = muting(rule, event.account, now, mutes)
    if muted is not ALOUD or timing is NO_TIMING:
        return muted
    until = quiet_now(rule, now)
    if until is not None and timing.quiet is not None and timing.quiet.do is QuietDo.DROP:
        return Noise(silence=QUIET, reason=f"quiet until {clock_text(until, now)}")
    noise = ALOUD
    if timing.throttle is not None:
        noise = _throttled(rule, timing.throttle, event, memory, now, update=update)
        if noise.silence is not None:
            return noise
    if until is None and timing.digest is None:
        return noise
    return _gathered(rule, event, memory, now, until, noise)


def hushed(rule: Rule, event: Event, now: datetime, mutes: Sequence[Mute] = ()) -> bool:
    """Whether the messages of the rule about an event would be dropped now, whatever else becomes of them."""
    drops = rule.timing.quiet is not None and rule.timing.quiet.do is QuietDo.DROP
    return muting(rule, event.account, now, mutes) is not ALOUD or (drops and quiet_now(rule, now) is not None)


def muting(rule: Rule, account: str | None, now: datetime, mutes: Sequence[Mute]) -> Noise:
    """What a mute does with the messages of a rule about an account."""
    mute = next((each for each in mutes if each.mutes(rule, account, now)), None)
    return ALOUD if mute is None else Noise(silence=_name(mute), reason=_why_muted(mute, now))


def silencings(rule: Rule, now: datetime, mutes: Sequence[Mute]) -> tuple[Silencing, ...]:
    """What mutes do with messages of a rule, about whichever account, that were gathered before."""
    found = (each for each in mutes if each.mutes(rule, each.account, now))
    return tuple(Silencing(_name(each), _why_muted(each, now), each.account) for each in found)


def _name(mute: Mute) -> str:
    return f"mute {mute.id}"


def _why_muted(mute: Mute, now: datetime) -> str:
    return f"muted until {clock_text(mute.end, now)} by {mute.author}: {mute.comment}"


def belated(noise: Noise, due: datetime, now: datetime) -> Noise:
    """The same for what was to be done when it was `due`: messages that go out by themselves say so where that is long
    ago."""
    late = None if noise.silence is not None or noise.digest is not None else acted_late(due, now)
    if late is None:
        return noise
    return replace(noise, note=late if noise.note is None else f"{noise.note}\n{late}")


def quiet_now(rule: Rule, now: datetime) -> datetime | None:
    """Until when the rule's messages are not to go out, None: they may now."""
    quiet = rule.timing.quiet
    if quiet is None or (quiet.bar is not None and rule.severity.at_least(quiet.bar)):
        return None
    return quiet_until(quiet.during, now)


def paced_of(rule: Rule, cell: Cell, memory: Memory) -> Kept:
    """What is known of a throttle of the rule: of another limit, or mode, only what it left out live and has not
    said."""
    before, shape = memory.kept.get(cell), shapes.throttle(rule)
    kept = memory.open(cell, shape)
    if before is not None and before is not kept:
        throttle.carry(before.state, kept.state, said=shapes.says(before.shape), says=shapes.says(shape))
    return kept


def _throttled(rule: Rule, limit: Throttle, event: Event, memory: Memory, now: datetime, *, update: bool) -> Noise:
    cell = Cell(rule.id, THROTTLE, key_of(limit.per, event))
    kept = paced_of(rule, cell, memory)
    paced = throttle.pace(limit, kept.state, now, update=update)
    kept.until = throttle.quiet_until(limit, kept.state)
    if paced.until is None:
        return Noise(note=left_out_since(paced.left_out, paced.since, now)) if paced.since else ALOUD
    timers = (_timer(rule, event, THROTTLE, cell.key, paced.until),) if paced.first else ()
    return Noise(silence=THROTTLE, reason=paced.reason, timers=timers)


def _gathered(rule: Rule, event: Event, memory: Memory, now: datetime, until: datetime | None, noise: Noise) -> Noise:
    """Have the messages wait for a digest: the rule's, or the one at the end of a quiet time."""
    cell = gather_cell(rule, event)
    kept = memory.open(cell, shapes.ANY)
    state, digest = kept.state, rule.timing.digest
    due = now if digest is None else next_due(digest, now, now)
    timers: tuple[Timer, ...] = ()
    if not state:
        due = max(due, until or due)
        state["name"] = f"{rule.id} {cell.part} {cell.key} {now.isoformat()}"
        state["due"] = due.timestamp()
        timers = (_timer(rule, event, cell.part, cell.key, due),)
    due = datetime.fromtimestamp(state["due"], UTC)
    what = "digest" if until is None else "quiet"
    reason = f"{what}: waits for the digest at {clock_text(due, now)}"
    return Noise(digest=state["name"], reason=reason, note=noise.note, timers=timers)


def gather_cell(rule: Rule, event: Event) -> Cell:
    """Where it stands what a rule gathers."""
    digest = rule.timing.digest
    return Cell(rule.id, QUIET if digest is None else DIGEST, key_of((digest.per if digest else None) or (), event))


def _timer(rule: Rule, event: Event, part: str, key: str, due: datetime) -> Timer:
    return Timer(
        rule=rule.id,
        part=part,
        key=key,
        due=due,
        event=event.dedupe_key,
        account=event.account,
        livemode=event.livemode,
    )
