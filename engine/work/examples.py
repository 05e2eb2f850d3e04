"""What a rule's messages would be, where nothing is remembered and nothing was gathered: for tests and previews."""

from collections.abc import Mapping
from datetime import datetime

from engine.course import step_for
from engine.decide import incidents, reminders, window
from engine.model.delivery import Delivery
from engine.model.event import Event, Json
from engine.model.outcome import Notifier, Scene
from engine.model.rule import Rule, Step
from engine.plan import seen_by
from engine.render import scene
from engine.work.deliver import rendered
from engine.work.digests import alone


def told(rule: Rule, event: Event, now: datetime) -> dict[str, Json]:
    """What texts read of a rule's memory when it has just come to fire: a threshold just reached, an incident that
    opens, the first reminder."""
    timing = rule.timing
    found: dict[str, Json] = {}
    if timing.threshold is not None:
        found["window"] = window.just_reached(timing.threshold)
    if timing.incident is not None:
        found["incident"] = incidents.just_opened(rule, event, now)
    if timing.remind is not None:
        found["reminder"] = reminders.first_of(timing.remind, event, now)
    return found


def names_of(rule: Rule, step: Step, event: Event, results: Mapping[str, Mapping[str, Json]], now: datetime) -> Scene:
    """The names of a step's texts: where it is part of a digest, those of one with this event alone."""
    seen = seen_by(rule, event)
    if rule.gathers(step):
        return alone(seen, rule, now, now)
    return scene(seen, rule, steps=results, now=now, context=told(rule, event, now))


def rendered_example(
    notifier: Notifier,
    delivery: Delivery,
    rule: Rule,
    step: Step,
    event: Event,
    results: Mapping[str, Mapping[str, Json]],
    now: datetime,
    *,
    failed: Mapping[str, Json] | None = None,
    context: Mapping[str, Json] | None = None,
) -> Json:
    """As `rendered`, for an event that may never have come; what the rule remembers is `context`, else made up. Raises
    TemplateError or DestinationError."""
    step = step_for(rule, step, context)
    return rendered(
        notifier, delivery, rule, step, event, results, now, failed=failed, context=context or told(rule, event, now)
    )
