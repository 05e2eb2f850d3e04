"""What rules may do: the channels they notify, the systems they call, what they read and change on Stripe."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from engine.decide.sighting import watches
from engine.model.rule import Rule, RuleMode, Step, Verb
from engine.rulebook.fetches import is_thin


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What one rule may do, each sorted: channels, callbacks (names and URLs), what is read from Stripe (operations,
    and in words what is read before it is judged or a text is written), and operations that write. `mode`: only live
    rules do it."""

    rule: str
    mode: RuleMode
    notifies: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def effects_of(rule: Rule, is_write: Callable[[str], bool]) -> Effects:
    """What a rule may do. `is_write` says of an operation's name whether it may change something."""
    steps = rule.every_step
    stripe = _targets(steps, Verb.STRIPE)
    return Effects(
        rule=rule.id,
        mode=rule.mode,
        notifies=_targets(steps, Verb.NOTIFY),
        calls=_targets(steps, Verb.CALLBACK),
        reads=tuple(sorted({*(name for name in stripe if not is_write(name)), *read_first(rule)})),
        writes=tuple(name for name in stripe if is_write(name)),
    )


def read_first(rule: Rule) -> Iterator[str]:
    """What has to be read for it, by `fetch`, for fields of the account, or since thin events carry no object. That a
    snapshot's thin twin, where one comes, has its object read is not said of every rule."""
    fetches = [when.fetch for when in rule.when] + [step.fetch for step in rule.every_step]
    for fetch in fetches:
        if fetch is None:
            continue
        if fetch.account:
            yield "the account"
        if fetch.object:
            yield "the object" + (f" with {', '.join(fetch.include)}" if fetch.include else "")
        yield from (f"the object of {path}" for path in fetch.ids)
    asking = [when for when in rule.when if when.reads_object or rule.reads_object]
    asking += [when for when, _ in watches(rule) if when.reads_object]
    if any(is_thin(pattern) for when in asking for pattern in when.types) and not any(
        fetch is not None and fetch.object for fetch in fetches
    ):
        yield "the object"


def _targets(steps: Iterable[Step], verb: Verb) -> tuple[str, ...]:
    """The targets of steps; of those that stand in a table, every cell."""
    ours = [step for step in steps if step.verb is verb]
    named = {target for step in ours for target in step.targets if target not in step.columns}
    columns = (column for step in ours for column in step.columns.values())
    return tuple(sorted(named | {str(cell) for column in columns for cell in column.cells.values()}))
