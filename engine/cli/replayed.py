"""How it looks what comes of events once more."""

from collections.abc import Sequence

from engine.cli.fates import aim
from engine.cli.replay import Replayed, counted
from engine.cli.report import full_moment, mode_word, note, print_line, say, styled
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import RuleMode

TEXT_LINES = 6


def print_replayed(found: Sequence[Replayed], *, sent: bool) -> None:
    """Each event, its rules, and what each of them sends; then in a line what it adds up to."""
    for one in found:
        _print_event(one)
        say("")
    total = counted(found)
    if not total:
        say("there is nothing to send again")
    elif sent:
        say(f"{total} due now", "green")
        note("the running server sends them at once, else the next one that starts; tocsin deliveries ls shows how")
    else:
        say(f"dry run: nothing was sent; --notify sends {total}", "bold")


def _print_event(one: Replayed) -> None:
    event = one.replay.event
    parts = (f"{event.id} {event.type}", event.account or "your own account", mode_word(event.livemode))
    head = styled("  ".join((*parts, full_moment(event.created))), "bold")
    print_line(head.append_text(styled(f"   replay {one.replay.number}", "dim")))
    if one.wants:
        say(f" not read from Stripe yet, so that rules which want it are left out: {', '.join(one.wants)}", "yellow")
    for firing in one.replay.plan.firings:
        shadow = "  in shadow: nothing is sent" if firing.mode is RuleMode.SHADOW else ""
        print_line(styled(f" {firing.rule}").append_text(styled(shadow, "dim")))
        for delivery in one.replay.of(firing.rule):
            _print_delivery(delivery, one.texts, one.unwanted.get(delivery.id))
    for rule, why in one.replay.passed_over.items():
        print_line(styled(f" {rule}").append_text(styled(f"  left out: {why}", "dim")))
    for verdict in one.verdicts:
        because = verdict.because
        why = f"{because.path} {because.actual}   needs {because.needs}" if because is not None else ""
        print_line(styled(f" {verdict.rule}  ").append_text(styled("NO", "dim")).append_text(styled(f"  {why}")))
    if not (one.replay.plan.firings or one.replay.passed_over or one.verdicts):
        say(" no rule holds for it now", "dim")


def _print_delivery(delivery: Delivery, texts: dict[str, tuple[str, str]], unwanted: str | None) -> None:
    due = delivery.status is DeliveryStatus.PENDING and unwanted is None
    line = styled(f"   {aim(delivery)}", "" if due else "dim")
    if delivery.status is DeliveryStatus.WAITING:
        line.append_text(styled(f"   once {' and '.join(delivery.needs)} is back" if delivery.needs else "", "dim"))
    reason = unwanted or delivery.reason
    print_line(line.append_text(styled(f"   {reason}" if reason else "", "dim")))
    if delivery.id not in texts:
        return
    title, text = texts[delivery.id]
    lines = [each for each in (title, *text.splitlines()) if each.strip()]
    for each in lines[:TEXT_LINES]:
        print_line(styled("   │ ", "dim").append_text(styled(each)))
    if len(lines) > TEXT_LINES:
        print_line(styled(f"   │ and {len(lines) - TEXT_LINES} more lines", "dim"))
