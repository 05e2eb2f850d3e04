"""One wake-up of one delivery: read it, render it once, attempt it, record how it went."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from engine.course import step_for
from engine.decide.release import released
from engine.decide.retry import Decision, after_attempt
from engine.errors import DestinationError, StoreError, TemplateError
from engine.match import unmet
from engine.match.subjects import AfterSteps, NoEvent
from engine.model.delivery import Attempt, Delivery, DeliveryStatus
from engine.model.event import Event, Json
from engine.model.fetch import Fetch
from engine.model.outcome import Delivered, Held, Notifier, Outcome, Refused, Retry, Scene, Skipped
from engine.model.rule import RetryPolicy, Rule, Step, Verb
from engine.model.timing import NO_TIMING
from engine.plan import seen_by
from engine.render import changes, scene
from engine.work.digests import alone, as_gathered
from engine.work.gate import Later, Pass

log = structlog.get_logger("tocsin.deliver")

NEXT_TURN = timedelta(seconds=2)
"""When a delivery comes back that was not attempted, because its destination was busy."""

CLOCK_SKEW = timedelta(seconds=5)
"""How far the clocks of two machines may be apart."""

Release = Callable[[Sequence[Delivery]], Sequence[tuple[str, DeliveryStatus, str | None]]]
"""Given all deliveries of a firing as they stand, those that may go on or end: (id, status, reason)."""

Account = Callable[[str, bool], Awaitable[Mapping[str, Json] | None]]
"""What is told of the account of that id and mode, as it was last seen; None where it never was."""

Digest = Callable[[Delivery, Rule, datetime], Awaitable[Scene]]
"""The names of the texts of a delivery of a digest. Raises DestinationError where nothing of it is left."""

Reread = Callable[[Event, Fetch], Awaitable[Event | Retry | Refused]]
"""The event with what a step wants read anew, or why it could not be."""

REREAD_TRIES = 3
"""After so many a message goes out with the object as it came, and says so."""


async def _not_read(event: Event, fetch: Fetch) -> Refused:
    return Refused(reason="nothing can be read here")


async def _no_digests(delivery: Delivery, rule: Rule, now: datetime) -> Scene:
    raise DestinationError("nothing is gathered here")


async def _nothing_known(account: str, livemode: bool) -> None:
    return None


class Deliveries(Protocol):
    """What delivering needs of the store."""

    async def begin(self, delivery_id: str) -> Delivery | None: ...
    async def siblings(self, firing: str) -> list[Delivery]: ...
    async def context(self, firing: str) -> Json: ...
    async def set_request(self, delivery_id: str, request: Json) -> Json: ...
    async def record(
        self,
        delivery_id: str,
        attempt: Attempt,
        *,
        status: DeliveryStatus,
        reason: str | None,
        next_attempt: datetime | None,
        result: Json,
        release: Release | None,
    ) -> None: ...


class Gatekeeper(Protocol):
    """In front of every attempt: `engine.work.gate.Gate`."""

    async def enter(self, delivery: Delivery) -> Pass | Later: ...
    async def leave(self, given: Pass, outcome: Outcome) -> None: ...


class Rules(Protocol):
    """A revision of the rules."""

    def rule(self, rule_id: str) -> Rule | None: ...


class Deliverer:
    """The handler of every delivery job.

    A job is only a wake-up: the delivery's row decides whether there is anything to do, so a job that comes
    twice, late, or after a crash does no harm.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        event: Callable[[str], Awaitable[Event | None]],
        rulebook: Callable[[str], Awaitable[Rules]],
        notifiers: Mapping[Verb, Notifier],
        finished: Callable[[Delivery, Outcome, Decision, float], Awaitable[None]],
        gate: Gatekeeper | None = None,
        account: Account = _nothing_known,
        digest: Digest = _no_digests,
        reread: Reread = _not_read,
        link: Callable[[str, datetime], str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._deliveries = deliveries
        self._event = event
        self._rulebook = rulebook
        self._notifiers = notifiers
        self._finished = finished
        self._gate = gate
        self._account = account
        self._digest = digest
        self._reread = reread
        self._link = link
        self._clock = clock

    async def __call__(self, delivery_id: str) -> datetime | None:
        """Attempt the delivery if it is due. Returns when it wants to be woken again, None when it has ended."""
        delivery = await self._deliveries.begin(delivery_id)
        if delivery is None or delivery.status is not DeliveryStatus.PENDING:
            return None
        now = self._clock()
        if delivery.next_attempt is not None and delivery.next_attempt > now and not _set_back(delivery, now):
            return delivery.next_attempt
        given = None if self._gate is None else await self._gate.enter(delivery)
        if isinstance(given, Later):
            return given.until
        rule = await self._rule_of(delivery)
        step = rule.step(delivery.step) if rule else None
        started = self._clock()
        outcome = await self._attempt(delivery, rule, step)
        ended = self._clock()
        if self._gate is not None and given is not None:
            await self._gate.leave(given, outcome)
        if isinstance(outcome, Retry) and not outcome.attempted:
            return ended + (outcome.after or NEXT_TURN)
        decision = after_attempt(delivery, outcome, step.retry if step else RetryPolicy(), ended)
        await self._record(delivery, outcome, decision, rule, started, ended)
        await self._finished(delivery, outcome, decision, (ended - started).total_seconds())
        return decision.next_attempt

    async def _rule_of(self, delivery: Delivery) -> Rule | None:
        """The rule as it stood when the event was judged; None for Tocsin's own reports, which have no rule."""
        if delivery.firing is None and delivery.digest is None:
            return None
        return (await self._rulebook(delivery.revision)).rule(delivery.rule)

    async def _attempt(self, delivery: Delivery, rule: Rule | None, step: Step | None) -> Outcome:
        notifier = self._notifiers[delivery.verb]
        try:
            if delivery.request is None:
                prepared = await self._render(notifier, delivery, rule, step)
                if not isinstance(prepared, Delivery):
                    return prepared
                delivery = prepared
            return await _answered(notifier, delivery)
        except (TemplateError, DestinationError) as error:
            return Refused(reason=str(error))
        except StoreError:
            raise  # the database is away: not an attempt, the job is tried again
        except Exception as error:  # the outermost loop of a delivery: a fault of ours must not lose it
            log.exception("delivery_fault", delivery=delivery.id, rule=delivery.rule, verb=delivery.verb)
            return Retry(reason=f"internal error: {type(error).__name__}", maybe_delivered=True, ours=True)

    async def _render(
        self, notifier: Notifier, delivery: Delivery, rule: Rule | None, step: Step | None
    ) -> Delivery | Skipped | Retry | Refused:
        if rule is None or step is None:
            raise DestinationError(f"revision {delivery.revision[:12]} has no rule {delivery.rule} with this step")
        if delivery.digest is not None:
            names = await self._digest(delivery, rule, self._clock())
            unwanted = of_digest(step, names)
            if unwanted is not None:
                return Skipped(reason=unwanted)
            request = notifier.render(as_gathered(rule, step), delivery, names)
            return replace(delivery, request=await self._deliveries.set_request(delivery.id, request))
        event = await self._event(delivery.event) if delivery.event else None
        after_failure = step in rule.on_failure
        waited = bool(step.needs) or after_failure
        siblings = await self._deliveries.siblings(delivery.firing) if waited and delivery.firing else []
        results = results_of(rule, siblings)
        now = self._clock()
        context = await self._context(delivery, rule, now)
        policy = step.retry
        step = step_for(rule, step, context)
        if step.fetch is not None and event is not None:
            found = await self._reread(seen_by(rule, event), step.fetch)
            if isinstance(found, Event):
                event = found
            elif not _goes_without(delivery, found, policy, now):
                return found
            else:
                delivery = replace(delivery, note=_unread(delivery.note, found.reason))
        skipped = why_skipped(rule, step, event, results, now, context)
        if skipped is not None:
            return Skipped(reason=skipped)
        failed = failed_of(rule, siblings) if after_failure else None
        seen = None
        if event is not None and event.account and event.object_id != event.account:
            seen = await self._account(event.account, event.livemode)
        request = rendered(
            notifier, delivery, rule, step, event, results, now, failed=failed, account=seen, context=context
        )
        # What is kept is what is sent: another worker may have rendered first.
        return replace(delivery, request=await self._deliveries.set_request(delivery.id, request))

    async def _context(self, delivery: Delivery, rule: Rule, now: datetime) -> dict[str, Json] | None:
        """What the texts of a firing read of the rule's memory; of an incident also the object of its first event, and
        the link that acknowledges it."""
        if rule.timing is NO_TIMING or not delivery.firing:
            return None
        context: dict[str, Json] | None = await self._deliveries.context(delivery.firing)
        if context is None or not context.get("incident"):
            return context
        told = context["incident"]
        url = None if self._link is None else self._link(told["id"], now)
        return with_first(context, rule, await self._event(told["first"]["event"]), url)

    async def _record(
        self,
        delivery: Delivery,
        outcome: Outcome,
        decision: Decision,
        rule: Rule | None,
        started: datetime,
        ended: datetime,
    ) -> None:
        attempt = Attempt(
            delivery=delivery.id,
            number=delivery.attempts + 1,
            started=started,
            duration=ended - started,
            outcome=type(outcome).__name__.lower(),
            reason=_reason(outcome),
            status=None if isinstance(outcome, Held | Skipped) else outcome.status,
            excerpt=None if isinstance(outcome, Held | Skipped) else outcome.excerpt,
        )
        recording = self._deliveries.record(
            delivery.id,
            attempt,
            status=decision.status,
            reason=decision.reason,
            next_attempt=decision.next_attempt,
            result=outcome.result if isinstance(outcome, Delivered) else None,
            release=(lambda siblings: released(rule, siblings)) if rule and rule.waits else None,
        )
        # Asked to end meanwhile: what was done is written down all the same, or it would be done again.
        await (_to_its_end(recording) if rule and rule.waits else recording)


async def _answered(notifier: Notifier, delivery: Delivery) -> Outcome:
    """One attempt. Cancelled, for the process is to end, it may have arrived; what is only read has not."""
    try:
        return await notifier.deliver(delivery)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if delivery.verb is Verb.FETCH or task is None:
            raise
        task.uncancel()
        return Retry(reason="stopped while waiting for the answer", maybe_delivered=True, ours=True, stopped=True)


async def _to_its_end(recording: Awaitable[None]) -> None:
    task = asyncio.ensure_future(recording)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def with_first(context: Mapping[str, Json], rule: Rule, first: Event | None, url: str | None) -> dict[str, Json]:
    """What is told of an incident, with the object of its first event as the rule saw it, where that is still known,
    and a link."""
    told = context["incident"]
    about: dict[str, Json] = {}
    if first is not None:
        seen = seen_by(rule, first)
        about = {"object": seen.object or {}, "changed": changes(seen)}
    return {**context, "incident": {**told, "first": {**told["first"], **about}, "url": url}}


def _set_back(delivery: Delivery, now: datetime) -> bool:
    """Whether our clock has been set back since, so that only its job tells when the next attempt is due."""
    return max(delivery.created, delivery.first_attempt or delivery.created) > now + CLOCK_SKEW


def rendered(
    notifier: Notifier,
    delivery: Delivery,
    rule: Rule,
    step: Step,
    event: Event | None,
    results: Mapping[str, Mapping[str, Json]],
    now: datetime,
    *,
    failed: Mapping[str, Json] | None = None,
    account: Mapping[str, Json] | None = None,
    context: Mapping[str, Json] | None = None,
) -> Json:
    """What every attempt of a delivery sends: of a step that is gathered to a digest, and of this event was not, one of
    it alone. `account` is what is told of the event's, `context` what the rule remembers. Raises TemplateError or
    DestinationError."""
    event = None if event is None else seen_by(rule, event)
    if event is not None and rule.gathers(step):
        names = alone(event, rule, delivery.created, now, account=account, note=delivery.note)
    else:
        names = scene(event, rule, account=account, steps=results, failed=failed, now=now, context=context)
    return notifier.render(step, delivery, names)


def why_skipped(
    rule: Rule,
    step: Step,
    event: Event | None,
    results: Mapping[str, Json],
    now: datetime,
    context: Mapping[str, Json] | None = None,
) -> str | None:
    """Why the `if` of a step that had to wait, reads anew, or asks about a digest of this event alone does not hold;
    None if it does. That of others was judged at once. `context` is what the rule remembers."""
    if event is not None and step.asks_digest:
        return of_digest(step, alone(seen_by(rule, event), rule, now, now))
    if event is None or not (step.asks_steps or step.fetch is not None or step in rule.on_failure):
        return None
    return unmet(step.condition, AfterSteps(seen_by(rule, event), results, context))


def of_digest(step: Step, names: Scene) -> str | None:
    """Why a digest is not sent by a step whose `if` asks about it; None if it is."""
    if not step.asks_digest:
        return None
    return unmet(step.condition, AfterSteps(NoEvent(names["now"]), {}, {"digest": names["digest"]}))


def _goes_without(delivery: Delivery, failure: Retry | Refused, policy: RetryPolicy, now: datetime) -> bool:
    """Whether a step goes on with the object as it came: a message that never comes would be worse."""
    enough = delivery.attempts >= REREAD_TRIES - 1
    over = after_attempt(delivery, failure, policy, now).status is DeliveryStatus.DEAD
    return delivery.verb is Verb.NOTIFY and (enough or over)


def _unread(note: str | None, why: str) -> str:
    line = f"told as it was when the event came, for it could not be read anew ({why})"
    return line if note is None else f"{note}\n{line}"


def _reason(outcome: Outcome) -> str | None:
    if isinstance(outcome, Delivered):
        return None
    if isinstance(outcome, Retry) and outcome.maybe_delivered:
        return f"{outcome.reason} (it may have arrived)"
    return outcome.reason


def results_of(rule: Rule, siblings: Sequence[Delivery]) -> dict[str, dict[str, Json]]:
    """`steps.<id>` for texts and conditions: `ok`, `result`, and the reason where it went wrong.

    A step with several destinations is ok when it arrived at all of them.
    """
    found: dict[str, dict[str, Json]] = {}
    for step in rule.main_steps:
        own = [sibling for sibling in siblings if sibling.step == step.id]
        wrong = next((each for each in own if each.status is not DeliveryStatus.DELIVERED), None)
        if own:
            reason = wrong.reason if wrong is not None else None
            found[step.id] = {"ok": wrong is None, "result": own[-1].result, "reason": reason}
    return found


def failed_of(rule: Rule, siblings: Sequence[Delivery]) -> dict[str, Json] | None:
    """`failed` for texts of `on_failure`: the first delivery of the rule's steps that was given up."""
    places = {step.id: place for place, step in enumerate(rule.main_steps)}
    dead = [each for each in siblings if each.status is DeliveryStatus.DEAD and each.step in places]
    if not dead:
        return None
    first = min(dead, key=lambda each: (places[each.step], each.destination))
    return {
        "step": first.step,
        "verb": str(first.verb),
        "destination": first.destination,
        "reason": first.reason,
        "attempts": first.attempts,
    }
