"""`tocsin rules`: the rules there are, where they send, how often they fired, and what kept them from it."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.help import ending, plural
from engine.cli.options import Days, JsonOut, Most, chosen
from engine.cli.progress import progress
from engine.cli.report import full_moment, moment, note, print_fields, print_json, say
from engine.cli.stored import with_store
from engine.cli.table import Column, Row, print_table
from engine.cli.whynot import print_why_not, why_not_json
from engine.model.event import Json
from engine.model.rule import Rule, RuleMode

if TYPE_CHECKING:
    from engine.rulebook import Loaded
    from engine.rulebook.whynot import WhyNot
    from engine.settings import Settings
    from engine.store import Store
    from engine.store.firings import Hits

LS_ENDING = ending(
    "tocsin rules ls --days 7",
    _0="listed, also when there are none",
    _1="the store cannot be reached, or the configuration has mistakes",
)
SHOW_ENDING = ending(
    "tocsin rules show payout-failed",
    "tocsin rules show dispute-big --days 7 --most 100000",
    _0="shown",
    _1="the store cannot be reached, or the configuration has mistakes",
    _2="usage: no such rule",
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The rules, how often they fired, and why not.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What is on record about one rule: its hits, and its verdicts over the events of its types.

    `received` is how many of those were received, of which the newest were judged.
    """

    rule: Rule
    text: str
    defaults: str | None
    sends: list[dict[str, Json]]
    days: int
    hits: "Hits"
    why_not: "WhyNot"
    received: int


@app.command("ls", epilog=LS_ENDING, short_help="List the rules with their hits.")
def ls(days: Days = 30, as_json: JsonOut = False) -> None:
    """List the rules as they stand now: where each is written, how often it fired, and when last.

    A rule in shadow does not fire: what is counted is how often it would have. Times are UTC.
    """
    loaded = rules_now()
    rules = loaded.rulebook.rules

    async def read(store: "Store") -> "dict[str, Hits]":
        return await store.events.hits([rule.id for rule in rules], since_days(days))

    hits = with_store(read)
    if as_json:
        print_json([{**summary(rule), **_hits_json(hits[rule.id], days)} for rule in rules])
    elif not rules:
        note("no rules; the tutorial in docs/rules.md begins with one")
    else:
        _print_rules(rules, hits, days)


@app.command("show", epilog=SHOW_ENDING, short_help="Show one rule, its hits, and why it did not fire.")
def show(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Its id.")],
    days: Days = 30,
    most: Most = 10_000,
    as_json: JsonOut = False,
) -> None:
    """Show one rule as it stands now: its text, where it sends, how often it fired, and what kept it from firing.

    For that it is judged again over the stored events of its types, the newest first. What fired is what the rules of
    the time did; what holds is what this rule, as it is written now, would do with the same events.
    """
    from engine import wiring

    settings = wiring.load()
    loaded = rules_now(settings)
    found = loaded.rulebook.rule(chosen(rule, "rule", [each.id for each in loaded.rulebook.rules]))
    assert found is not None

    async def read(store: "Store") -> _Shown:
        return await _look_back(store, settings, loaded, found, days, most)

    shown = with_store(read)
    if as_json:
        print_json(_as_json(shown))
    else:
        _print_rule(shown)


def rules_now(settings: "Settings | None" = None) -> "Loaded":
    """The rules on disk; told beside the result if some of them have mistakes."""
    from engine import configured
    from engine.settings import load_settings

    loaded = configured.rules(settings or load_settings())
    if not loaded.ok:
        note("the rules have mistakes, which `tocsin check` shows; files with errors are left out")
    return loaded


def since_days(days: int) -> datetime:
    """The moment so many days ago."""
    return datetime.now(UTC) - timedelta(days=days)


def summary(rule: Rule) -> dict[str, Json]:
    """A rule in brief, as JSON."""
    return {
        "rule": rule.id,
        "mode": rule.mode,
        "severity": rule.severity,
        "types": types_of(rule),
        "description": rule.description,
        "owner": rule.owner,
        "tags": rule.tags,
        "file": rule.position.file if rule.position else None,
        "line": rule.position.line if rule.position else None,
    }


def types_of(rule: Rule) -> list[str]:
    """The patterns of types that a rule looks at, each once."""
    return list(dict.fromkeys(pattern for when in rule.when for pattern in when.types))


def place_of(rule: Rule) -> str:
    """`rules/payouts.yaml:12`."""
    return f"{rule.position.file}:{rule.position.line}" if rule.position else ""


def _hits_json(hits: "Hits", days: int) -> dict[str, Json]:
    return {"days": days, "fired": hits.fired, "would": hits.would, "latest": hits.latest}


def _print_rules(rules: tuple[Rule, ...], hits: "dict[str, Hits]", days: int) -> None:
    now = datetime.now(UTC)
    columns = [
        Column(title="RULE", whole=True),
        Column(title="MODE", whole=True),
        Column(title="SEVERITY", whole=True),
        Column(title=f"HITS, {days} d", whole=True),
        Column(title="LAST", whole=True),
        Column(title="TYPES"),
        Column(title="WRITTEN IN"),
    ]
    rows = [
        Row(
            cells=(
                rule.id,
                str(rule.mode),
                str(rule.severity),
                _hits(hits[rule.id]),
                moment(hits[rule.id].latest, now) or "never",
                ", ".join(types_of(rule)),
                place_of(rule),
            )
        )
        for rule in rules
    ]
    print_table(columns, rows)


def _hits(hits: "Hits") -> str:
    """`12`, in shadow `(12)`: it would have; both where the mode has changed."""
    parts = [f"{hits.fired:,}"] if hits.fired or not hits.would else []
    return " ".join([*parts, f"({hits.would:,})"] if hits.would else parts)


async def _look_back(
    store: "Store", settings: "Settings", loaded: "Loaded", rule: Rule, days: int, most: int
) -> _Shown:
    from engine.rulebook import defaults_text, looking, rule_text
    from engine.rulebook.whynot import WhyNot

    since = since_days(days)
    types = [name for name in await store.events.type_names() if looking(rule, name)]
    received = {name: known.count for name, known in (await store.events.types(since, types)).items()}
    why_not = WhyNot(rule, loaded.rulebook.taken_by)
    if received:
        with progress("judging", "events") as told:
            async with contextlib.aclosing(store.events.scan(since=since, most=most, types=received)) as batches:
                async for batch in batches:
                    for event in batch:
                        why_not.add(event)
                    told(why_not.events)
    text = loaded.files[rule.position.file] if rule.position else ""
    return _Shown(
        rule=rule,
        text=rule_text(text, rule.position) if rule.position else "",
        defaults=defaults_text(text),
        sends=sends(rule, settings),
        days=days,
        hits=(await store.events.hits([rule.id], since))[rule.id],
        why_not=why_not,
        received=sum(received.values()),
    )


def sends(rule: Rule, settings: "Settings") -> list[dict[str, Json]]:
    """Each step's destinations, as an event of the mode that the rule looks at would be sent."""
    from notifiers import expand

    livemode = next((when.livemode for when in rule.when if when.livemode is not None), True)
    return [
        {
            "step": step.id,
            "verb": step.verb,
            "destination": destination.name,
            "skipped": destination.skipped,
        }
        for step in rule.steps
        for destination in expand(step, severity=rule.severity, livemode=livemode, settings=settings)
    ]


def _print_rule(shown: _Shown) -> None:
    rule = shown.rule
    say(f"{rule.id}  {rule.mode}  {rule.severity}", "bold")
    print_fields(
        {
            "description": rule.description,
            "owner": rule.owner,
            "tags": ", ".join(rule.tags) or None,
            "runbook": rule.runbook,
            "looks at": ", ".join(types_of(rule)),
            "written in": place_of(rule),
            "hits": f"{_hits_said(shown)} in {plural(shown.days, 'day')}",
            "last": full_moment(shown.hits.latest) if shown.hits.latest else "never",
        },
        indent=2,
    )
    say("\nsends" if rule.mode is RuleMode.LIVE else f"\nwould send, were it not {_not_live(rule.mode)}", "bold")
    for each in shown.sends:
        skipped = f"   skipped: {each['skipped']}" if each["skipped"] else ""
        say(f"  {each['verb']} {each['destination']}{skipped}")
    say("\nrule", "bold")
    for text in filter(None, (shown.defaults, shown.text)):
        say("\n".join(f"  {line}".rstrip() for line in text.splitlines()))
    print_why_not(shown.why_not, received=shown.received, days=shown.days)


def _not_live(mode: RuleMode) -> str:
    return "in shadow" if mode is RuleMode.SHADOW else "off"


def _hits_said(shown: _Shown) -> str:
    hits = shown.hits
    would = f"would have fired {plural(hits.would, 'time')} in shadow" if hits.would else ""
    fired = f"fired {plural(hits.fired, 'time')}" if hits.fired or not would else ""
    return ", ".join(filter(None, (fired, would)))


def _as_json(shown: _Shown) -> dict[str, Json]:
    return {
        **summary(shown.rule),
        "runbook": shown.rule.runbook,
        **_hits_json(shown.hits, shown.days),
        "sends": shown.sends,
        "text": shown.text,
        "defaults": shown.defaults,
        "received": shown.received,
        "judged": shown.why_not.events,
        "why_not": why_not_json(shown.why_not),
    }
