"""The way of an event for the rules that want something read first: read it, keep it, match, plan, commit."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from engine.decision import Undecided, muted
from engine.errors import DestinationError
from engine.model.delivery import Delivery, Plan
from engine.model.event import Event, Json
from engine.model.fetch import ACCOUNT, OBJECT, WHOLE_OBJECT, Fetch, lacks_object, with_fetched
from engine.model.mute import Mute
from engine.model.outcome import Delivered, Outcome, Refused, Retry, Scene
from engine.model.rule import Rule, Step, Verb
from engine.plan import Expand, make_plan
from engine.render import account_name
from engine.rulebook import Rulebook
from engine.stripe_api.client import Call, Failure, Success
from engine.stripe_api.reads import read_call
from engine.work.accounts import AccountBook

ROUNDS = 3
"""The object, the ids in it, and what is wanted only then."""

LARGEST = 1024 * 1024
"""Bytes, as JSON, of all that is read for one event."""

REREAD_WITHIN = 3.0
"""Seconds that a step waits for its object: meanwhile it holds a seat of where it goes, which others need."""

LEFT_ALONE = 30.0
"""Seconds for which Stripe is not asked by steps again where it did not answer one of them in time."""


Read = Callable[[Event, Call], Awaitable[Success | Failure]]
"""Calls Stripe's API with the key that is for an event. Raises DestinationError where there is none."""


class Keeps(Protocol):
    """Where it is kept: `store.events`."""

    async def get(self, event: str) -> Event | None: ...
    async def keep_fetched(self, event_key: str, fetched: Mapping[str, Json]) -> Mapping[str, Json] | None: ...


class Fetcher:
    """The notifier of Tocsin's own deliveries of verb `fetch`, one for each event of which rules want something read.

    A crash at any point has it done again: what was read first stays, and what a firing has led to is not made twice.
    """

    verb = Verb.FETCH

    def __init__(
        self,
        *,
        read: Read,
        accounts: AccountBook,
        events: Keeps,
        carry_out: Callable[[Plan], Awaitable[None]],
        decide: Callable[[Sequence[Undecided]], Awaitable[list[Plan]]],
        rulebook: Callable[[str], Awaitable[Rulebook]],
        expand: Expand,
        mutes: Callable[[], Sequence[Mute]] = tuple,
        fired: Callable[[Plan, Rule | None], None] = lambda plan, rule: None,
    ) -> None:
        self._read = read
        self._accounts = accounts
        self._events = events
        self._carry_out = carry_out
        self._decide = decide
        self._rulebook = rulebook
        self._expand = expand
        self._mutes = mutes
        self._fired = fired

    def render(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        """Never needed: what is wanted stands in the delivery from the start."""
        raise DestinationError("nothing is rendered to read from Stripe")

    def preview(self, delivery: Delivery) -> Json:
        """What is wanted."""
        return delivery.request

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Read what is still wanted, and do what comes of it."""
        event = await self._events.get(delivery.event or "")
        if event is None:
            return Refused(reason="the event was forgotten in the meantime")
        rulebook = await self._rulebook(delivery.revision)
        whole, failure = await self._read_all(event, rulebook)
        kept = await self._events.keep_fetched(event.dedupe_key, whole.fetched or {})
        if kept is None:
            return Refused(reason="the event was forgotten in the meantime")
        whole = replace(whole, fetched=kept)
        plan = await self._plan(whole, rulebook)
        before = {match.rule.id for match in rulebook.match(event)}
        self._fired(replace(plan, firings=tuple(each for each in plan.firings if each.rule not in before)), None)
        return failure or Delivered(status=200, result={"read": sorted(kept)})

    async def _plan(self, whole: Event, rulebook: Rulebook) -> Plan:
        """Carry out what comes of the event now that it is whole; of what came of it before, nothing is made again."""
        matches = rulebook.match(whole)
        rules = [match.rule for match in matches]
        # What others of its rules watch for has been seen when the event came, but for what asks for its object.
        names, thin = {rule.id for rule in rules}, lacks_object(whole)
        sightings = [
            seen for seen in rulebook.sightings(whole, matches) if seen.rule.id in names or (thin and seen.reads_object)
        ]
        if sightings:
            undecided = Undecided(whole, rules, sightings, rulebook.revision, self._expand, (), self._mutes())
            [plan] = await self._decide([undecided])
            return plan
        quieten = muted(whole, self._mutes())
        plan = make_plan(whole, rules, rulebook.revision, self._expand, quieten=quieten)
        if plan.firings:
            await self._carry_out(plan)
        return plan

    async def _read_all(self, event: Event, rulebook: Rulebook) -> tuple[Event, Outcome | None]:
        """The event with all that could be read for it, and why something could not: what one rule wants is no reason
        to keep another waiting. An object that was read may have ids that are wanted too."""
        failures: dict[str, Outcome] = {}
        for _ in range(ROUNDS):
            wants = [need for need in rulebook.wants(event) if need not in failures]
            for need in wants:
                found = await (self._account(event) if need == ACCOUNT else ask(self._read, event, need))
                if isinstance(found, Outcome):
                    failures[need] = found
                    continue
                fetched = {**(event.fetched or {}), need: found}
                if len(json.dumps(fetched)) > LARGEST:
                    failures[need] = Refused(reason=f"{need}: more than {LARGEST:,} bytes were read for this event")
                else:
                    event = replace(event, fetched=fetched)
            if not wants:
                break
        retry = next((each for each in failures.values() if isinstance(each, Retry)), None)
        return event, retry or next(iter(failures.values()), None)

    async def _account(self, event: Event) -> Mapping[str, Json] | Outcome:
        """The account as it was last seen, read anew where that is long ago; of an event that is the account's own,
        what it says itself."""
        own = event.object_id == event.account
        if own and event.object is not None and event.object_type == "account":
            return named(event.object)
        since = event.created if own or event.base_type.startswith(("account.", "v2.core.account")) else None
        seen = await self._accounts.fresh(event.account or "", event.livemode, since)
        if seen.fresh:
            return named(seen.object)
        answer = await ask(self._read, event, ACCOUNT)
        if not isinstance(answer, Outcome):
            await self._accounts.keep(event.account or "", event.livemode, answer)
            return named(answer)
        # An account that has disconnected cannot be read any more, and is what it was.
        return named(seen.object) if seen.object and isinstance(answer, Refused) else answer

    async def warm(self) -> None:
        """The Stripe notifier imports what both need."""

    async def close(self) -> None:
        """The Stripe notifier closes what both use."""


async def ask(read: Read, event: Event, need: str) -> dict[str, Json] | Retry | Refused:
    """What Stripe answers to what is wanted for an event."""
    seen = with_fetched(event, WHOLE_OBJECT) if event.object is None else event  # ids stand in what was read
    try:
        answer = await read(event, read_call(seen, need))
    except DestinationError as error:
        return Refused(reason=str(error))
    if isinstance(answer, Failure):
        return _failed(need, answer)
    if answer.data is None:
        return Refused(reason=f"{need}: Stripe's answer is too large to keep", status=answer.status)
    return dict(answer.data)


def rereading(read: Read) -> Callable[[Event, Fetch], Awaitable[Event | Retry | Refused]]:
    """Reads the object of an event anew for a step: what comes of it is seen by that step, and kept by none."""
    silent_until = 0.0

    async def reread(event: Event, fetch: Fetch) -> Event | Retry | Refused:
        nonlocal silent_until
        clock = asyncio.get_running_loop().time
        found: dict[str, Json] | Retry | Refused = Retry(reason=f"{fetch.object_need}: Stripe does not answer")
        if clock() >= silent_until:
            try:
                async with asyncio.timeout(REREAD_WITHIN):
                    found = await ask(read, event, fetch.object_need)
            except TimeoutError:
                silent_until = clock() + LEFT_ALONE
        if isinstance(found, Retry):
            return replace(found, ours=True)  # of Stripe, which is not where the step goes
        if isinstance(found, Refused):
            return replace(found, status=None)
        have = event.fetched or {}
        # Also in place of what was read for the rule's `when`, which may have wanted something else included.
        needs = [fetch.object_need, *(need for need in have if need.partition(":")[0] == OBJECT)]
        return with_fetched(replace(event, fetched={**have, **dict.fromkeys(needs, found)}), fetch)

    return reread


def named(account: Mapping[str, Json]) -> dict[str, Json]:
    """The account with its `name`, which Stripe keeps in several places."""
    return {**account, "name": account_name(account)}


def _failed(need: str, answer: Failure) -> Retry | Refused:
    reason = f"{need}: {answer.reason}"
    if not answer.retry:
        return Refused(reason=reason, status=answer.status)
    return Retry(reason=reason, status=answer.status, after=answer.after)
