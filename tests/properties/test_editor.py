"""What an editor underlines is a mistake to check, too: on any rule with something changed in it."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from docs.examples import KNOWN
from engine.editor import schema_of_rules
from engine.model.event import Json
from engine.model.mistake import MistakeLevel
from engine.rulebook import load
from engine.source import parse, plain
from engine.testing import read_tests
from tests.test_docs import ROOT, RULES

SCHEMA = Draft202012Validator(schema_of_rules())
ODD = [None, True, False, 0, 5, 1.5, -1, "", " ", "x", "none", "5 USD", "10m", "$vars.x", "*", [], {}, ["x"], {"x": 1}]
KEYS = ["x", "id", "when", "then", "type", "where", "any", "eq", "gte", "notify", "text", "if", "scope", "unmatched"]
KEYS += ["per", "same", "within", "every", "at", "count", "until", "during", "digest", "remind", "incident", "none"]


def documents() -> list[Json]:
    """Each rule of the ready-made ones and of the docs that is right by itself, in a file of its own."""
    texts = [*(file.read_text() for file in (ROOT / "rules").glob("*.yaml")), *(text for _, text in RULES)]
    files = [plain(root, exact=False) for text in texts if (root := parse(text, "a.yaml").root) is not None]
    alone = [{"rules": [rule]} for file in files for rule in file.get("rules", ())]
    return [file for file in alone if load({"docs/a.yaml": json.dumps(file)}, KNOWN).ok]


DOCUMENTS = documents()


def places(value: Json, before: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document."""
    found = [before] if before else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, each in items for place in places(each, (*before, key))]


@st.composite
def changed(draw: st.DrawFn, among: list[Json]) -> Json:
    """A document with one or two places changed: another value, another key, or nothing there."""
    document: Any = copy.deepcopy(draw(st.sampled_from(among)))
    for _ in range(draw(st.integers(1, 2))):
        known = places(document)
        if not known:
            break
        *way, last = draw(st.sampled_from(known))
        parent = document
        for step in way:
            parent = parent[step]
        how = draw(st.sampled_from(["value", "key", "gone", "twice"]))
        if how == "value":
            parent[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif how == "key" and isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS))] = parent.pop(last)
        elif how == "gone":
            del parent[last]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[int(last)]))
    return document


@settings(max_examples=300, deadline=None)
@given(changed(DOCUMENTS))
def test_what_the_schema_refuses_check_refuses(document: Json) -> None:
    _hold_together(SCHEMA, document)


def _hold_together(schema: Draft202012Validator, document: Json) -> None:
    refused = [f"{list(error.absolute_path)}: {error.message[:120]}" for error in schema.iter_errors(document)]
    if not refused:
        return
    text = json.dumps(document)
    loaded = load({"docs/a.yaml": text}, KNOWN)
    tested = read_tests({"docs/a.yaml": text}, loaded.rulebook.rules, Path())
    errors = [each for each in (*loaded.mistakes, *tested.mistakes) if each.level is MistakeLevel.ERROR]
    assert errors, (refused, text)
