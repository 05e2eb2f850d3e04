"""`tocsin deliveries`: what was sent, what was not, and why."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.fates import aim, fate
from engine.cli.help import ending, plural
from engine.cli.masking import masked
from engine.cli.options import Account, JsonOut, Limit, Since, start_of
from engine.cli.report import (
    full_moment,
    mode_word,
    moment,
    note,
    print_fields,
    print_json,
    say,
    span,
    style_of,
    to_terminal,
)
from engine.cli.stored import SHORT, delivery_of, with_store
from engine.cli.table import Column, Row, print_table
from engine.model.delivery import Attempt, Delivery, DeliveryStatus
from engine.model.event import Json
from engine.model.rule import Verb

if TYPE_CHECKING:
    from engine.store import Store

LS_ENDING = ending(
    "tocsin deliveries ls --status dead --since 2h",
    _0="listed, also when there are none",
    _1="the store cannot be reached, or the configuration has mistakes",
)
SHOW_ENDING = ending(
    "tocsin deliveries show dlv_3f2c9a10",
    _0="shown",
    _1="no such delivery, or the store cannot be reached",
)

RETRYABLE = frozenset({DeliveryStatus.DEAD, DeliveryStatus.HELD})

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="What was sent, what was not, and why."
)

Statuses = Annotated[list[DeliveryStatus] | None, typer.Option("--status", help="In this status; may be repeated.")]
RulePattern = Annotated[str | None, typer.Option("--rule", metavar="RULE", help="Of this rule; * stands for anything.")]
Destination = Annotated[
    str | None,
    typer.Option("--channel", metavar="NAME", help="To this channel, callback or Stripe operation; * as above."),
]


@app.command("ls", epilog=LS_ENDING, short_help="List deliveries, the newest first.")
def ls(
    status: Statuses = None,
    rule: RulePattern = None,
    channel: Destination = None,
    account: Account = None,
    since: Since = None,
    limit: Limit = 30,
    as_json: JsonOut = False,
) -> None:
    """List deliveries, the newest first: one for each step of a rule that fired and each place it went to.

    In a terminal ids are shortened to what `show` and `retry` need. Times are UTC.
    """

    async def read(store: "Store") -> list[Delivery]:
        return await select(
            store, status=status, rule=rule, channel=channel, account=account, since=start_of(since), limit=limit
        )

    found = with_store(read)
    if as_json:
        print_json([summary(delivery) for delivery in found])
    elif not found:
        note("no deliveries" + (" like that" if any((status, rule, channel, account, since)) else " yet"))
    else:
        print_deliveries(found)
        if len(found) == limit:
            note(f"the newest {limit}; --limit shows more")


@app.command("show", epilog=SHOW_ENDING, short_help="Show one delivery and its attempts.")
def show(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="Its id, or enough of its beginning.")],
    as_json: JsonOut = False,
) -> None:
    """Show one delivery: how it stands, every attempt, and the request as it is sent, with secrets masked."""

    async def read(store: "Store") -> tuple[Delivery, list[Attempt]]:
        found = await delivery_of(store, delivery)
        return found, await store.deliveries.attempts(found.id)

    found, attempts = with_store(read)
    if as_json:
        tries = [{name: value for name, value in asdict(each).items() if name != "delivery"} for each in attempts]
        print_json({**summary(found), "request": masked(found.request), "result": found.result, "tries": tries})
        return
    _print_head(found)
    _print_attempts(attempts)
    _print_content("request, as every attempt sends it", found.request)
    _print_content("result", found.result)


async def select(
    store: "Store",
    *,
    status: list[DeliveryStatus] | None,
    rule: str | None,
    channel: str | None,
    account: str | None,
    since: datetime | None,
    limit: int,
) -> list[Delivery]:
    """Deliveries like that, newest first. A channel's name stands for all its recipients (`mail/ops@example.com`)."""
    names = [channel] if channel is None or "/" in channel or channel.endswith("*") else [channel, f"{channel}/*"]
    found: dict[str, Delivery] = {}
    for name in names:
        for delivery in await store.deliveries.ls(
            status=status or None, rule=rule, destination=name, account=account, since=since, limit=limit
        ):
            found[delivery.id] = delivery
    return sorted(found.values(), key=lambda delivery: delivery.created, reverse=True)[:limit]


def print_deliveries(deliveries: list[Delivery], *, indent: int = 0, of_one_event: bool = False) -> None:
    """A table of deliveries; in a terminal what became of each stands below it. Those of one event share an account."""
    now = datetime.now(UTC)
    columns = [
        Column(title="ID", whole=True),
        Column(title="STATUS", whole=True),
        Column(title="RULE"),
        Column(title="TO"),
        *([] if of_one_event else [Column(title="ACCOUNT", whole=True)]),
        Column(title="CREATED", whole=True),
    ]
    rows = [
        Row(
            cells=(
                each.id[:SHORT] if to_terminal() else each.id,
                str(each.status),
                each.rule,
                aim(each),
                *([] if of_one_event else [each.account or ""]),
                moment(each.created, now),
            ),
            note="" if each.status is DeliveryStatus.DELIVERED and not each.reason else fate(each, now),
        )
        for each in deliveries
    ]
    print_table(columns, rows, indent=indent)


def why_unread(deliveries: Iterable[Delivery]) -> str | None:
    """Why what rules want from Stripe could not be read for an event, of its deliveries; None: it was, or is still
    tried."""
    dead = (each for each in deliveries if each.verb is Verb.FETCH and each.status is DeliveryStatus.DEAD)
    return next((each.reason or "no reason on record" for each in dead), None)


def summary(delivery: Delivery) -> dict[str, Json]:
    """A delivery as JSON, without what was sent and what came back."""
    return {name: value for name, value in asdict(delivery).items() if name not in ("request", "result")}


def _print_head(delivery: Delivery) -> None:
    now = datetime.now(UTC)
    event = f"{delivery.event}, explained by: tocsin explain {delivery.event}" if delivery.event else None
    say(f"{delivery.id}  {fate(delivery, now)}", style_of(delivery.status))
    print_fields(
        {
            "to": aim(delivery),
            "rule": f"{delivery.rule}, step {delivery.step}" if delivery.firing else "none, Tocsin's own report",
            "event": event,
            "account": delivery.account or ("your own" if delivery.firing else None),
            "mode": mode_word(delivery.livemode),
            "created": full_moment(delivery.created),
            "next": full_moment(delivery.next_attempt) if _is_due(delivery) and delivery.next_attempt else None,
            "finished": full_moment(delivery.finished) if delivery.finished else None,
            "note": delivery.note,
            "again": f"tocsin retry {delivery.id[:SHORT]}" if delivery.status in RETRYABLE else None,
        },
        indent=2,
    )


def _is_due(delivery: Delivery) -> bool:
    return delivery.status is DeliveryStatus.PENDING


def _print_attempts(attempts: list[Attempt]) -> None:
    if not attempts:
        say("\nno attempts yet")
        return
    say(f"\n{plural(len(attempts), 'attempt')}", "bold")
    columns = [Column(title=title, whole=True) for title in ("#", "STARTED", "TOOK", "OUTCOME", "HTTP")]
    rows = [
        Row(
            cells=(
                str(attempt.number),
                full_moment(attempt.started),
                span(attempt.duration),
                attempt.outcome,
                str(attempt.status or ""),
                attempt.reason or "",
            ),
            note=attempt.excerpt or "",
        )
        for attempt in attempts
    ]
    print_table([*columns, Column(title="REASON")], rows, indent=2)


def _print_content(title: str, content: Json) -> None:
    """JSON as it reads best: a line a field, long texts as they are."""
    if content is None:
        return
    say(f"\n{title}", "bold")
    shown = masked(content)
    if not isinstance(shown, dict):
        say(f"  {_written(shown)}")
        return
    texts = {f"{name}:": value if isinstance(value, str) else _written(value) for name, value in shown.items()}
    print_fields({name: text for name, text in texts.items() if "\n" not in text}, indent=2)
    for name, text in texts.items():
        if "\n" in text:
            print_fields({name: ""}, indent=2)
            say("\n".join(f"    {line}" for line in text.splitlines()))


def _written(value: Json) -> str:
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= 80 else json.dumps(value, indent=2, ensure_ascii=False)
