"""A plausible event of every type: for simulate, the rules' own tests, and the documentation."""

from engine.samples.paths import parse_setting
from engine.samples.reads import as_if_read
from engine.samples.sample import known_types, sample, sample_object

__all__ = ["as_if_read", "known_types", "parse_setting", "sample", "sample_object"]
