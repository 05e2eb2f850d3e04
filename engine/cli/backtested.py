"""How it looks what rules would have done."""

from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING

from engine.cli.backtest import Tested, Written
from engine.cli.chart import bars
from engine.cli.help import plural
from engine.cli.report import note, print_line, say, styled
from engine.cli.table import Column, Row, print_table
from engine.model.rule import Rule, RuleMode

if TYPE_CHECKING:
    from engine.backtest import RuleTally

TOP = 3
"""Accounts that are named where they are not listed."""
LISTED = 20
TEXT_LINES = 8


def print_tested(tested: Tested, *, per_account: bool) -> None:
    """The rules that fired, each with its chart; then in a line those that did not, and what it adds up to."""
    past, run = tested.past, tested.run
    span = f"{_day(past.since, tested)} to {_day(past.until, tested)}"
    print_line(
        styled(f"{plural(past.total, 'event')}, {span}; {run.events:,} of types that these rules look at", "bold")
    )
    active = [(rule, tally) for rule, tally in tested.rules if tally.matched or tally.sent]
    for rule, tally in sorted(active, key=lambda each: (-each[1].sent, -each[1].fired, each[0].id)):
        say("")
        _print_rule(rule, tally, tested, per_account=per_account)
    silent = [rule.id for rule, tally in tested.rules if not tally.matched and not tally.sent]
    if silent:
        names = ", ".join(silent[:LISTED]) + (f" and {len(silent) - LISTED} more" if len(silent) > LISTED else "")
        say(f"\nnever matched: {names}", "dim")
    if run.unread:
        types = ", ".join(f"{name} {count:,}" for name, count in run.unread.most_common(3))
        events = plural(run.unread.total(), "event")
        note(f"{events} without what rules want read from Stripe, judged without it: {types}")
    if past.mutes:
        note(f"with the {plural(past.mutes, 'mute')} of that time; --without-mutes is without")
    say("")
    say(_paged(tested), "bold")


def _day(moment: datetime, tested: Tested) -> str:
    return f"{moment.astimezone(tested.zone):%Y-%m-%d}"


def _print_rule(rule: Rule, tally: "RuleTally", tested: Tested, *, per_account: bool) -> None:
    shadow = "  (shadow: it would have)" if rule.mode is RuleMode.SHADOW else ""
    times = f"fired {plural(tally.fired, 'time')}" if tally.fired else "never fired"
    print_line(styled(rule.id, "bold").append_text(styled(f"  {times}{shadow}", "green" if tally.fired else "dim")))
    if tally.fired:
        say(f"  {_chart(tally.days, tested)}")
    kept = {key: count for key, count in tally.kept.items() if count > 0}
    if kept:
        said = ", ".join(f"{key} {count:,}" for key, count in sorted(kept.items()))
        say(f"  matched  {tally.matched:,}, of which did not fire: {said}")
    messages = _messages(tally)
    if messages:
        say(f"  messages {messages}")
    if tally.calls:
        say("  also     " + ", ".join(f"{name} {count:,}" for name, count in tally.calls.most_common(LISTED)))
    if tally.accounts and not per_account:
        say(f"  accounts {_accounts(tally.accounts)}")
    if per_account and tally.accounts:
        rows = [Row(cells=(name, f"{count:,}")) for name, count in tally.accounts.most_common(LISTED)]
        print_table([Column(title="ACCOUNT", whole=True), Column(title="FIRED", whole=True)], rows, indent=2)
        if len(tally.accounts) > LISTED:
            say(f"  and {len(tally.accounts) - LISTED:,} more accounts", "dim")
    for sample in tested.samples[rule.id]:
        _print_sample(sample, tested)


def _chart(days: Counter[date], tested: Tested) -> str:
    """`10-28 ··▁█▂·· 11-27   most 48 on 11-03`."""
    from engine.backtest.tally import days_between

    first, last = (moment.astimezone(tested.zone).date() for moment in (tested.past.since, tested.past.until))
    values = [days[day] for day in days_between(first, max(last, max(days)))]
    worst, most = max(days.items(), key=lambda each: (each[1], each[0]))
    return f"{first:%m-%d} {bars(values)} {last:%m-%d}   most {most:,} on {worst:%m-%d}"


def _messages(tally: "RuleTally") -> str:
    """`180 sent, 34 left out (throttle 34), 12 gathered into 2 digests, 3 skipped (..)`."""
    parts = (
        [f"{tally.sent:,} sent" + (f" ({tally.at_night:,} at night)" if tally.at_night else "")] if tally.sent else []
    )
    if tally.quiet:
        said = ", ".join(f"{name} {count:,}" for name, count in tally.quiet.most_common())
        parts.append(f"{tally.quiet.total():,} left out ({said})")
    if tally.gathered:
        into = f" into {plural(tally.digests, 'digest')}" if tally.digests else ""
        parts.append(f"{tally.gathered:,} gathered{into}")
    if tally.skipped:
        reason, count = tally.skipped.most_common(1)[0]
        more = ", .." if len(tally.skipped) > 1 else ""
        parts.append(f"{tally.skipped.total():,} skipped ({reason} {count:,}{more})")
    return ", ".join(parts)


def _accounts(accounts: Counter[str]) -> str:
    top = accounts.most_common(TOP)
    said = " · ".join(f"{name} {count:,}" for name, count in top)
    rest = len(accounts) - len(top)
    return said + (f" · {plural(rest, 'other')} {accounts.total() - sum(n for _, n in top):,}" if rest else "")


def _print_sample(sample: Written, tested: Tested) -> None:
    moment = sample.at.astimezone(tested.zone)
    say(f"  ┌ {moment:%m-%d %H:%M}  {sample.destination}", "dim")
    lines = [line for line in (sample.title, *sample.text.splitlines()) if line.strip()]
    for place, line in enumerate(lines[:TEXT_LINES]):
        print_line(styled("  │ ", "dim").append_text(styled(line, "bold" if not place else "")))
    if len(lines) > TEXT_LINES:
        print_line(styled(f"  │ and {plural(len(lines) - TEXT_LINES, 'more line')}", "dim"))


def _paged(tested: Tested) -> str:
    """`you would have been paged 214 times, 9 at night; on the worst day, 11-03, 48 times`."""
    tallies = [tally for _, tally in tested.rules]
    sent = sum(tally.sent for tally in tallies)
    if not sent:
        return "you would not have been paged at all"
    night = sum(tally.at_night for tally in tallies)
    days: Counter[date] = Counter()
    for tally in tallies:
        days.update(tally.paged)
    worst, most = max(days.items(), key=lambda each: (each[1], each[0]))
    waiting = f"; {plural(tested.run.waiting, 'match', 'matches')} still waiting" if tested.run.waiting else ""
    at_night = f"{night:,} at night (22:00 to 06:00 {tested.zone.key})" if night else "never at night"
    times = "once" if sent == 1 else f"{sent:,} times"
    worst_day = f"; on the worst day, {worst:%Y-%m-%d}, {most:,} times" if most > 1 else ""
    return f"you would have been paged {times}, {at_night}{worst_day}{waiting}"
