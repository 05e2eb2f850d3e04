"""`tocsin retry`: what was given up, or held, is sent after all."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.deliveries import RETRYABLE, Destination, RulePattern, print_deliveries, select, summary
from engine.cli.fates import fate
from engine.cli.help import ending, plural
from engine.cli.options import JsonOut, Since, Usage, start_of
from engine.cli.report import note, print_json, say
from engine.cli.stored import SHORT, delivery_of, with_store
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import Verb

if TYPE_CHECKING:
    from engine.store import Store

ENDING = ending(
    "tocsin retry dlv_3f2c9a10",
    "tocsin retry --failed --since 2h --channel risk --count",
    _0="done, also when there was nothing to do",
    _1="no such delivery, nothing may be retried, or the store cannot be reached",
    _2="usage: say which deliveries; more than 20 need --yes where nobody can be asked",
)

MANY = 20
"""More than so many are asked about first."""

_ALL = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What may be retried, and what may not: each with its reason."""

    ready: list[Delivery]
    stale: list[Delivery]
    others: list[Delivery]


def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="IDS", help="Deliveries, by id.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up (dead).")] = False,
    held: Annotated[bool, typer.Option("--held", help="All Stripe writes held beyond their cap.")] = False,
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

    A held Stripe write passes its cap. Stripe forgets idempotency keys after 24 hours, so an older write is left out:
    look at the object at Stripe first, then use --again.
    """
    statuses = [*([DeliveryStatus.DEAD] if failed else []), *([DeliveryStatus.HELD] if held else [])]
    if bool(ids) == bool(statuses):
        raise Usage("say which: ids, or --failed or --held, with --since, --channel or --rule")
    if ids and any((since, channel, rule)):
        raise Usage("--since, --channel and --rule choose among --failed or --held, not among ids")

    async def run(store: "Store") -> tuple[Chosen, int]:
        if ids:
            found = list({each.id: each for each in [await delivery_of(store, one) for one in ids]}.values())
        else:
            found = await select(
                store, status=statuses, rule=rule, channel=channel, account=None, since=start_of(since), limit=_ALL
            )
        chosen = _sorted(found, again)
        if count or not chosen.ready:
            return chosen, 0
        _ask(chosen.ready, yes)
        return chosen, await store.deliveries.retry([each.id for each in chosen.ready], again=again)

    chosen, done = with_store(run)
    if as_json:
        names = {"ready": chosen.ready, "stale": chosen.stale, "other": chosen.others}
        print_json({"retried": done, **{name: [summary(each) for each in held] for name, held in names.items()}})
    else:
        _tell(chosen, done, count)
    if ids and not chosen.ready and not count:
        raise typer.Exit(1)


def _sorted(found: list[Delivery], again: bool) -> Chosen:
    from engine.store.deliveries import KEY_LIFE

    oldest = datetime.now(UTC) - KEY_LIFE

    def is_stale(delivery: Delivery) -> bool:
        tried = delivery.first_attempt
        return not again and delivery.verb is Verb.STRIPE and tried is not None and tried <= oldest

    over = [each for each in found if each.status in RETRYABLE]
    return Chosen(
        ready=[each for each in over if not is_stale(each)],
        stale=[each for each in over if is_stale(each)],
        others=[each for each in found if each.status not in RETRYABLE],
    )


def _ask(ready: list[Delivery], yes: bool) -> None:
    """Asks before many are sent; where nobody can be asked it needs --yes."""
    if yes or len(ready) <= MANY:
        return
    by_aim: dict[str, int] = {}
    for each in ready:
        by_aim[f"{each.verb} {each.destination}"] = by_aim.get(f"{each.verb} {each.destination}", 0) + 1
    most = sorted(by_aim.items(), key=lambda item: -item[1])[:5]
    told = ", ".join(f"{number} to {name}" for name, number in most) + (", .." if len(by_aim) > len(most) else "")
    if not sys.stdin.isatty():
        raise Usage(f"{len(ready)} deliveries ({told}): add --yes to send them, or --count to look first")
    typer.confirm(f"Send {len(ready)} deliveries again ({told})?", abort=True, err=True)


def _tell(chosen: Chosen, done: int, count: bool) -> None:
    now = datetime.now(UTC)
    if count:
        say(f"{plural(len(chosen.ready), 'delivery')} would be sent again")
        if chosen.ready:
            print_deliveries(chosen.ready[:MANY])
    elif done:
        say(f"{plural(done, 'delivery')} due again now", "green")
        note("the running server sends them at once, else the next one that starts; tocsin deliveries ls shows how")
    elif not chosen.stale and not chosen.others:
        say("nothing to retry")
    for each in chosen.others:
        say(f"{each.id[:SHORT]} is left as it is: {fate(each, now)}")
    if chosen.stale:
        writes = plural(len(chosen.stale), "Stripe write")
        say(f"{writes} left out, first tried over 23 h ago: Stripe may not know the idempotency key any more", "yellow")
        for each in chosen.stale[:MANY]:
            say(f"  {each.id[:SHORT]}  {each.destination} of rule {each.rule}")
        note("see at Stripe whether they were done; if not: the same with --again")
