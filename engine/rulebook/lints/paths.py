"""Paths that lead nowhere in what an event carries: fields that its object does not have."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.match import Base, Path
from engine.model.position import Position
from engine.model.schema import Field, Kind, paths_to
from engine.rulebook.findings import Findings
from engine.rulebook.foreign import path_hint
from engine.rulebook.lints.carried import Carried, Lost, Spot, lead
from engine.rulebook.lints.wording import as_of, bearing, dotted, kind_in_words, named
from engine.source import nearest

_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where tests are: what the events carry, and inside of a list or `changed` what the element or value is, and
    what a message calls it. `within`: a text reads it, as a field of this name."""

    about: Carried
    item: tuple[Spot, ...] | None = None
    name: str = ""
    within: str = ""

    def called(self, path: str) -> str:
        """What a message calls the value at a path."""
        return self.name if path == "." else path


def spots_of(found: Findings, path: Path, context: Context, place: Position | None) -> tuple[Spot, ...]:
    """What a path may lead to; none, and a warning, where it leads nowhere."""
    ends = lead(path, context.about, context.item)
    if not isinstance(ends, Lost):
        return ends
    if place is not None:
        _warn(found, path, ends, context, place)
    return ()


def _warn(found: Findings, path: Path, lost: Lost, context: Context, place: Position) -> None:
    before, rest = path.split(lost.place)
    here = before or "this"
    field = lost.before[0].field
    if isinstance(lost.step, str):
        if any(spot.field.kind is Kind.OBJECT for spot in lost.before):
            _warn_of_field(found, path, lost, context, place)
        elif field.kind is Kind.ID:
            what = " or ".join(map(named, field.of)) or "the object"
            message = f"{here} is {kind_in_words(field)}, and has no fields"
            found.warn(
                "only-an-id",
                place,
                message,
                f"the event does not carry {what}; to have it read, write under when: fetch: [{before}]",
            )
        elif field.kind is Kind.LIST:
            better = f"{context.within}.{before}[0]{rest}" if context.within else f"{before}[*]{rest}"
            message = f"{here} is a list, and has no field '{lost.step}'"
            which = "the first" if context.within else "any"
            found.warn("unknown-field", place, message, f"write {better} for {which} of its elements")
        else:
            instead = path_hint(path) if lost.place == 1 and context.item is None and not context.within else None
            in_map = lost.place == 2 and path.steps[0] == "metadata" and not context.within
            hint = f"for a key with dots write metadata['{dotted(path.steps[1:])}']" if in_map else instead
            found.warn("unknown-field", place, f"{here} is {kind_in_words(field)}, and has no fields", hint)
        return
    pages = any("data" in fields for spot in lost.before for fields in spot.field.within)
    hint = f"write {before}.data{rest}" if pages else None
    what = "has none of these fields" if field.kind is Kind.LIST else "no list"
    found.warn("unknown-field", place, f"{here} is {kind_in_words(field)}, and {what}", hint)


def _warn_of_field(found: Findings, path: Path, lost: Lost, context: Context, place: Position) -> None:
    name = str(lost.step)
    objects = [fields for spot in lost.before for fields in spot.field.within]
    in_object = path.base is Base.OBJECT and context.item is None
    better = _better(name, objects, deeper=in_object)
    instead = path_hint(path) if in_object and not context.within and lost.place == 0 else None
    if instead is not None:
        hint = instead
    elif better is not None:
        start = path.split(lost.place)[0] if in_object else ""
        hint = f"did you mean '{'.'.join(filter(None, (context.within, start, better)))}'?"
    else:
        hint = as_of()
    have = "has" if path.steps[: lost.place] or len(context.about.objects) < 2 or context.item else "have"
    known = f"   {bearing(context.about)}" if in_object else ""
    found.warn("unknown-field", place, f"{_owner(path, lost, context)} {have} no field '{name}'", hint + known)


def _and(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _better(name: str, objects: list[Mapping[str, Field]], *, deeper: bool) -> str | None:
    """The field that was probably meant: one spelt nearly so, one of that name further down, one spelt like it."""
    choices = dict.fromkeys(each for fields in objects for each in fields)
    near = nearest(name, choices, 0.8)
    if near is None and deeper:
        near = next((far for fields in objects for far in sorted(paths_to(name, fields), key=len)), None)
    return near or nearest(name, choices)


def _owner(path: Path, lost: Lost, context: Context) -> str:
    """What does not have the field: `dispute`, `evidence_details of a dispute`."""
    inside = path.steps[: lost.place]
    if path.base is Base.EVENT and inside[:2] in (("data", "object"), ("data", "previous_attributes")):
        inside = inside[2:]
    elif path.base is Base.EVENT:
        return dotted(inside) or "an event"
    elif context.item is not None:
        return dotted(inside) or context.name
    names = context.about.objects
    if len(names) == 1:
        return f"{dotted(inside)} of {named(names[0])}" if inside else names[0]
    return dotted(inside) or (", ".join([*names[:_MOST], ".."]) if len(names) > _MOST else _and(names))
