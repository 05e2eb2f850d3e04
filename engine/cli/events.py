"""`tocsin events`: what Stripe sent, and what came of it."""

import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.deliveries import print_deliveries, summary, why_unread
from engine.cli.help import ending
from engine.cli.options import Account, JsonOut, Limit, Live, Since, start_of
from engine.cli.report import full_moment, mode_word, moment, note, print_fields, print_json, say
from engine.cli.stored import event_of, with_store
from engine.cli.table import Column, Row, print_table
from engine.model.delivery import Delivery, Firing, FiringStatus
from engine.model.event import Event, Json, ScopeSource
from engine.model.rule import RuleMode, Verb

if TYPE_CHECKING:
    from engine.store import Store

LS_ENDING = ending(
    "tocsin events ls --type 'payout.*' --live --since 24h",
    _0="listed, also when there are none",
    _1="the store cannot be reached, or the configuration has mistakes",
)
SHOW_ENDING = ending(
    "tocsin events show evt_1SxDz2eZvKYlo2C",
    "tocsin events show evt_1SxDz2eZvKYlo2C --body | tocsin explain -",
    _0="shown",
    _1="no such event, or the store cannot be reached",
)

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="What Stripe sent, and what came of it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """An event with the rules that fired for it; `unread`: why others could not be judged, None where all were."""

    event: Event
    firings: list[Firing]
    unread: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event with the rules that fired for it, and what they sent."""

    event: Event
    revision: str | None
    firings: list[Firing]
    deliveries: list[Delivery]


@app.command("ls", epilog=LS_ENDING, short_help="List stored events, the latest first.")
def ls(
    type: Annotated[  # noqa: A002 (Stripe's word)
        str | None, typer.Option("--type", metavar="TYPE", help="Of this type; * stands for anything.")
    ] = None,
    account: Account = None,
    live: Live = None,
    since: Since = None,
    limit: Limit = 30,
    as_json: JsonOut = False,
) -> None:
    """List stored events, the latest received first, with the rules that fired. Times are UTC."""

    async def read(store: "Store") -> list[_Listed]:
        found = await store.events.ls(type=type, account=account, livemode=live, since=start_of(since), limit=limit)
        return [await _listed(store, event) for event in found]

    found = with_store(read)
    if as_json:
        print_json([{**event_summary(each.event), **_by_status(each.firings), "unread": each.unread} for each in found])
    elif not found:
        asked = any((type, account, since)) or live is not None
        note("no events like that" if asked else "no events yet; try: tocsin simulate payout.failed")
    else:
        _print_events(found)
        if len(found) == limit:
            note(f"the latest {limit}; --limit shows more")


@app.command("show", epilog=SHOW_ENDING, short_help="Show one event and what came of it.")
def show(
    event: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    body: Annotated[bool, typer.Option("--body", help="Only the body, byte for byte as it was received.")] = False,
    as_json: JsonOut = False,
) -> None:
    """Show one event: what it is about, the rules that fired, and what was sent."""

    async def read(store: "Store") -> Told:
        found = await event_of(store, event)
        key = found.dedupe_key
        return Told(
            event=found,
            revision=await store.events.revision_of(key),
            firings=await store.events.firings(key),
            deliveries=await store.deliveries.ls(event=key, limit=1000),
        )

    told = with_store(read)
    if body:
        sys.stdout.buffer.write(told.event.body)
        sys.stdout.flush()
    elif as_json:
        print_json(
            {
                **event_summary(told.event),
                "revision": told.revision,
                "firings": [asdict(firing) for firing in told.firings],
                "deliveries": [summary(delivery) for delivery in told.deliveries],
                "data": told.event.data,
            }
        )
    else:
        _print_event(told)


def event_summary(event: Event) -> dict[str, Json]:
    """An event as JSON, without its content."""
    left_out = ("object", "previous", "data", "body")
    return {name: value for name, value in _fields(event).items() if name not in left_out}


def _fields(event: Event) -> dict[str, Json]:
    return {name: getattr(event, name) for name in Event.__slots__}


async def _listed(store: "Store", event: Event) -> _Listed:
    reads = await store.deliveries.ls(event=event.dedupe_key, verb=Verb.FETCH, limit=10)
    return _Listed(event=event, firings=await store.events.firings(event.dedupe_key), unread=why_unread(reads))


def _unread(reason: str | None) -> str | None:
    return None if reason is None else f"rules could not be judged: {reason}"


def _print_events(found: list[_Listed]) -> None:
    now = datetime.now(UTC)
    columns = [
        Column(title="ID", whole=True),
        Column(title="TYPE"),
        Column(title="ACCOUNT", whole=True),
        Column(title="MODE", whole=True),
        Column(title="RECEIVED", whole=True),
    ]
    rows = [
        Row(
            cells=(
                each.event.id,
                each.event.type,
                each.event.account or "",
                mode_word(each.event.livemode),
                moment(each.event.received, now),
            ),
            note="; ".join(filter(None, (_fired(each.firings), _unread(each.unread), each.event.conflict))),
        )
        for each in found
    ]
    print_table(columns, rows)


def _by_status(firings: list[Firing]) -> dict[str, list[str]]:
    return {
        "fired": [firing.rule for firing in firings if firing.status is FiringStatus.FIRED],
        "waiting": [firing.rule for firing in firings if firing.status is FiringStatus.WAITING],
    }


def _fired(firings: list[Firing]) -> str:
    """`fired payout-failed, big-payout (shadow); waiting: not-repaired`; empty when no rule did or does."""
    named = [(f.rule + (" (shadow)" if f.mode is RuleMode.SHADOW else ""), f.status) for f in firings]
    fired = ", ".join(dict.fromkeys(name for name, status in named if status is FiringStatus.FIRED))
    waiting = ", ".join(dict.fromkeys(name for name, status in named if status is FiringStatus.WAITING))
    return "; ".join(filter(None, (f"fired {fired}" if fired else "", f"waiting: {waiting}" if waiting else "")))


def _print_event(told: Told) -> None:
    event = told.event
    how = "set for its endpoint" if event.scope_source is ScopeSource.CONFIGURED else "inferred from the event"
    say(f"{event.id}  {event.type}", "bold")
    print_fields(
        {
            "about": event.account or "your own account",
            "object": " ".join(filter(None, (event.object_type, event.object_id))) or None,
            "mode": mode_word(event.livemode),
            "scope": f"{event.scope}, {how}",
            "warning": event.conflict,
            "created": full_moment(event.created),
            "received": f"{full_moment(event.received)} by endpoint '{event.endpoint}'",
            "payload": f"{event.payload}, API version {event.api_version}" if event.api_version else event.payload,
            "context": event.context,
            "request": event.request_id,
            "judged by": f"rules revision {told.revision[:12]}" if told.revision else None,
            "unread": _unread(why_unread(told.deliveries)),
            "fired": _fired(told.firings).removeprefix("fired ") or "no rule",
        },
        indent=2,
    )
    if told.deliveries:
        say("")
        print_deliveries(told.deliveries, indent=2, of_one_event=True)
    say("")
    print_fields(
        {"why": f"tocsin explain {event.id}", "body": f"tocsin events show {event.id} --body"},
        indent=2,
    )
