"""The keys of a rule that are about time, state and noise: each read by itself, then held together."""

from engine.rulebook.timing.read import KEYS, check_effect, read_timing, told_by

__all__ = ["KEYS", "check_effect", "read_timing", "told_by"]
