"""`tocsin backtest`: what rules would have done over past events, state and time included."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from engine.cli.help import ending
from engine.cli.looking_back import From, Past, PastDays, WithoutMutes, run_past, zone_of
from engine.cli.options import JsonOut, chosen
from engine.cli.report import print_json
from engine.cli.rules import rules_now
from engine.cli.stored import quiet
from engine.model.event import Event, Json
from engine.model.mute import Mute
from engine.model.rule import Rule

if TYPE_CHECKING:
    from engine.backtest import Backtest, RuleTally, Sample

ENDING = ending(
    "tocsin backtest card-testing --days 30",
    "tocsin backtest --per account --timezone Europe/Berlin",
    "tocsin backtest payout-failed --from events.jsonl --samples 2",
    _0="run, whatever the rules did",
    _1="the store cannot be reached, or the configuration has mistakes",
    _2="usage: no such rule, file or time zone",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A message as it would have been."""

    at: datetime
    account: str | None
    destination: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What came of the rules asked for, in the order of their files."""

    past: Past
    zone: ZoneInfo
    run: "Backtest"
    rules: "list[tuple[Rule, RuleTally]]"
    samples: dict[str, list[Written]]


def backtest(
    rules: Annotated[list[str] | None, typer.Argument(metavar="RULES", help="Rules, by id. Default: all.")] = None,
    days: PastDays = None,
    source: From = None,
    per: Annotated[
        Literal["account"] | None, typer.Option("--per", metavar="account", help="List what rules did by account.")
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", min=0, max=100, metavar="N", help="Show so many of each rule's messages.")
    ] = 1,
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Whose days and nights are meant: Europe/Berlin.")
    ] = "UTC",
    without_mutes: WithoutMutes = False,
    as_json: JsonOut = False,
) -> None:
    """Run the rules on disk over past events, on a stepped clock: how often each would have fired, day by day; what its
    keys kept back; how many messages would have gone out, how many at night, and the last of them as they would have
    been. Nothing is sent or stored.

    Rules that are named act as if they were live. What came before the time that is looked at counts as having been.
    What was muted then is muted here too, and counted with what the rule's own keys left out. Nothing is read from
    Stripe: what was not kept with an event is not there.
    """
    from engine import wiring
    from engine.backtest import Backtest, select

    zone = zone_of(timezone)
    settings = wiring.load()
    quiet(settings)
    book = rules_now(settings).rulebook
    named = [chosen(rule, "rule", [each.id for each in book.rules]) for rule in rules or []]
    selection = select(book, named)
    made: list[Backtest] = []

    def begin(since: datetime | None, mutes: Sequence[Mute]) -> None:
        made.append(
            Backtest(
                selection,
                wiring.expander(settings),
                since=since,
                zone=zone,
                samples=samples,
                unique=source is None,
                mutes=mutes,
            )
        )

    def feed(event: Event) -> None:
        made[0].feed(event)

    past = run_past(
        source,
        days,
        before=selection.before,
        concerns=selection.concerns,
        feed=feed,
        begin=begin,
        without_mutes=without_mutes,
    )
    run = made[0]
    run.finish(past.until)
    ruled = [(rule, run.rules[rule.id]) for rule in selection.rulebook.rules if rule.id in selection.asked]
    written = {rule.id: [w for s in tally.samples if (w := _written(s, rule)) is not None] for rule, tally in ruled}
    tested = Tested(past=past, zone=zone, run=run, rules=ruled, samples=written)
    if as_json:
        print_json(as_content(tested))
    else:
        from engine.cli.backtested import print_tested

        print_tested(tested, per_account=per is not None)


def _written(sample: "Sample", rule: Rule) -> Written | None:
    """The message in its words; None where it reads the result of another step, which nobody knows."""
    from engine.testing.sending import Sent, Writer

    delivery, step = sample.delivery, rule.step(sample.delivery.step)
    if delivery.request is not None:
        sent = Sent(request=delivery.request)
    elif sample.event is None:
        sent = Writer().digest(delivery, rule, sample.merged, sample.events, sample.at)
    elif step is None or delivery.needs:
        return None
    else:
        sent = Writer().written(sample.event, rule, [delivery], {}, sample.at, sample.context)[delivery.step]
    title, text = f"it cannot be written: {sent.wrong}" if sent.wrong else "", ""
    if sent.request is not None:
        title, text = sent.request["title"], sent.request["text"]
    if sample.alerts > len(sample.merged):
        text += f"\n({sample.alerts:,} alerts in all; written from the first {len(sample.merged):,})"
    return Written(
        at=sample.at, account=delivery.account, destination=delivery.destination, title=title, text=text.strip()
    )


def as_content(tested: Tested) -> dict[str, Json]:
    """What `--json` prints."""
    past, run = tested.past, tested.run
    tallies = [tally for _, tally in tested.rules]
    return {
        "since": past.since,
        "until": past.until,
        "timezone": tested.zone.key,
        "events": past.total,
        "run": run.events,
        "unread": dict(run.unread),
        "waiting": run.waiting,
        "mutes": past.mutes,
        "messages": sum(tally.sent for tally in tallies),
        "at_night": sum(tally.at_night for tally in tallies),
        "rules": [
            {
                "rule": rule.id,
                "mode": rule.mode,
                "matched": tally.matched,
                "fired": tally.fired,
                "kept_by": {key: count for key, count in tally.kept.items() if count},
                "days": {str(day): count for day, count in sorted(tally.days.items())},
                "accounts": dict(tally.accounts.most_common()),
                "messages": {
                    "sent": tally.sent,
                    "at_night": tally.at_night,
                    "left_out": dict(tally.quiet),
                    "gathered": tally.gathered,
                    "digests": tally.digests,
                    "skipped": dict(tally.skipped),
                },
                "calls": dict(tally.calls),
                "samples": [
                    {
                        "at": each.at,
                        "account": each.account,
                        "destination": each.destination,
                        "title": each.title,
                        "text": each.text,
                    }
                    for each in tested.samples[rule.id]
                ],
            }
            for rule, tally in tested.rules
        ],
    }
