"""What must come of an event: a firing for each rule that holds, and a delivery for each of its steps and destinations.

Pure, and the same whenever it is made: ids are fixed by event, rule, step and destination.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from engine.decide.judge import FIRED, Verdict
from engine.decide.noise import ALOUD, Noise
from engine.decide.release import released
from engine.match import holds, unmet
from engine.match.subjects import AfterSteps
from engine.model.delivery import (
    OWN_RULE,
    Delivery,
    DeliveryStatus,
    Firing,
    FiringStatus,
    Plan,
    delivery_id,
    firing_id,
)
from engine.model.event import Event, Json
from engine.model.rule import OnError, Rule, RuleMode, Severity, Step, Verb
from engine.rulebook import as_seen, looking, outside
from engine.source.durations import format_duration
from engine.stripe_api.operations import is_write

STRIPE = "stripe"
"""Where what rules want is read."""


class Destination(Protocol):
    """One place a step goes to; `skipped` says why this event is not for it, None when it is."""

    @property
    def name(self) -> str: ...
    @property
    def skipped(self) -> str | None: ...


WRITES_MAX_AGE = timedelta(hours=24)
"""How old an event may be, when it comes, for Stripe writes of a rule without `max_age`."""

NO_VERDICTS: Mapping[str, Verdict] = {}

Expand = Callable[[Step, Severity, bool], Iterable[Destination]]
"""The destinations of a step, for an event of this severity and livemode: `notifiers.expand` on the settings."""


def make_plan(
    event: Event,
    rules: Iterable[Rule],
    revision: str,
    expand: Expand,
    replay: int = 0,
    *,
    wants: Sequence[str] = (),
    verdicts: Mapping[str, Verdict] = NO_VERDICTS,
    quieten: Callable[[Rule], Noise] = lambda rule: ALOUD,
) -> Plan:
    """Everything that must come of `event`, given the rules that hold for it. Ids are fixed: twice is once.

    `wants` is what is to be read from Stripe before further rules can be judged: engine/work/fetch plans again then.
    `verdicts` says of rules with a memory, by id, what became of their match; `quieten` of a rule that fired what is to
    be done with its messages.
    """
    rules = tuple(rules)
    fired = [rule for rule in rules if verdicts.get(rule.id, FIRED).status is FiringStatus.FIRED]
    superseded = {id_: rule.id for rule in fired if rule.mode is RuleMode.LIVE for id_ in rule.supersedes}
    firings: list[Firing] = []
    deliveries: list[Delivery] = []
    noises: list[Noise] = []
    for rule in rules:
        verdict = verdicts.get(rule.id, FIRED)
        has_fired = verdict.status is FiringStatus.FIRED
        noise = quieten(rule) if has_fired and rule.id not in superseded else ALOUD
        noises.append(noise)
        firing = Firing(
            id=firing_id(rule.id, event.dedupe_key, replay),
            rule=rule.id,
            revision=revision,
            event=event.dedupe_key,
            account=event.account,
            severity=rule.severity,
            mode=rule.mode,
            replay=replay,
            created=event.received,
            status=verdict.status,
            reason=verdict.reason or (noise.reason if rule.mode is RuleMode.SHADOW else None),
            context=with_context(verdict.context, noise),
        )
        firings.append(firing)
        if has_fired and rule.mode is RuleMode.LIVE:
            deliveries += deliveries_of(event, rule, firing, expand, superseded.get(rule.id), noise)
    if wants:
        firing, reading = _reading(event, revision, wants, replay)
        firings.append(firing)
        deliveries.append(reading)
    timers = [timer for verdict in verdicts.values() for timer in verdict.timers]
    timers += [timer for noise in noises for timer in noise.timers]
    settled = [each for verdict in verdicts.values() for each in verdict.settled]
    return Plan(firings=tuple(firings), deliveries=tuple(deliveries), timers=tuple(timers), settled=tuple(settled))


def with_context(context: Mapping[str, Json] | None, noise: Noise) -> Json:
    """What texts read of a rule's memory, with what comes of `noise`; None where there is nothing."""
    return {**(context or {}), **noise.context} if noise.context is not None else context


def deliveries_of(
    event: Event,
    rule: Rule,
    firing: Firing,
    expand: Expand,
    superseded_by: str | None = None,
    noise: Noise = ALOUD,
    steps: Sequence[Step] | None = None,
) -> Iterable[Delivery]:
    """The deliveries of a rule that has fired live: of the steps of `then` (and of `on_update`, where `noise` says so),
    or of `steps`, and those that wait for a failure."""
    seen = AfterSteps(seen_by(rule, event), {}, firing.context)
    aims = [(step, noise) for step in (rule.steps if steps is None else steps)]
    aims += [(step, noise.update) for step in rule.timing.on_update if noise.update is not None and steps is None]
    planned: list[Delivery] = []
    for step, how in aims:
        gathered = step.verb is Verb.NOTIFY and how.digest is not None and not step.needs
        why = _why_not(step, seen, superseded_by, gathered=gathered) or _too_old(rule, step, event)
        planned += _deliveries(event, rule, firing, step, why, expand, how)
    planned += [d for step in rule.on_failure for d in _deliveries(event, rule, firing, step, None, expand)]
    return _settle(rule, planned, firing.created)


def speaks(rule: Rule, event: Event, context: Json, expand: Expand, steps: Iterable[Step]) -> bool:
    """Whether any message of those steps may go out: not where the conditions of all are known not to hold, or none
    has anyone to go to."""
    seen = AfterSteps(seen_by(rule, event), {}, context)
    steps = tuple(steps)
    skipped = {step.id for step in steps if _why_not(step, seen, None, gathered=False) is not None}
    skipped |= {step.id for step in steps for need in step.needs if need in skipped and _insists(rule, need)}
    said = (step for step in steps if step.verb is Verb.NOTIFY and step.id not in skipped)
    return any(each.skipped is None for step in said for each in _destinations(event, rule, step, expand))


def _insists(rule: Rule, need: str) -> bool:
    """Whether what waits for a step does not run where that does not succeed."""
    step = rule.step(need)
    return step is None or step.on_error is not OnError.CONTINUE


def seen_by(rule: Rule, event: Event) -> Event:
    """The event as the texts of a rule and the conditions of its steps see it: as the `when` does that held, else one
    that looks at it, with what was read for it."""
    if event.fetched is None:
        return event
    first: Event | None = None
    for when in looking(rule, event.type):
        seen, missing = as_seen(when, rule, event)
        if missing is None and outside(when, event, None) is None:
            if holds(when.where, seen):
                return seen
            first = first or seen
    return first or event


def _reading(event: Event, revision: str, wants: Sequence[str], replay: int) -> tuple[Firing, Delivery]:
    """What is wanted from Stripe, as a delivery of Tocsin's own: retried, recorded and reported like any other."""
    firing = Firing(
        # By what is wanted: the other twin of an event may want something else.
        id=firing_id(OWN_RULE, f"{event.dedupe_key} {' '.join(sorted(wants))}", replay),
        rule=OWN_RULE,
        revision=revision,
        event=event.dedupe_key,
        account=event.account,
        severity=Severity.INFO,
        mode=RuleMode.LIVE,
        replay=replay,
        created=event.received,
    )
    delivery = Delivery(
        id=delivery_id(firing.id, Verb.FETCH, STRIPE),
        firing=firing.id,
        event=event.dedupe_key,
        rule=OWN_RULE,
        revision=revision,
        step=Verb.FETCH,
        verb=Verb.FETCH,
        destination=STRIPE,
        account=event.account,
        livemode=event.livemode,
        next_attempt=event.received,
        request={"wants": list(wants)},
        created=event.received,
    )
    return firing, delivery


def _why_not(step: Step, seen: AfterSteps, superseded_by: str | None, *, gathered: bool) -> str | None:
    """Why a step is skipped from the start, whatever its destination; None if it is not, or that is known only later.
    For what is `gathered` nothing is read anew."""
    if superseded_by is not None and step.verb is Verb.NOTIFY:
        return f"superseded by {superseded_by}"
    if step.asks_steps or step.asks_digest or (step.fetch is not None and not gathered):
        return None
    return unmet(step.condition, seen)


def _too_old(rule: Rule, step: Step, event: Event) -> str | None:
    """Why a Stripe write is not for an event that came late; None if it is. A rule's own `max_age` wins."""
    age = event.received - event.created
    if step.verb is not Verb.STRIPE or rule.timing.max_age is not None or age <= WRITES_MAX_AGE:
        return None
    if not any(map(is_write, step.targets)):
        return None
    limit, old = format_duration(WRITES_MAX_AGE), format_duration(age)
    return f"max_age: {old} old when it came, and for Stripe writes {limit} is the most where the rule says nothing"


def _deliveries(
    event: Event,
    rule: Rule,
    firing: Firing,
    step: Step,
    why_not: str | None,
    expand: Expand,
    noise: Noise = ALOUD,
) -> Iterable[Delivery]:
    waits = bool(step.needs) or step in rule.on_failure
    noise = noise if step.verb is Verb.NOTIFY else ALOUD
    for destination in _destinations(event, rule, step, expand):
        reason = why_not or destination.skipped
        status = DeliveryStatus.WAITING if waits else DeliveryStatus.PENDING
        if reason is not None:
            status = DeliveryStatus.SKIPPED
        elif noise.silence is not None:
            status, reason = DeliveryStatus.SUPPRESSED, noise.reason
        elif noise.digest is not None and not waits:  # whether it is to be said at all is known only later
            status, reason = DeliveryStatus.GATHERED, noise.reason
        ended = status in (DeliveryStatus.SKIPPED, DeliveryStatus.SUPPRESSED)
        yield Delivery(
            id=delivery_id(firing.id, step.id, destination.name),
            firing=firing.id,
            event=event.dedupe_key,
            rule=rule.id,
            revision=firing.revision,
            step=step.id,
            verb=step.verb,
            destination=destination.name,
            account=event.account,
            livemode=event.livemode,
            needs=step.needs,
            status=status,
            reason=reason,
            next_attempt=_due(status, firing.created),
            created=firing.created,
            finished=firing.created if ended else None,
            note=noise.note,
            silence=noise.silence if status is DeliveryStatus.SUPPRESSED else None,
            digest=noise.digest if status is DeliveryStatus.GATHERED else None,
        )


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """A destination that a table has for other accounts, and none for this one."""

    name: str
    skipped: str


def _destinations(event: Event, rule: Rule, step: Step, expand: Expand) -> Iterable[Destination]:
    targets, without = step.towards(event.account)
    yield from expand(replace(step, targets=targets) if step.columns else step, rule.severity, event.livemode)
    for target in without:
        yield _Nowhere(target, f"{target} has nothing for {event.account or 'the platform'}")


def _settle(rule: Rule, planned: list[Delivery], now: datetime) -> Iterable[Delivery]:
    """Steps that wait for one which is skipped from the start do not wait for ever."""
    decided = {key: (status, reason) for key, status, reason in released(rule, planned)}
    for delivery in planned:
        if delivery.id in decided:
            status, reason = decided[delivery.id]
            finished = now if status is DeliveryStatus.SKIPPED else None
            yield replace(delivery, status=status, reason=reason, next_attempt=_due(status, now), finished=finished)
        else:
            yield delivery


def _due(status: DeliveryStatus, now: datetime) -> datetime | None:
    return now if status is DeliveryStatus.PENDING else None
