"""What takes its course after a match: an incident with its updates, escalations and end; reminders.

A Course goes with one decision. It changes what is remembered, and gathers what comes of that beside the plan of the
matches themselves. What comes of a match later has a firing of its own, with a fixed id: the same is never made twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine.decide import incidents, noise, reminders, shapes
from engine.decide.incidents import ENDED, ESCALATE, INCIDENT
from engine.decide.judge import Verdict
from engine.decide.keys import key_of
from engine.decide.memory import Cell, Kept, Memory
from engine.decide.noise import Noise
from engine.decide.reminders import REMIND
from engine.decide.sighting import Role, Sighting
from engine.model.condition import ALWAYS
from engine.model.delivery import (
    Delivery,
    DeliveryStatus,
    Firing,
    FiringStatus,
    Plan,
    Settled,
    Timer,
    firing_id,
)
from engine.model.event import Event, Json
from engine.model.incident import Change, Incident, IncidentStatus, Stage
from engine.model.rule import Rule, RuleMode, Step, Verb
from engine.model.timing import NO_TIMING
from engine.plan import Expand, deliveries_of, speaks
from engine.source.durations import format_duration

PARTS = frozenset({INCIDENT, ESCALATE, ENDED, REMIND})
"""The first words of the parts of timers that are decided here."""

_UNHEARD = frozenset({DeliveryStatus.SKIPPED, DeliveryStatus.SUPPRESSED})


def part_of(timer: Timer) -> str | None:
    """Which part a timer belongs to, None: none of these."""
    word = timer.part.partition(" ")[0]
    return word if word in PARTS else None


def cells(seen: Sighting, event: Event) -> Iterator[Cell]:
    """What is remembered that an event may look at or change in a role."""
    rule, timing = seen.rule, seen.rule.timing
    if seen.role is Role.MATCH and timing.incident is not None:
        yield incidents.cell_of(rule, event)
    if seen.role is Role.MATCH and timing.remind is not None:
        yield reminders.cell_of(rule, event)
    if seen.role is Role.RESOLVES:
        yield from incidents.resolver_cells(rule, event)
        yield from noise.cells(rule, event)
    if seen.role is Role.SETTLES:
        yield from reminders.settler_cells(rule, event)


def timer_cells(timer: Timer, rule: Rule | None, event: Event | None) -> Iterator[Cell]:
    """The same for a timer of these parts."""
    yield Cell(timer.rule, REMIND if part_of(timer) == REMIND else INCIDENT, timer.key)
    if rule is not None and event is not None:
        yield from noise.cells(rule, event)


@dataclass(slots=True, kw_only=True)
class Course:
    """What comes of one decision beside the plan of its matches. `loud` says what to do with a rule's messages, their
    incident left aside; `hushed` whether a mute or a quiet time drops them now; `due` is when it was to be decided,
    `at` when it is: of an event, when that came."""

    memory: Memory
    revision: str
    expand: Expand
    loud: noise.Loud
    hushed: Callable[[Rule, Event], bool]
    due: datetime
    at: datetime
    now: datetime
    firings: list[Firing] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    _opened: list[tuple[Rule, Event, Kept, incidents.Taken, Noise]] = field(default_factory=list)

    def quieten(self, rule: Rule, event: Event, at: datetime, context: Json = None) -> Noise:
        """What to do with the messages of a match that fires `at` that moment: the first of an incident that is not
        kept quiet goes out. `context` is what texts read of the match so far."""
        if rule.timing.incident is None:
            return self._sound(rule, event, context)
        cell = incidents.cell_of(rule, event)
        kept = self._open(rule, cell)
        taken = incidents.take(rule, event, kept, cell, at)
        incident = taken.incident
        firing = firing_id(rule.id, event.dedupe_key)
        if taken.opened:
            told = {**(context or {}), **_told(incident, Stage.OPENED, at)}
            sound = self._sound(rule, event, told)
            self._change(rule, Change(incident=incident, at=at, stage=Stage.OPENED, note=event.id, firing=firing))
            self._opened.append((rule, event, kept, taken, sound))
            timers = (*sound.timers, *incidents.timers(rule, incident))
            return replace(sound, timers=timers, context=_told(incident, Stage.OPENED, at))
        told = {**(context or {}), **_told(incident, Stage.UPDATED, at)}
        sound = Noise(silence=f"incident {incident.id}", reason=_known(incident))
        if incident.unheard and incident.status is IncidentStatus.OPEN:
            sound = self._sound(rule, event, told)
            self._opened.append((rule, event, kept, taken, sound))
        update = None
        if rule.timing.on_update and not taken.over:
            update = self._update(rule, event, told, sound, incident)
        stage = None if update is None else Stage.UPDATED
        self._change(rule, Change(incident=incident, at=at, stage=stage, note=event.id, firing=firing))
        timers = (*sound.timers, *(() if update is None else update.timers))
        return replace(sound, timers=timers, update=update, context=_told(incident, Stage.UPDATED, at))

    def _update(self, rule: Rule, event: Event, context: Json, then: Noise, incident: Incident) -> Noise:
        """What to do with the messages of `on_update`. Where those of `then` tell of the incident with this match they
        are enough, and where a throttle has counted them it does not count these."""
        if then.silence is None and speaks(rule, event, context, self.expand, rule.steps):
            return Noise(silence=f"incident {incident.id}", reason="this match is the first that is told")
        if then.silence == noise.THROTTLE:
            return replace(then, timers=())
        return self._sound(rule, event, context, rule.timing.on_update)

    def go_on(self, rule: Rule, event: Event, verdict: Verdict, at: datetime) -> Verdict:
        """A match at which a threshold still holds goes on with the incident that it opened. Where that has ended, or
        nobody has heard of it and somebody would now, the threshold fires again."""
        if rule.timing.incident is None or not verdict.goes_on:
            return verdict
        cell = incidents.cell_of(rule, event)
        kept = self._open(rule, cell)
        open_ = incidents.of(kept.state, key_of(rule.timing.incident.per, event))
        tells = open_ is not None and open_.unheard and self._would_be_heard(rule, event, verdict.context)
        if tells or incidents.has_ended(rule, event, kept):
            return replace(verdict, status=FiringStatus.FIRED, reason=None, goes_on=False)
        incident = incidents.go_on(rule, event, kept, cell, at)
        if incident is not None:
            self._change(rule, Change(incident=incident, at=at))
        return verdict

    def _would_be_heard(self, rule: Rule, event: Event, context: Json) -> bool:
        """What a throttle leaves out is said by itself."""
        quiet = rule.timing.throttle is not None or self.hushed(rule, event)
        return not quiet and speaks(rule, event, context, self.expand, rule.steps)

    def after(self, plan: Plan) -> None:
        """Once the deliveries of matches are planned: note who hears of the incidents that they opened, and end those
        that were over before they were known."""
        for rule, event, kept, taken, sound in self._opened:
            firing = firing_id(rule.id, event.dedupe_key)
            made = [d for d in plan.deliveries if d.firing == firing]
            incident = self._note_heard(rule, taken.incident, made, sound)
            incident = self._note_told(rule, kept, incident, made)
            if taken.resolver is not None:
                second, key, id_, type_ = taken.resolver
                ended = incidents.end(kept, incident, self.now, f"{type_} ({id_})", second=second)
                self._change(rule, Change(incident=ended, at=self.now, stage=Stage.RESOLVED, note=ended.reason))
                self.timers.append(incidents.end_later(kept, incident, ended, key, self.now))

    def observe(self, seen: Sighting, event: Event, at: datetime) -> None:
        """An event that a rule is not for resolves its incidents, or settles its reminders."""
        rule = seen.rule
        if seen.role is Role.RESOLVES:
            for cell in incidents.resolver_cells(rule, event):
                for incident in incidents.resolve(rule, event, self._open(rule, cell), at):
                    self._end(rule, event, incident)
        if seen.role is Role.SETTLES:
            for cell in reminders.settler_cells(rule, event):
                self.settled += reminders.settle(rule, event, self._open(rule, cell))

    def remind(self, rule: Rule, event: Event, context: Json, at: datetime) -> Verdict:
        """What becomes of a match of a rule that reminds: it waits for its lead times."""
        cell = reminders.cell_of(rule, event)
        planned = reminders.match(rule, event, self._open(rule, cell), cell, at)
        if planned.alert is None:
            return Verdict(planned.status, planned.reason, context, planned.timers, planned.settled)
        # What goes out at once is the reminder: the match itself sends nothing.
        self._remind(rule, event, planned.alert, at, due=self.due)
        fired = Settled(firing=firing_id(rule.id, event.dedupe_key), status=planned.status, reason=planned.reason)
        settled = (*planned.settled, fired)
        return Verdict(FiringStatus.WAITING, planned.reason, context, planned.timers, settled)

    def ripen(self, timer: Timer, rule: Rule | None, event: Event | None) -> None:
        """What comes of a timer of these parts that is due, with the event that it is about."""
        part, word = part_of(timer), timer.part.rpartition(" ")[2]
        cell = Cell(timer.rule, REMIND if part == REMIND else INCIDENT, timer.key)
        if rule is None or rule.mode is RuleMode.OFF or (part == REMIND and rule.timing.remind is None):
            self._abandon(timer, cell, word)
            return
        kept = self._open(rule, cell)
        if part == REMIND:
            alert, settled = reminders.ripe(rule, kept, timer, self.now)
            if alert is not None and settled is not None and event is not None:
                self.settled.append(settled)
                self._remind(rule, event, alert, self.now, due=alert.due - alert.lead)
        elif part == INCIDENT:
            over, timers = incidents.lapsed(rule, kept, word, timer.event, self.now)
            self.timers += timers
            if over is not None:
                self._end(rule, event, over)
        elif part == ESCALATE and event is not None:
            self._escalate(rule, event, kept, int(timer.part.split()[1]), word)
        elif part == ENDED:
            told = incidents.ended(kept, word)
            if told is not None:
                self._tell_end(rule, event, told)

    def added_to(self, plan: Plan) -> Plan:
        """The plan with all of it."""
        if not (self.firings or self.deliveries or self.timers or self.settled or self.changes):
            return plan
        return replace(
            plan,
            firings=(*plan.firings, *self.firings),
            deliveries=(*plan.deliveries, *self.deliveries),
            timers=(*plan.timers, *self.timers),
            settled=(*plan.settled, *self.settled),
            changes=(*plan.changes, *(change for each in self.changes.values() for change in each)),
        )

    def _note_heard(self, rule: Rule, incident: Incident, made: Iterable[Delivery], sound: Noise) -> Incident:
        """The incident, of which nobody has heard where the messages of `then` are kept quiet, or none goes out."""
        messages = {step.id for step in rule.steps if step.verb is Verb.NOTIFY}
        heard = sound.silence is None
        if rule.mode is RuleMode.LIVE:
            heard = any(d.step in messages and d.status not in _UNHEARD for d in made)
        return replace(incident, unheard=bool(messages) and not heard)

    def _open(self, rule: Rule, cell: Cell) -> Kept:
        return self.memory.open(cell, shapes.course(rule))

    def _change(self, rule: Rule, change: Change) -> None:
        if rule.mode is RuleMode.LIVE:
            self.changes.setdefault(change.incident.id, []).append(change)

    def _note_told(self, rule: Rule, kept: Kept, incident: Incident, made: Iterable[Delivery]) -> Incident:
        heard = [(d.step, d.destination) for d in made if d.verb is Verb.NOTIFY and d.status not in _UNHEARD]
        told = replace(incident, told=tuple(dict.fromkeys((*incident.told, *heard))))
        incidents.put(kept, told)
        self.changes[incident.id] = [replace(each, incident=told) for each in self.changes.get(incident.id, ())]
        return told

    def _end(self, rule: Rule, event: Event | None, incident: Incident) -> None:
        change = Change(incident=incident, at=self.now, stage=Stage.RESOLVED, note=incident.reason)
        firing = self._tell_end(rule, event, incident)
        self._change(rule, replace(change, firing=firing))

    def _tell_end(self, rule: Rule, event: Event | None, incident: Incident) -> str | None:
        """The steps of `on_resolve`, or a message to all who have heard of the incident; under which firing."""
        if event is None:
            return None
        context = _told(incident, Stage.RESOLVED, self.now)
        reason = f"{incident.id} is resolved after {context['incident']['duration']}: {ended_by(incident)}"
        firing = self._follow_up(rule, event, f"{incident.id} resolved", context, reason)
        steps = rule.timing.on_resolve
        if steps:
            sound = self._insistent(rule, event, context, steps)
            made = list(self._made(rule, event, firing, sound, steps))
        else:
            plain = [plainly(step) for step in rule.main_steps if step.verb is Verb.NOTIFY and incident.told]
            sound = self._insistent(rule, event, context, plain)
            others = {step.id for step in rule.on_failure}
            found = list(self._made(rule, event, firing, sound, plain))
            made = [*_once(found, incident.told), *(d for d in found if d.step in others)]
        self.deliveries += made
        self.timers += sound.timers
        return firing.id

    def _escalate(self, rule: Rule, event: Event, kept: Kept, place: int, incident_id: str) -> None:
        incident = incidents.by_id(kept.state, incident_id)
        if incident is None or incident.status is not IncidentStatus.OPEN or place >= len(rule.timing.escalate):
            return
        escalation = rule.timing.escalate[place]
        after = format_duration(escalation.after)
        context = _told(incident, Stage.ESCALATED, self.now)
        reason = f"{incident.id} was not acknowledged within {after}"
        firing = self._follow_up(rule, event, f"{incident.id} {ESCALATE} {place}", context, reason)
        sound = self._insistent(rule, event, context, escalation.steps)
        made = list(self._made(rule, event, firing, sound, escalation.steps))
        self.deliveries += made
        self.timers += sound.timers
        aims = ", ".join(f"{d.verb} {d.destination}" for d in made if d.step not in {s.id for s in rule.on_failure})
        note = f"not acknowledged within {after}: {aims}"
        self._change(rule, Change(incident=incident, at=self.now, stage=Stage.ESCALATED, note=note, firing=firing.id))
        self._note_told(rule, kept, incident, made)

    def _remind(self, rule: Rule, event: Event, alert: reminders.Alert, at: datetime, *, due: datetime) -> None:
        context = {"reminder": reminders.context_of(alert, at)}
        left = reminders.left_of(alert, at)
        reason = f"reminder {format_duration(alert.lead)} before {alert.due:%Y-%m-%d %H:%M} UTC"
        firing = self._follow_up(rule, event, alert.cause, context, reason)
        sound = noise.belated(self._loud(rule, event, context, rule.steps), due, at)
        told = f"{'Due' if alert.due > at else 'Was due'} {left}: {alert.due:%-d %b %Y %H:%M} UTC"
        sound = replace(sound, note=told if sound.note is None else f"{told}\n{sound.note}")
        self.deliveries += self._made(rule, event, firing, sound, None)
        self.timers += sound.timers

    def _follow_up(self, rule: Rule, event: Event, cause: str, context: Json, reason: str) -> Firing:
        firing = follow_up(rule, event, self.revision, cause, self.now)
        firing = replace(firing, reason=reason, context=context)
        self.firings.append(firing)
        return firing

    def _made(
        self, rule: Rule, event: Event, firing: Firing, sound: Noise, steps: Iterable[Step] | None
    ) -> Iterable[Delivery]:
        if rule.mode is not RuleMode.LIVE:
            return ()
        chosen = None if steps is None else tuple(steps)
        return deliveries_of(event, rule, firing, self.expand, None, sound, chosen)

    def _insistent(self, rule: Rule, event: Event, context: Json, steps: Sequence[Step]) -> Noise:
        """No throttle counts escalations and ends, or leaves them out."""
        insistent = replace(rule, timing=replace(rule.timing, throttle=None))
        return noise.belated(self._loud(insistent, event, context, steps), self.due, self.at)

    def _sound(self, rule: Rule, event: Event, context: Json, steps: Sequence[Step] | None = None) -> Noise:
        """Of the messages of `then`, or of those steps, which are an update."""
        loud = self._loud(rule, event, context, rule.steps if steps is None else steps, update=steps is not None)
        return noise.belated(loud, self.due, self.at)

    def _loud(self, rule: Rule, event: Event, context: Json, steps: Sequence[Step], *, update: bool = False) -> Noise:
        """Where no message would go out in any case nothing is paced or gathered for it."""
        if rule.timing is not NO_TIMING and not speaks(rule, event, context, self.expand, steps):
            return noise.ALOUD
        return self.loud(rule, event, update=update)

    def _abandon(self, timer: Timer, cell: Cell, word: str) -> None:
        """The rule of a timer is gone: what is open ends, and nobody is told."""
        kept = self.memory.kept.get(cell)
        if kept is None:
            return
        kept = self.memory.open(cell, kept.shape)
        incident = incidents.by_id(kept.state, word)
        if incident is not None:
            ended = incidents.end(kept, incident, self.now, "the rule is gone")
            change = Change(incident=ended, at=self.now, stage=Stage.RESOLVED, note=ended.reason)
            self.changes.setdefault(ended.id, []).append(change)
        incidents.ended(kept, word)
        if part_of(timer) == REMIND and timer.event is not None:
            id_ = firing_id(timer.rule, timer.event)
            self.settled.append(Settled(firing=id_, status=FiringStatus.NO, reason="the rule is gone"))


def _once(found: Sequence[Delivery], told: Sequence[tuple[str, str]]) -> Iterator[Delivery]:
    """Of deliveries one to each destination that has heard: by the step that told it first, if there still is one."""
    for destination in dict.fromkeys(destination for _, destination in told):
        own = {d.step: d for d in found if d.destination == destination}
        steps = [step for step, where in told if where == destination and step in own]
        if own:
            yield own[steps[0]] if steps else next(iter(own.values()))


def follow_up(rule: Rule, event: Event, revision: str, cause: str, now: datetime) -> Firing:
    """What comes of a match later, as a firing of its own, by its cause."""
    return Firing(
        id=firing_id(rule.id, cause),
        rule=rule.id,
        revision=revision,
        event=event.dedupe_key,
        account=event.account,
        severity=rule.severity,
        mode=rule.mode,
        replay=0,
        created=now,
        status=FiringStatus.FOLLOW_UP,
    )


def plainly(step: Step) -> Step:
    """A step of `then` as it tells of the end of an incident: the default message to whoever has heard of it."""
    options = {name: value for name, value in step.options.items() if name not in ("title", "text", "format", "table")}
    return replace(step, options=options, condition=ALWAYS, asks_steps=False, needs=())


def step_for(rule: Rule, step: Step, context: Mapping[str, Json] | None) -> Step:
    """The step as it is written for a firing with that context."""
    stage = ((context or {}).get("incident") or {}).get("stage")
    own = step in rule.timing.on_resolve or step in rule.on_failure
    return plainly(step) if stage == Stage.RESOLVED and not own else step


def ended_by(incident: Incident) -> str:
    """`payout.paid (evt_1)`, `ada, paid by hand`."""
    return ", ".join(filter(None, (incident.resolved_by, incident.reason))) or "by hand"


def _told(incident: Incident, stage: Stage, now: datetime) -> dict[str, Json]:
    return {"incident": incidents.context_of(incident, stage, now)}


def _known(incident: Incident) -> str:
    """Why a match of an incident is not told again."""
    if incident.status is IncidentStatus.RESOLVED:
        return f"incident {incident.id} was open at the time; it is resolved by {ended_by(incident)}"
    taken = f", acknowledged by {incident.acknowledged_by}" if incident.acknowledged_by else ""
    return f"incident {incident.id} is open since {incident.opened:%Y-%m-%d %H:%M} UTC{taken}"
