"""Rules run over events that have been, on a stepped clock, and counted."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.backtest.selection import Selection
from engine.backtest.tally import Context, RuleTally, Tally
from engine.model.event import Event
from engine.model.mute import Mute
from engine.plan import Expand
from engine.testing.sending import Writer
from engine.testing.world import World
from engine.work.deliver import with_first
from engine.work.summary import summary


class Backtest:
    """Takes events in the order in which they came. What rules did is counted from `since` on (None: from the first
    event on); what came before tells them only what has been. `mutes` are those that there were."""

    def __init__(
        self,
        selection: Selection,
        expand: Expand,
        *,
        since: datetime | None = None,
        zone: ZoneInfo,
        samples: int,
        unique: bool = False,
        mutes: Sequence[Mute] = (),
    ) -> None:
        self.events = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.unread: Counter[str] = Counter()
        self._selection = selection
        self._expand = expand
        self._since = since
        self._unique = unique
        self._mutes = mutes
        self._tally = Tally(selection.asked, since=since, zone=zone, samples=samples, told=self._told)
        self._world: World | None = None

    @property
    def rules(self) -> dict[str, RuleTally]:
        """What each rule did."""
        return self._tally.rules

    @property
    def waiting(self) -> int:
        """Matches that still wait for a time to pass."""
        return self._tally.still_waiting()

    def feed(self, event: Event) -> None:
        """Let one event come."""
        if self._world is None:
            self._world = self._begin(event.received)
        if self._since is None or event.received >= self._since:
            self.events += 1
            self.first = self.first or event.received
            self.last = event.received
        wants = self._selection.rulebook.wants(event)
        if wants:
            self.unread[event.type] += 1
        self._world.feed(event)

    def finish(self, until: datetime) -> None:
        """Let the time pass to the end."""
        if self._world is not None:
            self._world.advance(until)

    def _told(self, name: str, context: Context) -> Context:
        rule = self._selection.rulebook.rule(name)
        if rule is None or self._world is None:
            return context
        return with_first(context, rule, self._world.event(context["incident"]["first"]["event"]), None)

    def _begin(self, now: datetime) -> World:
        return World(
            self._selection.rulebook,
            self._expand,
            now,
            summary=summary,
            told=self._tally.hear,
            brief=True,
            unique=self._unique,
            mutes=self._mutes,
            unwanted=Writer().digest_skipped,
        )
