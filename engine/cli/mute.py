"""`tocsin mute`: messages that people silence for a while."""

import contextlib
import getpass
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.help import ending, plural
from engine.cli.options import JsonOut, Usage, chosen
from engine.cli.report import full_moment, moment, note, print_json, say, span
from engine.cli.stored import with_store
from engine.cli.table import Column, Row, print_table
from engine.errors import TocsinError
from engine.model.mute import LONGEST, MOST, Mute
from engine.model.rule import Severity

if TYPE_CHECKING:
    from engine.store import Store
    from engine.store.mutes import Silenced

ADD_ENDING = ending(
    'tocsin mute add --rule payout-failed --account acct_1 --for 2h --comment "bank outage"',
    "tocsin mute add --all --from '2026-01-05 22:00' --until '2026-01-06 02:00' --comment \"bank maintenance\"",
    _0="muted",
    _1="the store cannot be reached, or the configuration has mistakes",
    _2="usage: what, for how long, and why have to be said",
)
LS_ENDING = ending("tocsin mute ls", _0="listed, also when there are none", _1="the store cannot be reached")
END_ENDING = ending(
    "tocsin mute end mut_3f2c9a10", _0="ended", _1="no such mute has still to end, or the store cannot be reached"
)

A_MINUTE = timedelta(minutes=1)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Silence messages for a while.")


def _span(text: str) -> timedelta:
    from engine.source import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise Usage(str(error)) from None


def _when(text: str) -> datetime:
    """A time, in UTC where it names no other zone, or so long from now."""
    with contextlib.suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text.removesuffix(" UTC"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    try:
        return datetime.now(UTC) + _span(text)
    except (Usage, OverflowError):
        raise Usage(f"expected a time like '2026-01-05 22:00' (UTC) or a duration like 2h, got '{text[:40]}'") from None


def _lasting(
    begin: datetime | None, end: datetime | None, lasting: timedelta | None, now: datetime
) -> tuple[datetime, datetime]:
    """When a mute begins and ends. Raises Usage where it cannot be meant."""
    start = now if begin is None else begin
    if now - A_MINUTE < start < now:  # a time is written to the minute
        start = now
    if start < now:
        raise Usage(f"--from {full_moment(start)} is past: what was sent then cannot be muted")
    if (end is None) == (lasting is None):
        raise Usage("say how long: --for 2h, or --until and a time, and not both")
    try:
        end = end or start + (lasting or timedelta())
    except OverflowError:
        raise Usage("there is no such time") from None
    if end <= start:
        raise Usage(f"it would end at {full_moment(end)}, and begins at {full_moment(start)}")
    if end - start > LONGEST:
        raise Usage(f"a mute lasts up to {LONGEST.days}d; what is to be silent for ever is a rule to be changed")
    return start, end


@app.command("add", epilog=ADD_ENDING, short_help="Mute messages.")
def add(
    comment: Annotated[str, typer.Option("--comment", "-c", metavar="WHY", help="Why, for whoever wonders.")],
    lasting: Annotated[
        timedelta | None, typer.Option("--for", metavar="SPAN", parser=_span, help="How long: 30m 2h 7d.")
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--until", metavar="TIME", parser=_when, help="Instead: until then; a span is from now."),
    ] = None,
    begin: Annotated[
        datetime | None,
        typer.Option("--from", metavar="TIME", parser=_when, help="From then on; a span is from now. [default: now]"),
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE", help="Of this rule; * for anything.")] = None,
    account: Annotated[str | None, typer.Option("--account", metavar="ACCT", help="About this account.")] = None,
    severity: Annotated[str | None, typer.Option("--severity", metavar="S", help="Of at most this severity.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Of rules with this tag.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every message.")] = False,
    author: Annotated[str | None, typer.Option("--author", metavar="NAME", help="Who mutes. [default: you]")] = None,
    as_json: JsonOut = False,
) -> None:
    """Mute messages for a while: all that is said of them has to hold.

    Rules go on firing, callbacks and Stripe calls run, and each message that is kept quiet stays on record. It holds
    in every running process within seconds. Times are UTC, like '2026-01-05 22:00', or have their own zone.
    """
    if everything == any((rule, account, severity, tag)):
        raise Usage("say what to mute: --rule, --account, --severity or --tag, or --all and none of them")
    if not comment.strip():
        raise Usage("say why with --comment: whoever misses an alert will look here")
    bar = None if severity is None else Severity(chosen(severity, "severity", [str(each) for each in Severity]))
    now = datetime.now(UTC)
    start, until = _lasting(begin, end, lasting, now)
    mute = Mute(
        id=f"mut_{secrets.token_hex(6)}",
        rule=rule,
        account=account,
        severity=bar,
        tag=tag,
        start=start,
        end=until,
        author=author or _you(),
        comment=comment.strip()[:500],
    )

    async def run(store: "Store") -> bool:
        return await store.mutes.add(mute, now)

    if not with_store(run):
        raise TocsinError(f"there are {MOST:,} mutes already; `tocsin mute ls` shows them, `tocsin mute end` ends one")
    if as_json:
        print_json(_json(mute, None))
        return
    begins = f"from {full_moment(mute.start)} " if mute.start > now else ""
    say(f"muted {begins}until {full_moment(mute.end)}: {mute.described}", "green")
    note(f"it is {mute.id}; tocsin mute end {mute.id} ends it")


@app.command("ls", epilog=LS_ENDING, short_help="List mutes.")
def ls(
    ended: Annotated[bool, typer.Option("--ended", help="Also those that have ended.")] = False,
    as_json: JsonOut = False,
) -> None:
    """List mutes with what each has kept quiet, also those that have still to begin; those that end first before
    others. Times are UTC."""
    now = datetime.now(UTC)

    async def run(store: "Store") -> "tuple[list[Mute], dict[str, Silenced]]":
        found = await store.mutes.ls(None if ended else now)
        return found, await store.mutes.silenced([mute.id for mute in found])

    found, silenced = with_store(run)
    if as_json:
        print_json([_json(mute, silenced.get(mute.id)) for mute in found])
        return
    if not found:
        say("nothing is muted")
        return
    columns = [
        Column(title="MUTE", whole=True),
        Column(title="WHAT"),
        Column(title="WHEN"),
        Column(title="KEPT QUIET"),
        Column(title="BY"),
        Column(title="WHY"),
    ]
    print_table(columns, [_row(mute, silenced.get(mute.id), now) for mute in found])


@app.command("end", epilog=END_ENDING, short_help="End a mute now.")
def end(mute: Annotated[str, typer.Argument(metavar="MUTE", help="Its id.")], as_json: JsonOut = False) -> None:
    """End a mute now. What it kept quiet stays so; it is listed by tocsin deliveries ls --status suppressed."""

    async def run(store: "Store") -> "tuple[Mute | None, Silenced | None]":
        found = await store.mutes.end(mute, datetime.now(UTC))
        return found, (await store.mutes.silenced([mute])).get(mute)

    found, silenced = with_store(run)
    if found is None:
        raise TocsinError(f"no mute '{mute}' has still to end; `tocsin mute ls` shows them")
    if as_json:
        print_json(_json(found, silenced))
        return
    number = silenced.number if silenced else 0
    say(f"ended: {found.described}; it kept {plural(number, 'message')} quiet", "green")


def _row(mute: Mute, silenced: "Silenced | None", now: datetime) -> Row:
    number = f"{silenced.number:,}" if silenced else "0"
    return Row(cells=(mute.id, mute.described, _standing(mute, now), number, mute.author, mute.comment))


def _standing(mute: Mute, now: datetime) -> str:
    if mute.end <= now:
        return f"ended {moment(mute.end, now)}"
    if mute.start > now:
        return f"begins in {span(mute.start - now)}, for {span(mute.end - mute.start)}"
    return f"ends in {span(mute.end - now)}"


def _json(mute: Mute, silenced: "Silenced | None") -> dict[str, object]:
    return {
        "id": mute.id,
        "rule": mute.rule,
        "account": mute.account,
        "severity": None if mute.severity is None else str(mute.severity),
        "tag": mute.tag,
        "start": mute.start.isoformat(),
        "end": mute.end.isoformat(),
        "author": mute.author,
        "comment": mute.comment,
        "silenced": silenced.number if silenced else 0,
    }


def _you() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        return "somebody"
