"""What commands that run rules over past events share: which events, in which time zone, as they would be expanded."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from engine.cli.help import plural
from engine.cli.inputs import read_body
from engine.cli.options import Usage
from engine.cli.progress import progress
from engine.cli.report import note
from engine.cli.stored import with_store

if TYPE_CHECKING:
    from engine.model.event import Event
    from engine.model.mute import Mute
    from engine.store import Store

EVERY = 500
DEFAULT_DAYS = 30

From = Annotated[
    str | None,
    typer.Option("--from", metavar="PATH", help="Over the events in this file or folder (JSON or JSON lines)."),
]
WithoutMutes = Annotated[
    bool, typer.Option("--without-mutes", help="As if nothing had been muted. [default: with the mutes of that time]")
]
PastDays = Annotated[
    int | None,
    typer.Option("--days", min=1, max=3_650, metavar="N", help="Looks so many days back. [default: 30; files: all]"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Which events there were: `total` of all types from `since` until `until`, of which those were run that concern
    the rules; and how many `mutes` there were meanwhile."""

    total: int
    since: datetime
    until: datetime
    source: str
    mutes: int = 0


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name; a usage error where there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise Usage(f"there is no time zone '{name}'; write one like Europe/Berlin") from None


Begin = Callable[[datetime | None, "Sequence[Mute]"], None]
"""Is told before the first event from when on events count (None: from the first), and what was muted when."""


def run_past(
    source: str | None,
    days: int | None,
    *,
    before: timedelta,
    concerns: Callable[[str], bool],
    feed: "Callable[[Event], None]",
    begin: Begin,
    without_mutes: bool = False,
) -> Past:
    """Feed the events that concern, as they came; what came `before` those that count is fed too. Only of stored events
    it is known what was muted. Raises StoreError."""
    from engine.source import collector_paused

    with collector_paused():  # what is fed has no cycles, and looking for some takes half of the time
        if source is not None:
            return _of_files(source, days, before, concerns, feed, begin)
        span = timedelta(days=days or DEFAULT_DAYS)
        return with_store(lambda store: _of_store(store, span, before, concerns, feed, begin, without_mutes))


async def _of_store(
    store: "Store",
    span: timedelta,
    before: timedelta,
    concerns: Callable[[str], bool],
    feed: "Callable[[Event], None]",
    begin: Begin,
    without_mutes: bool,
) -> Past:
    until = datetime.now(UTC)
    since = until - span
    received = await store.events.types(since)
    types = [name for name in await store.events.type_names() if concerns(name)]
    mutes = () if without_mutes else tuple(await store.mutes.ls(since - before))
    begin(since, mutes)
    count = 0
    with progress("running", "events") as told:
        stream = store.events.stream(since=since - before, before=until, types=types)
        async with contextlib.aclosing(stream) as batches:
            async for batch in batches:
                for event in batch:
                    feed(event)
                count += len(batch)
                told(count)
    meanwhile = sum(mute.end > since and mute.start < min(until, mute.end) for mute in mutes)
    total = sum(each.count for each in received.values())
    return Past(total=total, since=since, until=until, source="stored", mutes=meanwhile)


def _of_files(
    source: str,
    days: int | None,
    before: timedelta,
    concerns: Callable[[str], bool],
    feed: "Callable[[Event], None]",
    begin: Begin,
) -> Past:
    from engine.backtest.files import EventFiles

    if source != "-" and not Path(source).exists():
        raise Usage(f"there is no file or folder '{source}'")
    files = EventFiles(path=source, read_input=lambda: read_body("-"), concerns=concerns)
    try:
        with progress("reading", "events") as told:
            files.look(told)
    except OSError as error:
        raise Usage(f"cannot read {source}: {(error.strerror or 'no reason given').lower()}") from None
    if not files.count:
        raise Usage(f"there is no event in {source}" + (f" ({files.first_skipped})" if files.first_skipped else ""))
    span = files.span or (datetime.now(UTC), datetime.now(UTC))
    since = span[0] if days is None else max(span[0], span[1] - timedelta(days=days))
    begin(since if since > span[0] else None, ())
    count = 0
    with progress("running", "events") as told:
        for event in files:
            if event.received >= since - before:
                feed(event)
            count += 1
            if count % EVERY == 0:
                told(count)
    if files.skipped:
        note(f"{plural(files.skipped, 'entry')} passed over; the first is {files.first_skipped}")
    return Past(total=files.count, since=since, until=span[1], source=source)
