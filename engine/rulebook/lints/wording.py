"""Fields and objects in words."""

from engine.match.steps import EACH, Segment
from engine.model.schema import Field, Kind, versions
from engine.rulebook.lints.carried import Carried

_KINDS = {
    Kind.TEXT: "a text",
    Kind.INTEGER: "a number",
    Kind.AMOUNT: "an amount",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.TIME: "a time",
    Kind.TIMESTAMP: "a time",
    Kind.LIST: "a list",
    Kind.OBJECT: "a map",
    Kind.MAP: "a map",
    Kind.ANY: "anything",
}
_MOST = 3


def named(name: str) -> str:
    """`a dispute`, `an account`."""
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def kind_in_words(field: Field) -> str:
    """What a field is: `a text`, `the id of a charge`."""
    if field.kind is Kind.ID:
        return f"the id of {' or '.join(map(named, field.of))}" if field.of else "an id"
    return _KINDS[field.kind]


def bearing(about: Carried) -> str:
    """`(charge.dispute.created carries a dispute)`, to end a hint."""
    if len(about.objects) > _MOST:
        return f"({len(about.types)} event types and {len(about.objects)} kinds of objects are looked at)"
    objects = " or ".join(map(named, about.objects))
    return f"({about.types[0]} carries {objects})" if len(about.types) == 1 else f"(these events carry {objects})"


def as_of() -> str:
    """`as of API 2026-10-28`."""
    return f"as of API {versions()[1]}"


def dotted(steps: tuple[object, ...]) -> str:
    """Steps as a path is written."""
    shown = ""
    for step in steps:
        if step is EACH:
            shown += "[*]"
        elif isinstance(step, int):
            shown += f"[{step}]"
        elif isinstance(step, Segment):
            shown += "[..]"
        else:
            shown += f".{step}" if shown else str(step)
    return shown
