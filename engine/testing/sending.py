"""What a rule would send for an event, by the pipeline's own plan and the notifiers' own rendering. Nothing is sent."""

import contextlib
import io
import json
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from engine.decide.release import released
from engine.errors import DestinationError, TemplateError
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.event import Event, Json
from engine.model.fetch import with_fetched
from engine.model.outcome import Notifier
from engine.model.rule import Rule, RuleMode, Severity, Step, Verb
from engine.plan import make_plan
from engine.settings import StripeSettings
from engine.work.deliver import failed_of, of_digest, results_of, why_skipped
from engine.work.digests import Digests, as_gathered
from engine.work.examples import rendered_example
from notifiers.callback import CallbackNotifier
from notifiers.expand import Destination
from notifiers.notify import NotifyNotifier
from notifiers.stripe import StripeNotifier

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What becomes of a step: the request it sends, or why it sends none. `waits` names the steps whose results it
    reads and the test does not give; `wrong` says why it cannot be written."""

    request: dict[str, Json] | None = None
    skipped: str | None = None
    waits: str | None = None
    wrong: str | None = None


class Writer:
    """Writes what rules would send, whatever the configuration says of its channels: that is not the rule's."""

    def __init__(self) -> None:
        self.notifiers: Mapping[Verb, Notifier] = {
            Verb.NOTIFY: NotifyNotifier({}, io.StringIO()),
            Verb.CALLBACK: CallbackNotifier({}, frozenset()),
            Verb.STRIPE: StripeNotifier(StripeSettings(keys={}, api_base="", allow=()), (), _claim),
        }

    def sent(self, event: Event, rule: Rule, matches: Sequence[Rule], results: Mapping[str, Json]) -> dict[str, Sent]:
        """By step. `matches` are the rules that hold for the event: one of them may supersede this one. `results` are
        what steps came back with, null for one that failed; `on_failure` runs after one."""
        above = [each for each in matches if rule.id in each.supersedes]
        plan = make_plan(event, (*above, replace(rule, mode=RuleMode.LIVE)), "", everywhere)
        own = [delivery for delivery in plan.deliveries if delivery.rule == rule.id]
        return self.written(event, rule, own, results, event.received)

    def written(
        self,
        event: Event,
        rule: Rule,
        own: Sequence[Delivery],
        results: Mapping[str, Json],
        now: datetime,
        context: Mapping[str, Json] | None = None,
    ) -> dict[str, Sent]:
        """By step, what becomes of the deliveries of one firing; `context` is what the rule remembers."""
        ended = [_ended(delivery, results) for delivery in own]
        found: dict[str, Sent] = {}
        for delivery in own:
            step = rule.step(delivery.step)
            if step is None or (step.id in found and found[step.id].skipped is None):
                continue  # all destinations of a step get the same; one that is passed over says nothing of the others
            status, reason = _standing(rule, delivery, own, results)
            if status in (DeliveryStatus.SKIPPED, DeliveryStatus.SUPPRESSED, DeliveryStatus.GATHERED):
                found[step.id] = Sent(skipped=reason)
            elif status is DeliveryStatus.WAITING and step in rule.on_failure:
                found[step.id] = Sent(skipped="no step fails in this test")
            elif status is DeliveryStatus.WAITING:
                found[step.id] = Sent(waits=" and ".join(need for need in delivery.needs if need not in results))
            else:
                found[step.id] = self._written(event, rule, step, delivery, ended, now, context)
        return found

    def digest(
        self, delivery: Delivery, rule: Rule, merged: Sequence[Delivery], events: Mapping[str, Event], now: datetime
    ) -> Sent:
        """What a delivery of a digest says. `merged` is what was gathered for it, `events` by dedupe key what that is
        about."""
        step = rule.step(delivery.step)
        if step is None:
            return Sent(wrong=f"the rule has no step {delivery.step}")
        own = [each for each in merged if (each.step, each.destination) == (delivery.step, delivery.destination)]
        digests = Digests(_Merged(own), _Known(events), _nothing_known)
        try:
            names = _at_once(digests.scene(delivery, rule, now))
            unwanted = of_digest(step, names)
            if unwanted is not None:
                return Sent(skipped=unwanted)
            return Sent(request=shown(self.notifiers[delivery.verb].render(as_gathered(rule, step), delivery, names)))
        except (TemplateError, DestinationError) as error:
            return Sent(wrong=str(error))

    def digest_skipped(
        self, delivery: Delivery, rule: Rule, merged: Sequence[Delivery], events: Mapping[str, Event], now: datetime
    ) -> str | None:
        """Why a digest is not sent; None if it is."""
        step = rule.step(delivery.step)
        asks = step is not None and step.asks_digest
        return self.digest(delivery, rule, merged, events, now).skipped if asks else None

    def _written(
        self,
        event: Event,
        rule: Rule,
        step: Step,
        delivery: Delivery,
        ended: Sequence[Delivery],
        now: datetime,
        context: Mapping[str, Json] | None,
    ) -> Sent:
        results = results_of(rule, ended)
        if step.fetch is not None:
            event = with_fetched(event, step.fetch)
        skipped = why_skipped(rule, step, event, results, now, context)
        if skipped is not None:
            return Sent(skipped=skipped)
        failed = failed_of(rule, ended) if step in rule.on_failure else None
        notifier = self.notifiers[step.verb]
        try:
            request = rendered_example(
                notifier, delivery, rule, step, event, results, now, failed=failed, context=context
            )
        except (TemplateError, DestinationError) as error:
            return Sent(wrong=str(error))
        return Sent(request=shown(request))


@dataclass(frozen=True, slots=True)
class _Merged:
    """What was gathered, as the store gives it."""

    deliveries: Sequence[Delivery]

    async def merged(self, digest: Delivery, after: Delivery | None, most: int) -> list[Delivery]:
        return [] if after is not None else list(self.deliveries)


@dataclass(frozen=True, slots=True)
class _Known:
    """The events that were given, as the store gives them."""

    events: Mapping[str, Event]

    async def many(self, keys: Sequence[str]) -> dict[str, Event]:
        return {key: self.events[key] for key in keys if key in self.events}


async def _nothing_known(account: str, livemode: bool) -> None:
    return None


def _at_once(waiting: Coroutine[object, object, T]) -> T:
    """The result of what has nothing to wait for."""
    try:
        waiting.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    raise AssertionError("there is nothing to wait for")


def _standing(
    rule: Rule, delivery: Delivery, own: Sequence[Delivery], results: Mapping[str, Json]
) -> tuple[DeliveryStatus, str | None]:
    """How the delivery stands once all other steps have come back with what the test gives, and why."""
    others = [each if each.step == delivery.step else _ended(each, results) for each in own]
    decided = {key: (status, reason) for key, status, reason in released(rule, others)}
    return decided.get(delivery.id, (delivery.status, delivery.reason))


def _ended(delivery: Delivery, results: Mapping[str, Json]) -> Delivery:
    """The delivery as it stands once its step has come back with what the test gives."""
    if delivery.step not in results or delivery.status is DeliveryStatus.SKIPPED:
        return delivery
    if results[delivery.step] is None:
        return replace(delivery, status=DeliveryStatus.DEAD, reason="it fails in this test")
    return replace(delivery, status=DeliveryStatus.DELIVERED, result=results[delivery.step])


def shown(request: Json) -> dict[str, Json]:
    """A rendered request as tests look at it: the body of a callback as the JSON that it is."""
    found: dict[str, Json] = dict(request)
    if isinstance(found.get("body"), str):
        with contextlib.suppress(ValueError):
            found["body"] = json.loads(found["body"])
    return found


def everywhere(step: Step, severity: Severity, livemode: bool) -> Iterable[Destination]:
    """Each target once."""
    return (Destination(name=target) for target in step.targets)


async def _claim(operation: str, delivery_id: str, *, max: int, every: timedelta, now: datetime) -> None:  # noqa: A002
    raise AssertionError("a test sends nothing")
