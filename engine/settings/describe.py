"""Every key of the settings with its default and what it is for: docs and config.example.yaml are held to it."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from engine.settings.load import variable
from engine.settings.places import documented, scalars
from engine.source import format_duration


def describe() -> list[tuple[str, str, str]]:
    """`(key, default, description)` of every key, in the order of the schema.

    Keys are dotted; `endpoints[].name` is in each item of a list, `channels.<name>.url` under each name. The default
    is as it would be written, `required` where there is none, and empty where leaving it out means something else.
    """
    return [(_key(loc), _default(field), field.description or "") for loc, field in documented()]


def variables() -> dict[str, str]:
    """The TOCSIN_ variables: name -> the key it sets."""
    return {variable(loc): _key(loc) for loc, _ in scalars()}


def _key(loc: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in loc).replace(".[]", "[]")


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else _written(field.get_default(call_default_factory=True))


def _written(value: Any) -> str:
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(_written(item) for item in value)}]"
    return "{}" if value == {} else str(value)
