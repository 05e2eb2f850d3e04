"""What Stripe might answer to what rules want read, for tests and previews: nothing is asked."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.model.event import Event, Json
from engine.model.fetch import ACCOUNT, ID, OBJECT, at
from engine.model.schema import field_at
from engine.render import account_name
from engine.samples.paths import assign
from engine.samples.sample import sample_object


def as_if_read(event: Event, wants: Sequence[str], changes: Mapping[str, Json] | None = None) -> Event:
    """The event with samples of what is wanted for it. `changes` are paths, as rules write them, to JSON values.

    Raises ValueError for a path of which nothing is wanted, or that does not fit.
    """
    if not wants and not changes:
        return event
    fetched: dict[str, Json] = {**(event.fetched or {}), **{need: _answer(event, need) for need in wants}}
    for path, value in (changes or {}).items():
        _change(fetched, path, value)
    return replace(event, fetched=fetched)


def _answer(event: Event, need: str) -> dict[str, Json]:
    if need == ACCOUNT:
        own = event.object if event.object is not None and event.object_id == event.account else {}
        found = copy.deepcopy(own) or sample_object("account", like=event.data) or {}
        return {**found, "id": event.account, "name": account_name(found)}
    if need.startswith(ID):
        path = need.removeprefix(ID)
        field = field_at(event.object_type or "", path)
        kind = field.of[0] if field is not None and field.of else path.rpartition(".")[2]
        known: Json = at(event.object, path)
    else:
        kind, known = event.object_type or "", event.object_id
    made = event.object if need.startswith(OBJECT) and event.object is not None else {}
    found = copy.deepcopy(made) or sample_object(kind, like=event.data) or {"object": kind}
    return {**found, "id": known or found.get("id")}


def _change(fetched: dict[str, Json], path: str, value: Json) -> None:
    if path.startswith("$account.") and ACCOUNT in fetched:
        assign(fetched[ACCOUNT], path.removeprefix("$account."), copy.deepcopy(value))
        return
    inner = [need for need in fetched if need.startswith(ID) and path.startswith(f"{need.removeprefix(ID)}.")]
    whole = [need for need in fetched if need.partition(":")[0] == OBJECT]
    for need in inner or whole:
        rest = path.removeprefix(f"{need.removeprefix(ID)}.") if need in inner else path
        assign(fetched[need], rest, copy.deepcopy(value))
    if not inner and not whole:
        raise ValueError(f"nothing is read that has {path}: these rules want {', '.join(fetched) or 'nothing'}")
