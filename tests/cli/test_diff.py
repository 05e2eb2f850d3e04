"""`tocsin diff`: what a change to the rules loses and gains, in a terminal, in a pull request and as an exit code."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.rulebook import Known, load
from engine.store import Store
from engine.store.connect import Target
from tests.builders import CREATED, snapshot

runner = CliRunner()

OLD = """\
rules:
  - {id: big, when: {type: payout.failed, where: {amount: {gte: 1.00 USD}}}, then: {notify: risk, title: Big}}
  - {id: gone, when: payout.failed, then: {notify: payments, title: Gone}}
"""
NEW = """\
rules:
  - {id: big, when: {type: payout.failed, where: {amount: {gte: 2.00 USD}}}, then: {notify: risk, title: Large}}
"""


@pytest.fixture
def place(workplace: Path) -> Path:
    """Old rules in a folder, new ones where the configuration has them, and a file with three events."""
    (workplace / "old").mkdir()
    (workplace / "old" / "a.yaml").write_text(OLD)
    (workplace / "rules" / "payouts.yaml").write_text(NEW)
    roots = [
        snapshot("payout.failed", id=f"evt_{n}", created=CREATED + n, object={"amount": n * 100}) for n in (1, 2, 3)
    ]
    (workplace / "events.jsonl").write_text("\n".join(json.dumps(root) for root in roots))
    return workplace


def diff(*arguments: str) -> Any:
    """Runs it."""
    return runner.invoke(app, ["diff", *arguments])


def test_a_folder_against_the_rules_on_disk(place: Path) -> None:
    result = diff("old", "--from", "events.jsonl")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "old against the rules on disk, over 3 events, 2026-01-01 to 2026-01-01",
        "",
        "big  3 -> 2 alerts: 1 lost, 2 altered (other words 2)",
        "  - 2026-01-01 00:00  evt_1  payout.failed  acct_1   amount 1.00 USD   needs >= 2.00 USD",
        "  ~ 2026-01-01 00:00  evt_2  payout.failed  acct_1",
        *("      - Big", "      + Large"),
        "    and 1 more other than before",
        "",
        "gone  gone: 3 -> 0 alerts: 3 lost",
        *(f"  - 2026-01-01 00:00  evt_{n}  payout.failed  acct_1" for n in (1, 2, 3)),
        "",
        "4 alerts lost, 0 gained, 2 altered; messages 6 -> 2",
    ]


def test_for_a_pull_request(place: Path) -> None:
    lines = diff("old", "--from", "events.jsonl", "--format", "markdown", "--examples", "1").stdout.splitlines()
    assert lines[0] == "**Tocsin:** 4 alerts lost, 0 gained, 2 altered; messages 6 -> 2"
    assert "| `big` | 3 | 2 | **1** | 0 | **2** |" in lines
    assert "| `gone` (gone) | 3 | 0 | **3** | 0 | 0 |" in lines
    assert lines.count("```diff") == lines.count("```") == 2


def test_the_exit_code_says_whether_anything_is_another(place: Path) -> None:
    assert diff("old", "rules", "--from", "events.jsonl", "--exit-code").exit_code == 1
    same = diff("old", "old", "--from", "events.jsonl", "--exit-code")
    assert (same.exit_code, same.stdout.splitlines()[-1]) == (0, "no alert is lost, gained or another (6 alerts)")
    found = json.loads(diff("old", "--from", "events.jsonl", "--format", "json").stdout)
    assert (found["same"], found["messages"]) == (False, {"before": 6, "after": 2})
    assert [rule["rule"] for rule in found["rules"]] == ["big", "gone"]


def test_a_stored_revision_against_the_rules_on_disk(place: Path, database: str) -> None:
    revision = load({"rules/a.yaml": OLD}, Known()).rulebook.revision

    async def remember() -> None:
        store = await Store.connect(Target.from_url(database))
        await store.revisions.remember(revision, {"rules/a.yaml": OLD}, None)
        await store.close()

    assert "no rules were ever loaded" in diff("in-force", "--from", "events.jsonl").output
    asyncio.run(remember())
    for name in ("in-force", revision[:8]):
        assert diff(name, "--from", "events.jsonl").stdout.splitlines()[-1].startswith("4 alerts lost")


def test_what_there_is_not_is_said(place: Path) -> None:
    for name, message in (
        ("nowhere/rules", "there is no file or folder 'nowhere/rules'"),
        ("abc", "a revision is named by at least 6 characters"),
        ("abcdef12", "no revisions begin with 'abcdef12'"),
    ):
        result = diff(name, "--from", "events.jsonl")
        assert result.exit_code == 2
        assert message in result.output


def test_whose_memory_starts_anew_is_said(place: Path) -> None:
    """Where the change is loaded: for a reviewer to know."""
    rules = "rules:\n  - {id: many, when: payout.failed, throttle: {max: 1, every: 1h}, then: {notify: risk}}\n"
    (place / "old" / "a.yaml").write_text(rules)
    (place / "rules" / "payouts.yaml").write_text(rules.replace("every: 1h", "every: 2h"))
    line = "memory of many starts anew: throttle.every changed"
    assert line in diff("old", "--from", "events.jsonl").stdout.splitlines()
    assert f"- {line}" in diff("old", "--from", "events.jsonl", "--format", "markdown").stdout.splitlines()
    content = json.loads(diff("old", "--from", "events.jsonl", "--format", "json").stdout)
    assert content["memory"] == [{"rule": "many", "changed": ["throttle.every"], "carries_over": []}]
