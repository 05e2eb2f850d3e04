"""The columns of a digest's table: those that a rule names, or those that say something of what was gathered."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.errors import TemplateError
from engine.model.event import Json
from engine.model.money import money_text
from engine.model.outcome import Scene
from engine.render.facts import failure_of
from engine.render.gathered import amount_in
from engine.render.grid import LONGEST_CELL, Grid, Group, Row
from engine.render.reading import text
from engine.render.spelling import written
from engine.render.text import render_text
from engine.render.times import moment, zone

_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*)\]|\['([^']*)'\]")

Cell = Callable[[Mapping[str, Any]], str]
"""What a column shows of an item of `digest.items`."""


def grid_of(columns: Mapping[str, str] | None, scene: Scene) -> Grid:
    """The table of what `scene["digest"]` lists. `columns`: heading to path or text; None: chosen by what there is.

    A cell whose text cannot be written, for this item alone, is empty: the rest is worth sending.
    """
    digest = scene["digest"]
    items: Sequence[Mapping[str, Any]] = digest["items"]
    chosen = {name: _cell(source, scene) for name, source in columns.items()} if columns else _default(items, scene)
    rows = [Row(cells=tuple(cell(item) for cell in chosen.values()), link=_link(item)) for item in items]
    if not digest["groups"]:
        return Grid(headings=tuple(chosen), groups=(Group(rows=tuple(rows)),))
    groups, start = [], 0
    for group in digest["groups"]:
        own = rows[start : start + group["count"]]
        start += group["count"]
        if own:
            totals = [group["totals"]] if group["totals"] else []
            groups.append(Group(name=" · ".join([group["name"], f"{group['count']:,}", *totals]), rows=tuple(own)))
    return Grid(headings=tuple(chosen), groups=tuple(groups))


def value_at(item: Mapping[str, Any], path: str) -> Json:
    """What stands at a path of an item: of its object (`failure_code`, `lines.data[*].amount`), of the event's root
    (`$.data.object.id`), or by name (`$account.name`); null where there is nothing, several as a list."""
    if path == "account":
        return item["account"].get("id")
    head, _, rest = path.removeprefix("$").partition(".")
    if path.startswith(("$.", "$[")):
        start: Any = item["event"]
        rest = path[1:]
    elif path.startswith("$"):
        start = item.get(head)
    else:
        start, rest = item["object"], path
    found = [start]
    several = False
    for name, index, quoted in _PART.findall(rest):
        several = several or index == "*"
        found = [child for value in found for child in _below(value, name or quoted, index)]
    found = [value for value in found if value is not None]
    return found if several else found[0] if found else None


def _below(value: Any, name: str, index: str) -> list[Any]:
    if index == "*":
        return value if isinstance(value, list) else []
    if index:
        return [value[int(index)]] if isinstance(value, list) and int(index[:6]) < len(value) else []
    return [value[name]] if isinstance(value, Mapping) and name in value else []


def _cell(source: str, scene: Scene) -> Cell:
    if "{{" not in source and "{%" not in source:
        return lambda item: _shown(value_at(item, source))

    def written_out(item: Mapping[str, Any]) -> str:
        try:
            return render_text(source, {**scene, **item, "rule": scene["rule"]}, limit=2 * LONGEST_CELL)
        except TemplateError:
            return ""

    return written_out


def _shown(value: Json) -> str:
    if value is None:
        return ""
    return ", ".join(written(each) for each in value[:20]) if isinstance(value, list) else written(value)


def _default(items: Sequence[Mapping[str, Any]], scene: Scene) -> dict[str, Cell]:
    """When, and of the rest what differs or is there at all."""
    digest = scene["digest"]
    local = zone(digest["timezone"])
    times = [moment(item["when"]).astimezone(local) for item in items]
    today = scene["now"].astimezone(local).date()
    form = "%H:%M" if all(each.date() == today for each in times) else "%-d %b %H:%M"
    grouped_by_account = bool(digest["groups"]) and all(item["group"] == item["account"].get("id") for item in items)
    columns: dict[str, Cell] = {"When": lambda item: _time(item["when"], local, form)}
    if len({item["what"] for item in items}) > 1:
        columns["What"] = lambda item: str(item["what"])
    if len({item["account"].get("id") for item in items}) > 1 and not grouped_by_account:
        columns["Account"] = lambda item: text(item["account"].get("name")) or text(item["account"].get("id")) or ""
    if any(amount_in(item["object"]) for item in items):
        columns["Amount"] = _amount
    if any(failure_of(item["object"]) for item in items):
        columns["Reason"] = lambda item: failure_of(item["object"]) or ""
    if len({item["rule"] for item in items}) > 1 and "What" not in columns:
        columns["Rule"] = lambda item: str(item["rule"])
    return columns if len(columns) > 1 else {**columns, "About": lambda item: text(item["object"].get("id")) or ""}


def _time(when: str, local: Any, form: str) -> str:
    found: datetime = moment(when).astimezone(local)
    return found.strftime(form)


def _amount(item: Mapping[str, Any]) -> str:
    found = amount_in(item["object"])
    return money_text(*found) if found else ""


def _link(item: Mapping[str, Any]) -> str | None:
    url = item["url"]
    return url if isinstance(url, str) and url.startswith("https://") else None
