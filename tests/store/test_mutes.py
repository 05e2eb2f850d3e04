"""Mutes as they are kept."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.model.mute import Mute
from engine.store import Store

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def mute(number: int) -> Mute:
    return Mute(id=f"mut_{number}", rule="a", start=NOON, end=NOON + HOUR, author="me", comment="why")


async def test_there_are_so_many_at_a_time_and_none_is_left_out_silently(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.mutes.MOST", 3)
    assert [await store.mutes.add(mute(number), NOON) for number in range(4)] == [True, True, True, False]
    assert [each.id for each in await store.mutes.ls(NOON)] == ["mut_0", "mut_1", "mut_2"]
    await store.mutes.end("mut_1", NOON + HOUR / 2)
    assert await store.mutes.add(mute(5), NOON + HOUR / 2)
    assert [each.id for each in await store.mutes.ls()] == ["mut_1", "mut_0", "mut_2", "mut_5"]
