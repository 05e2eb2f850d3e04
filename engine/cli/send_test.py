"""`tocsin send-test`: a message to a channel, to see that it arrives and how it looks."""

import contextlib
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from engine.cli.help import FAILED, ending
from engine.cli.options import JsonOut, chosen
from engine.cli.report import print_json, say
from engine.cli.stored import quiet
from engine.model.delivery import Delivery
from engine.model.event import Json
from engine.model.outcome import Delivered, Outcome, Refused, Retry
from engine.model.rule import Severity, Step, Verb

if TYPE_CHECKING:
    from engine.settings import Settings

ENDING = ending(
    "tocsin send-test payments",
    _0="it was taken by every recipient",
    _1="it was not, or the configuration has mistakes",
    _2="usage: no such channel",
)

TITLE = "[TEST] Tocsin can reach this channel"
TEXT = """\
This is a test message, sent by hand with `tocsin send-test {channel}`. Nothing has happened.

Alerts for the channel '{channel}' will arrive here and look like this one."""


def send_test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of the configuration.")],
    as_json: JsonOut = False,
) -> None:
    """Send a test message through a channel right now, and say what became of it.

    It goes the way of every alert, but is not stored and not tried again. The channel's limits on severity and mode
    do not hold it back.
    """
    import asyncio

    from engine import wiring

    settings = wiring.load()
    quiet(settings)
    chosen(channel, "channel", sorted(settings.channels))
    # The console channel prints what it sends, which must not stand in the middle of JSON.
    with contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        outcomes = asyncio.run(_send(settings, channel))
    if as_json:
        print_json([{"destination": name, **_content(outcome)} for name, outcome in outcomes.items()])
    else:
        for name, outcome in outcomes.items():
            _tell(name, outcome)
    if not all(isinstance(outcome, Delivered) for outcome in outcomes.values()):
        raise typer.Exit(FAILED)


async def _send(settings: "Settings", channel: str) -> dict[str, Outcome]:
    """The outcome for every destination of the channel: one for each recipient."""
    from engine import wiring
    from notifiers import expand
    from notifiers.notify import report

    livemode = settings.channels[channel].livemode is not False
    step = Step(id="test", verb=Verb.NOTIFY, targets=(channel,))
    request = report(TITLE, TEXT.format(channel=channel), Severity.INFO)
    notifiers = wiring.notifiers(settings, _never)
    try:
        return {
            destination.name: await notifiers[Verb.NOTIFY].deliver(_delivery(destination.name, livemode, request))
            for destination in expand(step, severity=Severity.CRITICAL, livemode=livemode, settings=settings)
        }
    finally:
        for notifier in notifiers.values():
            await notifier.close()


def _delivery(destination: str, livemode: bool, request: Json) -> Delivery:
    """A delivery that no store knows."""
    return Delivery(
        id=f"dlv_{uuid4().hex}",
        firing=None,
        event=None,
        rule="send-test",
        revision="",
        step="test",
        verb=Verb.NOTIFY,
        destination=destination,
        account=None,
        livemode=livemode,
        request=request,
        created=datetime.now(UTC),
    )


async def _never(operation: str, delivery_id: str, *, max: int, every: timedelta, now: datetime) -> None:  # noqa: A002
    """A test message writes nothing at Stripe, so there is no cap to claim from."""


def _tell(name: str, outcome: Outcome) -> None:
    match outcome:
        case Delivered(status=status):
            say(f"{name}: sent" + (f" ({status})" if status else ""), "green")
        case Retry(reason=reason, excerpt=excerpt, maybe_delivered=maybe):
            say(f"{name}: not sent: {reason}" + ("; it may have arrived all the same" if maybe else ""), "red")
            say(f"  an alert would be tried again{f'; it answered: {excerpt}' if excerpt else ''}")
        case Refused(reason=reason, excerpt=excerpt):
            say(f"{name}: refused for good: {reason}", "red")
            say(f"  an alert would not be tried again{f'; it answered: {excerpt}' if excerpt else ''}")
        case _:
            say(f"{name}: {outcome.reason}", "red")


def _content(outcome: Outcome) -> dict[str, object]:
    return {
        "outcome": type(outcome).__name__.lower(),
        "status": getattr(outcome, "status", None),
        "reason": getattr(outcome, "reason", None),
        "excerpt": getattr(outcome, "excerpt", None),
    }
