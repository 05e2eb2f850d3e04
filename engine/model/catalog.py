"""The event types Stripe is known to send, and what each carries: a committed table, read when first asked for.

The table comes from stripe-python 16.1.0 (API 2026-10-28) and npm stripe 23.1.0, which alone names the object of each
snapshot type. It is knowledge for suggestions and samples, never a gate: Stripe adds types, and unknown ones work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from engine.model.event import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeInfo:
    """One event type. `object` is the type of `data.object` (snapshot) or of `related_object` (thin) as the table has
    it: several possible ones are separated by `|`, and it is empty where the event carries none."""

    payload: Payload
    type: str
    object: str

    @property
    def objects(self) -> tuple[str, ...]:
        """The possible object types, the usual one first; empty where the event carries none."""
        return tuple(self.object.split("|")) if self.object else ()

    @property
    def base_type(self) -> str:
        """The type without the `v1.` of a thin twin."""
        return self.type.removeprefix("v1.")


@cache
def catalog() -> Mapping[str, TypeInfo]:
    """Every known type by name, snapshot and thin, in the table's order. Read once, on first use."""
    text = (files("engine.model") / "event_types.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return MappingProxyType(
        {name: TypeInfo(payload=Payload(payload), type=name, object=carried) for payload, name, carried in rows[1:]}
    )
