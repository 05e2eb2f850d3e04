"""`tocsin retry`: what was given up, or held, is sent after all."""

import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.deliveries import RETRYABLE, Destination, RulePattern, print_deliveries, select, summary
from engine.cli.fates import fate
from engine.cli.help import ending, plural
from engine.cli.options import JsonOut, Since, Usage, start_of
from engine.cli.progress import progress
from engine.cli.report import note, print_json, say
from engine.cli.stored import SHORT, delivery_of, with_store
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import Verb

if TYPE_CHECKING:
    from engine.store import Store
    from engine.store.again import Choice, Number

ENDING = ending(
    "tocsin retry dlv_3f2c9a10",
    "tocsin retry --failed --since 2h --channel risk --count",
    _0="done, also when there was nothing to do",
    _1="no such delivery, nothing may be retried, or the store cannot be reached",
    _2="usage: say which deliveries; more than 20 need --yes where nobody can be asked",
)

MANY = 20
"""More than so many are asked about first."""

SHOWN = 1_000
"""So many are looked at one by one, to be shown: the newest."""

PAGE = 500
"""So many are made due in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What may be retried, and what may not: each with its reason. Of many, `ready` and `stale` are the newest, and the
    numbers say how many there are."""

    ready: list[Delivery]
    stale: list[Delivery]
    others: list[Delivery]
    number_ready: int
    number_stale: int
    aims: dict[str, int]


def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="IDS", help="Deliveries, by id.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up (dead).")] = False,
    held: Annotated[bool, typer.Option("--held", help="All Stripe writes that are held.")] = False,
    since: Since = None,
    channel: Destination = None,
    rule: RulePattern = None,
    count: Annotated[bool, typer.Option("--count", help="Only say how many there are.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also Stripe writes first tried over 23 h ago, which may run twice.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOut = False,
) -> None:
    """Send dead and held deliveries again: what was rendered stays as it is, attempts begin anew.

    Many to one destination go out a few at first and then faster, the oldest first, within its rate and breaker: where
    it still fails, most of them wait and use up no attempt. A held Stripe write passes its cap. Stripe forgets
    idempotency keys after 24 hours, so an older write is left out: look at the object at Stripe first, then use
    --again.
    """
    statuses = [*([DeliveryStatus.DEAD] if failed else []), *([DeliveryStatus.HELD] if held else [])]
    if bool(ids) == bool(statuses):
        raise Usage("say which: ids, or --failed or --held, with --since, --channel or --rule")
    if ids and any((since, channel, rule)):
        raise Usage("--since, --channel and --rule choose among --failed or --held, not among ids")

    async def run(store: "Store") -> tuple[Chosen, int]:
        if ids:
            named = list({each.id: each for each in [await delivery_of(store, one) for one in ids]}.values())
            chosen = _sorted(named, again)
            if count or not chosen.ready:
                return chosen, 0
            _ask(chosen, yes)
            return chosen, await store.deliveries.retry([each.id for each in chosen.ready], again=again)
        choice = _choice(statuses, rule, channel, start_of(since), again)
        chosen = await _looked_at(store, choice, channel)
        if count or not chosen.number_ready:
            return chosen, 0
        _ask(chosen, yes)
        return chosen, await _retry_all(store, choice)

    chosen, done = with_store(run)
    if as_json:
        names = {"ready": chosen.ready, "stale": chosen.stale, "other": chosen.others}
        numbers = {"count": {"ready": chosen.number_ready, "stale": chosen.number_stale}}
        listed = {name: [summary(each) for each in held] for name, held in names.items()}
        print_json({"retried": done, **numbers, **listed})
    else:
        _tell(chosen, done, count)
    if ids and not chosen.ready and not count:
        raise typer.Exit(1)


def _choice(
    statuses: list[DeliveryStatus], rule: str | None, channel: str | None, since: datetime | None, again: bool
) -> "Choice":
    from engine.store.again import Choice

    places = None
    if channel is not None:
        places = [channel] if "/" in channel or channel.endswith("*") else [channel, f"{channel}/*"]
    return Choice(statuses=statuses, rule=rule, destinations=places, since=since, again=again, now=datetime.now(UTC))


async def _looked_at(store: "Store", choice: "Choice", channel: str | None) -> Chosen:
    numbers: list[Number] = await store.again.count(choice)
    newest = await select(
        store,
        status=list(choice.statuses),
        rule=choice.rule,
        channel=channel,
        account=None,
        since=choice.since,
        limit=SHOWN,
    )
    shown = _sorted(newest, choice.again)
    return Chosen(
        ready=shown.ready,
        stale=shown.stale,
        others=[],
        number_ready=sum(each.ready for each in numbers),
        number_stale=sum(each.stale for each in numbers),
        aims={f"{each.verb} {each.destination}": each.ready for each in numbers if each.ready},
    )


async def _retry_all(store: "Store", choice: "Choice") -> int:
    """Page after page, each delivery after as long as its place among those to one destination says."""
    from engine.decide.breaker import ramp

    done = 0
    places: Counter[str] = Counter()
    last = None
    with progress("making due", "deliveries") as tell:
        while page := await store.again.page(choice, last, PAGE):
            waits = []
            for each in page:
                waits.append(ramp(places[each.lane]))
                places[each.lane] += 1
            done += await store.deliveries.retry([each.id for each in page], again=choice.again, after=waits)
            last = page[-1]
            tell(done)
    return done


def _sorted(found: list[Delivery], again: bool) -> Chosen:
    from engine.store.deliveries import KEY_LIFE

    oldest = datetime.now(UTC) - KEY_LIFE

    def is_stale(delivery: Delivery) -> bool:
        tried = delivery.first_attempt
        return not again and delivery.verb is Verb.STRIPE and tried is not None and tried <= oldest

    over = [each for each in found if each.status in RETRYABLE]
    ready, stale = [each for each in over if not is_stale(each)], [each for each in over if is_stale(each)]
    return Chosen(
        ready=ready,
        stale=stale,
        others=[each for each in found if each.status not in RETRYABLE],
        number_ready=len(ready),
        number_stale=len(stale),
        aims=dict(Counter(f"{each.verb} {each.destination}" for each in ready)),
    )


def _ask(chosen: Chosen, yes: bool) -> None:
    """Asks before many are sent; where nobody can be asked it needs --yes."""
    if yes or chosen.number_ready <= MANY:
        return
    told = _aims(chosen)
    if not sys.stdin.isatty():
        raise Usage(f"{chosen.number_ready} deliveries ({told}): add --yes to send them, or --count to look first")
    typer.confirm(f"Send {chosen.number_ready} deliveries again ({told})?", abort=True, err=True)


def _aims(chosen: Chosen) -> str:
    most = sorted(chosen.aims.items(), key=lambda item: -item[1])[:5]
    return ", ".join(f"{number:,} to {name}" for name, number in most) + (
        ", .." if len(chosen.aims) > len(most) else ""
    )


def _tell(chosen: Chosen, done: int, count: bool) -> None:
    now = datetime.now(UTC)
    if count:
        say(f"{plural(chosen.number_ready, 'delivery')} would be sent again")
        if chosen.number_ready > MANY:
            say(f"{_aims(chosen)}; the newest:")
        if chosen.ready:
            print_deliveries(chosen.ready[:MANY])
    elif done:
        say(f"{plural(done, 'delivery')} due again now", "green")
        note("the running server sends them at once, else the next one that starts; tocsin deliveries ls shows how")
    elif not chosen.number_stale and not chosen.others:
        say("nothing to retry")
    for each in chosen.others:
        say(f"{each.id[:SHORT]} is left as it is: {fate(each, now)}")
    if chosen.number_stale:
        writes = plural(chosen.number_stale, "Stripe write")
        say(f"{writes} left out, first tried over 23 h ago: Stripe may not know the idempotency key any more", "yellow")
        for each in chosen.stale[:MANY]:
            say(f"  {each.id[:SHORT]}  {each.destination} of rule {each.rule}")
        note("see at Stripe whether they were done; if not: the same with --again")
