"""`tocsin replay`: stored events once more, by the rules as they are now."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.fates import aim
from engine.cli.given import is_file
from engine.cli.help import ending, plural
from engine.cli.options import JsonOut, Usage, chosen
from engine.cli.report import print_json
from engine.cli.rules import rules_now
from engine.cli.stored import event_of, quiet, with_store
from engine.errors import DestinationError, TemplateError, TocsinError
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.event import Json
from engine.model.rule import Rule, Verb

if TYPE_CHECKING:
    from engine.model.verdict import Verdict
    from engine.replay import Replay
    from engine.rulebook import Rulebook
    from engine.settings import Settings
    from engine.store import Store

ENDING = ending(
    "tocsin replay evt_1SxDz2eZvKYlo2C",
    "tocsin replay evt_1SxDz2eZvKYlo2C --rule payout-failed --notify",
    _0="shown, or with --notify: planned, and sent by the running server",
    _1="no such event, or the service has not loaded these rules, or no store can be reached",
    _2="usage: no such rule; more than 20 deliveries need --yes where nobody can be asked",
)

MANY = 20
"""More than so many are asked about first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """An event, what is to come of it again, and why the rules asked for do not hold; `texts` are what messages say, by
    the id of their delivery, `unwanted` why one will not be sent, `wants` what rules want read that was not."""

    replay: "Replay"
    verdicts: "Sequence[Verdict]"
    texts: dict[str, tuple[str, str]]
    unwanted: dict[str, str]
    wants: tuple[str, ...]


def replay(
    events: Annotated[list[str], typer.Argument(metavar="EVENTS", help="Stored events, by id.")],
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="RULE", help="This rule alone; may be given again.")
    ] = None,
    notify: Annotated[bool, typer.Option("--notify", help="Really send the messages again.")] = False,
    callbacks: Annotated[
        bool, typer.Option("--callbacks", help="With --notify: callbacks too, with a new webhook-id.")
    ] = False,
    writes: Annotated[
        bool, typer.Option("--writes", help="With --notify: Stripe writes too, with a new idempotency key.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOut = False,
) -> None:
    """Take stored events through the rules on disk once more, and show what would be sent. Nothing is sent or stored,
    however often it is run, unless --notify is given.

    With --notify the messages go out again, with a line that says so, as a replay with a number of its own. Callbacks
    and Stripe writes act on something and are not repeated unless --callbacks and --writes ask for it; texts that read
    their results see those of the first time. Rules with a memory are replayed where they fired, and remember nothing
    of it; throttles, quiet times, digests and mutes do not hold a replay back.
    """
    from engine import wiring

    if (callbacks or writes) and not notify:
        raise Usage("--callbacks and --writes go with --notify")
    for name in events:
        if is_file(name):
            raise Usage(f"{name} is a file: replay takes stored events; tocsin explain and render take files")
    settings = wiring.load()
    quiet(settings)
    book = rules_now(settings).rulebook
    only = [chosen(name, "rule", [each.id for each in book.rules]) for name in rule or []]
    repeat = [name for name, asked in (("callbacks", callbacks), ("writes", writes)) if asked]

    async def run(store: "Store") -> list[Replayed]:
        found = [await _replayed(store, settings, book, name, only, repeat) for name in dict.fromkeys(events)]
        if notify:
            await _send(store, book, found, yes)
        return found

    found = with_store(run)
    if as_json:
        print_json({"sent": notify, "events": [as_content(each) for each in found]})
    else:
        from engine.cli.replayed import print_replayed

        print_replayed(found, sent=notify)


async def _replayed(
    store: "Store", settings: "Settings", book: "Rulebook", name: str, only: Sequence[str], repeat: Sequence[str]
) -> Replayed:
    from engine import wiring
    from engine.replay import make_replay

    event = await event_of(store, name)
    now = datetime.now(UTC)
    made = make_replay(
        event,
        [match.rule for match in book.match(event)],
        book.revision,
        wiring.expander(settings),
        only=only,
        firings=await store.events.firings(event.dedupe_key),
        deliveries=await store.deliveries.ls(event=event.dedupe_key, limit=10_000),
        repeat=repeat,
        now=now,
    )
    held = {firing.rule for firing in made.plan.firings} | set(made.passed_over)
    verdicts = [verdict for id_ in only if id_ not in held for verdict in book.explain(event, rule=id_)]
    texts, unwanted = _texts(made, book, now)
    return Replayed(replay=made, verdicts=verdicts, texts=texts, unwanted=unwanted, wants=book.wants(event))


async def _send(store: "Store", book: "Rulebook", found: Sequence[Replayed], yes: bool) -> None:
    """Plan it for the running server, which sends it."""
    due = [each for one in found for each in one.replay.plan.deliveries if each.status is DeliveryStatus.PENDING]
    if not due:
        return
    if await store.revisions.get(book.revision) is None:
        raise TocsinError(
            "the service has never loaded the rules that are on disk, and sends by those it has: start it, or let it "
            "reload, and look at tocsin check if it does not"
        )
    if len(due) > MANY and not yes:
        if not sys.stdin.isatty():
            raise Usage(f"{len(due)} deliveries: add --yes to send them, or leave out --notify to look first")
        typer.confirm(f"Send {len(due)} deliveries again?", abort=True, err=True)
    for one in found:
        await store.carry_out(one.replay.plan)


def _texts(made: "Replay", book: "Rulebook", now: datetime) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Title and text of each message that is due, as it would be written now; and of those whose `if` will not hold,
    why."""
    found: dict[str, tuple[str, str]] = {}
    unwanted: dict[str, str] = {}
    for firing in made.plan.firings:
        rule = book.rule(firing.rule)
        own = made.of(firing.rule)
        for each in own:
            if rule is None or each.verb is not Verb.NOTIFY or each.status is not DeliveryStatus.PENDING:
                continue
            why = _unwanted(made, rule, each, now)
            if why is None:
                found[each.id] = _text(made, rule, own, each, now)
            else:
                unwanted[each.id] = why
    return found, unwanted


def _unwanted(made: "Replay", rule: Rule, delivery: Delivery, now: datetime) -> str | None:
    """Why a digest of this event alone is not sent, where its step asks about it."""
    from engine.work.deliver import why_skipped

    step = rule.step(delivery.step)
    return why_skipped(rule, step, made.event, {}, now) if step is not None and step.asks_digest else None


def _text(made: "Replay", rule: Rule, own: Sequence[Delivery], delivery: Delivery, now: datetime) -> tuple[str, str]:
    from engine.testing.sending import Writer
    from engine.work.deliver import rendered, results_of

    step = rule.step(delivery.step)
    context = next((each.context for each in made.plan.firings if each.id == delivery.firing), None)
    assert step is not None
    try:
        results = results_of(rule, own) if step.needs else {}
        notifier = Writer().notifiers[delivery.verb]
        request = rendered(notifier, delivery, rule, step, made.event, results, now, context=context)
    except (TemplateError, DestinationError) as error:
        return f"cannot be written: {error}", ""
    return request["title"], request["text"]


def as_content(one: Replayed) -> dict[str, Json]:
    """An event of `--json`."""
    made = one.replay
    return {
        "event": made.event.id,
        "type": made.event.type,
        "account": made.event.account,
        "replay": made.number,
        "passed_over": dict(made.passed_over),
        "unread": one.wants,
        "no": [
            {"rule": each.rule, "because": each.because and {"path": each.because.path, "actual": each.because.actual}}
            for each in one.verdicts
        ],
        "rules": [
            {
                "rule": firing.rule,
                "mode": firing.mode,
                "deliveries": [_delivery_json(each, one) for each in made.of(firing.rule)],
            }
            for firing in made.plan.firings
        ],
    }


def _delivery_json(delivery: Delivery, one: Replayed) -> dict[str, Json]:
    title, text = one.texts.get(delivery.id, (None, None))
    return {
        "id": delivery.id,
        "to": aim(delivery),
        "step": delivery.step,
        "status": delivery.status,
        "reason": one.unwanted.get(delivery.id, delivery.reason),
        "title": title,
        "text": text,
    }


def counted(found: Sequence[Replayed]) -> str:
    """`2 messages and 1 callback`."""
    due = [
        each
        for one in found
        for each in one.replay.plan.deliveries
        if each.status is DeliveryStatus.PENDING and each.id not in one.unwanted
    ]
    nouns = {Verb.NOTIFY: ("message", None), Verb.CALLBACK: ("callback", None), Verb.STRIPE: ("call", "calls")}
    counts = [(sum(each.verb is verb for each in due), *words) for verb, words in nouns.items()]
    said = [plural(count, noun, many) + (" of Stripe" if many else "") for count, noun, many in counts if count]
    return " and ".join(said)
