"""The composition root: settings in, parts or a running service out. The server and the commands both start here."""

import asyncio
import contextlib
import gc
import hmac
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from engine.configured import base_of, known
from engine.errors import ConfigError, StoreError, StoreUnavailable, TocsinError
from engine.links import Links
from engine.model.outcome import Notifier
from engine.model.rule import Severity, Step, Verb
from engine.observe import CONTENT_TYPE, Health, Metrics, logs
from engine.pipeline import Pipeline
from engine.plan import Destination
from engine.receive.parse import parse
from engine.receive.webhook import WebhookPaths
from engine.rulebook import Rulebook, rebuild
from engine.rulebook.reload import Reloader, ReloadReport
from engine.settings import Settings, load_settings
from engine.source import print_mistakes
from engine.store import Store
from engine.work.accounts import AccountBook
from engine.work.banner import banner
from engine.work.breakers import BreakerReports
from engine.work.counting import counter, finisher, observed, observer
from engine.work.dead import dead_reports
from engine.work.deliver import Deliverer
from engine.work.destinations import Destinations
from engine.work.digests import Digests
from engine.work.fetch import Fetcher
from engine.work.gate import Gate
from engine.work.late import QueueWatch
from engine.work.mutes import MuteBook
from engine.work.ops import Ops
from engine.work.prepare import Prepare
from engine.work.readiness import Queue, readiness
from engine.work.recent import RecentEvents
from engine.work.silence import silence_reports
from engine.work.summary import summary
from engine.work.timers import Clock
from engine.work.worker import work
from notifiers import expand
from notifiers.callback import CallbackNotifier
from notifiers.channels import recipients
from notifiers.notify import NotifyNotifier, report
from notifiers.stripe import StripeNotifier

log = structlog.get_logger("tocsin")

Claim = Callable[..., Awaitable[datetime | None]]
"""Since when a Stripe write may be made, None where it is beyond its cap: `store.writes.claim`."""

DRAIN = timedelta(seconds=8)
"""How long deliveries under way may go on when the service is asked to stop; after that they are handed back."""

START_PATIENCE = 60.0
"""Seconds for which a database that is away at the start is waited for."""

CONSOLE_SEATS = 64
"""How many deliveries to the console there may be at once: a seat is kept until the attempt is on record."""

COLLECT = (10_000, 20, 20)
"""When the garbage collector looks (see `gc.set_threshold`). Python's own 700 are a tenth of the objects that the
requests of a busy moment hold, so that it looked through all that is alive every few hundred events."""

REVISIONS_KEPT = 16
"""Old revisions held compiled: deliveries that are retried for a day still need the rules of their time."""


def load() -> Settings:
    """The settings of this process. Raises ConfigError with every mistake."""
    return load_settings()


@contextlib.asynccontextmanager
async def stored(settings: Settings) -> AsyncIterator[Store]:
    """The store, opened and closed. Raises StoreError."""
    store = await Store.open(settings, parse=parse)
    try:
        yield store
    finally:
        await store.close()


def rulebook_of(
    store: Store, current: Callable[[], Rulebook | None] = lambda: None
) -> Callable[[str], Awaitable[Rulebook]]:
    """Finds the rules of any revision that was ever in force: those of `current`, else rebuilt, the latest few kept."""
    kept: dict[str, Rulebook] = {}
    one_at_a_time = asyncio.Lock()

    async def find(revision: str) -> Rulebook:
        running = current()
        if running is not None and running.revision == revision:
            return running
        async with one_at_a_time:
            if revision not in kept:
                stored_revision = await store.revisions.get(revision)
                if stored_revision is None:
                    raise TocsinError(f"the rules of revision {revision[:12]} were never stored here")
                while len(kept) >= REVISIONS_KEPT:
                    del kept[next(iter(kept))]
                kept[revision] = await asyncio.to_thread(rebuild, *stored_revision)
            return kept[revision]

    return find


def notifiers(
    settings: Settings,
    claim: Claim,
    stripe: StripeNotifier | None = None,
    share: Callable[[int], int] = lambda all_: all_,
) -> Mapping[Verb, Notifier]:
    """The three verbs on these settings; `claim` guards the caps of Stripe writes, `share` is this process's part of
    what all may do at once."""
    return {
        Verb.NOTIFY: NotifyNotifier(settings.channels, sys.stdout, share=share),
        Verb.CALLBACK: CallbackNotifier(settings.callbacks, settings.callback_hosts),
        Verb.STRIPE: stripe or StripeNotifier(settings.stripe, settings.endpoints, claim),
    }


def expander(settings: Settings) -> Callable[[Step, Severity, bool], tuple[Destination, ...]]:
    """`notifiers.expand` on these settings, as the pipeline calls it."""
    return lambda step, severity, livemode: expand(step, severity=severity, livemode=livemode, settings=settings)


def links_of(settings: Settings) -> Links | None:
    """What makes links in messages, None where it is not configured at what address people reach them."""
    console = settings.console
    return None if console.url is None or console.secret is None else Links(console.url, console.secret)


@dataclass(kw_only=True)
class Service:
    """A running Tocsin: what the routes of `engine.main` ask, and what has to be stopped in order."""

    settings: Settings
    store: Store
    metrics: Metrics
    reloader: Reloader
    webhooks: WebhookPaths
    conflicts: dict[str, str]
    notifiers: Mapping[Verb, Notifier]
    gate: Gate
    links: Links | None
    _stop: asyncio.Event
    _tasks: list[asyncio.Task[None]]

    async def health(self) -> Health:
        """What /readyz answers."""
        queue: Queue | str
        try:
            queue = await self.store.health()
        except StoreError as error:
            queue = str(error)
        status = self.reloader.status
        return readiness(
            store=queue,
            backlog=self.store.committer.backlog,
            role=self.settings.role,
            worker_running=not any(task.done() for task in self._tasks if task.get_name() != "tocsin-warm"),
            rules=len(self.reloader.current.rules),
            loaded=status.loaded,
            broken=status.broken,
            conflicts=self.conflicts,
            queue_age=self.settings.queue_age,
            destinations=self.gate.standing,
        )

    async def scrape(self) -> tuple[bytes, str]:
        """The page of metrics and its content type."""
        with contextlib.suppress(StoreError):
            queue = await self.store.health()
            age = max(queue.queue_age.values(), default=timedelta())
            self.metrics.queue(age.total_seconds(), queue.pending)
        return self.metrics.page(), CONTENT_TYPE

    async def reload(self) -> ReloadReport:
        """Read the rules again now."""
        return await self.reloader.reload()

    def may_operate(self, client: str | None, authorization: str | None) -> bool:
        """Whether a request may change something: with the console's token, or without one from this machine."""
        token = self.settings.console.token
        if token is None:
            return client in ("127.0.0.1", "::1")
        expected = f"Bearer {token.get_secret_value()}".encode()
        return hmac.compare_digest(expected, (authorization or "").encode("utf-8", "replace"))

    def banner(self) -> str:
        """What to tell whoever started it."""
        return banner(self.settings, self.reloader.current.rules, self.reloader.status.broken)

    async def warm(self) -> None:
        """Import what the first delivery needs, once events can already be received."""
        for notifier in self.notifiers.values():
            await notifier.warm()

    async def stop(self) -> None:
        """Hand back what is not done within the drain, then let go of everything."""
        self._stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for notifier in self.notifiers.values():
            await notifier.close()
        await self.store.close()


async def start() -> Service:
    """A running service on the configuration of this process. Raises TocsinError."""
    settings = load()
    logs.configure(log_format=settings.logs.format, level=settings.logs.level, secrets=settings.secrets())
    store = await _opened(settings)
    try:
        if settings.role.works:
            await store.stand_by()
        return await _assemble(settings, store)
    except BaseException:
        await store.close()
        raise


async def _opened(settings: Settings) -> Store:
    """The store; of a database that is away it is waited for, so that nobody has to start us again and again.

    Raises StoreError: StoreUnavailable only after START_PATIENCE, or when waiting would not help.
    """
    deadline = time.monotonic() + START_PATIENCE
    told = False
    while True:
        try:
            return await Store.open(settings, parse=parse)
        except StoreUnavailable as error:
            if error.lasting or time.monotonic() > deadline:
                raise
            if not told:
                log.warning("waiting_for_database", reason=str(error), seconds=START_PATIENCE)
                told = True
        await asyncio.sleep(0.5)


async def _assemble(settings: Settings, store: Store) -> Service:
    metrics = Metrics()
    stripe = StripeNotifier(settings.stripe, settings.endpoints, store.writes.claim)
    verbs = notifiers(settings, store.writes.claim, stripe, store.members.share)
    ops = _ops(settings, store)
    reloader = _reloader(settings, store, metrics, ops)
    await reloader.reload()
    gc.set_threshold(*COLLECT)
    conflicts: dict[str, str] = {}
    destinations = Destinations(settings)
    gate = Gate(
        destinations.of,
        store.destinations,
        store.rates,
        seen=observed(metrics, None if ops is None else BreakerReports(ops.report)),
        put_off=metrics.put_off,
    )
    events = RecentEvents(store.events.get)
    accounts = AccountBook(store.accounts)
    tell = None if ops is None else ops.report
    mutes = MuteBook(store.mutes, tell)
    await mutes.look()
    pipeline = Pipeline(
        rulebook=lambda: reloader.current,
        expand=expander(settings),
        committer=store.committer,
        mutes=lambda: mutes.current,
        prepare=Prepare({verb: verbs[verb] for verb in (Verb.NOTIFY, Verb.CALLBACK)}, accounts.at_hand),
        seen=observer(metrics, conflicts, events, accounts),
    )
    service = Service(
        settings=settings,
        store=store,
        metrics=metrics,
        reloader=reloader,
        webhooks=_webhooks(settings, pipeline, metrics, ops),
        conflicts=conflicts,
        notifiers=verbs,
        gate=gate,
        links=links_of(settings),
        _stop=asyncio.Event(),
        _tasks=[],
    )
    revisions = rulebook_of(store, lambda: reloader.current)
    fetcher = Fetcher(
        read=stripe.read,
        accounts=accounts,
        events=store.events,
        carry_out=store.carry_out,
        decide=store.decide,
        rulebook=revisions,
        expand=pipeline.expand,
        mutes=pipeline.mutes,
        fired=counter(metrics),
    )
    deliverer = Deliverer(
        deliveries=store.deliveries,
        event=events.get,
        rulebook=revisions,
        notifiers={**verbs, Verb.FETCH: fetcher},
        finished=finisher(metrics, ops),
        account=accounts.told,
        gate=gate,
        digest=Digests(store.deliveries, store.events, accounts.told).scene,
        link=None if service.links is None else service.links.to,
    )
    clock = Clock(
        timers=store.timers,
        event=events.get,
        rulebook=lambda: reloader.current,
        expand=pipeline.expand,
        summary=summary,
        mutes=pipeline.mutes,
        fired=lambda rule: metrics.fired(rule.id, rule.mode),
    )
    store.committer.on_commit = metrics.commit

    def seats(verb: str, destination: str) -> int | None:
        at_once = destinations.concurrency(verb, destination)
        if at_once is not None:
            return store.members.share(at_once)
        return CONSOLE_SEATS if destinations.is_console(verb, destination) else None

    working = partial(
        work,
        store.jobs,
        dict.fromkeys((str(verb) for verb in Verb if verb is not Verb.FETCH), deliverer),
        seats=seats,
        sweep=store.deliveries.sweep,
        forget=partial(store.forget, keep=settings.retention.events),
        keep=settings.retention.events,
        stop=service._stop,
        drain=DRAIN,
    )
    if settings.role.works:
        await store.members.beat()
    running = {
        "accounts": accounts.run(service._stop),
        "mutes": mutes.run(service._stop),
        "late": QueueWatch(store.health, tell, settings.queue_age).run(service._stop),
        "watch-rules": reloader.watch(service._stop),
    }
    if settings.role.works:
        running |= {
            "work": working(),
            "destinations": gate.run(service._stop),
            "members": store.members.run(service._stop),
            "timers": clock.run(service._stop),
            "dead": dead_reports(store.dead, tell).run(service._stop),
            "silence": silence_reports(store.silences, tell).run(service._stop),
            "warm": service.warm(),
        }
    service._tasks += [asyncio.create_task(task, name=f"tocsin-{name}") for name, task in running.items()]
    return service


def _webhooks(settings: Settings, pipeline: Pipeline, metrics: Metrics, ops: Ops | None) -> WebhookPaths:
    telling: set[asyncio.Task[None]] = set()

    def malformed(endpoint: str, reason: str) -> None:
        """Stripe signed what is no event, or our clock is wrong: the answer does not wait until somebody is told."""
        if ops is not None:
            text = f"Requests to endpoint {endpoint} are signed with its secret and refused: {reason}."
            title = "Stripe sent what is no event"
            if reason.startswith("too_"):
                title = "Signed requests are refused for their time"
                text += " The clock of this server may be wrong; or somebody sends again what was sent before."
            task = asyncio.create_task(ops.report("malformed", title, text))
            telling.add(task)
            task.add_done_callback(_told(telling))

    return WebhookPaths(
        settings.endpoints if settings.role.receives else (),
        pipeline.accept,
        metrics,
        max_body=settings.receive.max_body,
        tolerance=settings.receive.tolerance.total_seconds(),
        malformed=malformed,
    )


def _told(telling: "set[asyncio.Task[None]]") -> "Callable[[asyncio.Task[None]], None]":
    def done(task: asyncio.Task[None]) -> None:
        telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("ops_not_told", reason=type(error).__name__)

    return done


def _ops(settings: Settings, store: Store) -> Ops | None:
    """Where the service reports its own trouble; None: only the log."""
    if settings.ops_channel is None:
        return None
    channel = settings.channels[settings.ops_channel]
    names = [f"{channel.name}/{label}" for label in recipients(channel)] or [channel.name]
    return Ops(names, report, store.deliveries.insert)


def _reloader(settings: Settings, store: Store, metrics: Metrics, ops: Ops | None) -> Reloader:
    async def tell(found: ReloadReport) -> None:
        by_mode = Counter(str(rule.mode) for rule in found.rulebook.rules)
        metrics.reload(ok=found.ok, at=time.time(), rules=by_mode, broken=len(found.broken))
        if not found.ok and ops is not None:
            await ops.report("rules", f"Rules with mistakes: {', '.join(found.broken)}", found.summary())

    return Reloader(
        paths=settings.rules,
        base=base_of(settings),
        known=known(settings),
        last_good=store.revisions.last_good,
        remember=store.revisions.remember,
        on_report=tell,
        lasting=True,
    )


def explain_failure(error: TocsinError) -> str:
    """What to print for a failure that Tocsin expects."""
    if not isinstance(error, ConfigError):
        return str(error)
    return print_mistakes(error.mistakes, error.sources).rstrip()
