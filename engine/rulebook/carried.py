"""What becomes of the memory of rules that were changed: which starts anew, and which carries over."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace

from engine.decide.judge import FOLLOWED, part_of
from engine.decide.keys import shared_paths
from engine.decide.memory import shape_of
from engine.decide.shapes import shapes
from engine.model.event import Json
from engine.model.position import Position
from engine.model.rule import Rule, RuleMode, Shared, When
from engine.model.timing import NO_TIMING, Other
from engine.rulebook.book import Rulebook

_WORDS = {
    "types": "type",
    "scopes": "scope",
    "accounts": "account",
    "livemode_source": "livemode",
    "sums": "sum",
}
"""Fields of models that rules write otherwise."""

_FOLLOWS = ("position", "reads_object")
"""Fields that no rule writes: they follow from where it stands, and from what else it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What becomes of the memory of one rule: of some of its keys it starts anew, because of what `changed` (paths in
    the rule: `threshold.within`, `when.where`); of the keys in `kept` it carries over."""

    rule: str
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`memory of card-testing starts anew: threshold.within changed; that of throttle carries over`."""
        if not self.changed:
            return f"memory of {self.rule} carries over"
        rest = f"; that of {', '.join(self.kept)} carries over" if self.kept else ""
        if any(path.startswith(FOLLOWED) for path in self.changed):
            rest += "; what waits already comes when it was to come"
        if any(path.startswith("incident.") for path in self.changed):
            rest += "; what is open already stays open until it ends"
        return f"memory of {self.rule} starts anew: {', '.join(self.changed)} changed{rest}"

    def as_json(self) -> dict[str, Json]:
        """For `POST /-/reload`."""
        return {"rule": self.rule, "changed": list(self.changed), "carries_over": list(self.kept)}


def carried(old: Rulebook, new: Rulebook) -> tuple[Carried, ...]:
    """Of each rule that both have with a memory, and that is not the same in both. That of all others carries over."""
    found: list[Carried] = []
    for rule in new.rules:
        before = old.rule(rule.id) if rule.timing is not NO_TIMING else None
        if before is None or before is rule or RuleMode.OFF in (before.mode, rule.mode):
            continue
        was, now = shapes(before), shapes(rule)
        keys = [key for key in now if key in was]
        if keys and _written(before) != _written(rule):
            anew = [key for key in keys if was[key] != now[key] or _elsewhere(key, before, rule)]
            changed = dict.fromkeys(path for key in anew for path in _changed(key, before, rule))
            kept = tuple(key for key in keys if key not in anew)
            found.append(Carried(rule=rule.id, changed=tuple(changed), kept=kept))
    return tuple(found)


def _written(rule: Rule) -> str:
    """What the rule says, wherever it stands. What it reads of tables is no part of it, but in conditions."""
    return shape_of(replace(rule, shared=Shared()))


def _changed(key: str, before: Rule, rule: Rule) -> Iterator[str]:
    """The paths of what changed of what the memory of a key depends on."""
    was, now = getattr(before.timing, key), getattr(rule.timing, key)
    if shape_of(was) != shape_of(now) and key in ("threshold", "preceded_by", "throttle"):
        yield from _fields(key, was, now)
    if key == FOLLOWED:
        yield from _absences(before, rule)
    if key == "incident":
        yield from _keys_of_incidents(before, rule)
    if key == "threshold":
        yield from _whens("when", before.when, rule.when)
    if key in ("incident", "remind", "throttle") and before.mode is not rule.mode:
        yield "mode"


def _elsewhere(key: str, before: Rule, rule: Rule) -> bool:
    """Whether what is remembered of a key stands under another name now, and is not found."""
    return (key == FOLLOWED and _other_absences(before, rule)) or (
        key == "incident" and any(_keys_of_incidents(before, rule))
    )


def _keys_of_incidents(before: Rule, rule: Rule) -> Iterator[str]:
    """What changed of the names of incidents: what they are apart by, and what resolves them has in common with it."""
    was, now = before.timing.incident, rule.timing.incident
    assert was is not None
    assert now is not None
    if was.per != now.per:
        yield "incident.per"
    elif shared_paths(was.per, was.resolve) != shared_paths(now.per, now.resolve):
        yield "incident.resolve"


def _other_absences(before: Rule, rule: Rule) -> bool:
    """Whether what must not follow was exchanged for something of which nothing is known yet. Of what was added nothing
    could be known, and what was left out is not asked for."""
    gone, come = _exchanged(before, rule)
    return bool(gone and come)


def _absences(before: Rule, rule: Rule) -> Iterator[str]:
    gone, come = _exchanged(before, rule)
    if len(gone) != len(come):
        yield FOLLOWED
        return
    for mine, other in zip(gone, come, strict=True):
        yield from _fields(FOLLOWED, replace(mine, within=None), replace(other, within=None))


def _exchanged(before: Rule, rule: Rule) -> tuple[list[Other], list[Other]]:
    """What only the one and only the other of two rules says must not follow."""
    was = {part_of(each): each.other for each in before.timing.not_followed_by}
    now = {part_of(each): each.other for each in rule.timing.not_followed_by}
    gone = [other for part, other in was.items() if part not in now]
    return gone, [other for part, other in now.items() if part not in was]


def _fields(path: str, was: object, now: object) -> Iterator[str]:
    """`threshold.within`; of another event also `preceded_by.where`."""
    assert is_dataclass(was)
    assert is_dataclass(now)
    for each in fields(was):
        mine, other = getattr(was, each.name), getattr(now, each.name)
        if isinstance(mine, Position) or each.name in _FOLLOWS or shape_of(mine) == shape_of(other):
            continue
        if each.name == "when":
            yield from _whens(path, mine, other)
        else:
            yield f"{path}.{_WORDS.get(each.name, each.name)}"


def _whens(path: str, was: tuple[When, ...], now: tuple[When, ...]) -> Iterator[str]:
    """`when.where`; `when` alone where there are more of them, or fewer."""
    if len(was) != len(now):
        yield path
        return
    for mine, other in zip(was, now, strict=True):
        yield from _fields(path, mine, other)


def said_of(memory: tuple[Carried, ...], most: int) -> Mapping[str, Json]:
    """The same for a log line: what starts anew with the reason, and what carries over, the first of each."""
    anew = [str(each).removeprefix("memory of ") for each in memory if each.changed]
    kept = [each.rule for each in memory if not each.changed]
    named = {"memory_anew": anew, "memory_carried_over": kept}
    return {
        name: [*them[:most], *([f"and {len(them) - most} more"] if len(them) > most else [])]
        for name, them in named.items()
        if them
    }
