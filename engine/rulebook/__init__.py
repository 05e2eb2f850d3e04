"""Rule files to rules: read with every mistake at its place, matched, and explained.

What reloads them while running is in `reload`, what counts over stored events in `coverage` and `whynot`: a check needs
none of those.
"""

from engine.rulebook.book import Match, Rulebook
from engine.rulebook.codes import CODES
from engine.rulebook.excerpt import defaults_text, rule_text
from engine.rulebook.files import read_rule_files, read_test_files
from engine.rulebook.known import Known, Listening, StripeOperations
from engine.rulebook.load import Loaded, load, rebuild
from engine.rulebook.verdicts import as_seen, looking, outside, verdict_json

__all__ = [
    "CODES",
    "Known",
    "Listening",
    "Loaded",
    "Match",
    "Rulebook",
    "StripeOperations",
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
