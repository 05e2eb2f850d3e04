"""From the texts of files to a rulebook: each file by itself, then all of them together."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from engine.model.mistake import Mistake, MistakeLevel
from engine.model.rule import Rule
from engine.rulebook.book import Rulebook
from engine.rulebook.known import Known
from engine.rulebook.lints.several import compare
from engine.rulebook.reading import Reader, Reading
from engine.rulebook.rules import RuleFile, in_order
from engine.source import Parse, nearest, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What loading gave. Files with an error are left out of the rulebook; `files` are the texts that are in it,
    CSV files of tables included. `unusable`: files left out for their own mistakes or those of what they name."""

    rulebook: Rulebook
    mistakes: tuple[Mistake, ...]
    files: Mapping[str, str]
    unusable: frozenset[str] = frozenset()

    @property
    def ok(self) -> bool:
        """Whether every file is in the rulebook."""
        return not any(mistake.level is MistakeLevel.ERROR for mistake in self.mistakes)


def load(sources: Mapping[str, str], known: Known, *, parse: Parse = parse) -> Loaded:
    """The rulebook of these files (name -> text), with every mistake in any of them or between them. Never raises.

    `parse` is for who reads the same files again: see `engine.source.ParseOnce`.
    """
    loaded = assemble(Reader(known, parse).read(sources), known.default_livemode)
    return replace(loaded, mistakes=in_order((*loaded.mistakes, *compare(loaded.rulebook.rules))))


def assemble(reading: Reading, default_livemode: bool | None) -> Loaded:
    """Hold files that were read together: of two with a rule of the same id, the second is mistaken."""
    taken: dict[str, Rule] = {}
    used: list[RuleFile] = []
    mistakes: list[Mistake] = list(reading.mistakes)
    for file in reading.files:
        again = _duplicates(file, taken)
        mistakes += [*file.mistakes, *again]
        if file.usable and not again:
            used.append(file)
            taken.update({rule.id: rule for rule in file.rules})
    while (circle := _circle(taken)) is not None:
        mistake, blamed = circle
        mistakes.append(mistake)
        used = [file for file in used if blamed not in file.rules]
        taken[blamed.id] = replace(blamed, supersedes={})
    mistakes += _unknown_superseded(used, {rule.id for file in reading.files for rule in file.rules})
    used.sort(key=lambda file: file.file)
    texts = {file.file: file.text for file in used}
    for file in used:
        tables = reading.definitions.get(file.file)
        texts |= {name: text for name, text in (tables.csv if tables else {}).items() if text is not None}
    rules = tuple(rule for file in used for rule in file.rules)
    rulebook = Rulebook(revision=revision_of(texts, default_livemode), rules=rules)
    return Loaded(
        rulebook=rulebook,
        mistakes=in_order(tuple(mistakes)),
        files=texts,
        unusable=frozenset(file.file for file in reading.files if not file.usable),
    )


def rebuild(files: Mapping[str, str], default_livemode: bool | None) -> Rulebook:
    """The rulebook of a stored revision, whatever the configuration says today: its names are taken on trust."""
    return assemble(Reader(Known(default_livemode=default_livemode)).read(files), default_livemode).rulebook


def revision_of(files: Mapping[str, str], default_livemode: bool | None) -> str:
    """The name of exactly these rules: the same files and default give the same, any other another."""
    digest = hashlib.sha256(f"[{json.dumps(default_livemode)},[".encode())
    for number, (file, text) in enumerate(sorted(files.items())):
        digest.update(f"{',' if number else ''}[{json.dumps(file)},{json.dumps(text)}]".encode())
    digest.update(b"]]")
    return digest.hexdigest()


def _duplicates(file: RuleFile, taken: Mapping[str, Rule]) -> list[Mistake]:
    found: list[Mistake] = []
    own: dict[str, Rule] = {}
    for rule in file.rules:
        first = taken.get(rule.id) or own.setdefault(rule.id, rule)
        if first is not rule and first.position is not None:
            place = f"{first.position.file}:{first.position.line}"
            message = f"rule id '{rule.id}' is already used in {place}"
            found.append(
                Mistake(level=MistakeLevel.ERROR, code="duplicate-id", message=message, position=rule.position)
            )
    return found


def files_with_errors(mistakes: Iterable[Mistake]) -> Collection[str]:
    """The files that an error stands in."""
    return {
        mistake.position.file
        for mistake in mistakes
        if mistake.level is MistakeLevel.ERROR and mistake.position is not None
    }


def _circle(rules: Mapping[str, Rule]) -> tuple[Mistake, Rule] | None:
    """Rules that supersede each other, so that none of them would notify: the mistake, and the rule that closes it."""
    done: set[str] = set()
    for start in rules:
        trail: list[str] = []
        pending = [iter((start,))]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                pending.pop()
                done.update(trail[-1:])
                del trail[-1:]
            elif following in trail:
                circle = [*trail[trail.index(following) :], following]
                closing = rules[trail[-1]]
                message = f"these rules supersede each other, and none would notify: {' -> '.join(circle)}"
                position = closing.supersedes[following]
                return Mistake(level=MistakeLevel.ERROR, code="supersedes", message=message, position=position), closing
            elif following in rules and following not in done:
                trail.append(following)
                pending.append(iter(rules[following].supersedes))
    return None


def _unknown_superseded(files: Iterable[RuleFile], known: Collection[str]) -> list[Mistake]:
    """Warnings: the rule works without. An error would take a rule away when another one is deleted."""
    return [
        Mistake(
            level=MistakeLevel.WARNING,
            code="supersedes",
            message=f"there is no rule '{id_}' to supersede",
            position=position,
            hint=f"did you mean '{near}'?" if (near := nearest(id_, known)) else None,
        )
        for file in files
        for rule in file.rules
        for id_, position in rule.supersedes.items()
        if id_ not in known
    ]
