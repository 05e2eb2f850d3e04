"""A world of rules on a stepped clock: what the store, the clock and several processes do, in memory and at once.

Nothing sleeps, nothing is stored. Events are fed in the order in which they came; the clock goes from one to the next
and stops on the way at every timer that is due. What comes of it is what the store would have: the same firings and
deliveries, by id. A property holds it to that.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from engine.decide import incidents as course_of
from engine.decide.leaving import ACCOUNT_LEFT, ends_with, left_behind
from engine.decide.memory import LATE, SPARE, Cell, Memory
from engine.decide.sighting import Role
from engine.decision import Ripe, Summary, Undecided, left_of, muted
from engine.model.delivery import (
    Delivery,
    DeliveryStatus,
    DueDigest,
    Firing,
    FiringStatus,
    Left,
    Plan,
    Settled,
    Timer,
    delivery_id,
    firing_id,
)
from engine.model.event import Event, Json, Payload
from engine.model.incident import Incident, IncidentStatus
from engine.model.mute import Mute
from engine.model.rule import Rule
from engine.plan import Expand, make_plan
from engine.rulebook import Rulebook

SWEEP = 1_000
"""Steps between two looks for what may be forgotten; more where much is remembered."""

_NEVER = datetime.max.replace(tzinfo=UTC)

MERGED = "part of a digest"
"""What is on record of a message that was gathered, once it has gone out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What came of an event, or of a time that was waited for, as it was carried out.

    `event` is the one that it is about, None where that is forgotten. `firings` are new ones and those of which
    something else became; `deliveries` are new ones, and gathered ones that were muted when their digest was due,
    `merged` those that are part of a digest from now on.
    """

    at: datetime
    event: Event | None
    firings: tuple[Firing, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    merged: tuple[Delivery, ...] = ()


Unwanted = Callable[[Delivery, Rule, Sequence[Delivery], Mapping[str, Event], datetime], str | None]
"""Why a digest of these deliveries, about events by their keys, is not sent by its step; None if it is."""


def left_out_only(
    rule: Rule, event: Event, left_out: int, since: datetime | None, now: datetime, note: str | None
) -> Json:
    """A summary as data, for those who want no words."""
    return {"left_out": left_out}


class World:
    """Rules at work. `now` is where the clock stands; `told` hears of every change.

    `firings` and `deliveries` have by id all there was; with `brief` only what can still matter, so that years of
    events can pass through. `unique`: no event is fed twice, so none needs to be known again. `mutes` are all there
    have been, each with its time. `unwanted` says why a digest is not sent after all, if it is not.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        expand: Expand,
        now: datetime,
        *,
        summary: Summary = left_out_only,
        told: Callable[[Change], None] = lambda change: None,
        brief: bool = False,
        unique: bool = False,
        mutes: Sequence[Mute] = (),
        unwanted: Unwanted | None = None,
    ) -> None:
        self.now = now
        self._unwanted = unwanted
        self.mutes = mutes
        self.firings: dict[str, Firing] = {}
        self.deliveries: dict[str, Delivery] = {}
        self._rulebook = rulebook
        self._expand = expand
        self._summary = summary
        self._told = told
        self._brief = brief
        self._unique = unique
        self._memory = Memory()
        self._over: list[tuple[datetime, Cell]] = []
        self._ends: dict[Cell, datetime] = {}
        self._seen: dict[str, Payload] = {}
        self._events: dict[str, Event] = {}
        self._of_event: dict[str, dict[str, Firing]] = {}
        self._gathered: dict[str, list[Delivery]] = {}
        self._came: deque[tuple[datetime, str]] = deque()
        self._timers: list[tuple[datetime, str, Timer]] = []
        self._set: set[str] = set()
        self._waited_for: Counter[str] = Counter()
        self._held: dict[str, tuple[str, str]] = {}
        self._until_sweep = 0
        self._waits = max(map(course_of.waits_of, rulebook.rules), default=timedelta())

    @property
    def next_due(self) -> datetime | None:
        """When the next timer is due, None: there is none."""
        return self._timers[0][0] if self._timers else None

    def feed(self, event: Event) -> bool:
        """Let an event come, at the time it was received; True when it was new.

        As in the store a snapshot takes the place of its thin twin and adds what that did not lead to.
        """
        self.advance(event.received)
        key = event.dedupe_key
        if not self._unique:
            before = self._seen.get(key)
            if before is not None and (before is event.payload or before is Payload.SNAPSHOT):
                return False
            self._seen[key] = event.payload
            if before is not None:
                if key in self._events:
                    self._events[key] = event
                self._decide(event)
                return False
        self._decide(event)
        return True

    def advance(self, to: datetime) -> None:
        """Let the time pass, and every timer that is due until then, each at its time."""
        while self._timers and self._timers[0][0] <= to:
            _, _, timer = heapq.heappop(self._timers)
            self._set.discard(timer.id)
            self.now = max(self.now, timer.due)
            self._ripen(timer)
            if timer.event is not None:
                self._waited_for[timer.event] -= 1
        self.now = max(self.now, to)

    def event(self, key: str) -> Event | None:
        """The event of that dedupe key, where something may still come of it."""
        return self._events.get(key)

    def incidents(self) -> Iterator[Incident]:
        """Those that are open, the first one first."""
        cells = (kept for cell, kept in self._memory.kept.items() if cell.part == course_of.INCIDENT)
        found = (each for kept in cells for each in course_of.every(kept.state))
        yield from sorted(found, key=lambda each: (each.opened, each.id))

    def acknowledge(self, incident: Incident, by: str, comment: str | None) -> None:
        """As `engine.store.incidents`: somebody takes up one that is open."""
        kept = self._memory.kept[Cell(incident.rule, course_of.INCIDENT, incident.cell)]
        course_of.acknowledge(kept, incident, self.now, by, comment)

    def resolve(self, incident: Incident, by: str, comment: str | None) -> None:
        """As `engine.store.incidents`: somebody ends one that is open, and it is told at once."""
        kept = self._memory.kept[Cell(incident.rule, course_of.INCIDENT, incident.cell)]
        ended = course_of.end(kept, incident, self.now, comment or "", by=by, outside=True)
        self._hold(ended)
        self._wait(course_of.end_later(kept, incident, ended, None, self.now))
        self.advance(self.now)

    def _decide(self, event: Event) -> None:
        """Everything that comes of an event now. What rules want read from Stripe is what it carries, or nothing."""
        matches = self._rulebook.match(event)
        sightings = self._rulebook.sightings(event, matches)
        leaves = left_of(event, self.now) is not None
        if not matches and not sightings and not leaves:
            return
        rules = [match.rule for match in matches]
        if sightings or leaves:
            revision = self._rulebook.revision
            undecided = Undecided(event, rules, sightings, revision, self._expand, mutes=self.mutes)
            plan = self._planned(undecided, self._of_event.get(event.dedupe_key, {}))
        else:
            quieten = muted(event, self.mutes)
            plan = make_plan(event, rules, self._rulebook.revision, self._expand, quieten=quieten)
        if any(seen.role is Role.RESOLVES for seen in sightings):
            self._remember(event)  # it tells of the end of what a late match opens
        self._carry_out(plan, event, remembered=bool(sightings))
        if plan.left is not None:
            self._leave(plan.left)
        self.advance(self.now)
        self._until_sweep -= 1
        if self._brief and self._until_sweep <= 0:
            self._forget()

    def _ripen(self, timer: Timer) -> None:
        key = timer.event or ""
        ripe = Ripe(
            timer=timer,
            event=self._events.get(key),
            rule=self._rulebook.rule(timer.rule),
            revision=self._rulebook.revision,
            expand=self._expand,
            summary=self._summary,
            mutes=self.mutes,
        )
        self._carry_out(self._planned(ripe, self._of_event.get(key, {})), ripe.event, remembered=True)

    def _planned(self, deciding: Undecided | Ripe, known: dict[str, Firing]) -> Plan:
        self._expire()
        try:
            return deciding.decide(self._memory, known, self.now)
        except Exception:  # as the store does: a fault of ours alerts rather than keep quiet
            return deciding.alert(known)
        finally:
            for cell, kept in self._memory.changed(self.now).items():
                if not any(kept.state.values()):
                    del self._memory.kept[cell]
                elif kept.until is not None and kept.until < self._ends.get(cell, _NEVER):
                    self._ends[cell] = kept.until
                    heapq.heappush(self._over, (kept.until, cell))
            self._memory.touched.clear()

    def _expire(self) -> None:
        """Forget states of which nothing matters any more, as the store does. Of each the earliest end that it had is
        looked at, and from then on the one that it has."""
        while self._over and self._over[0][0] + SPARE < self.now:
            until, cell = heapq.heappop(self._over)
            if self._ends.get(cell) != until:
                continue
            del self._ends[cell]
            kept = self._memory.kept.get(cell)
            if kept is None or kept.until is None:
                continue
            if kept.until + SPARE < self.now:
                del self._memory.kept[cell]
            else:
                self._ends[cell] = kept.until
                heapq.heappush(self._over, (kept.until, cell))

    def _carry_out(self, plan: Plan, event: Event | None, *, remembered: bool) -> None:
        """As `engine.store.decide.carry_out`: of a firing that is there already nothing is made again."""
        if not (plan.firings or plan.settled or plan.timers or plan.digests or plan.deliveries):
            return
        fresh = [firing for firing in plan.firings if firing.id not in self.firings]
        keep = remembered or not self._brief or (not self._unique and event is not None and _has_twin(event))
        if event is not None and keep and (fresh or plan.timers):
            self._remember(event)
        for firing in fresh if keep else ():
            self._keep(firing)
        late = [found for each in plan.settled if (found := self._settle(each)) is not None]
        led = {firing.id for firing in fresh} | {each.firing for each in plan.settled}
        made = tuple(
            each
            for each in plan.deliveries
            if (each.firing is None or each.firing in led) and each.id not in self.deliveries
        )
        for each in made:
            if each.status is DeliveryStatus.GATHERED and each.digest is not None:
                self._gathered.setdefault(each.digest, []).append(each)
                if each.event is not None and self._asks_digest(each):
                    self._waited_for[each.event] += 1
        ended: list[Delivery] = []
        if plan.digests:
            due = {digest.name: digest for digest in plan.digests}
            gathered = [each for name in due for each in self._gathered.pop(name, ())]
            standing = [_silenced(each, due[each.digest or ""], self.now) for each in gathered]
            merged = [each for each in standing if each.status is DeliveryStatus.GATHERED]
            made += tuple(each for each in standing if each.status is DeliveryStatus.SUPPRESSED)
            made += tuple(self._as_wanted(each, merged) for each in _digests(merged, due, self.now))
            self._waited_for.subtract(each.event for each in gathered if each.event and self._asks_digest(each))
            ended = [replace(d, status=DeliveryStatus.MERGED, finished=self.now, reason=MERGED) for d in merged]
        if keep:
            self.deliveries.update((each.id, each) for each in (*made, *ended))
        for timer in plan.timers:
            self._wait(timer)
        for changed in plan.changes:
            self._hold(changed.incident)
        if fresh or late or made:
            told = Change(at=self.now, event=event, firings=(*fresh, *late), deliveries=made, merged=tuple(ended))
            self._told(told)

    def _asks_digest(self, delivery: Delivery) -> bool:
        """Whether it depends on the digest whether its step sends it."""
        rule = self._rulebook.rule(delivery.rule) if self._unwanted is not None else None
        step = rule.step(delivery.step) if rule is not None else None
        return step is not None and step.asks_digest

    def _as_wanted(self, digest: Delivery, merged: Sequence[Delivery]) -> Delivery:
        """The digest, or that it is skipped: the worker judges that when it sends it."""
        rule = self._rulebook.rule(digest.rule)
        if self._unwanted is None or rule is None or not self._asks_digest(digest):
            return digest
        reason = self._unwanted(digest, rule, merged, self._events, self.now)
        if reason is None:
            return digest
        return replace(digest, status=DeliveryStatus.SKIPPED, reason=reason, next_attempt=None, finished=self.now)

    def _keep(self, firing: Firing) -> None:
        self.firings[firing.id] = firing
        self._of_event.setdefault(firing.event, {})[firing.id] = firing

    def _settle(self, settled: Settled) -> Firing | None:
        """What has fired stays so; the firing as it is now, None where nothing became of it."""
        before = self.firings.get(settled.firing)
        if before is None or (before.status is FiringStatus.FIRED and settled.status is not FiringStatus.FIRED):
            return None
        context = before.context if settled.context is None else settled.context
        after = replace(before, status=settled.status, reason=settled.reason, context=context)
        self._keep(after)
        return after

    def _remember(self, event: Event) -> None:
        if event.dedupe_key not in self._events:
            self._came.append((self.now, event.dedupe_key))
        self._events[event.dedupe_key] = event

    def _wait(self, timer: Timer) -> None:
        """Set a timer; one that is set already stays as it is."""
        if timer.id in self._set:
            return
        self._set.add(timer.id)
        heapq.heappush(self._timers, (timer.due, timer.id, timer))
        if timer.event is not None:
            self._waited_for[timer.event] += 1

    def _hold(self, incident: Incident) -> None:
        """An open incident is told by its latest event in the end, and by its first one meanwhile."""
        held = () if incident.status is IncidentStatus.RESOLVED else (incident.first_event, incident.last_event)
        self._waited_for.update(held)
        self._waited_for.subtract(self._held.pop(incident.id, ()))
        if held:
            self._held[incident.id] = held

    def _leave(self, left: Left) -> None:
        """As `engine.store.leaving`: what waits on an account that has left ends."""
        gone = [entry for entry in self._timers if ends_with(entry[2], left)]
        self._timers = [entry for entry in self._timers if not ends_with(entry[2], left)]
        heapq.heapify(self._timers)
        for _, _, timer in gone:
            self._set.discard(timer.id)
            if timer.event is not None:
                self._waited_for[timer.event] -= 1
        waiting = dict.fromkeys(firing_id(timer.rule, timer.event) for _, _, timer in gone if timer.event is not None)
        late: list[Firing] = []
        for id_ in waiting:
            if id_ in self.firings and self.firings[id_].status is FiringStatus.WAITING:
                settled = self._settle(Settled(firing=id_, status=FiringStatus.NO, reason=ACCOUNT_LEFT))
                late += [] if settled is None else [settled]
        for incident, timer in left_behind(self._memory, left):
            self._hold(incident)
            self._wait(timer)
        if late:
            self._told(Change(at=self.now, event=None, firings=tuple(late)))
        self.advance(self.now)

    def _forget(self) -> None:
        """Drop what can matter no more: events that no timer is set for and that nothing late can bring back."""
        self._until_sweep = max(SWEEP, len(self._memory.kept) // 10)
        over = self.now - LATE - SPARE - self._waits
        gone: set[str] = set()
        later: list[tuple[datetime, str]] = []
        while self._came and self._came[0][0] < over:
            came, key = self._came.popleft()
            if self._waited_for[key] > 0:
                later.append((came, key))
                continue
            del self._waited_for[key]
            self._events.pop(key, None)
            gone.update(self._of_event.pop(key, {}))
        self._came.extendleft(reversed(later))
        for id_ in gone:
            self.firings.pop(id_, None)
        if gone:
            self.deliveries = {id_: each for id_, each in self.deliveries.items() if each.firing not in gone}


def _silenced(gathered: Delivery, due: DueDigest, now: datetime) -> Delivery:
    """What was gathered for a digest that is due: as it is, or kept quiet."""
    for each in due.silencings:
        if each.account in (None, gathered.account):
            silence, reason = each.silence, each.reason
            return replace(gathered, status=DeliveryStatus.SUPPRESSED, silence=silence, reason=reason, finished=now)
    return gathered


def _digests(merged: Sequence[Delivery], due: Mapping[str, DueDigest], now: datetime) -> Iterator[Delivery]:
    """One delivery for each step and destination of what was gathered; `due` by the digest's name."""
    places: dict[tuple[str, str, str], list[Delivery]] = {}
    for each in merged:
        places.setdefault((each.digest or "", each.step, each.destination), []).append(each)
    for (digest, step, destination), own in places.items():
        accounts = {each.account for each in own}
        yield Delivery(
            id=delivery_id(digest, step, destination),
            firing=None,
            event=None,
            rule=own[0].rule,
            revision=own[-1].revision,
            step=step,
            verb=own[0].verb,
            destination=destination,
            account=accounts.pop() if len(accounts) == 1 else None,
            livemode=any(each.livemode for each in own),
            next_attempt=now,
            created=now,
            note=due[digest].note,
            digest=digest,
        )


def _has_twin(event: Event) -> bool:
    """Whether the same may come once more, with more to say."""
    return event.payload is Payload.THIN
