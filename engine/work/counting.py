"""What is seen on the way of an event, for metrics and health: each function makes one that is told."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from engine.decide.breaker import BreakerState
from engine.decide.retry import Decision
from engine.model.delivery import OWN_RULE, Delivery, DeliveryStatus, FiringStatus, Plan
from engine.model.event import Event, Payload
from engine.model.outcome import Outcome
from engine.model.rule import Rule, Verb
from engine.observe import Metrics
from engine.store.destinations import Standing
from engine.work.accounts import AccountBook
from engine.work.breakers import BreakerReports
from engine.work.ops import Reports
from engine.work.recent import RecentEvents

Counter = Callable[[Plan, Rule | None], None]
"""Is told of a plan that is carried out, and whose timer it is, where it is one's."""


def observer(
    metrics: Metrics, conflicts: dict[str, str], events: RecentEvents, accounts: AccountBook
) -> Callable[[Event, Plan, bool], None]:
    """Counts events and firings, keeps for the health page the latest contradiction of each endpoint, and has what
    will be delivered in a moment at hand."""

    count = counter(metrics)

    def seen(event: Event, plan: Plan, new: bool) -> None:
        metrics.event(event.payload, event.scope, event.livemode, not new)
        accounts.learn(event)
        if event.conflict is not None:
            conflicts[event.endpoint] = event.conflict
        # A snapshot also when its thin twin came first: what it adds is written from it.
        fired = [firing for firing in plan.firings if firing.rule != OWN_RULE]
        if len(fired) < len(plan.firings):
            return  # it is not whole yet: what is still read for it is kept with it
        unprepared = any(d.request is None and d.finished is None for d in plan.deliveries)
        if unprepared and (new or event.payload is Payload.SNAPSHOT):
            events.add(event)
        if new:
            count(plan, None)

    return seen


def counter(metrics: Metrics) -> Counter:
    """Counts what fired by a plan: matches, at once or later, and what came of them."""

    def count(plan: Plan, rule: Rule | None = None) -> None:
        late = {each.firing for each in plan.settled if each.status is FiringStatus.FIRED and not each.again}
        for firing in plan.firings:
            if firing.rule == OWN_RULE:
                continue
            if firing.status is FiringStatus.FOLLOW_UP:
                metrics.fired(firing.rule, firing.mode, follow_up=True)
            elif firing.status is FiringStatus.FIRED or firing.id in late:
                metrics.fired(firing.rule, firing.mode)
                late.discard(firing.id)
        if rule is not None:
            for _ in late:
                metrics.fired(rule.id, rule.mode)

    return count


def adding(metrics: Metrics) -> Callable[[Plan], None]:
    """Counts what a snapshot adds to its thin twin that came first."""
    count = counter(metrics)
    return lambda plan: count(plan, None)


def observed(metrics: Metrics, reports: BreakerReports) -> Callable[[Sequence[Standing]], Awaitable[None]]:
    """Shows which destinations are left alone, and tells the ops channel."""

    async def seen(standing: Sequence[Standing]) -> None:
        for each in standing:
            metrics.breaker(each.name, each.breaker.state is not BreakerState.CLOSED)
        await reports(standing)

    return seen


def finisher(metrics: Metrics, ops: Reports) -> Callable[[Delivery, Outcome, Decision, float], Awaitable[None]]:
    """Counts attempts and ends; tells the ops channel of a write that was held."""

    async def finished(delivery: Delivery, outcome: Outcome, decision: Decision, seconds: float) -> None:
        metrics.attempt(delivery.verb, type(outcome).__name__.lower(), seconds)
        if decision.status is DeliveryStatus.PENDING:
            return
        delay = (datetime.now(UTC) - delivery.created).total_seconds() if delivery.event else None
        metrics.delivery(delivery.verb, decision.status, delay)
        if delivery.verb is Verb.FETCH and decision.status is DeliveryStatus.DEAD:
            status = getattr(outcome, "status", None)
            why = (
                f"Stripe answered {status}." if status else f"{decision.reason}."
            )  # the same text is told once an hour
            await ops.report(
                "fetch",
                "Rules were not judged: what they want from Stripe could not be read",
                f"{why}\n\nSee the events: tocsin deliveries ls --rule tocsin --status dead. "
                "Read again what can be: tocsin retry --failed",
            )
        if decision.status is DeliveryStatus.HELD:
            await ops.report(
                f"held-{delivery.destination}",
                f"Stripe writes are held: {delivery.destination}",
                f"{decision.reason}\n\nFrom now on writes of this operation wait for a person. "
                f"See them: tocsin deliveries ls --status held. Release them: tocsin retry --held",
            )

    return finished
