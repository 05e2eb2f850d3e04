"""What was kept quiet is counted once a week, by rule and by what kept it quiet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from engine.model.delivery import DeliveryStatus
from engine.store import Store
from engine.work.silence import EVERY, silence_reports
from tests.decide.test_retry import delivery

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


async def test_the_week_is_told_on_monday(store: Store) -> None:
    reports: list[tuple[str, str, str]] = []

    async def report(subject: str, title: str, text: str) -> None:
        reports.append((subject, title, text))

    now = MONDAY + timedelta(hours=1)
    weekly = silence_reports(store.silences, report, clock=lambda: now)
    assert await weekly.once() == 0
    for number, silence in enumerate(["throttle", "throttle", "mute mut_1", "mute mut_2", "throttle"]):
        given = {"silence": silence, "rule": "r1" if number < 3 else "r2", "status": DeliveryStatus.SUPPRESSED}
        made = replace(delivery(key=f"dlv_{number}"), created=MONDAY + timedelta(days=1), **given)  # type: ignore[arg-type]
        await store.deliveries.insert([made])
    now += timedelta(days=3)
    assert await weekly.once() == 0
    now += EVERY
    assert await weekly.once() == 5
    ((_, title, text),) = reports
    assert title == "5 messages were kept quiet this week"
    assert text.splitlines()[:5] == [
        "From 23 Nov to 30 Nov:",
        "",
        "2 × rule r1: throttle",
        "1 × rule r1: mute",
        "1 × rule r2: mute",
    ]
