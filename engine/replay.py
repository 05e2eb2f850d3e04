"""An event's rules once more, because somebody asks for it: what is to be sent again, and what is never done twice.

Messages are sent again, under a replay number that makes their ids new. Callbacks and Stripe writes act on something:
they are repeated only where that is asked for too; else what they came back with the first time stands in their place,
so that texts that read it can be written. A rule with a memory is replayed where it fired; its memory is not asked
again, and does not change. What its texts and the `if` of its steps are told of it is what they were told then, and it
is not replayed where they were told nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from engine.decide import reminders
from engine.decide.judge import Verdict, remembers
from engine.decide.release import released
from engine.match.reads import told_of
from engine.model.delivery import Delivery, DeliveryStatus, Firing, FiringStatus, Plan, firing_id
from engine.model.event import Event, Json
from engine.model.rule import Rule, Verb
from engine.model.timing import NO_TIMING, TOLD
from engine.plan import Expand, make_plan
from engine.render import survey
from engine.stripe_api.operations import is_write

WRITES, CALLBACKS = "writes", "callbacks"
"""What is repeated only where it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is to come of an event once more. `passed_over` says by rule why it is not replayed."""

    event: Event
    number: int
    plan: Plan
    passed_over: Mapping[str, str]

    def of(self, rule: str) -> list[Delivery]:
        """The deliveries of one rule."""
        return [each for each in self.plan.deliveries if each.rule == rule]


def make_replay(
    event: Event,
    rules: Sequence[Rule],
    revision: str,
    expand: Expand,
    *,
    only: Collection[str],
    firings: Iterable[Firing],
    deliveries: Iterable[Delivery],
    repeat: Collection[str],
    now: datetime,
) -> Replay:
    """Plan the next replay of a stored event. `rules` hold for it, of which `only` those are meant (none: all);
    `firings` and `deliveries` are what is on record of it; `repeat` names what else than messages is done again."""
    known = list(firings)
    number = 1 + max((firing.replay for firing in known), default=0)
    first = {each.rule: each for each in known if each.id == firing_id(each.rule, event.dedupe_key)}
    told = {rule.id: _told(rule, first.get(rule.id), known, now) for rule in rules}
    meanings = [(rule, _why_not(rule, first.get(rule.id), told[rule.id])) for rule in rules]
    passed_over = {rule.id: why for rule, why in meanings if why is not None and (not only or rule.id in only)}
    acting = [rule for rule in rules if rule.id not in passed_over]
    verdicts = {rule.id: Verdict(FiringStatus.FIRED, context=told[rule.id]) for rule in acting}
    plan = make_plan(event, acting, revision, expand, number, verdicts=verdicts)
    meant = tuple(replace(each, created=now) for each in plan.firings if not only or each.rule in only)
    ids = {each.id for each in meant}
    done = _done(deliveries, {firing.id for firing in known})
    by_id = {rule.id: rule for rule in acting}
    again = [_again(each, done, repeat, number, now) for each in plan.deliveries if each.firing in ids]
    found = tuple(
        each
        for firing in meant
        for each in _settled(by_id[firing.rule], [own for own in again if own.firing == firing.id], now)
    )
    return Replay(event=event, number=number, plan=Plan(firings=meant, deliveries=found), passed_over=passed_over)


def acts(delivery: Delivery) -> str | None:
    """What of `repeat` a delivery needs to be done again: it acts on something. None: it is a message, or only
    reads."""
    if delivery.verb is Verb.CALLBACK:
        return CALLBACKS
    return WRITES if delivery.verb is Verb.STRIPE and is_write(delivery.destination) else None


def _fired(firing: Firing | None) -> bool:
    return firing is not None and firing.status is FiringStatus.FIRED


def _why_not(rule: Rule, firing: Firing | None, told: Json) -> str | None:
    """Why a rule is not replayed, None: it is."""
    if remembers(rule) and not _fired(firing):
        if firing is None:
            return "it has a memory, and did not see this event; tocsin backtest tells what it would have done"
        return f"on record it did not fire: {firing.reason}"
    known = {*(told or {}), "digest"}
    for what, name in () if rule.timing is NO_TIMING else _asked_of_memory(rule):
        if name not in known:
            return f"{what} the {name}, and of this event there is none on record"
    return None


def _asked_of_memory(rule: Rule) -> Iterator[tuple[str, str]]:
    """What texts and conditions of its steps for a match ask about, of `window`, `incident`, `reminder` and `digest`,
    and which of them it is that asks."""
    for step in (*rule.steps, *rule.on_failure):
        asked = {name for text in _texts(dict(step.options)) for name in survey(text).names & TOLD.keys()}
        yield from (("its texts tell of", name) for name in sorted(asked))
        yield from ((f"the if of its step '{step.id}' asks about", name) for name in sorted(told_of(step.condition)))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str) and "{" in value:
        yield value
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        yield from _texts(item)


def _told(rule: Rule, first: Firing | None, known: Iterable[Firing], now: datetime) -> Json:
    """What texts and conditions are told of what the rule remembers: what they were told the first time, of reminders
    the last."""
    if rule.timing.remind is None or first is None:
        return None if first is None else first.context
    told = [each.context["reminder"] for each in known if each.rule == rule.id and "reminder" in (each.context or {})]
    if not told:
        return first.context
    return {**(first.context or {}), "reminder": reminders.anew(told[-1], now)}


Key = tuple[str, str, str]


def _done(deliveries: Iterable[Delivery], firings: Collection[str]) -> dict[Key, Delivery]:
    """By rule, step and destination, what was done for the event: the latest."""
    done = [each for each in deliveries if each.status is DeliveryStatus.DELIVERED and each.firing in firings]
    return {(each.rule, each.step, each.destination): each for each in sorted(done, key=lambda each: each.created)}


def _again(
    delivery: Delivery, done: Mapping[Key, Delivery], repeat: Collection[str], number: int, now: datetime
) -> Delivery:
    """The delivery as it is to be made now; not what acts twice unless that is asked for."""
    due = delivery.status is DeliveryStatus.PENDING
    delivery = replace(delivery, created=now, next_attempt=now if due else None)
    if delivery.status is DeliveryStatus.SKIPPED:
        return replace(delivery, finished=now)
    needs = acts(delivery)
    if needs is None or needs in repeat:
        note = f"Sent again by hand, {now:%Y-%m-%d %H:%M} UTC (replay {number})."
        return replace(delivery, note=note if delivery.verb is Verb.NOTIFY else None)
    before = done.get((delivery.rule, delivery.step, delivery.destination))
    if before is None:
        reason = f"not done in a replay; --{needs} does it"
        return replace(delivery, status=DeliveryStatus.SKIPPED, reason=reason, next_attempt=None, finished=now)
    return replace(
        delivery,
        status=DeliveryStatus.DELIVERED,
        reason=f"not repeated: done as {before.id}; --{needs} repeats it",
        result=before.result,
        next_attempt=None,
        finished=now,
    )


def _settled(rule: Rule, own: Sequence[Delivery], now: datetime) -> Iterator[Delivery]:
    """What waits for a step that is not repeated goes on, or ends, with what that came back with."""
    decided = {key: (status, reason) for key, status, reason in released(rule, own)}
    for each in own:
        if each.id not in decided:
            yield each
            continue
        status, reason = decided[each.id]
        skipped = status is DeliveryStatus.SKIPPED
        yield replace(
            each,
            status=status,
            reason=reason,
            next_attempt=now if status is DeliveryStatus.PENDING else None,
            finished=now if skipped else None,
        )
