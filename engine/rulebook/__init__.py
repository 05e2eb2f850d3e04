"""Rule files to rules: read with every mistake at its place, matched, explained, and reloaded while running."""

from engine.rulebook.book import Match, Rulebook
from engine.rulebook.codes import CODES
from engine.rulebook.coverage import Coverage
from engine.rulebook.excerpt import defaults_text, rule_text
from engine.rulebook.files import read_rule_files, read_test_files
from engine.rulebook.known import Known, StripeOperations
from engine.rulebook.last_good import FileState
from engine.rulebook.load import Loaded, load, rebuild
from engine.rulebook.reload import Reloader, ReloadReport, ReloadStatus
from engine.rulebook.verdicts import as_seen, looking, outside, verdict_json
from engine.rulebook.whynot import Obstacle, Tally, WhyNot

__all__ = [
    "CODES",
    "Coverage",
    "FileState",
    "Known",
    "Loaded",
    "Match",
    "Obstacle",
    "ReloadReport",
    "ReloadStatus",
    "Reloader",
    "Rulebook",
    "StripeOperations",
    "Tally",
    "WhyNot",
    "as_seen",
    "defaults_text",
    "load",
    "looking",
    "outside",
    "read_rule_files",
    "read_test_files",
    "rebuild",
    "rule_text",
    "verdict_json",
]
