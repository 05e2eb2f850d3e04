"""Reloading: what is broken keeps its last good version, and nothing else is held up by it."""

import asyncio
import gc
import sys
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from engine.errors import StoreUnavailable
from engine.match import nodes, whens
from engine.model.condition import PathTest, Reference
from engine.rulebook import Known
from engine.rulebook.last_good import FileState
from engine.rulebook.reload import Reloader, ReloadReport
from tests.builders import event
from tests.rulebook.books import KNOWN, rule

BROKEN = "rules:\n  - id: [\n"


class Memory:
    """What a store remembers of revisions, and how it can fail."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.revisions: list[str] = []
        self.down = False
        self.refused = 0

    async def last_good(self) -> dict[str, str]:
        return dict(self.files)

    async def remember(self, revision: str, files: dict[str, str], default_livemode: bool | None) -> None:
        if self.down:
            self.refused += 1
            raise StoreUnavailable("down")
        self.files = dict(files)
        self.revisions.append(revision)


class Folder:
    """A folder of rules, a reloader on it, and what it reported."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.memory = Memory()
        self.reports: list[ReloadReport] = []
        self.reloader = self.start()

    def start(self, known: Known = KNOWN, *, lasting: bool = False) -> Reloader:
        """A process started on the same folder and store."""

        async def told(report: ReloadReport) -> None:
            self.reports.append(report)

        self.reloader = Reloader(
            paths=[self.path],
            base=self.path,
            known=known,
            last_good=self.memory.last_good,
            remember=self.memory.remember,
            on_report=told,
            look_every=0.5,
            lasting=lasting,
        )
        return self.reloader

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.path / f"{name}.yaml").write_text(text)

    async def reload(self) -> dict[str, str]:
        report = await self.reloader.reload()
        return {file.removesuffix(".yaml"): str(state) for file, state in report.files.items()}

    @property
    def rules(self) -> list[str]:
        return [each.id for each in self.reloader.current.rules]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


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


async def test_the_event_loop_runs_while_a_thousand_rules_are_read(folder: Folder) -> None:
    """Reading happens in a thread: nothing waits for all of it."""
    many = "rules:\n" + "".join(rule(f"r{n}").removeprefix("rules:\n") for n in range(1_000))
    folder.write(many=many)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await folder.reloader.reload()
    ticking.cancel()
    assert len(folder.rules) == 1_000
    assert ticks >= 5


NAMED = "vars: {limit: 5}\n"
USING = rule("using", when="{type: payout.failed, where: {n: {gt: $vars.limit}}}")
TABLES = "tables: {accounts: {file: accounts.csv, key: account, types: {limit: integer}}}\n"
LOOKING = TABLES + rule("looking", when="{type: payout.failed, where: {n: {gt: $tables.accounts.limit}}}")


def _operand(folder: Folder, rule_id: str) -> object:
    found = folder.reloader.current.rule(rule_id)
    assert found is not None
    condition = found.when[0].where
    assert isinstance(condition, PathTest)
    return condition.operations[0].operand


async def test_only_what_changed_is_compiled_again(folder: Folder) -> None:
    """The compiled conditions of the other files go on being used, and the index of every type they alone look at."""
    folder.write(a=rule("a", "payout.failed"), b=rule("b", "payout.paid"), c=rule("c", "payout.failed"))
    await folder.reload()
    asked = [event("payout.failed"), event("payout.paid")]

    def matched() -> list[list[str]]:
        return [[match.rule.id for match in folder.reloader.current.match(each)] for each in asked]

    assert matched() == [["a", "c"], ["b"]]
    folder.write(a="rules: []", c=rule("d", "payout.failed") + rule("c", "payout.failed").removeprefix("rules:\n"))
    with (
        patch.object(whens, "compile_when", wraps=whens.compile_when) as compiled,
        patch("engine.match.index.build", wraps=nodes.build) as built,
    ):
        await folder.reload()
        assert matched() == [["d", "c"], ["b"]]
        assert (compiled.call_count, built.call_count) == (2, 1)
        await folder.reload()
        assert matched() == [["d", "c"], ["b"]]
        assert (compiled.call_count, built.call_count) == (2, 1)


async def test_a_rulebook_that_is_replaced_is_let_go(folder: Folder) -> None:
    """Without the collector, which is told not to look at rules, and with the interpreter's settings as they were."""
    folder.write(a="".join(["rules:\n", *(rule(f"r{n}").removeprefix("rules:\n") for n in range(20))]))
    turns = sys.getswitchinterval()
    gc.disable()
    try:
        report = await folder.reloader.reload()
        report.rulebook.match(event())
        gone = weakref.ref(report.rulebook.prepare().waiting)
        folder.reports.clear()
        folder.write(a=rule("other"))
        del report
        await folder.reload()
        for _ in range(500):  # the thread that prepared it lets go of it in its own time
            if gone() is None:
                break
            await asyncio.sleep(0.01)
        assert gone() is None
        assert not gc.isenabled()
    finally:
        gc.enable()
    await folder.reload()
    assert gc.isenabled()
    assert sys.getswitchinterval() == turns


async def test_the_collector_never_looks_at_lasting_rules(folder: Folder) -> None:
    """They are put out of its sight before it goes on, and not by those who only look at them."""
    folder.write(a=rule("a"))
    for lasting in (False, True):
        folder.start(lasting=lasting)
        with patch.object(gc, "freeze") as freeze, patch.object(gc, "enable", wraps=gc.enable) as enable:
            freeze.side_effect = lambda: enable.assert_not_called()
            await folder.reload()
            assert (freeze.called, enable.called) == (lasting, True)


async def test_a_name_that_changes_is_read_anew_wherever_it_is_used(folder: Folder) -> None:
    """The file that uses it did not change; one that does not use it is left alone."""
    folder.write(names=NAMED, using=USING, other=rule("other"))
    await folder.reload()
    other = folder.reloader.current.rule("other")
    folder.write(names="vars: {limit: 6}\n")
    assert await folder.reload() == {"names": "loaded", "using": "unchanged", "other": "unchanged"}
    assert _operand(folder, "using") == 6
    assert folder.reloader.current.rule("other") is other


async def test_an_error_in_a_file_whose_names_another_uses_keeps_both(folder: Folder) -> None:
    """They may have been changed together."""
    folder.write(names=NAMED, using=USING, other=rule("other"))
    await folder.reload()
    folder.write(names=NAMED.replace("5", "6") + BROKEN, using=USING.replace("using", "used"), other=rule("more"))
    assert await folder.reload() == {"names": "kept last good", "using": "kept last good", "other": "loaded"}
    assert folder.rules == ["more", "using"]
    assert _operand(folder, "using") == 5
    assert folder.reports[-1].broken == ("names.yaml",)


async def test_a_file_that_cannot_be_read_is_no_mistake_of_those_that_use_its_names(folder: Folder) -> None:
    """Its names are not known to be missing; at a first start both are left out, and one is to blame."""
    folder.write(names=NAMED + BROKEN, using=USING)
    assert await folder.reload() == {"names": "left out", "using": "left out"}
    assert folder.reports[-1].broken == ("names.yaml",)
    folder.write(names=NAMED)
    assert await folder.reload() == {"names": "loaded", "using": "loaded"}


async def test_a_name_that_is_taken_away_stays_for_those_that_use_it(folder: Folder) -> None:
    """The mistake is theirs; what they last ran with goes on, names included, also after a restart."""
    folder.write(names=NAMED, using=USING)
    await folder.reload()
    folder.write(names=rule("named"))
    for _ in range(2):
        await folder.reload()
        assert folder.rules == ["using"]
        assert _operand(folder, "using") == 5
        (mistake,) = map(str, folder.reports[-1].mistakes)
        assert mistake.startswith("using.yaml:3:49  error[unknown-name]  there is no variable 'limit'")
        folder.start()
    (folder.path / "names.yaml").unlink()
    assert await folder.reload() == {"names": "kept last good", "using": "kept last good"}


async def test_tables_are_reloaded_and_kept_like_rules(folder: Folder) -> None:
    """A changed cell counts at once; a mistaken or deleted CSV file keeps its last good version."""
    csv = folder.path / "accounts.csv"
    csv.write_text("account,limit\nacct_1,5\n")
    (folder.path / "unnamed.csv").write_text("whatever\n")
    folder.write(a=LOOKING)
    assert await folder.reload() == {"a": "loaded", "accounts.csv": "loaded"}

    def limit() -> object:
        operand = _operand(folder, "looking")
        assert isinstance(operand, Reference)
        assert operand.column is not None
        return operand.column.cells["acct_1"]

    csv.write_text("account,limit\nacct_1,6\n")
    assert await folder.reload() == {"a": "unchanged", "accounts.csv": "loaded"}
    assert limit() == 6
    csv.write_text("account,limit\nacct_1,six\n")
    assert await folder.reload() == {"a": "unchanged", "accounts.csv": "kept last good"}
    assert limit() == 6
    assert folder.reports[-1].broken == ("accounts.csv",)
    csv.unlink()
    folder.start()
    assert await folder.reload() == {"a": "kept last good", "accounts.csv": "kept last good"}
    assert limit() == 6
    assert folder.reports[-1].broken == ("a.yaml",)
    csv.write_text("account,limit\nacct_1,7\n")
    assert await folder.reload() == {"a": "unchanged", "accounts.csv": "loaded"}
    assert limit() == 7


async def test_two_mistakes_at_once_keep_both_files(folder: Folder) -> None:
    """Whichever of them uses the other's names, and whatever they are called."""
    for names, using in (("a", "b"), ("b", "a")):
        folder.write(**{names: NAMED, using: USING})
        await folder.reload()
        folder.write(
            **{names: NAMED.replace("5", "6") + rule(when="[") + "x: 1\n", using: USING.replace("when", "wen")}
        )
        assert await folder.reload() == {names: "kept last good", using: "kept last good"}
        assert folder.rules == ["using"]
        assert _operand(folder, "using") == 5
        folder.write(**{names: "", using: ""})
        await folder.reload()


async def test_what_is_deleted_with_what_needs_it_broken_goes_on(folder: Folder) -> None:
    """Every file that a kept one needs is kept, however many there are."""
    folder.write(one=NAMED, two=USING, three=rule("three"))
    await folder.reload()
    (folder.path / "one.yaml").unlink()
    folder.write(two=USING + BROKEN.removeprefix("rules:\n"), three=BROKEN)
    assert await folder.reload() == {"one": "kept last good", "two": "kept last good", "three": "kept last good"}
    assert folder.rules == ["three", "using"]


COUNTS = "{count: 3, within: 10m}"
MEMORY = rule("counts", more=f"threshold: {COUNTS}") + "  - {id: plain, when: payout.paid, then: {notify: risk}}\n"


def memory(folder: Folder) -> list[str]:
    """What the latest report says of it."""
    return [str(each) for each in folder.reports[-1].memory]


async def test_a_reload_says_whose_memory_starts_anew(folder: Folder) -> None:
    """In the report and, until the rules change again, in the status; in the log, too."""
    folder.write(a=MEMORY)
    await folder.reload()
    assert memory(folder) == []
    folder.write(a=MEMORY.replace("10m", "20m"))
    with capture_logs() as logs:
        await folder.reload()
    anew = ["memory of counts starts anew: threshold.within changed"]
    assert memory(folder) == anew
    assert folder.reports[-1].as_json()["memory"] == [
        {"rule": "counts", "changed": ["threshold.within"], "carries_over": []}
    ]
    assert [line.get("memory_anew") for line in logs] == [["counts starts anew: threshold.within changed"]]
    await folder.reload()
    assert memory(folder) == []
    assert [str(each) for each in folder.reloader.status.memory] == anew
    folder.write(a=MEMORY.replace("10m", "20m").replace("notify: payments", "notify: risk"))
    with capture_logs() as logs:
        await folder.reload()
    assert [line.get("memory_carried_over") for line in logs] == [["counts"]]
    assert [str(each) for each in folder.reloader.status.memory] == ["memory of counts carries over"]


async def test_it_says_so_also_of_rules_that_were_changed_while_nothing_ran(folder: Folder) -> None:
    """By the revision that was in force when the service last ran."""
    folder.write(a=MEMORY)
    await folder.reload()
    folder.write(a=MEMORY.replace("count: 3", "count: 4"))
    folder.start()
    await folder.reload()
    assert memory(folder) == ["memory of counts starts anew: threshold.count changed"]
    folder.start()
    await folder.reload()
    assert memory(folder) == []
