"""Rules that want something read from Stripe, at work on a real store and a fake Stripe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from engine.decide.retry import Decision
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.event import Event, Json
from engine.model.outcome import Delivered, Outcome, Scene
from engine.model.rule import Step, Verb
from engine.model.verdict import VerdictKind
from engine.pipeline import Pipeline
from engine.render import render_title
from engine.rulebook import Known, Rulebook, load
from engine.settings import StripeSettings
from engine.store import Store
from engine.stripe_api.client import StripeApi
from engine.work.accounts import AccountBook
from engine.work.deliver import Deliverer
from engine.work.digests import Digests
from engine.work.fetch import Fetcher, rereading
from engine.work.summary import summary
from engine.work.timers import Clock
from notifiers import Destination
from notifiers.stripe import StripeNotifier
from tests.fakes.stripe_api import LIVE, TEST, stripe_api
from tests.fakes.stripe_api import StripeApi as FakeApi
from tests.notifiers.stripe_steps import Claims
from tests.work.test_deliver import Scripted


@dataclass
class Texts(Scripted):
    """A notifier to which everything arrives, and that keeps the titles, and the notes that go with them."""

    titles: list[str] = field(default_factory=list)
    notes: list[str | None] = field(default_factory=list)

    def render(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        self.notes.append(delivery.note)
        self.titles.append(render_title(str(step.options.get("title", "")), scene))
        return {"title": self.titles[-1]}

    async def deliver(self, delivery: Delivery) -> Outcome:
        return Delivered()


@dataclass
class Bench:
    """A pipeline, a deliverer and a fetcher on a real store and a fake Stripe; `ahead`: of the clock, the worker's."""

    store: Store
    stripe: FakeApi
    rulebook: Rulebook
    pipeline: Pipeline
    deliverer: Deliverer
    clock: Clock
    sent: Texts
    fired: list[str]
    ahead: timedelta = timedelta()

    async def settle(self, given: Event) -> dict[str, str]:
        """Attempt everything of an event that is due, until nothing is; how each rule's deliveries stand."""
        for _ in range(5):
            for each in await self.store.deliveries.ls(event=given.dedupe_key, limit=100):
                await self.deliverer(each.id)
        return {each.rule: str(each.status) for each in await self.store.deliveries.ls(event=given.dedupe_key, limit=9)}

    async def accept(self, given: Event) -> dict[str, str]:
        await self.pipeline.accept(given)
        return await self.settle(given)

    async def later(self, span: timedelta) -> None:
        """Let so much time pass, and attempt what is due then."""
        self.ahead += span
        await self.clock.once()
        for each in await self.store.deliveries.ls(limit=100, status=[DeliveryStatus.PENDING]):
            await self.deliverer(each.id)

    async def verdicts(self, given: Event) -> dict[str, VerdictKind]:
        stored = await self.store.events.get(given.dedupe_key)
        assert stored is not None
        return {verdict.rule: verdict.kind for verdict in self.rulebook.explain(stored)}


@asynccontextmanager
async def at_the_bench(store: Store, rules: str) -> AsyncIterator[Bench]:
    """These rules at work; the connected account `acct_1` is there to be read."""
    loaded = load({"rules.yaml": rules}, Known(default_livemode=True, callbacks=("case",)))
    assert [str(mistake) for mistake in loaded.mistakes] == []
    rulebook = loaded.rulebook
    async with stripe_api() as fake:
        fake.connect("acct_1")
        api = StripeApi(fake.url)
        keys = {"live": SecretStr(LIVE), "test": SecretStr(TEST)}
        stripe = StripeNotifier(StripeSettings(keys=keys, api_base=fake.url, allow=()), (), Claims(), api=api)
        sent = Texts(Verb.NOTIFY, [])
        ended: list[tuple[str, DeliveryStatus]] = []
        fired: list[str] = []

        def expand(step: Step, severity: Any, livemode: bool) -> list[Destination]:
            return [Destination(name=target) for target in step.targets]

        async def of_revision(revision: str) -> Rulebook:
            return rulebook

        async def finished(delivery: Delivery, outcome: Outcome, decision: Decision, seconds: float) -> None:
            ended.append((delivery.verb, decision.status))

        pipeline = Pipeline(rulebook=lambda: rulebook, expand=expand, committer=store.committer)
        accounts = AccountBook(store.accounts)
        fetcher = Fetcher(
            read=stripe.read,
            accounts=accounts,
            events=store.events,
            carry_out=store.carry_out,
            decide=store.decide,
            rulebook=of_revision,
            expand=expand,
            fired=lambda plan, rule: fired.extend(firing.rule for firing in plan.firings),
        )

        def now() -> datetime:
            return datetime.now(UTC) + bench.ahead

        clock = Clock(
            timers=store.timers,
            event=store.events.get,
            rulebook=lambda: rulebook,
            expand=expand,
            summary=summary,
            now=now,
        )
        deliverer = Deliverer(
            deliveries=store.deliveries,
            event=store.events.get,
            rulebook=of_revision,
            notifiers={Verb.NOTIFY: sent, Verb.CALLBACK: sent, Verb.FETCH: fetcher},
            finished=finished,
            account=accounts.told,
            reread=rereading(stripe.read),
            digest=Digests(store.deliveries, store.events, accounts.told).scene,
            clock=now,
        )
        bench = Bench(store, fake, rulebook, pipeline, deliverer, clock, sent, fired)
        yield bench
        await stripe.close()
