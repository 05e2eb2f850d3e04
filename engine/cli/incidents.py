"""`tocsin incidents`: what goes on, and who is at it."""

import getpass
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.deliveries import print_deliveries, summary
from engine.cli.help import ending
from engine.cli.options import Account, JsonOut, Limit, Since, start_of
from engine.cli.report import full_moment, mode_word, moment, note, print_fields, print_json, say, span, style_of
from engine.cli.stored import with_store
from engine.cli.table import Column, Row, print_table
from engine.errors import TocsinError
from engine.model.delivery import Delivery
from engine.model.event import Json
from engine.model.incident import Incident, IncidentStatus

if TYPE_CHECKING:
    from engine.store import Store
    from engine.store.incidents import Acted, Past

LS_ENDING = ending(
    "tocsin incidents ls",
    "tocsin incidents ls --all --since 7d --json",
    _0="listed, also when there are none",
    _1="the store cannot be reached, or the configuration has mistakes",
)
SHOW_ENDING = ending(
    "tocsin incidents show inc_3f2c9a10", _0="shown", _1="no such incident, or the store cannot be reached"
)
ACK_ENDING = ending(
    'tocsin incidents ack inc_3f2c9a10 --comment "calling the bank"',
    _0="acknowledged, also when somebody else was first, who is named",
    _1="no such incident, it is resolved, or the store cannot be reached",
)
RESOLVE_ENDING = ending(
    'tocsin incidents resolve inc_3f2c9a10 --comment "paid by hand"',
    _0="resolved, also when it was so already",
    _1="no such incident, or the store cannot be reached",
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What goes on, and who is at it.")

Name = Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id, or enough of its beginning.")]
Author = Annotated[str | None, typer.Option("--author", metavar="NAME", help="Who does so. [default: you]")]
Comment = Annotated[str | None, typer.Option("--comment", "-c", metavar="WORDS", help="What others should know.")]


@app.command("ls", epilog=LS_ENDING, short_help="List incidents, those that are open first.")
def ls(
    every: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE", help="Of this rule.")] = None,
    account: Account = None,
    since: Since = None,
    limit: Limit = 30,
    as_json: JsonOut = False,
) -> None:
    """List incidents, those that are open first, the newest before others. Times are UTC."""

    async def run(store: "Store") -> list[Incident]:
        return await store.incidents.ls(resolved=every, rule=rule, account=account, since=start_of(since), limit=limit)

    found = with_store(run)
    if as_json:
        print_json([content(each) for each in found])
    elif not found:
        note("no incidents" + (" like that" if any((rule, account, since)) else "" if every else " are open"))
    else:
        _print_incidents(found)
        if len(found) == limit:
            note(f"the first {limit}; --limit shows more")


@app.command("show", epilog=SHOW_ENDING, short_help="Show one incident with its history and what was sent.")
def show(incident: Name, as_json: JsonOut = False) -> None:
    """Show one incident: how it stands, what happened, and what was sent for it. Times are UTC."""

    async def run(store: "Store") -> "tuple[Incident, list[Past], list[Delivery]]":
        found = await incident_of(store, incident)
        past = await store.incidents.history(found.id)
        firings = [each.firing for each in past if each.firing is not None]
        sent = [each for firing in dict.fromkeys(firings) for each in await store.deliveries.siblings(firing)]
        return found, past, sorted(sent, key=lambda delivery: delivery.created)

    found, past, sent = with_store(run)
    if as_json:
        history = [asdict(each) for each in past]
        print_json({**content(found), "history": history, "deliveries": [summary(each) for each in sent]})
        return
    _print_head(found)
    say("")
    columns = [Column(title=title, whole=True) for title in ("WHEN", "WHAT", "BY")]
    rows = [Row(cells=(full_moment(each.at), str(each.stage), each.by or "", each.note or "")) for each in past]
    print_table([*columns, Column(title="HOW")], rows, indent=2)
    if sent:
        say("")
        print_deliveries(sent, indent=2, of_one_event=True)


@app.command("ack", epilog=ACK_ENDING, short_help="Take an incident up.")
def ack(incident: Name, comment: Comment = None, author: Author = None, as_json: JsonOut = False) -> None:
    """Acknowledge an incident: nothing escalates any more, and others see who is at it.

    Of two people who do so at once one is first and stays on record; the other is told.
    """
    acted = _act(incident, lambda store, id_, by: store.incidents.acknowledge(id_, by, comment, _now()), author)
    if as_json:
        print_json({"changed": acted.changed, **content(acted.incident)})
    elif acted.changed:
        say(f"{acted.incident.id} is yours, {acted.incident.acknowledged_by}: nothing escalates any more", "green")
    elif acted.incident.status is IncidentStatus.ACKNOWLEDGED:
        say(f"{acted.incident.acknowledged_by} was first: {_taken(acted.incident)}", "yellow")
    if acted.incident.status is IncidentStatus.RESOLVED:
        raise TocsinError(f"{acted.incident.id} is resolved: {ended(acted.incident)}")


@app.command("resolve", epilog=RESOLVE_ENDING, short_help="End an incident.")
def resolve(incident: Name, comment: Comment = None, author: Author = None, as_json: JsonOut = False) -> None:
    """End an incident. The running server tells whoever has heard of it; the next match opens another one."""
    acted = _act(incident, lambda store, id_, by: store.incidents.resolve(id_, by, comment, _now()), author)
    if as_json:
        print_json({"changed": acted.changed, **content(acted.incident)})
    elif acted.changed:
        say(f"{acted.incident.id} is resolved, after {span(_now() - acted.incident.opened)}", "green")
    else:
        say(f"{acted.incident.id} was resolved before: {ended(acted.incident)}", "yellow")


def content(incident: Incident) -> dict[str, Json]:
    """An incident as JSON."""
    left_out = ("cell", "key", "matched", "same", "told")
    return {name: value for name, value in asdict(incident).items() if name not in left_out}


def ended(incident: Incident) -> str:
    """`payout.paid (evt_1) at 14:02:11`, `ada at ..: paid by hand`."""
    at = moment(incident.resolved)
    if incident.resolved_by is None:
        return f"{incident.reason} at {at}"
    return f"{incident.resolved_by} at {at}" + (f": {incident.reason}" if incident.reason else "")


async def incident_of(store: "Store", incident: str) -> Incident:
    """The incident of that id, or the one whose id alone begins so. Raises TocsinError."""
    found = await store.incidents.beginning(incident) if incident.startswith("inc_") else []
    if len(found) > 1:
        raise TocsinError(f"more than one incident begins with '{incident}'; give more of the id")
    if not found:
        raise TocsinError(f"there is no incident '{incident}'; `tocsin incidents ls --all` shows them")
    return found[0]


def _act(
    incident: str,
    action: "Callable[[Store, str, str], Coroutine[None, None, Acted | None]]",
    author: str | None,
) -> "Acted":
    async def run(store: "Store") -> "Acted":
        found = await incident_of(store, incident)
        acted = await action(store, found.id, (author or you()).strip()[:100])
        if acted is None:
            raise TocsinError(f"there is no incident '{incident}' any more")
        return acted

    return with_store(run)


def you() -> str:
    """The name of whoever runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "somebody"


def _now() -> datetime:
    return datetime.now(UTC)


def _taken(incident: Incident) -> str:
    return f"since {moment(incident.acknowledged)}" + (f", {incident.comment}" if incident.comment else "")


def _print_incidents(found: list[Incident]) -> None:
    now = _now()
    columns = [
        Column(title="INCIDENT", whole=True),
        Column(title="STATUS", whole=True),
        Column(title="RULE"),
        Column(title="ABOUT"),
        Column(title="MATCHES", whole=True),
        Column(title="OPENED", whole=True),
        Column(title="FOR", whole=True),
    ]
    rows = [
        Row(
            cells=(
                each.id,
                str(each.status),
                each.rule,
                each.about if each.livemode else f"{each.about} (test)",
                f"{each.count:,}",
                moment(each.opened, now),
                span((each.resolved or now) - each.opened),
            ),
            note=_note(each),
        )
        for each in found
    ]
    print_table(columns, rows)


def _note(incident: Incident) -> str:
    if incident.status is IncidentStatus.RESOLVED:
        return f"by {ended(incident)}" if incident.resolved_by else ended(incident)
    return f"{incident.acknowledged_by} {_taken(incident)}" if incident.acknowledged_by else ""


def _print_head(incident: Incident) -> None:
    now = _now()
    say(f"{incident.id}  {incident.status}", style_of(incident.status) or "bold")
    print_fields(
        {
            "rule": f"{incident.rule} ({incident.severity})",
            "about": incident.about,
            "account": incident.account or "your own",
            "mode": mode_word(incident.livemode),
            "opened": f"{full_moment(incident.opened)} by {incident.first_type} ({incident.first_id})",
            "matches": f"{incident.count:,}, the last {full_moment(incident.last)}",
            "for": span((incident.resolved or now) - incident.opened),
            "acknowledged": f"{incident.acknowledged_by} {_taken(incident)}" if incident.acknowledged_by else None,
            "resolved": ended(incident) if incident.resolved else None,
        },
        indent=2,
    )
