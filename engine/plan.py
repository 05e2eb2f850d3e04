"""What must come of an event: a firing for each rule that holds, and a delivery for each of its steps and destinations.

Pure, and the same whenever it is made: ids are fixed by event, rule, step and destination.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from engine.decide.release import released
from engine.match import holds, unmet
from engine.model.delivery import OWN_RULE, Delivery, DeliveryStatus, Firing, Plan, delivery_id, firing_id
from engine.model.event import Event
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb
from engine.rulebook import as_seen, looking, outside

STRIPE = "stripe"
"""Where what rules want is read."""


class Destination(Protocol):
    """One place a step goes to; `skipped` says why this event is not for it, None when it is."""

    @property
    def name(self) -> str: ...
    @property
    def skipped(self) -> str | None: ...


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
) -> Plan:
    """Everything that must come of `event`, given the rules that hold for it. Ids are fixed: twice is once.

    `wants` is what is to be read from Stripe before further rules can be judged: engine/work/fetch plans again then.
    """
    rules = tuple(rules)
    superseded = {id_: rule.id for rule in rules if rule.mode is RuleMode.LIVE for id_ in rule.supersedes}
    firings: list[Firing] = []
    deliveries: list[Delivery] = []
    for rule in rules:
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
        )
        firings.append(firing)
        if rule.mode is RuleMode.LIVE:
            by = superseded.get(rule.id)
            seen = seen_by(rule, event)
            steps = [(step, _why_not(step, seen, by)) for step in rule.steps]
            steps += [(step, None) for step in rule.on_failure]
            planned = [d for step, why in steps for d in _deliveries(event, rule, firing, step, why, expand)]
            deliveries += _settle(rule, planned, event.received)
    if wants:
        firing, reading = _reading(event, revision, wants, replay)
        firings.append(firing)
        deliveries.append(reading)
    return Plan(firings=tuple(firings), deliveries=tuple(deliveries))


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


def _why_not(step: Step, event: Event, superseded_by: str | None) -> str | None:
    """Why a step is skipped from the start, whatever its destination; None if it is not."""
    if superseded_by is not None and step.verb is Verb.NOTIFY:
        return f"superseded by {superseded_by}"
    return None if step.asks_steps else unmet(step.condition, event)


def _deliveries(
    event: Event, rule: Rule, firing: Firing, step: Step, why_not: str | None, expand: Expand
) -> Iterable[Delivery]:
    waits = bool(step.needs) or step in rule.on_failure
    for destination in _destinations(event, rule, step, expand):
        skipped = why_not or destination.skipped
        status = DeliveryStatus.WAITING if waits else DeliveryStatus.PENDING
        status = DeliveryStatus.SKIPPED if skipped else status
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
            reason=skipped,
            next_attempt=_due(status, event.received),
            created=event.received,
            finished=event.received if status is DeliveryStatus.SKIPPED else None,
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
