"""The docs say what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.rulebook import Known, load
from engine.settings import load_settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
ENVIRONMENT = {
    "STRIPE_WEBHOOK_SECRET": "whsec_" + "0" * 32,
    "PAYMENTS_CHANNEL": "json://127.0.0.1:9/hook",
}


def _blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.relative_to(ROOT)}:{page.read_text()[: found.start()].count(chr(10)) + 1}", found[2])
        for page in PAGES
        for found in FENCE.finditer(page.read_text())
        if found[1] == language
    ]


def _ids(blocks: list[tuple[str, str]]) -> list[str]:
    return [where for where, _ in blocks]


def test_generated_parts_are_as_the_code_has_them() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"stale, run python docs/generate.py: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    targets = [match[1] for match in LINK.finditer(page.read_text()) if "://" not in match[1]]
    assert [target for target in targets if not (page.parent / target).exists()] == []


YAML = _blocks("yaml")
RULES = [block for block in YAML if re.search(r"^(rules|defaults):\n", block[1], re.MULTILINE) and "- id:" in block[1]]
CONFIGS = [block for block in YAML if block not in RULES]


@pytest.mark.parametrize(("where", "text"), RULES, ids=_ids(RULES))
def test_rules_in_the_docs_pass_check(where: str, text: str) -> None:
    known = Known(
        channels=frozenset({"console", "payments", "risk", "onboarding", "on-call"}),
        callbacks=frozenset({"case-system"}),
        callback_hosts=frozenset({"cases.example.com"}),
        allowed_writes=frozenset({"accounts.update", "payouts.update"}),
        default_livemode=True,
    )
    loaded = load({where: text}, known)
    assert list(map(str, loaded.mistakes)) == []
    assert loaded.rulebook.rules


@pytest.mark.parametrize(("where", "text"), CONFIGS, ids=_ids(CONFIGS))
def test_configuration_in_the_docs_loads(where: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    load_settings(file, ENVIRONMENT)
