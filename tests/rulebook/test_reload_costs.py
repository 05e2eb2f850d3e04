"""What a reload costs: only what changed is read and compiled again, and nobody waits for it."""

import asyncio
import gc
import sys
import weakref
from unittest.mock import patch

from engine.match import nodes, whens
from tests.builders import event
from tests.rulebook.books import rule
from tests.rulebook.folders import Folder


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
