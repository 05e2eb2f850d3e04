"""A running Tocsin, as its routes and whoever stops it see it."""

import asyncio
import contextlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog

from engine.errors import StoreError
from engine.links import Links
from engine.model.outcome import Notifier
from engine.model.rule import Verb
from engine.observe import CONTENT_TYPE, Health, Metrics
from engine.receive.webhook import WebhookPaths
from engine.rulebook.reload import Reloader, ReloadReport
from engine.settings import Settings
from engine.settings.checks import is_loopback
from engine.store import Store
from engine.work.banner import banner
from engine.work.gate import Gate
from engine.work.readiness import Queue, readiness

log = structlog.get_logger("tocsin")

WORKING = "tocsin-work"
"""The task that delivers."""

DRAIN = timedelta(seconds=20)
"""How long deliveries under way may go on when the service is asked to stop; then they are handed back. As long as an
attempt may take where nothing else is configured, so that none is cut off and made twice."""

END = timedelta(seconds=8)
"""For all that comes after the drain, whatever hangs: jobs written back, connections closed, the database stopped."""

LETTING_GO = timedelta(seconds=3)
"""Of END, what is kept for connections and the database."""


def is_this_machine(client: str | None) -> bool:
    """Whether that is an address of this machine's own, also one of IPv4 as a socket of IPv6 has it."""
    try:
        address = ip_address(client or "")
    except ValueError:  # the path of a socket, say
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


_NOT_OWN = (
    "the Host of the request is no name of this machine: call it by localhost, or set console.url or console.token"
)


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
    stopping: asyncio.Event
    tasks: list[asyncio.Task[None]]

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
            failing=self.store.committer.failing,
            role=self.settings.role,
            worker_running=not any(task.done() for task in self.tasks if task.get_name() != "tocsin-warm"),
            rules=len(self.reloader.current.rules),
            loaded=status.loaded,
            broken=status.broken,
            memory=[str(each) for each in status.memory if each.changed],
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

    def refusal(self, client: str | None, authorization: str | None, host: str | None) -> str | None:
        """Why a request may change nothing; None: it has the console's token, or without one is from this machine.

        Without one it has to name this machine too, or `console.url`, by its Host: a page in a browser here may be of
        a name that has come to lead here.
        """
        token = self.settings.console.token
        if token is not None:
            expected = f"Bearer {token.get_secret_value()}".encode()
            known = hmac.compare_digest(expected, (authorization or "").encode("utf-8", "replace"))
            return None if known else "send the console token as a Bearer token"
        if not is_this_machine(client):
            return "call it from this machine, or set console.token and send it as a Bearer token"
        return None if host is None or self._is_own(host) else _NOT_OWN

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        url = self.settings.console.url
        return is_loopback(name) or (url is not None and name == urlsplit(url).hostname)

    def banner(self) -> str:
        """What to tell whoever started it."""
        return banner(self.settings, self.reloader.current.rules, self.reloader.status.broken)

    async def warm(self) -> None:
        """Import what the first delivery needs, once events can already be received."""
        for notifier in self.notifiers.values():
            await notifier.warm()

    async def stop(self) -> None:
        """Hand back what is not done within DRAIN, then let go of everything, within END whatever hangs."""
        self.stopping.set()
        clock = asyncio.get_running_loop().time
        began = clock()
        end = began + (DRAIN + END).total_seconds()
        working = {task for task in self.tasks if task.get_name() == WORKING}
        spare = (END - LETTING_GO).total_seconds()
        await _ended(working, end - LETTING_GO.total_seconds() - clock())
        await _ended({*self.tasks} - working, max(began + spare - clock(), 0))
        for notifier in self.notifiers.values():
            await _ended({asyncio.create_task(notifier.close())}, spare)
        try:
            await self.store.close(end - clock())
        except StoreError as error:
            log.warning("database_not_stopped", reason=str(error))


async def _ended(tasks: "set[asyncio.Task[None]]", within: float) -> None:
    """Wait for them; what has not ended then is told to, and left alone: it may wait for what does not answer."""
    if not tasks:
        return
    _, left = await asyncio.wait(tasks, timeout=within)
    for task in left:
        log.warning("not_ended", task=task.get_name(), seconds=round(within, 1))
        task.cancel()
