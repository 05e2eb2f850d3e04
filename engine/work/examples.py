"""What a rule's messages would be, where nothing is remembered and nothing was gathered: for tests and previews."""

from collections.abc import Mapping
from datetime import datetime

from engine.decide import window
from engine.model.delivery import Delivery
from engine.model.event import Event, Json
from engine.model.outcome import Notifier, Scene
from engine.model.rule import Rule, Step, Verb
from engine.plan import seen_by
from engine.render import Item, digest_scene, scene
from engine.work.deliver import rendered


def told(rule: Rule) -> dict[str, Json] | None:
    """What texts read of a rule's memory when it has just come to fire; None where there is nothing."""
    threshold = rule.timing.threshold
    return None if threshold is None else {"window": window.just_reached(threshold)}


def names_of(rule: Rule, step: Step, event: Event, results: Mapping[str, Mapping[str, Json]], now: datetime) -> Scene:
    """The names of a step's texts: where it is part of a digest, those of one with this event alone."""
    seen, digest = seen_by(rule, event), rule.timing.digest
    if digest is not None and step.verb is Verb.NOTIFY and step in rule.steps:
        grouped = digest.group_by is not None
        return digest_scene([Item(event=seen, rule=rule.id, when=now)], rule, now=now, grouped=grouped)
    return scene(seen, rule, steps=results, now=now, context=told(rule))


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
    if rule.timing.digest is not None and step.verb is Verb.NOTIFY and step in rule.steps:
        return notifier.render(step, delivery, names_of(rule, step, event, results, now))
    return rendered(notifier, delivery, rule, step, event, results, now, failed=failed, context=context or told(rule))
