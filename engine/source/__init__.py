"""YAML 1.2 with positions, and how mistakes in it are printed. Rule files and the configuration are read with it."""

from engine.source.durations import Rate, format_duration, parse_duration, parse_rate
from engine.source.nearest import did_you_mean, nearest
from engine.source.nodes import Document, Entry, Mapping, Node, Scalar, Sequence, plain
from engine.source.printing import counted, print_mistakes, redact, to_github, to_json
from engine.source.reader import Parse, ParseOnce, collector_paused, parse, split_lines

__all__ = [
    "Document",
    "Entry",
    "Mapping",
    "Node",
    "Parse",
    "ParseOnce",
    "Rate",
    "Scalar",
    "Sequence",
    "collector_paused",
    "counted",
    "did_you_mean",
    "format_duration",
    "nearest",
    "parse",
    "parse_duration",
    "parse_rate",
    "plain",
    "print_mistakes",
    "redact",
    "split_lines",
    "to_github",
    "to_json",
]
