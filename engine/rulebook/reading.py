"""Reading files of rules together: first what each defines for all, then the rules of each with the names of all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from engine.model.mistake import Mistake
from engine.rulebook.definitions import Definitions, gather, may_define, read_definitions
from engine.rulebook.known import Known
from engine.rulebook.names import Names
from engine.rulebook.rules import RuleFile, read_rule_file
from engine.rulebook.tables import ENDING
from engine.source import Document, Parse, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Files read together, in the order given: their rules, their definitions, and the mistakes in the latter."""

    files: tuple[RuleFile, ...]
    definitions: Mapping[str, Definitions]
    mistakes: tuple[Mistake, ...]


class Reader:
    """Reads files, and remembers: what did not change, nor any name in it, is not read again."""

    def __init__(self, known: Known, parse: Parse = parse) -> None:
        self._known = known
        self._parse = parse
        self._trusting = Known(default_livemode=known.default_livemode)
        self._definitions: dict[tuple[str, str], Definitions] = {}
        self._rules: dict[tuple[str, str, bool], RuleFile] = {}

    def read(self, texts: Mapping[str, str], *, trusted: Collection[str] = (), lost: Collection[str] = ()) -> Reading:
        """Read the texts of these files, of rules and of tables, by name.

        What `trusted` files name in the configuration is taken on trust. `lost` files had mistakes that were said
        before: what is missing because of them is no new mistake, but keeps a file from being used all the same.
        """
        csv = {file: text for file, text in texts.items() if file.endswith(ENDING)}
        documents: dict[str, Document] = {}
        definitions: dict[str, Definitions] = {}
        unreadable = any(not file.endswith(ENDING) for file in lost)
        for file, text in texts.items():
            if file in csv or not may_define(text):
                continue
            definitions[file] = self._defined(file, text, csv, lost, documents)
        unreadable = unreadable or any(not document.usable for document in documents.values())
        names, mistakes = gather(definitions.values(), partial=unreadable)
        files = [
            self._read(file, text, file in trusted, names, documents) for file, text in texts.items() if file not in csv
        ]
        blamed = {mistake.position.file for mistake in mistakes if mistake.position is not None}
        return Reading(
            files=tuple(
                replace(file, usable=False)
                if file.file in blamed or not definitions.get(file.file, _NOTHING).usable
                else file
                for file in files
            ),
            definitions=definitions,
            mistakes=(*mistakes, *(mistake for each in definitions.values() for mistake in each.mistakes)),
        )

    def forget(self, *in_use: Mapping[str, str]) -> None:
        """Forget what was read of texts that are none of these."""
        for file, text in list(self._definitions):
            if not any(texts.get(file) == text for texts in in_use):
                del self._definitions[file, text]
        for file, text, trusted in list(self._rules):
            if not any(texts.get(file) == text for texts in in_use):
                del self._rules[file, text, trusted]

    def _defined(
        self, file: str, text: str, csv: Mapping[str, str], lost: Collection[str], documents: dict[str, Document]
    ) -> Definitions:
        known = self._definitions.get((file, text))
        if known is not None and known.usable and all(csv.get(name) == was for name, was in known.csv.items()):
            return known
        documents[file] = self._parse(text, file)
        found = read_definitions(documents[file], file, csv, lost)
        self._definitions[file, text] = found
        return found

    def _read(self, file: str, text: str, trusted: bool, names: Names, documents: Mapping[str, Document]) -> RuleFile:
        known = self._rules.get((file, text, trusted))
        if known is not None and all(names.digest(name) == was for name, was in known.uses.items()):
            return known
        document = documents.get(file) or self._parse(text, file)
        found = read_rule_file(file, text, self._trusting if trusted else self._known, document=document, names=names)
        self._rules[file, text, trusted] = found
        return found


_NOTHING = Definitions(file="")
