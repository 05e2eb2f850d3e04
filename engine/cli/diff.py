"""`tocsin diff`: the alerts that a change to the rules loses and gains, over the same events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.cli.help import FAILED, ending
from engine.cli.looking_back import From, Past, PastDays, WithoutMutes, run_past
from engine.cli.options import Usage
from engine.cli.report import note, print_json
from engine.cli.rules import rules_now
from engine.cli.stored import quiet, with_store
from engine.model.event import Event, Json
from engine.model.mute import Mute

if TYPE_CHECKING:
    from engine.backtest.compare import Alert, Altered, RuleChange
    from engine.rulebook import Rulebook
    from engine.rulebook.carried import Carried
    from engine.settings import Settings
    from engine.store import Store

ENDING = ending(
    "tocsin diff in-force",
    "tocsin diff ../main/rules rules --from events.jsonl --format markdown",
    "tocsin diff 3f2a91c0 --days 7 --exit-code",
    _0="compared; with --exit-code: no alert is lost, gained or another",
    _1="with --exit-code: some are; or the store cannot be reached, or the configuration has mistakes",
    _2="usage: no such revision, file or folder",
)

IN_FORCE = "in-force"
_SHORTEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The rules that are live on a side, what is another of them, and what was sent before and after. `memory`: what
    becomes of that of the rules that were changed, once the service has loaded the change."""

    past: Past
    events: int
    names: tuple[str, str]
    rules: "list[RuleChange]"
    messages: tuple[int, int]
    memory: "tuple[Carried, ...]" = ()

    @property
    def same(self) -> bool:
        """Whether nothing is another."""
        return all(rule.same for rule in self.rules)


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Rules: a folder, a file, a stored revision, or in-force.")],
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="The rules to hold against them. Default: those on disk.")
    ] = None,
    days: PastDays = None,
    source: From = None,
    examples: Annotated[
        int, typer.Option("--examples", min=0, max=100, metavar="N", help="Show so many alerts of each kind and rule.")
    ] = 3,
    form: Annotated[
        Literal["text", "markdown", "json"],
        typer.Option("--format", metavar="FORM", help="text, markdown (for a pull request) or json."),
    ] = "text",
    without_mutes: WithoutMutes = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where something is another.")] = False,
) -> None:
    """Run two states of the rules over the same past events, state and time included, and show rule by rule the alerts
    that the change loses and gains, with examples and the reason, and those that go elsewhere or say something else.

    A revision is named by the beginning of its hash, as `tocsin explain --json` has it; `in-force` is the one that the
    service loaded last. Rules in shadow give no alerts. What was muted then is muted for both. Nothing is sent or
    stored.
    """
    from engine import wiring
    from engine.backtest.compare import Comparison
    from engine.backtest.selection import select
    from engine.rulebook.carried import carried

    settings = wiring.load()
    quiet(settings)
    before = rules_of(old, settings)
    after = rules_of(new, settings) if new is not None else rules_now(settings).rulebook
    sides = select(before), select(after)
    made: list[Comparison] = []

    def begin(since: datetime | None, mutes: Sequence[Mute]) -> None:
        made.append(Comparison(*sides, since=since, unique=source is None, examples=examples, mutes=mutes))

    def feed(event: Event) -> None:
        made[0].feed(event)

    past = run_past(
        source,
        days,
        before=max(side.before for side in sides),
        concerns=lambda name: any(side.concerns(name) for side in sides),
        feed=feed,
        begin=begin,
        without_mutes=without_mutes,
    )
    rules = made[0].finish(past.until)
    compared = Compared(
        past=past,
        events=made[0].events,
        names=(old, new or "the rules on disk"),
        rules=rules,
        messages=made[0].messages,
        memory=carried(before, after),
    )
    if form == "json":
        print_json(as_content(compared))
    else:
        from engine.cli.compared import print_compared, print_markdown

        (print_markdown if form == "markdown" else print_compared)(compared)
    if exit_code and not compared.same:
        raise typer.Exit(FAILED)


def rules_of(name: str, settings: "Settings") -> "Rulebook":
    """The rules in a folder or file, or of a stored revision."""
    from engine.configured import known
    from engine.rulebook import load, read_rule_files

    path = Path(name)
    if path.exists():
        loaded = load(read_rule_files([path], Path.cwd()), known(settings))
        if not loaded.ok:
            note(f"the rules in {name} have mistakes, which `tocsin check` shows; files with errors are left out")
        return loaded.rulebook
    if "/" in name or name.endswith((".yaml", ".yml")):
        raise Usage(f"there is no file or folder '{name}'")
    return with_store(lambda store: _stored(store, name))


async def _stored(store: "Store", name: str) -> "Rulebook":
    from engine import wiring

    if name == IN_FORCE:
        revision = await store.revisions.newest()
        if revision is None:
            raise Usage("no rules were ever loaded by the service here")
        return await wiring.rulebook_of(store)(revision)
    if len(name) < _SHORTEST:
        raise Usage(f"there is no file or folder '{name}', and a revision is named by at least {_SHORTEST} characters")
    found = await store.revisions.beginning(name)
    if len(found) != 1:
        raise Usage(f"{len(found) or 'no'} revisions begin with '{name}', and there is no such file or folder")
    return await wiring.rulebook_of(store)(found[0])


def as_content(compared: Compared) -> dict[str, Json]:
    """What `--format json` prints."""
    return {
        "since": compared.past.since,
        "until": compared.past.until,
        "events": compared.past.total,
        "run": compared.events,
        "same": compared.same,
        "mutes": compared.past.mutes,
        "messages": {"before": compared.messages[0], "after": compared.messages[1]},
        "rules": [
            {
                "rule": rule.rule,
                "added": rule.added,
                "removed": rule.removed,
                "before": rule.before,
                "after": rule.after,
                "lost": rule.lost,
                "gained": rule.gained,
                "altered": rule.altered,
                "alters": dict(rule.alters),
                "examples": {
                    "lost": [_alert_json(each) for each in rule.lost_examples],
                    "gained": [_alert_json(each) for each in rule.gained_examples],
                    "altered": [_altered_json(each) for each in rule.altered_examples],
                },
            }
            for rule in compared.rules
            if not rule.same or rule.added or rule.removed
        ],
        "memory": [each.as_json() for each in compared.memory],
    }


def _alert_json(alert: "Alert") -> dict[str, Json]:
    return {
        "at": alert.at,
        "event": alert.event_id,
        "type": alert.type,
        "account": alert.account,
        "steps": alert.fates,
        "because": alert.why,
    }


def _altered_json(altered: "Altered") -> dict[str, Json]:
    return {**_alert_json(altered.alert), "before": altered.before, "after": altered.after}
