"""The composition root: settings in, parts or a running service out. The server and the commands both start here."""

import asyncio
import contextlib
import gc
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from engine.configured import base_of, known
from engine.errors import ConfigError, StoreUnavailable, TocsinError
from engine.links import Links
from engine.model.outcome import Notifier
from engine.model.rule import Severity, Step, Verb
from engine.observe import Metrics, logs
from engine.pipeline import Pipeline
from engine.plan import Destination
from engine.receive.parse import parse
from engine.receive.webhook import WebhookPaths
from engine.rulebook import Rulebook, rebuild
from engine.rulebook.reload import Reloader, ReloadReport
from engine.service import DRAIN, Service
from engine.settings import Role, Settings, load_settings
from engine.source import print_mistakes
from engine.store import Store
from engine.work.accounts import AccountBook
from engine.work.breakers import BreakerReports
from engine.work.counting import adding, counter, finisher, observed, observer
from engine.work.dead import dead_reports
from engine.work.deliver import Deliverer
from engine.work.destinations import Destinations
from engine.work.digests import Digests
from engine.work.fetch import Fetcher, rereading
from engine.work.gate import Gate
from engine.work.late import QueueWatch
from engine.work.mutes import MuteBook
from engine.work.ops import Ops, OpsLog, Reports
from engine.work.prepare import Prepare
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
    """The store for a command, opened and closed. Raises StoreError."""
    store = await Store.open(settings, parse=parse, serves=False)
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


_OWN_LINKS = (
    "console.secret is not set, and one was made in the data folder here: links to acknowledge incidents do not work "
    "at processes with another data folder; set it to the same everywhere"
)


def links_of(settings: Settings) -> Links | None:
    """What makes links in messages, None where it is not configured at what address people reach them.

    Warns where other processes would not know our links.
    """
    console = settings.console
    if console.url is None or console.secret is None:
        return None
    if console.made and settings.role is not Role.ALL and not settings.store.embedded:
        log.warning("link_secret_made", role=str(settings.role), reason=_OWN_LINKS)
    return Links(console.url, console.secret)


async def start() -> Service:
    """A running service on the configuration of this process. Raises TocsinError."""
    settings = load()
    logs.configure(log_format=settings.logs.format, level=settings.logs.level, secrets=settings.secrets(), apart=True)
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
        seen=observed(metrics, BreakerReports(ops.report)),
        put_off=metrics.put_off,
    )
    events = RecentEvents(store.events.get)
    accounts = AccountBook(store.accounts)
    mutes = MuteBook(store.mutes, ops.report)
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
        stopping=asyncio.Event(),
        tasks=[],
    )
    deliverer = _deliverer(service, pipeline, stripe, events, accounts, ops)
    clock = Clock(
        timers=store.timers,
        event=events.get,
        rulebook=lambda: reloader.current,
        expand=pipeline.expand,
        summary=summary,
        mutes=pipeline.mutes,
        fired=counter(metrics),
    )
    store.committer.on_commit = metrics.commit
    store.committer.on_added = adding(metrics)

    if settings.role.works:
        await store.members.beat()
    running = {
        "accounts": accounts.run(service.stopping),
        "mutes": mutes.run(service.stopping),
        "late": QueueWatch(store.health, ops.report, settings.queue_age).run(service.stopping),
        "watch-rules": reloader.watch(service.stopping),
    }
    if settings.role.works:
        running |= {
            "work": _working(service, destinations, deliverer),
            "destinations": gate.run(service.stopping),
            "members": store.members.run(service.stopping),
            "timers": clock.run(service.stopping),
            "dead": dead_reports(store.dead, ops.report).run(service.stopping),
            "silence": silence_reports(store.silences, ops.report).run(service.stopping),
            "warm": service.warm(),
        }
    service.tasks += [asyncio.create_task(task, name=f"tocsin-{name}") for name, task in running.items()]
    return service


def _deliverer(
    service: Service,
    pipeline: Pipeline,
    stripe: StripeNotifier,
    events: RecentEvents,
    accounts: AccountBook,
    ops: Reports,
) -> Deliverer:
    """What attempts every delivery, those included that read for rules."""
    store, reloader, metrics = service.store, service.reloader, service.metrics
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
    return Deliverer(
        deliveries=store.deliveries,
        event=events.get,
        rulebook=revisions,
        notifiers={**service.notifiers, Verb.FETCH: fetcher},
        finished=finisher(metrics, ops),
        account=accounts.told,
        gate=service.gate,
        digest=Digests(store.deliveries, store.events, accounts.told).scene,
        reread=rereading(stripe.read),
        link=None if service.links is None else service.links.to,
    )


def _working(service: Service, destinations: Destinations, deliverer: Deliverer) -> Coroutine[Any, Any, None]:
    """The worker, which is not running yet."""
    settings, store = service.settings, service.store

    def seats(verb: str, destination: str) -> int | None:
        at_once = destinations.concurrency(verb, destination)
        if at_once is not None:
            return store.members.share(at_once)
        return CONSOLE_SEATS if destinations.is_console(verb, destination) else None

    return work(
        store.jobs,
        dict.fromkeys((str(verb) for verb in Verb if verb is not Verb.FETCH), deliverer),
        seats=seats,
        sweep=store.deliveries.sweep,
        forget=partial(store.forget, keep=settings.retention.events, capped=settings.stripe.longest_cap),
        keep=settings.retention.events,
        stop=service.stopping,
        drain=DRAIN,
    )


def _webhooks(settings: Settings, pipeline: Pipeline, metrics: Metrics, ops: Reports) -> WebhookPaths:
    telling: set[asyncio.Task[None]] = set()

    def malformed(endpoint: str, reason: str) -> None:
        """Stripe signed what is no event, or our clock is wrong: the answer does not wait until somebody is told."""
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


def _ops(settings: Settings, store: Store) -> Reports:
    """Where the service reports its own trouble."""
    if settings.ops_channel is None:
        return OpsLog()
    channel = settings.channels[settings.ops_channel]
    names = [f"{channel.name}/{label}" for label in recipients(channel)] or [channel.name]
    return Ops(names, report, store.deliveries.insert)


def _reloader(settings: Settings, store: Store, metrics: Metrics, ops: Reports) -> Reloader:
    async def tell(found: ReloadReport) -> None:
        by_mode = Counter(str(rule.mode) for rule in found.rulebook.rules)
        metrics.reload(ok=found.ok, at=time.time(), rules=by_mode, broken=len(found.broken))
        if not found.ok:
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
