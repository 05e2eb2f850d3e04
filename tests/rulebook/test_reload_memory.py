"""A reload says what becomes of the memory of rules that were changed."""

from structlog.testing import capture_logs

from tests.rulebook.books import rule
from tests.rulebook.folders import Folder

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
