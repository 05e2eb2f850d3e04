"""Conditions as rules write them, judged in every way there is."""

from typing import Any

from engine.match import because, compile_condition, examine, holds
from engine.model.condition import Condition
from engine.model.event import Event, Json
from engine.model.verdict import Because
from engine.rulebook.conditions import read_where
from engine.rulebook.findings import Findings
from engine.source import parse
from tests.builders import event


def condition(where: str) -> Condition:
    """The condition of a `where` in YAML; it must be without mistakes."""
    document = parse(where, "where.yaml")
    assert document.root is not None
    assert not document.mistakes, document.mistakes
    found = Findings()
    read = read_where(found, document.root)
    assert not [str(mistake) for mistake in found.mistakes if mistake.level == "error"], found.mistakes
    assert read is not None
    return read


def about(found: Json, previous: Json = None, **root: Any) -> Event:
    """An account.updated with exactly this object."""
    made = event("account.updated", previous=previous, **root)
    made.data["data"]["object"] = found
    object.__setattr__(made, "object", found if isinstance(found, dict) else None)
    return made


def judge(where: str, subject: Event) -> bool:
    """Whether it holds: compiled, by the letter and explained, which must agree."""
    read = condition(where)
    said = holds(read, subject)
    assert compile_condition(read)(subject) is said
    assert examine(read, subject).held is said
    return said


def reason(where: str, subject: Event) -> Because:
    """Why it does not hold."""
    found = because(examine(condition(where), subject))
    assert found is not None, f"{where} holds"
    return found
