"""Whether a rule's condition holds for an event: pure, total, and explainable.

`compile_condition` makes the closure that runs at every event; `examine` answers the same question with its reasons.
Nothing here reads a clock, a file or the network, and no event and no rule makes it raise.
"""

from engine.match.compile import compile_condition
from engine.match.evaluate import holds
from engine.match.index import Index, TypeIndex
from engine.match.operators import OPERATORS, Operator
from engine.match.paths import Base, Path, parse_path
from engine.match.patterns import compile_pattern, compile_type_pattern
from engine.match.reason import because, examine, held, unmet
from engine.match.selectors import Found, Selector, selector_of
from engine.match.steps import PathError
from engine.match.wording import describe

__all__ = [
    "OPERATORS",
    "Base",
    "Found",
    "Index",
    "Operator",
    "Path",
    "PathError",
    "Selector",
    "TypeIndex",
    "because",
    "compile_condition",
    "compile_pattern",
    "compile_type_pattern",
    "describe",
    "examine",
    "held",
    "holds",
    "parse_path",
    "selector_of",
    "unmet",
]
