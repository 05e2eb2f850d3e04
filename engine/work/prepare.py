"""Rendering the moment an event is planned: its requests are then committed with it, and need no write of their own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from engine.errors import TocsinError
from engine.model.delivery import Delivery, DeliveryStatus, Plan
from engine.model.event import Event, Json
from engine.model.outcome import Notifier
from engine.model.rule import Verb
from engine.model.timing import NO_TIMING
from engine.work.deliver import Rules, rendered

log = structlog.get_logger("tocsin.prepare")

LARGEST = 64 * 1024
"""Bytes of an event, times its deliveries, up to which they are rendered before its commit: Stripe waits for that."""

AtHand = Callable[[str, bool], tuple[bool, Mapping[str, Json] | None]]
"""Whether it is known without asking what is told of the account of that id and mode, and what: None if nothing is."""


class Prepare:
    """Gives the deliveries of a plan the requests that every attempt will send, where nothing has to be waited for.

    What is left without one is rendered when it is attempted: what waits for other steps, or reads anew, what a rule
    with a memory says, what is about an account that would have to be looked up, what is large, and what cannot be
    rendered, so that the reason is on record.
    """

    def __init__(
        self,
        notifiers: Mapping[Verb, Notifier],
        at_hand: AtHand,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._notifiers = notifiers
        self._at_hand = at_hand
        self._clock = clock

    def __call__(self, event: Event, plan: Plan, rules: Rules) -> Plan:
        """The plan with the requests of its deliveries. Never raises."""
        if len(event.body) * len(plan.deliveries) > LARGEST:
            return plan
        account = None
        if event.account and event.object_id != event.account:
            known, account = self._at_hand(event.account, event.livemode)
            if not known:
                return plan
        return replace(plan, deliveries=tuple(self._prepared(event, d, rules, account) for d in plan.deliveries))

    def _prepared(self, event: Event, delivery: Delivery, rules: Rules, account: Mapping[str, Json] | None) -> Delivery:
        notifier = self._notifiers.get(delivery.verb)
        rule = rules.rule(delivery.rule)
        step = rule.step(delivery.step) if rule else None
        if notifier is None or rule is None or step is None or delivery.status is not DeliveryStatus.PENDING:
            return delivery
        later = step.needs or step.asks_steps or step.fetch is not None or step in rule.on_failure
        if later or rule.timing is not NO_TIMING:
            return delivery
        try:
            request = rendered(notifier, delivery, rule, step, event, {}, self._clock(), account=account)
        except TocsinError:
            return delivery  # its first attempt will end with the same, on record
        except Exception as error:  # a fault of ours must not keep the event from being stored
            log.error("prepare_fault", delivery=delivery.id, rule=delivery.rule, kind=type(error).__name__)
            return delivery
        return replace(delivery, request=request)
