"""The forms that schemas are made of."""

from collections.abc import Iterable, Mapping

from engine.model.catalog import catalog
from engine.model.event import Json

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Json]


def text(description: str | None = None, pattern: str = r"\S") -> Schema:
    """A text with something in it, or one that fits a pattern."""
    return described({"type": "string", "pattern": pattern}, description)


def words(known: Iterable[str], description: str | None = None) -> Schema:
    """One of a closed set of words."""
    return described({"enum": [str(word) for word in known]}, description)


def flag(description: str | None = None) -> Schema:
    """true or false."""
    return described({"type": "boolean"}, description)


def number(low: int, high: int, description: str | None = None) -> Schema:
    """A whole number from low to high."""
    return described({"type": "integer", "minimum": low, "maximum": high}, description)


def duration(description: str | None = None) -> Schema:
    """A duration like 10m."""
    return described({"type": "string", "pattern": r"^\d{1,6}[smhdw]$"}, description)


def one_or_more(item: Schema, description: str | None = None) -> Schema:
    """One of them, or a list of some."""
    return described({"anyOf": [item, listed(item)]}, description)


def listed(item: Schema, description: str | None = None) -> Schema:
    """A list that is not empty."""
    return described({"type": "array", "items": item, "minItems": 1}, description)


def either(*options: Schema, description: str | None = None) -> Schema:
    """Any of these."""
    return described({"anyOf": list(options)}, description)


def record(
    properties: Mapping[str, Schema], required: Iterable[str] = (), description: str | None = None, least: int = 1
) -> Schema:
    """A map with these keys and no others."""
    made: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if required := list(required):
        made["required"] = required
    elif least:
        made["minProperties"] = least
    return described(made, description)


def named(value: Schema, description: str | None = None, pattern: str | None = None) -> Schema:
    """A map with names of one's own."""
    made: Schema = {"type": "object", "additionalProperties": value}
    if pattern is not None:
        made["propertyNames"] = {"pattern": pattern}
    return described(made, description)


def ref(name: str, description: str | None = None) -> Schema:
    """What is defined under `$defs`."""
    return described({"$ref": f"#/$defs/{name}"}, description)


def described(schema: Schema, description: str | None) -> Schema:
    """The schema with what editors show of it."""
    return schema if description is None else {**schema, "description": description}


def document(name: str, title: str, schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A whole schema, with its title and definitions."""
    head: Schema = {"$schema": DRAFT, "$id": f"urn:tocsin:{name}", "title": title}
    return {**head, **schema, "$defs": dict(definitions)} if definitions else {**head, **schema}


def event_types() -> Mapping[str, Schema]:
    """An event type as editors suggest it, and a pattern of them: Stripe adds types, and unknown ones work."""
    known = words(catalog(), "a type that Stripe is known to send")
    return {
        "eventType": either(known, text("a type", r"^[^\s*]{1,200}$"), description="an event type"),
        "eventTypes": either(
            known,
            text("a pattern, in which only * is special", r"^\S{1,200}$"),
            description="an event type, or a pattern in which only * is special: payout.*",
        ),
    }
