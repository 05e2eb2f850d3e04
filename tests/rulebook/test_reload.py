"""Reloading: what is broken keeps its last good version, and nothing else is held up by it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from engine.errors import StoreUnavailable
from engine.rulebook import Known
from engine.rulebook.last_good import FileState
from engine.rulebook.reload import Reloader
from tests.rulebook.books import rule
from tests.rulebook.folders import BROKEN, Folder


async def test_files_are_loaded_left_unchanged_and_removed(folder: Folder) -> None:
    """Each for itself."""
    folder.write(a=rule("a"), b=rule("b"))
    assert await folder.reload() == {"a": "loaded", "b": "loaded"}
    folder.write(a=rule("a2"))
    assert await folder.reload() == {"a": "loaded", "b": "unchanged"}
    (folder.path / "b.yaml").unlink()
    assert await folder.reload() == {"a": "unchanged", "b": "removed"}
    assert folder.rules == ["a2"]
    assert len(folder.memory.revisions) == len(set(folder.memory.revisions)) == 3


async def test_a_broken_file_keeps_its_last_good_version_and_the_others_reload(folder: Folder) -> None:
    """Loudly: the report, the status and the summary name it."""
    folder.write(a=rule("a"), b=rule("b"))
    await folder.reload()
    folder.write(a=BROKEN, b=rule("b2"))
    assert await folder.reload() == {"a": "kept last good", "b": "loaded"}
    assert folder.rules == ["a", "b2"]
    report = folder.reports[-1]
    assert (report.ok, report.broken) == (False, ("a.yaml",))
    assert folder.reloader.status.broken == ("a.yaml",)
    assert "a.yaml: its last good version keeps running" in report.summary()
    assert "a.yaml:3:1  error[syntax]" in report.summary()  # where the bracket is still open
    assert report.as_json()["files"] == {"a.yaml": "kept last good", "b.yaml": "loaded"}
    folder.write(a=rule("a3"))
    assert await folder.reload() == {"a": "loaded", "b": "unchanged"}
    assert not folder.reports[-1].broken


async def test_it_is_kept_over_a_restart(folder: Folder) -> None:
    """From what the store remembers; one that never was good is left out."""
    folder.write(a=rule("a"))
    await folder.reload()
    folder.write(a=BROKEN, b=BROKEN)
    folder.start()
    assert await folder.reload() == {"a": "kept last good", "b": "left out"}
    assert folder.rules == ["a"]
    folder.start()
    assert await folder.reload() == {"a": "kept last good", "b": "left out"}


async def test_a_file_deleted_while_nothing_ran_is_gone(folder: Folder) -> None:
    """The last good version stands in for a mistake, not for a decision."""
    folder.write(a=rule("a"), b=rule("b"))
    await folder.reload()
    (folder.path / "b.yaml").unlink()
    folder.start()
    assert await folder.reload() == {"a": "unchanged", "b": "removed"}
    assert folder.rules == ["a"]


async def test_of_two_files_with_one_id_the_one_that_did_not_change_is_right(folder: Folder) -> None:
    """Whatever the order of their names."""
    folder.write(b=rule("x"))
    await folder.reload()
    folder.write(a=rule("x"))
    assert await folder.reload() == {"a": "left out", "b": "unchanged"}
    assert [str(m) for m in folder.reports[-1].mistakes] == [
        "a.yaml:2:9  error[duplicate-id]  rule id 'x' is already used in b.yaml:2"
    ]


async def test_a_rule_that_moved_out_of_a_file_which_is_broken_now_stays_where_it_was(folder: Folder) -> None:
    """Both files are kept: never the rule twice, never not at all."""
    folder.write(a=rule("a"), b=rule("moving"))
    await folder.reload()
    folder.write(a=rule("moving"), b=BROKEN)
    assert await folder.reload() == {"a": "kept last good", "b": "kept last good"}
    assert folder.rules == ["a", "moving"]


async def test_a_rule_that_moves_between_sound_files_moves(folder: Folder) -> None:
    """At once, and also when names order them the other way."""
    folder.write(a=rule("a"), b=rule("moving"))
    await folder.reload()
    folder.write(a=rule("moving"), b=rule("b"))
    assert await folder.reload() == {"a": "loaded", "b": "loaded"}
    assert folder.rules == ["moving", "b"]


async def test_a_channel_that_left_the_configuration_does_not_silence_its_rules(folder: Folder) -> None:
    """They go on as they last did, and their deliveries say what is wrong."""
    folder.write(a=rule("a", then="{notify: onboarding}"))
    await folder.reload()
    folder.start(Known(channels=("console",), default_livemode=True))
    assert await folder.reload() == {"a": "kept last good"}
    assert folder.rules == ["a"]
    assert folder.reports[-1].broken == ("a.yaml",)


async def test_a_folder_that_cannot_be_read_changes_nothing(folder: Folder) -> None:
    """What cannot be read is not deleted."""
    folder.write(a=rule("a"))
    await folder.reload()
    hidden = folder.path.rename(folder.path.with_name("hidden"))
    report = await folder.reloader.reload()
    assert (folder.rules, report.ok) == (["a"], False)
    hidden.rename(folder.path)
    assert await folder.reload() == {"a": "unchanged"}
    assert folder.reloader.status.broken == ()


async def test_rules_that_cannot_be_stored_are_not_put_in_force(folder: Folder) -> None:
    """An event names the rules that judged it, so they must be there to be named."""
    folder.write(a=rule("a"))
    await folder.reload()
    folder.write(a=rule("a2"))
    folder.memory.down = True
    with pytest.raises(StoreUnavailable):
        await folder.reloader.reload()
    assert folder.rules == ["a"]
    folder.memory.down = False
    assert await folder.reload() == {"a": "loaded"}
    assert folder.rules == ["a2"]


async def test_going_back_is_remembered_too(folder: Folder) -> None:
    """The last good version is the one last in force, not the newest text."""
    for text in (rule("a"), rule("b"), rule("a")):
        folder.write(a=text)
        await folder.reload()
    assert folder.memory.files == {"a.yaml": rule("a")}
    assert folder.memory.revisions[0] == folder.memory.revisions[2]


async def test_reloads_do_not_overlap(folder: Folder) -> None:
    """Ten at once end as one."""
    folder.write(a=rule("a"))
    await asyncio.gather(*(folder.reloader.reload() for _ in range(10)))
    assert len(folder.memory.revisions) == 1
    assert [report.files["a.yaml"] for report in folder.reports].count(FileState.LOADED) == 1


@asynccontextmanager
async def watching(reloader: Reloader) -> AsyncIterator[None]:
    """The watch running; it must end when it is told to."""
    stop = asyncio.Event()
    task = asyncio.create_task(reloader.watch(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def until(holds: Callable[[], bool]) -> None:
    """Poll until it holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  what is waited for is not ours to signal
            await asyncio.sleep(0.02)


async def test_the_watch_follows_changes_new_files_renames_and_deletions(folder: Folder) -> None:
    """As editors and deployments make them."""
    folder.write(a=rule("a"))
    await folder.reloader.reload()
    async with watching(folder.reloader):
        folder.write(a=rule("a2"))
        await until(lambda: folder.rules == ["a2"])
        (folder.path / "sub").mkdir()
        (folder.path / "sub" / "b.yaml").write_text(rule("b"))
        await until(lambda: folder.rules == ["a2", "b"])
        (folder.path / "new").write_text(rule("a3"))
        (folder.path / "new").rename(folder.path / "a.yaml")
        await until(lambda: folder.rules == ["a3", "b"])
        (folder.path / "a.yaml").unlink()
        await until(lambda: folder.rules == ["b"])


async def test_the_watch_survives_its_folder_and_the_store_going_away(folder: Folder) -> None:
    """It comes back by itself when they do."""
    folder.write(a=rule("a"))
    await folder.reloader.reload()
    async with watching(folder.reloader):
        hidden = folder.path.rename(folder.path.with_name("hidden"))
        await until(lambda: bool(folder.reloader.status.broken))
        (hidden / "a.yaml").write_text(rule("a2"))
        hidden.rename(folder.path)
        await until(lambda: folder.rules == ["a2"])
        folder.memory.down = True
        folder.write(a=rule("a3"))
        await until(lambda: folder.memory.refused > 0)
        assert folder.rules == ["a2"]
        folder.memory.down = False
        await until(lambda: folder.rules == ["a3"])
