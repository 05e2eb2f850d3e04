"""`tocsin destinations`: how the places that deliveries go to stand, and what waits for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.deliveries import print_deliveries, select
from engine.cli.help import ending, plural
from engine.cli.options import JsonOut
from engine.cli.report import full_moment, moment, note, print_fields, print_json, say, style_of
from engine.cli.stored import with_store
from engine.cli.table import Column, Row, print_table
from engine.errors import TocsinError
from engine.model.delivery import DeliveryStatus
from engine.model.event import Json
from engine.model.rule import Verb

if TYPE_CHECKING:
    from engine.decide.breaker import Breaker
    from engine.model.delivery import Delivery
    from engine.model.destination import BreakerPolicy
    from engine.settings import Settings
    from engine.store import Store
    from engine.store.destinations import Pending, Standing
    from engine.work.destinations import Destination

LS_ENDING = ending(
    "tocsin destinations ls",
    _0="listed",
    _1="the store cannot be reached, or the configuration has mistakes",
)
SHOW_ENDING = ending(
    "tocsin destinations show 'callback case-system'",
    _0="shown",
    _1="no such destination, or the store cannot be reached",
)
SHOWN = 10
"""Deliveries that `show` lists."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Which places take deliveries, and what waits.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A destination as it stands. `waiting`: deliveries put off for its breaker or a rate; `places` are its own names
    among destinations of deliveries."""

    destination: "Destination"
    breaker: "Breaker"
    pending: int
    waiting: int
    oldest: datetime | None
    places: tuple[tuple[Verb, str], ...]


@app.command("ls", epilog=LS_ENDING, short_help="List destinations: whether they work, and what waits.")
def ls(as_json: JsonOut = False) -> None:
    """List every destination: its breaker, how many of its latest requests failed, its rate, and what is still to be
    delivered. Waiting are those that were put off, without an attempt, for its breaker or its rate.

    What a process has seen go well is counted only while something fails. Times are UTC.
    """
    found, now = _found(), datetime.now(UTC)
    if as_json:
        print_json([_summary(each, now) for each in found])
        return
    if not found:
        note("nothing is configured to deliver to but the console")
    columns = [Column(title="DESTINATION", whole=True), Column(title="STATE", whole=True)]
    columns += [Column(title=title) for title in ("FAILED", "RATE", "PENDING", "WAITING", "OLDEST")]
    print_table(columns, [_row(each, now) for each in found])


@app.command("show", epilog=SHOW_ENDING, short_help="Show one destination and what waits for it.")
def show(
    destination: Annotated[str, typer.Argument(metavar="NAME", help="Its name, as `ls` has it.")],
    as_json: JsonOut = False,
) -> None:
    """Show one destination: how it stands and why, what bounds it, and the latest of what waits for it."""
    now = datetime.now(UTC)
    named = [each for each in _found() if destination in (each.destination.name, each.destination.name.split(" ")[-1])]
    if len(named) != 1:
        raise TocsinError(f"no destination '{destination}'; `tocsin destinations ls` has their names")
    (told,) = named
    if as_json:
        print_json(_summary(told, now))
        return
    say(f"{told.destination.name}  {told.breaker.state}", style_of(told.breaker.state))
    print_fields(_fields(told, now), indent=2)
    waiting = with_store(lambda store: _waiting(store, told))
    if waiting:
        say(f"\n{plural(told.pending, 'delivery')} to come, the latest of them", "bold")
        print_deliveries(waiting)


async def _waiting(store: "Store", told: Told) -> "list[Delivery]":
    found: list[Delivery] = []
    for _, place in told.places:
        found += await select(
            store,
            status=[DeliveryStatus.PENDING],
            rule=None,
            channel=place,
            account=None,
            since=None,
            limit=SHOWN,
        )
    return sorted(found, key=lambda each: each.created, reverse=True)[:SHOWN]


def _found() -> list[Told]:
    from engine import wiring

    async def read(store: "Store") -> "tuple[list[Standing], Sequence[Pending]]":
        return await store.destinations.all(), await store.destinations.pending()

    settings = wiring.load()
    standing, pending = with_store(read)
    return collected(settings, standing, pending)


def collected(settings: "Settings", standing: "Iterable[Standing]", pending: "Sequence[Pending]") -> list[Told]:
    """Every destination that is configured, or that something goes to."""
    from engine.decide.breaker import Breaker
    from engine.work.destinations import Destinations

    known = Destinations(settings)
    places = [(Verb.NOTIFY, name, True) for name, channel in settings.channels.items() if channel.url is not None]
    places += [(Verb.CALLBACK, name, True) for name in settings.callbacks]
    places += [(Verb.STRIPE, "", mode == "live") for mode in ("live", "test") if mode in settings.stripe.keys]
    places += [(each.verb, each.destination, each.livemode) for each in pending]
    named: dict[str, Destination] = {}
    for verb, place, livemode in places:
        found = known.to(verb, place, livemode)
        named[found.name] = found
    breakers: Mapping[str, Breaker] = {each.name: each.breaker for each in standing}
    told = []
    for name in sorted(named):
        own = [each for each in pending if known.to(each.verb, each.destination, each.livemode).name == name]
        told.append(
            Told(
                destination=named[name],
                breaker=breakers.get(name) or Breaker(),
                pending=sum(each.number for each in own),
                waiting=sum(each.put_off for each in own),
                oldest=min((each.oldest for each in own), default=None),
                places=tuple(dict.fromkeys((each.verb, each.destination) for each in own)),
            )
        )
    return told


def _row(told: Told, now: datetime) -> Row:
    failed, requests = _counts(told, now)
    policy = told.destination.breaker
    state = str(told.breaker.state) if policy else "no breaker"
    return Row(
        cells=(
            told.destination.name,
            state,
            f"{failed} of {requests}" if requests else "",
            ", ".join(str(rate) for _, rate in told.destination.rates),
            str(told.pending or ""),
            str(told.waiting or ""),
            moment(told.oldest, now) if told.oldest else "",
        ),
        note=_why(told.breaker, policy, now) or "",
    )


def _why(breaker: "Breaker", policy: "BreakerPolicy | None", now: datetime) -> str | None:
    """Why it is left alone, and until when."""
    from engine.decide.breaker import BreakerState, Wait, admitted

    if policy is None:
        return None
    found = admitted(breaker, policy, now)
    if isinstance(found, Wait):
        return found.reason
    return "the next delivery tries it" if breaker.state is not BreakerState.CLOSED else None


def _counts(told: Told, now: datetime) -> tuple[int, int]:
    from engine.decide.breaker import counted

    if told.destination.breaker is None:
        return 0, 0
    found = counted(told.breaker, told.destination.breaker, now)
    return found.failures, found.requests


def _fields(told: Told, now: datetime) -> dict[str, str | None]:
    failed, requests = _counts(told, now)
    policy, breaker = told.destination.breaker, told.breaker
    since = full_moment(breaker.since) if breaker.since else None
    return {
        "now": _why(breaker, policy, now),
        "since": since,
        "failed": f"{failed} of {requests} requests" if requests else None,
        "latest": breaker.reason,
        "breaker": _policy(policy) if policy else "off",
        "rate": ", ".join(f"{rate} ({name})" for name, rate in told.destination.rates) or None,
        "pending": f"{told.pending}, {told.waiting} of them put off" if told.pending else "nothing",
        "oldest": full_moment(told.oldest) if told.oldest else None,
    }


def _policy(policy: "BreakerPolicy") -> str:
    from engine.source import format_duration

    return (
        f"opens at {policy.share}% of {policy.requests} requests or more in {format_duration(policy.window)}, "
        f"waits {format_duration(policy.wait)} to {format_duration(policy.longest_wait)}"
    )


def _summary(told: Told, now: datetime) -> dict[str, Json]:
    failed, requests = _counts(told, now)
    policy, breaker = told.destination.breaker, told.breaker
    return {
        "destination": told.destination.name,
        "state": str(breaker.state) if policy else None,
        "since": breaker.since,
        "until": breaker.until,
        "failed": failed,
        "requests": requests,
        "reason": breaker.reason,
        "rates": {name: str(rate) for name, rate in told.destination.rates},
        "pending": told.pending,
        "waiting": told.waiting,
        "oldest": told.oldest,
    }
