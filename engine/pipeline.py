"""READ FIRST: the way of one event, as a page of code.

    verify -> normalize          engine/receive, before this page: only signed, well-formed events get here
    match                        which rules hold for the event; pure, microseconds. Rules that want something read from
                                 Stripe first are matched later, in a job of their own: engine/work/fetch
    plan                         what must come of it: firings, and a delivery per step and destination: engine/plan
    decide                       where a rule has a memory, the plan is made inside the commit: engine/decision
    prepare                      what each delivery sends, where that can be said at once: engine/work/prepare
    commit                       the event and its plan in one durable commit; only then is Stripe answered 200
    deliver                      engine/work, woken by the commit: render if need be, attempt until it has ended

The server, replay, and the tests all walk this way; nothing else creates a firing or a delivery.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.decision import Undecided, left_of, muted
from engine.model.delivery import NOTHING, Plan
from engine.model.event import Event
from engine.model.mute import Mute
from engine.plan import Expand, make_plan
from engine.rulebook import Rulebook


class Committer(Protocol):
    """Where events become durable. Raises StoreUnavailable: then nothing was stored."""

    async def commit(self, event: Event, plan: Plan, revision: str) -> bool: ...
    async def decide(self, event: Event, undecided: Undecided, revision: str) -> tuple[bool, Plan]: ...


Prepare = Callable[[Event, Plan, Rulebook], Plan]
"""The plan with the requests that are sent, of those deliveries of which that can be said before the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What an event passes through once it is verified and normalized.

    `rulebook` gives the rules of this moment: a reload between two events changes what it returns.
    """

    rulebook: Callable[[], Rulebook]
    expand: Expand
    committer: Committer
    mutes: Callable[[], Sequence[Mute]] = tuple
    prepare: Prepare = lambda event, plan, rulebook: plan
    seen: Callable[[Event, Plan, bool], None] = lambda event, plan, new: None

    async def accept(self, event: Event) -> bool:
        """Match, plan or decide, and commit one event; True when it was new. When this returns, nothing can lose it."""
        rulebook = self.rulebook()
        matches = rulebook.match(event)
        wants = rulebook.wants(event)
        sightings = rulebook.sightings(event, matches)
        rules, revision = [match.rule for match in matches], rulebook.revision
        mutes = self.mutes()
        if sightings or left_of(event, event.received) is not None:
            undecided = Undecided(
                event,
                rules,
                sightings,
                revision,
                self.expand,
                wants,
                mutes,
                prepare=lambda plan: self.prepare(event, plan, rulebook),
            )
            new, plan = await self.committer.decide(event, undecided, revision)
        else:
            plan = NOTHING
            if rules or wants:
                plan = make_plan(event, rules, revision, self.expand, wants=wants, quieten=muted(event, mutes))
                plan = self.prepare(event, plan, rulebook)
            new = await self.committer.commit(event, plan, revision)
        self.seen(event, plan, new)
        return new
