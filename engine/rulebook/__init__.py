"""Rule files to rules: read with every mistake at its place, matched, explained, and reloaded while running."""

from engine.rulebook.book import Match, Rulebook
from engine.rulebook.codes import CODES
from engine.rulebook.files import read_rule_files
from engine.rulebook.known import Known, StripeOperations
from engine.rulebook.last_good import FileState
from engine.rulebook.load import Loaded, load, rebuild
from engine.rulebook.reload import Reloader, ReloadReport, ReloadStatus
from engine.rulebook.verdicts import verdict_json

__all__ = [
    "CODES",
    "FileState",
    "Known",
    "Loaded",
    "Match",
    "ReloadReport",
    "ReloadStatus",
    "Reloader",
    "Rulebook",
    "StripeOperations",
    "load",
    "read_rule_files",
    "rebuild",
    "verdict_json",
]
