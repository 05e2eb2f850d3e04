"""Small charts in a line of text."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
NONE = "·"


def bars(values: Sequence[int], width: int = 60) -> str:
    """A bar for each value, a dot for nothing; of more values than `width` some neighbours together."""
    together = -(-len(values) // width) if len(values) > width else 1
    shown = [sum(values[place : place + together]) for place in range(0, len(values), together)]
    most = max(shown, default=0)
    return "".join(NONE if not value else BARS[max(0, -(-value * len(BARS) // most) - 1)] for value in shown)
