"""What became of one rule for one event, and why: what `explain` prints and its JSON carries."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from engine.model.event import Json


class VerdictKind(StrEnum):
    """fired and would (shadow) held; no did not; the others are decided by state, or are errors on record."""

    FIRED = "fired"
    WOULD = "would"
    NO = "no"
    WAITING = "waiting"
    SUPPRESSED = "suppressed"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """The first thing that did not hold: where it was looked for, what stood there, what was needed.

    `path` is `type`, `scope`, `livemode`, `account`, or a path of `where`; `actual` is for people ("missing" where
    the path is not there), `value` the JSON value itself; `needs` is written as in the rule.
    """

    path: str
    actual: str
    needs: str
    value: Json = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One node of a condition's tree: what was tested, whether it held, and why not.

    `kind` is `test` for a path's test, whose `label` is the path; a block's kind and label are `all`, `any` or `none`.
    The children of a test with `any_item`, `all_items` or `no_item` are its first elements: kind `item`, label the path
    and the place in the list, children what was asked of it.
    `value` is what stood at the path (None where nothing did, a list where several did); `note` says what a reader
    might not see from `actual` and `needs` alone.
    """

    label: str
    held: bool
    kind: Literal["test", "all", "any", "none", "item"] = "test"
    actual: str | None = None
    needs: str | None = None
    value: Json = None
    note: str | None = None
    children: "tuple[Branch, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule's answer for one event; `because` is None when it fired, `held` lists what did hold.

    `remembered`: it is on record, decided by what the rule remembered, and cannot be judged again.
    """

    rule: str
    kind: VerdictKind
    because: Because | None = None
    held: tuple[str, ...] = ()
    tree: Branch | None = None
    remembered: bool = False
