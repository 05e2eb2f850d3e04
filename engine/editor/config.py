"""The form of the configuration, from the settings themselves: their types and descriptions."""

import types
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.editor.forms import Schema, described, document, duration, either, listed, named, record, text, words
from engine.settings.places import is_twin
from engine.settings.schema import FileSettings
from engine.source import Rate

_VARIABLE = text("the value of a variable: ${NAME}", r"\$\{")
_NOTHING: Schema = {"type": "null"}
_SINGLE = frozenset({"secrets", "secret", "rules", "callback_hosts"})
"""Lists of which one may stand alone."""

Loc = tuple[str, ...]


def schema_of_config() -> Schema:
    """The schema of the configuration file."""
    return document("config", "Tocsin's configuration", _model(FileSettings, ()), {})


def _model(model: type[BaseModel], loc: Loc) -> Schema:
    """A map of settings. A key without a value counts as left out: what stood below it may be commented out."""
    properties: dict[str, Schema] = {}
    required: list[Schema] = []
    for name, field in model.model_fields.items():
        here = (*loc, name)
        twin = f"{name}_file"
        properties[name] = _field(field, here)
        if is_twin((*loc, twin)):
            properties[twin] = text(f"a file with the {name.removesuffix('s')}, instead of {name}")
            if field.is_required():
                required.append({"anyOf": [{"required": [name]}, {"required": [twin]}]})
        elif field.is_required():
            required.append({"required": [name]})
    made = record(properties, least=0)
    return {**made, "allOf": required} if required else made


def _field(field: FieldInfo, loc: Loc) -> Schema:
    form = _form(field.annotation, loc)
    return described({"anyOf": [form, _NOTHING]}, field.description)


def _form(annotation: Any, loc: Loc) -> Schema:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _form(args[0], loc)
    if origin in (Union, types.UnionType):
        return _form(next(each for each in args if each is not type(None)), loc)
    if origin is tuple:
        items = listed(_form(args[0], (*loc, "*")))
        items.pop("minItems")
        return either(items, _form(args[0], loc)) if loc[-1] in _SINGLE else items
    if origin is dict:
        return named(either(_form(args[1], (*loc, "*")), _NOTHING))
    return _plain(annotation, loc)


def _plain(annotation: Any, loc: Loc) -> Schema:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        form = _model(annotation, loc)
        if loc[-1:] == ("breaker",):
            return either(words(("off", "on")), {"type": "boolean"}, form)
        return either(text("an Apprise URL"), form) if loc == ("channels", "*") else form
    return either(_value(annotation), _VARIABLE)


def _value(annotation: Any) -> Schema:
    if get_origin(annotation) is Literal:
        return either(words(get_args(annotation)), {"type": "boolean"})
    if issubclass(annotation, timedelta):
        return duration()
    if issubclass(annotation, Rate):
        return text("30/m", r"^\d{1,6}/[smhd]$")
    if issubclass(annotation, StrEnum):
        return words(annotation)
    if issubclass(annotation, bool):
        return either({"type": "boolean"}, words(("true", "false")))
    if issubclass(annotation, int):
        return either({"type": "integer"}, text(pattern=r"^\d+"))
    return {"type": ["string", "number"]}
