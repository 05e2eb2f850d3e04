"""How values are written in a text."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from jinja2.runtime import Undefined

from engine.render.budget import NODE, pay

NONE = "(none)"
"""What a null becomes in a text: visible, since an empty place reads as a mistake of ours."""


def names(text: str) -> frozenset[str]:
    """A closed set of names, written as one text."""
    return frozenset(text.split())


def written(value: Any) -> str:
    """A value as a text shows it: text as it is, null `(none)`, true/false in lower case, maps and lists as JSON."""
    if isinstance(value, str):
        pay(len(value))
        return str(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, naming it
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any) -> Any:
    """A value as JSON: exact numbers stay numbers, times become ISO texts, anything that can be gone through a list.

    Raises through the undefined value when one is inside, and where it is larger than may be written out.
    """
    if isinstance(value, Undefined):
        return str(value)  # raises, naming it
    if isinstance(value, str):
        pay(NODE + len(value))
        return value
    pay(NODE)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        pay(sum(len(key) for key in value if isinstance(key, str)))
        return {str(key): plain(child) for key, child in value.items()}
    if isinstance(value, Iterable):
        return [plain(child) for child in value]
    return str(value)


def code_words(code: str) -> str:
    """A code or field path of Stripe's in words: `could_not_process` is `could not process`, `requirements.past_due`
    is `requirements past due`, `individual.verification.document` is `individual: verification document`. The ids of
    persons stay as they are."""
    head, dot, tail = code.partition(".")
    spaced = tail.replace(".", " ").replace("_", " ")
    if head.startswith("person_"):
        return f"person {head}: {spaced}" if dot else f"person {head}"
    head = head.replace("_", " ")
    return f"{head}{' ' if head == 'requirements' else ': '}{spaced}".strip() if dot else head.strip()
