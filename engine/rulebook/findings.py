"""Mistakes as they are found, all of them: reading goes on after each."""

from collections.abc import Collection
from typing import TypeVar

from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position
from engine.model.timing import TOLD_BY
from engine.rulebook.codes import CODES
from engine.rulebook.names import Lookup, Names, UnknownName
from engine.source import Node

T = TypeVar("T")

Place = Node | Position
"""What a mistake is about: a node of the file, or only where something stands."""


class Findings:
    """The mistakes found so far in one file, and the global names that it may use.

    `error` always returns None, typed as what its caller reads: a reader ends with `return found.error(..)`.
    """

    def __init__(self, names: Names | None = None) -> None:
        self.names = Lookup(names)
        self.steps_read: list[tuple[str, Node]] | None = None  # None: not in an `if`, where alone they can be
        self.reads_account = False
        """The same for what is not known of every account."""
        self.reads_object = False
        """Whether a text that was read since this was last set asks for the event's object."""
        self.on_failure = False
        """Whether steps of `on_failure` are being read."""
        self.told: frozenset[str] = frozenset()
        """Those of the names `window`, `incident` and `digest` that the step being read has."""
        self.alone: str | None = None
        """Why the message of the step being read is sent by itself, None where it is gathered if the rule gathers."""
        self.mistakes: list[Mistake] = []
        self.errors = 0

    def error(self, code: str, place: Place, message: str, hint: str | None = None) -> T | None:
        """Note something that keeps the file from being used."""
        self.errors += 1
        self._add(MistakeLevel.ERROR, code, place, message, hint)
        return None

    def reads_step(self, step: str, place: Node) -> bool:
        """Note that a condition reads the result of a step; False with a mistake where it cannot."""
        if self.steps_read is None:
            hint = "write it under 'if' of a step that comes after"
            self.error("path", place, "$steps is not known when a rule is matched", hint)
            return False
        self.steps_read.append((step, place))
        return True

    def knows(self, name: str, place: Node) -> bool:
        """Whether a condition may read `$window`, `$incident` or `$digest`; False with a mistake where it cannot."""
        if self.steps_read is None:
            self.error("path", place, f"${name} is not known when a rule is matched", "write it under 'if' of a step")
        elif name not in self.told:
            self.error("path", place, self.not_told(f"${name}", name))
        else:
            return True
        return False

    def not_told(self, written: str, name: str) -> str:
        """Why a step does not have one of these names."""
        if name == "digest" and self.alone is not None:
            return f"there is no '{written}' here: {self.alone}"
        if name == "digest":
            return f"'{written}' is known only in notify steps of a rule with 'digest'"
        return f"'{written}' is known only in a rule with '{TOLD_BY[name]}'"

    def unknown(self, place: Place, error: UnknownName) -> T | None:
        """Note a global name that there is not, unless the mistake is said at the name's own place."""
        if not error.told:
            return self.error("unknown-name", place, error.message, error.hint)
        self.errors += 1
        return None

    def warn(self, code: str, place: Place, message: str, hint: str | None = None) -> None:
        """Note something that is surely worth a look, but may be meant."""
        self._add(MistakeLevel.WARNING, code, place, message, hint)

    def silence(self, since: int, codes: Collection[str]) -> set[str]:
        """Take back the warnings of these codes from the place `since` in `mistakes` on; which codes there were."""
        taken = [each for each in self.mistakes[since:] if each.level is MistakeLevel.WARNING and each.code in codes]
        if taken:
            self.mistakes[since:] = [each for each in self.mistakes[since:] if each not in taken]
        return {each.code for each in taken}

    def _add(self, level: MistakeLevel, code: str, place: Place, message: str, hint: str | None) -> None:
        assert code in CODES, code
        position = place if isinstance(place, Position) else place.position
        self.mistakes.append(Mistake(level=level, code=code, message=message, position=position, hint=hint))
