"""What a condition says, whatever its place in a file: equal for two that are written the same."""

import json
from dataclasses import fields, is_dataclass

from engine.model.condition import Changed, Column, Condition, Operation, PathTest
from engine.model.event import Json
from engine.model.rule import Step, When

Form = tuple[Json, ...]
"""Hashable, and the same for exactly those that say the same in the same words."""


def form_of(condition: Condition) -> Form:
    """The form of a condition. The order of what stands side by side does not matter."""
    if isinstance(condition, PathTest):
        return (condition.path, frozenset(_operation(each) for each in condition.operations))
    return (type(condition).__name__, frozenset(form_of(child) for child in condition.children))


def form_of_when(when: When) -> Form:
    """The form of a `when`."""
    accounts = None if when.accounts is None else frozenset(when.accounts)
    return (frozenset(when.types), when.scopes, when.livemode, accounts, when.unmatched, form_of(when.where))


def form_of_step(step: Step) -> Form:
    """The form of a step, whatever its id."""
    options = json.dumps(dict(step.options), sort_keys=True, default=str)
    return (step.verb, frozenset(step.targets), options, form_of(step.condition))


def form_of_part(part: Json) -> Form:
    """The form of a part of a rule's timing, or of all of it: what it says, wherever it says it."""
    if isinstance(part, Condition):
        return form_of(part)
    if isinstance(part, When):
        return form_of_when(part)
    if isinstance(part, Step):
        return form_of_step(part)
    if isinstance(part, Column):
        return (part.table, part.name)
    if isinstance(part, tuple):
        return tuple(map(form_of_part, part))
    if is_dataclass(part):
        said = (getattr(part, each.name) for each in fields(part) if each.name != "position")
        return (type(part).__name__, *map(form_of_part, said))
    return (type(part).__name__, part)


def _operation(operation: Operation) -> Form:
    return (operation.operator, operation.fold, _operand(operation.operand))


def _operand(operand: Json) -> Json:
    if isinstance(operand, tuple):
        return tuple(_operation(each) if isinstance(each, Operation) else _operand(each) for each in operand)
    if isinstance(operand, Changed):
        asked = (operand.old, operand.new, operand.added, operand.removed)
        return ("changed", *(None if each is None else form_of(each) for each in asked))
    if isinstance(operand, Condition):
        return form_of(operand)
    return (type(operand), operand)  # true is not 1
