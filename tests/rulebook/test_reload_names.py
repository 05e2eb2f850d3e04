"""Reloading files that define names for others: they follow, and stay together where one is broken."""

from engine.model.condition import PathTest, Reference
from tests.rulebook.books import rule
from tests.rulebook.folders import BROKEN, Folder

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
