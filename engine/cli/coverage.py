"""`tocsin coverage`: what the rules leave out of what Stripe sends."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.cli.help import ending, plural
from engine.cli.options import Days, JsonOut, Most
from engine.cli.progress import progress
from engine.cli.report import moment, note, print_json, say
from engine.cli.rules import place_of, rules_now, since_days, types_of
from engine.cli.stored import with_store
from engine.cli.table import Column, Row, print_table
from engine.model.event import Json
from engine.model.rule import Rule, RuleMode

if TYPE_CHECKING:
    from engine.rulebook import Rulebook
    from engine.rulebook.coverage import Coverage
    from engine.rulebook.whynot import WhyNot
    from engine.store import Store
    from engine.store.events import Received

ENDING = ending(
    "tocsin coverage --days 7 --most 100000",
    _0="shown, whatever was found",
    _1="the store cannot be reached, or the configuration has mistakes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was received in those days, the rules that never fired with why not, and the conditions judged.

    `why_not` is None for a rule none of whose types was received.
    """

    days: int
    received: "dict[str, Received]"
    rules: int
    silent: "list[tuple[Rule, int, WhyNot | None]]"
    coverage: "Coverage"


def coverage(days: Days = 30, most: Most = 10_000, as_json: JsonOut = False) -> None:
    """Show what the rules leave out: types that were received and that no rule looks at, rules that never fired, and
    conditions that were always true or always false.

    The rules are those on disk; rules that are off count as not there. Conditions, and what kept a rule from firing,
    are judged over the newest events; a condition has to be judged on 20 of them before it is listed.
    """
    book = rules_now().rulebook

    async def read(store: "Store") -> _Found:
        return await _look(store, book, days, most)

    found = with_store(read)
    if as_json:
        print_json(_as_json(found))
    elif not found.received:
        note(f"no events in {plural(days, 'day')}; try: tocsin simulate payout.failed")
    else:
        _print(found)


async def _look(store: "Store", book: "Rulebook", days: int, most: int) -> _Found:
    from engine.rulebook import looking
    from engine.rulebook.coverage import Coverage
    from engine.rulebook.whynot import WhyNot

    since = since_days(days)
    acting = [rule for rule in book.rules if rule.mode is not RuleMode.OFF]
    received = await store.events.types(since)
    hits = await store.events.hits([rule.id for rule in acting], since)
    silent: list[tuple[Rule, int, WhyNot | None]] = []
    for rule in acting:
        if not hits[rule.id].fired and not hits[rule.id].would:
            events = sum(known.count for name, known in received.items() if looking(rule, name))
            silent.append((rule, events, WhyNot(rule, book.taken_by) if events else None))
    silent.sort(key=lambda each: -each[1])  # those that had their chance first
    covered = Coverage(acting, book.taken_by)
    asked = [why_not for _, _, why_not in silent if why_not is not None]
    with progress("judging", "events") as told:
        async with contextlib.aclosing(store.events.scan(since=since, most=most)) as batches:
            async for batch in batches:
                for event in batch:
                    covered.add(event)
                    for why_not in asked:
                        why_not.add(event)
                told(covered.events)
    return _Found(days=days, received=received, rules=len(acting), silent=silent, coverage=covered)


def _unseen(found: _Found) -> "list[tuple[str, Received]]":
    """The types that no rule looks at, the commonest first."""
    unseen = [(name, known) for name, known in found.received.items() if not found.coverage.looked_at(name)]
    return sorted(unseen, key=lambda each: (-each[1].count, each[0]))


def _print(found: _Found) -> None:
    events = sum(known.count for known in found.received.values())
    judged = found.coverage.events
    newest = f"; conditions over the newest {judged:,}" if judged < events else ""
    say(f"{plural(events, 'event')} of {plural(len(found.received), 'type')} in {plural(found.days, 'day')}{newest}")
    _print_unseen(found)
    _print_silent(found)
    _print_constants(found)


def _print_unseen(found: _Found) -> None:
    unseen, now = _unseen(found), datetime.now(UTC)
    say(f"\ntypes that no rule looks at: {len(unseen) or 'none'}", "bold")
    if unseen:
        columns = [Column(title=title, whole=True) for title in ("TYPE", "EVENTS", "LATEST")]
        rows = [Row(cells=(name, f"{known.count:,}", moment(known.latest, now))) for name, known in unseen]
        print_table(columns, rows, indent=2)


def _print_silent(found: _Found) -> None:
    count = f"{len(found.silent)} of {found.rules}" if found.silent else "none"
    say(f"\nrules that never fired: {count}", "bold")
    if found.silent:
        columns = [Column(title="RULE", whole=True), Column(title="EVENTS", whole=True), Column(title="WHY NOT")]
        rows = [Row(cells=(rule.id, f"{events:,}", _why(rule, why_not))) for rule, events, why_not in found.silent]
        print_table(columns, rows, indent=2)


def _why(rule: Rule, why_not: "WhyNot | None") -> str:
    """`amount 290, scope 12`: the paths that decided, of all its types together."""
    if why_not is None:
        return f"no {', '.join(types_of(rule))} was received"
    paths = _paths(why_not)
    said = [f"{path} {count:,}" for path, count in paths[:3]] + (["others"] if len(paths) > 3 else [])
    held = sum(tally.held for tally in why_not.types.values())
    if held:
        said.insert(0, f"holds for {held:,} as it is now")
    return ", ".join(said) or "none of its events is among those judged"


def _paths(why_not: "WhyNot") -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for tally in why_not.types.values():
        for obstacle in tally.obstacles.values():
            counts[obstacle.path] = counts.get(obstacle.path, 0) + obstacle.count
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _print_constants(found: _Found) -> None:
    constants = found.coverage.constants()
    say(f"\nconditions that never varied: {len(constants) or 'none'}", "bold")
    if constants:
        columns = [
            Column(title="RULE", whole=True),
            Column(title="ALWAYS", whole=True),
            Column(title="EVENTS", whole=True),
            Column(title="CONDITION"),
            Column(title="WRITTEN IN"),
        ]
        rows = [
            Row(
                cells=(
                    each.rule,
                    "true" if each.held else "false",
                    f"{each.events:,}",
                    each.condition,
                    f"{each.position.file}:{each.position.line}" if each.position else "",
                )
            )
            for each in constants
        ]
        print_table(columns, rows, indent=2)


def _as_json(found: _Found) -> dict[str, Json]:
    return {
        "days": found.days,
        "events": sum(known.count for known in found.received.values()),
        "judged": found.coverage.events,
        "unseen": [{"type": name, "events": known.count, "latest": known.latest} for name, known in _unseen(found)],
        "never_fired": [
            {
                "rule": rule.id,
                "written_in": place_of(rule),
                "types": types_of(rule),
                "events": events,
                "because": [{"path": path, "count": count} for path, count in _paths(why_not)] if why_not else [],
            }
            for rule, events, why_not in found.silent
        ],
        "constant": [
            {
                "rule": each.rule,
                "condition": each.condition,
                "always": each.held,
                "events": each.events,
                "file": each.position.file if each.position else None,
                "line": each.position.line if each.position else None,
            }
            for each in found.coverage.constants()
        ],
    }
