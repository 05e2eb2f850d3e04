"""What `check` finds: a mistake in a file, where it stands, and what to write instead."""

from dataclasses import dataclass
from enum import StrEnum

from engine.model.position import Position


class MistakeLevel(StrEnum):
    """An error stops the file from loading; a warning does not, unless `--strict`."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One finding.

    `code` is stable and kebab-case (each has a heading in docs/mistakes.md), `message` says what is wrong,
    `hint` what to write instead (None: the message says it), `position` is None when no file is to blame.
    """

    level: MistakeLevel
    code: str
    message: str
    position: Position | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.position}  " if self.position else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{self.level}[{self.code}]  {self.message}{hint}"
