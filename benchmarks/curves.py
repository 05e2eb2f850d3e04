"""Growth curves as an SVG: both axes logarithmic, each curve named where it ends. Legible on white and on black."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 86, 200, 30, 50
GREY = "#808080"
OWN = ("#1a7f37", "#2da44e", "#57ab5a")
OTHERS = ("#cf222e", "#bc4c00", "#8250df", "#0969da", "#9a6700")
APART = 15
"""Pixels between two names."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y), both above 0. `own` ones are drawn thick."""

    name: str
    points: Sequence[tuple[float, float]]
    own: bool


@dataclass(frozen=True, slots=True)
class _Axis:
    """Powers of ten from `low` to `high`, and the pixels they are at."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[int]:
        return [10**power for power in range(max(self.low, 0), self.high + 1)]


def draw(curves: Sequence[Curve], *, x: str, y: str) -> str:
    """The picture. `x` and `y` say what the axes are."""
    across = _axis([each for curve in curves for each, _ in curve.points], LEFT, WIDTH - RIGHT)
    up = _axis([each for curve in curves for _, each in curve.points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="{GREY}" role="img">',
        f"<title>{escape(y)} by {escape(x)}</title>",
    ]
    for tick in across.ticks():
        parts.append(_line(across.at(tick), TOP, across.at(tick), HEIGHT - BOTTOM))
        parts.append(_text(across.at(tick), HEIGHT - BOTTOM + 18, f"{tick:,}", "middle"))
    for tick in up.ticks():
        parts.append(_line(LEFT, up.at(tick), WIDTH - RIGHT, up.at(tick)))
        parts.append(_text(LEFT - 8, up.at(tick) + 4, f"{tick:,}", "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x, "middle"))
    parts.append(_text(LEFT - 8, TOP - 12, y, "middle"))
    ends = [curve.points[-1] for curve in curves]
    own, others = iter(OWN * len(curves)), iter(OTHERS * len(curves))
    for curve, name_at in zip(curves, _apart([(across.at(a), up.at(b)) for a, b in ends]), strict=True):
        colour = next(own) if curve.own else next(others)
        points = [(across.at(a), up.at(b)) for a, b in curve.points]
        parts += _curve(curve, points, name_at, colour)
    return "\n".join([*parts, "</svg>", ""])


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return _Axis(low, max(high, low + 1), start, end)


def _apart(ends: Sequence[tuple[float, float]]) -> list[float]:
    """How high the names stand of curves that end there: moved down where two would overlap."""
    heights = [height for _, height in ends]
    for above, below in pairwise(sorted(range(len(ends)), key=ends.__getitem__)):
        if ends[above][0] == ends[below][0]:
            heights[below] = max(heights[below], heights[above] + APART)
    return heights


def _curve(curve: Curve, points: Sequence[tuple[float, float]], name_at: float, colour: str) -> list[str]:
    width = 2.5 if curve.own else 1.5
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    end = points[-1][0]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>',
        *(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points),
        f'<text x="{end + 8:.1f}" y="{name_at + 4:.1f}" fill="{colour}">{escape(curve.name)}</text>',
    ]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f},{y1:.1f} L{x2:.1f},{y2:.1f}" stroke="{GREY}" stroke-width="0.5" opacity="0.4"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
