"""`tocsin render`: what each destination of a rule would get for an event. Nothing is sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.given import event_in, event_of_root, is_file, source_of
from engine.cli.help import FAILED, ending
from engine.cli.masking import masked
from engine.cli.options import JsonOut, Usage, chosen
from engine.cli.report import print_json
from engine.cli.rules import rules_now
from engine.cli.simulate import check_type, sample_root, settings_of, types
from engine.cli.stored import event_of, quiet, with_store
from engine.errors import DestinationError, TemplateError
from engine.model.delivery import Delivery, DeliveryStatus, firing_id
from engine.model.event import Event, Json, Scope
from engine.model.rule import Rule, RuleMode, Step, Verb

if TYPE_CHECKING:
    from engine.model.outcome import Notifier
    from engine.model.verdict import Verdict
    from engine.settings import Settings
    from engine.store import Store

ENDING = ending(
    "tocsin render payout-failed",
    "tocsin render dispute-big --event evt_1SxDz2eZvKYlo2C",
    "tocsin render dispute-big --sample charge.dispute.created --set amount=250000 --json",
    _0="every destination would get it, or is passed over with its reason",
    _1="something would be refused, or there is no such event, or the configuration has mistakes",
    _2="usage: no such rule, type or file",
)

Results = dict[str, Mapping[str, Json]]
"""By step: `ok`, `result` and `reason`, as texts read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One delivery as it would be: `sent` is what its notifier would put on the wire, None where it would not;
    `refused` says why not, and `request` is then what was rendered all the same, if it could be. `after_failure`: only
    once another step has been given up."""

    delivery: Delivery
    sent: Json = None
    refused: str | None = None
    request: Json = None
    after_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderings:
    """A rule's deliveries for an event. `source` names where it is from, `made_up` the steps whose results are, and
    `read` what rules want read from Stripe, which is then made up, too."""

    rule: Rule
    event: Event
    source: str
    verdict: "Verdict"
    made_up: tuple[str, ...]
    read: tuple[str, ...]
    all: tuple[Rendered, ...]


def render(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule, by its id.")],
    event: Annotated[
        str | None, typer.Option("--event", metavar="EVENT", help="An event's id, a file, or - for standard input.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample",
            metavar="TYPE",
            help="A made-up event of this type. Default: of the rule's.",
            autocompletion=types,
        ),
    ] = None,
    set: Annotated[  # noqa: A002 (the word of a rule's tests)
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Set a field of the sample's object.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCT", help="The connected account the sample is about.")
    ] = None,
    live: Annotated[
        bool | None, typer.Option("--live/--test", help="The sample's mode. Default: as the rule.", show_default=False)
    ] = None,
    result: Annotated[
        list[str] | None,
        typer.Option("--result", metavar="STEP=JSON", help="What a step returned: JSON, or a file with it."),
    ] = None,
    as_json: JsonOut = False,
) -> None:
    """Show exactly what each destination of a rule would get: messages as their service is given them, callbacks with
    their headers and body, calls of Stripe with their parameters. Nothing is sent.

    The rule is the one on disk. It is rendered whether or not it holds for the event, and says which. What other steps
    returned is as on record for a stored event; else it is made up, or given with --result. Secrets are masked.
    """
    from engine import wiring
    from engine.samples import as_if_read

    if event is not None and (sample or set or account or live is not None):
        raise Usage("--sample, --set, --account and --live are about a made-up event: not with --event")
    settings = wiring.load()
    quiet(settings)
    loaded = rules_now(settings)
    found = loaded.rulebook.rule(chosen(rule, "rule", [each.id for each in loaded.rulebook.rules]))
    assert found is not None
    given = _results_given(result or [], found)
    if event is not None and not is_file(event):
        one, recorded = with_store(lambda store: _stored(store, found, event))
        source, given = "stored", {**recorded, **given}
    elif event is not None:
        one, source = event_in(event), f"from {source_of(event)}"
    else:
        one, source = _sampled(found, sample, set or [], account, live), "made up"
    wants = loaded.rulebook.wants(one)
    one = as_if_read(one, wants)
    (verdict,) = loaded.rulebook.explain(one, rule=found.id)
    others = [match.rule for match in loaded.rulebook.match(one) if match.rule.id != found.id]
    shown = replace(_rendered(settings, found, others, one, source, verdict, given), read=wants)
    if as_json:
        print_json(_as_json(shown))
    else:
        from engine.cli.rendered import print_rendered

        print_rendered(shown)
    if any(each.refused for each in shown.all):
        raise typer.Exit(FAILED)


async def _stored(store: "Store", rule: Rule, event_id: str) -> tuple[Event, Results]:
    """The event, and what the steps of this rule returned for it, where they did."""
    event = await event_of(store, event_id)
    return event, {
        each.step: {"ok": True, "result": each.result, "reason": None}
        for each in await store.deliveries.siblings(firing_id(rule.id, event.dedupe_key))
        if each.status is DeliveryStatus.DELIVERED
    }


def _sampled(rule: Rule, type_: str | None, changes: list[str], account: str | None, live: bool | None) -> Event:
    """A made-up event of the kind that the rule wants, as far as `when` says it."""
    from engine.rulebook import looking

    name = type_ or _type_of(rule)
    check_type(name)
    when = next(iter(looking(rule, name)), rule.when[0])
    scopes = when.scopes or frozenset()
    scope = Scope.CONNECTED if account or not scopes or Scope.CONNECTED in scopes else min(scopes)
    mode = live if live is not None else when.livemode is not False
    return event_of_root(sample_root(name, settings_of(changes), {}, account, mode, scope, None))


def _type_of(rule: Rule) -> str:
    """The first type that the rule looks at."""
    from engine.model.catalog import catalog
    from engine.rulebook import looking

    patterns = [pattern for when in rule.when for pattern in when.types]
    named = next((pattern for pattern in patterns if pattern in catalog()), None)
    fitting = named or next((name for name in catalog() if looking(rule, name)), None)
    if fitting is None:
        raise Usage(f"there is no sample of {patterns[0]}; give a type with --sample, or an event with --event")
    return fitting


def _results_given(texts: list[str], rule: Rule) -> Results:
    found: Results = {}
    for text in texts:
        step, equals, value = text.partition("=")
        if not equals:
            raise Usage(f"--result is STEP=JSON or STEP=FILE, not '{text}'")
        chosen(step, "step", [each.id for each in rule.steps])
        try:
            content = json.loads(Path(value).read_text() if Path(value).is_file() else value)
        except (ValueError, OSError):
            raise Usage(f"what step '{step}' returned is neither JSON nor a file with it: {value[:60]}") from None
        found[step] = {"ok": True, "result": content, "reason": None}
    return found


def _rendered(
    settings: "Settings",
    rule: Rule,
    others: Sequence[Rule],
    event: Event,
    source: str,
    verdict: "Verdict",
    known: Results,
) -> Renderings:
    """By the pipeline's own plan, each delivery by its own notifier. `others` are the rules that hold for the event,
    too, and may supersede this one."""
    from engine import wiring
    from engine.plan import make_plan

    acting = replace(rule, mode=RuleMode.LIVE)
    plan = make_plan(event, [acting, *others], "", wiring.expander(settings))
    deliveries = [delivery for delivery in plan.deliveries if delivery.rule == rule.id]
    needed = {step for delivery in deliveries for step in delivery.needs}
    if rule.on_failure:
        needed |= {step.id for step in rule.steps}
    made_up = {step.id: _made_up(step, event) for step in rule.steps if step.id in needed - known.keys()}
    notifiers = wiring.notifiers(settings, _never)
    results = {**made_up, **known}
    return Renderings(
        rule=rule,
        event=event,
        source=source,
        verdict=verdict,
        made_up=tuple(made_up),
        read=(),
        all=tuple(_one(notifiers[each.verb], each, acting, event, results) for each in deliveries),
    )


def _one(notifier: "Notifier", delivery: Delivery, rule: Rule, event: Event, results: Results) -> Rendered:
    from engine.work.deliver import why_skipped
    from engine.work.examples import rendered_example

    step = rule.step(delivery.step)
    assert step is not None
    after_failure = step in rule.on_failure
    if delivery.status is DeliveryStatus.SKIPPED:
        return Rendered(delivery=delivery, after_failure=after_failure)
    needed = {name: each for name, each in results.items() if after_failure or name in delivery.needs}
    now = datetime.now(UTC)
    skipped = why_skipped(rule, step, event, needed, now)
    if skipped is not None:
        passed_over = replace(delivery, status=DeliveryStatus.SKIPPED, reason=skipped)
        return Rendered(delivery=passed_over, after_failure=after_failure)
    failed = _example_of_failure(rule) if after_failure else None
    request: Json = None
    try:
        request = rendered_example(notifier, delivery, rule, step, event, needed, now, failed=failed)
        sent = notifier.preview(replace(delivery, request=request))
        return Rendered(delivery=delivery, sent=sent, after_failure=after_failure)
    except (TemplateError, DestinationError) as error:
        return Rendered(delivery=delivery, refused=str(error), request=request, after_failure=after_failure)


def _example_of_failure(rule: Rule) -> dict[str, Json]:
    first = rule.steps[0]
    where = first.targets[0] if first.targets else ""
    return {"step": first.id, "verb": str(first.verb), "destination": where, "reason": "an example", "attempts": 1}


def _made_up(step: Step, event: Event) -> Mapping[str, Json]:
    """What a step might have returned: of Stripe's objects a sample, of a list an empty one, of a callback a 200."""
    from engine.samples import sample_object
    from engine.stripe_api.operations import operation

    result: Json = {"status": 200, "body": None}
    if step.verb is Verb.STRIPE:
        found = operation(step.targets[0])
        kind = found.ids[-1] if found and found.ids and not found.name.endswith(".list") else ""
        sampled = sample_object(kind, like=event.data) if kind else None
        result = sampled or {"object": "list", "data": [], "has_more": False}
    return {"ok": True, "result": result, "reason": None}


async def _never(operation: str, delivery_id: str, *, max: int, every: timedelta, now: datetime) -> None:  # noqa: A002
    """Nothing is sent, so nothing claims a place under a cap."""


def _as_json(shown: Renderings) -> dict[str, Json]:
    because = shown.verdict.because
    return {
        "rule": shown.rule.id,
        "mode": shown.rule.mode,
        "event": {"id": shown.event.id, "type": shown.event.type, "source": shown.source},
        "verdict": shown.verdict.kind,
        "because": because and {"path": because.path, "actual": because.actual, "needs": because.needs},
        "made_up": [*shown.read, *shown.made_up],
        "deliveries": [
            {
                "step": each.delivery.step,
                "verb": each.delivery.verb,
                "destination": each.delivery.destination,
                "after_failure": each.after_failure,
                "skipped": each.delivery.reason,
                "refused": each.refused,
                "request": masked(each.request),
                "sent": without_secrets(each),
            }
            for each in shown.all
        ],
    }


def without_secrets(each: Rendered) -> Json:
    """What would be sent; messages are for people and stay as they are, all else is looked through for secrets."""
    return each.sent if each.delivery.verb is Verb.NOTIFY else masked(each.sent)
