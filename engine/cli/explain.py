"""`tocsin explain`: why each rule did, or did not, fire for an event."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.deliveries import summary, why_unread
from engine.cli.explained import Explained, print_explained
from engine.cli.given import event_in, is_file, source_of
from engine.cli.help import ending
from engine.cli.options import JsonOut, Usage, chosen
from engine.cli.report import print_json
from engine.cli.rules import rules_now
from engine.cli.stored import event_of, with_store
from engine.errors import TocsinError
from engine.model.delivery import Delivery, Firing, FiringStatus
from engine.model.event import Event, Json
from engine.model.rule import Severity, Step
from engine.model.verdict import Because, Verdict, VerdictKind

if TYPE_CHECKING:
    from engine.rulebook import Rulebook
    from engine.store import Store

MEMORY = "memory"
"""The path of what a rule's memory decided, where its reason names no key."""

ENDING = ending(
    "tocsin explain evt_1SxDz2eZvKYlo2C --rule payout-failed",
    "tocsin simulate charge.dispute.created --print | tocsin explain -",
    _0="explained, whether or not a rule fired",
    _1="no such event, or the store cannot be reached, or the configuration has mistakes",
    _2="usage: no such file or rule",
)


def explain(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="An event's id, a file, or - for standard input.")],
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="RULE", help="This rule alone, with every condition tested.")
    ] = None,
    all_rules: Annotated[bool, typer.Option("--all", help="Also rules that do not look at this type.")] = False,
    as_json: JsonOut = False,
) -> None:
    """Show each rule's answer for an event: fired, or the first condition that did not hold, what stood there, and
    what it needed.

    A stored event is judged again by the very rules that judged it when it came, and what was sent is shown beside.
    An event from a file is judged by the rules as they stand now. With --rule every condition is shown, also those
    behind the first that failed, with its value and what it needs.
    """
    explained = _from_file(event, rule, all_rules) if is_file(event) else _stored(event, rule, all_rules)
    if as_json:
        print_json(as_content(explained))
    else:
        print_explained(explained, datetime.now(UTC), tree=rule is not None)


def as_content(explained: Explained) -> dict[str, Json]:
    """The JSON of rule-language, section 7; with a stored event's deliveries beside each rule."""
    from engine.rulebook import verdict_json

    content: dict[str, Json] = verdict_json(explained.event, explained.verdicts)
    if explained.source is None:
        for entry in content["rules"]:
            entry["deliveries"] = [summary(each) for each in explained.deliveries.get(entry["rule"], ())]
            firing = explained.firings.get(entry["rule"])
            entry["on_record"] = firing is not None
            entry["remembered"] = None if firing is None else firing.context
    else:
        for entry in content["rules"]:
            entry["would_send"] = [_planned(each) for each in explained.deliveries.get(entry["rule"], ())]
    return {**content, "revision": explained.rulebook.revision}


def _planned(delivery: Delivery) -> dict[str, Json]:
    """A delivery that is not made: where it would go, and why not there."""
    names = ("step", "verb", "destination", "status", "reason", "needs")
    return {name: value for name, value in summary(delivery).items() if name in names}


def _stored(event_id: str, rule: str | None, all_rules: bool) -> Explained:
    from engine import wiring

    async def read(store: "Store") -> Explained:
        event = await event_of(store, event_id)
        revision = await store.events.revision_of(event.dedupe_key)
        if revision is None:
            raise TocsinError(f"it is not on record which rules judged '{event_id}'")
        rulebook = await wiring.rulebook_of(store)(revision)
        if rule is not None and rulebook.rule(rule) is None and rules_now().rulebook.rule(rule) is not None:
            raise Usage(
                f"there was no rule '{rule}' when {event.id} came; to judge it by the rules of now:\n"
                f"  tocsin events show {event.id} --body | tocsin explain - --rule {rule}"
            )
        deliveries = await store.deliveries.ls(event=event.dedupe_key, limit=10_000)
        firings = {
            firing.rule: firing
            for firing in await store.events.firings(event.dedupe_key)
            if not firing.replay and firing.status is not FiringStatus.FOLLOW_UP
        }
        explained = _explained(event, rulebook, rule, all_rules, unread=why_unread(deliveries))
        return replace(
            explained,
            verdicts=tuple(on_record(verdict, firings.get(verdict.rule)) for verdict in explained.verdicts),
            outdated=await store.revisions.newest() != revision,
            firings=firings,
            deliveries=_by_rule(deliveries),
        )

    return with_store(read)


def on_record(verdict: Verdict, firing: Firing | None) -> Verdict:
    """The verdict with what the rule's memory made of it, which is on record and not judged again."""
    if firing is None or firing.status is FiringStatus.FIRED or verdict.because is not None:
        return verdict
    kind = VerdictKind.WAITING if firing.status is FiringStatus.WAITING else VerdictKind.NO
    part, _, what = (firing.reason or "").rpartition(": ")
    because = Because(path=part or MEMORY, actual=what, needs="")
    return replace(verdict, kind=kind, because=because, remembered=True)


def _by_rule(deliveries: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.rule, []).append(delivery)
    return found


def _from_file(file: str, rule: str | None, all_rules: bool) -> Explained:
    from engine.plan import make_plan
    from engine.settings import load_settings
    from notifiers import Destination, expand

    settings = load_settings()
    event, book = event_in(file), rules_now(settings).rulebook
    source = source_of(file)
    unread = f"the event is from {source}; give the id of a stored one"
    found = _explained(event, book, rule, all_rules, unread=unread)

    def towards(step: Step, severity: Severity, livemode: bool) -> tuple[Destination, ...]:
        return expand(step, severity=severity, livemode=livemode, settings=settings)

    plan = make_plan(event, [match.rule for match in book.match(event)], book.revision, towards)
    return replace(found, source=source, deliveries=_by_rule(plan.deliveries))


def _explained(
    event: Event, rulebook: "Rulebook", rule: str | None, all_rules: bool, *, unread: str | None
) -> Explained:
    if rule is not None:
        chosen(rule, "rule", [each.id for each in rulebook.rules])
    verdicts = rulebook.explain(event, rule=rule, all_rules=all_rules, unread=unread)
    if rule is not None:
        verdicts = tuple(replace(verdict, tree=rulebook.tree(rule, event, unread=unread)) for verdict in verdicts)
    return Explained(event=event, rulebook=rulebook, verdicts=verdicts)
