"""What rules may do: the channels they notify, the systems they call, what they read and change on Stripe."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.model.rule import Rule, RuleMode, Step, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What one rule may do, each sorted: channels, callbacks (names and URLs), and Stripe operations that read and that
    write. `mode`: only live rules do it."""

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
        reads=tuple(name for name in stripe if not is_write(name)),
        writes=tuple(name for name in stripe if is_write(name)),
    )


def _targets(steps: Iterable[Step], verb: Verb) -> tuple[str, ...]:
    """The targets of steps; of those that stand in a table, every cell."""
    ours = [step for step in steps if step.verb is verb]
    named = {target for step in ours for target in step.targets if target not in step.columns}
    columns = (column for step in ours for column in step.columns.values())
    return tuple(sorted(named | {str(cell) for column in columns for cell in column.cells.values()}))
