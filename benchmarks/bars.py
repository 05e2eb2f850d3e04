"""Bars as an SVG, each of parts one behind the other and with a text at its end. Legible on white and on black."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, TOP = 860, 210, 150, 40
HIGH, STEP = 18, 28
GREY = "#808080"
COLOURS = ("#1a7f37", "#0969da", "#bc4c00")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar by its name, its parts by theirs; `note` stands at its end."""

    name: str
    parts: Mapping[str, float]
    note: str


def draw(bars: Sequence[Bar], *, title: str) -> str:
    """The picture. All bars have the same parts, in the same order."""
    longest = max(sum(bar.parts.values()) for bar in bars)
    height = TOP + STEP * len(bars) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" fill="{GREY}" role="img">',
        f"<title>{escape(title)}</title>",
        *_legend(list(bars[0].parts), title),
    ]
    for number, bar in enumerate(bars):
        lines += _bar(bar, TOP + STEP * number, (WIDTH - LEFT - RIGHT) / longest)
    return "\n".join([*lines, "</svg>", ""])


def _legend(parts: Sequence[str], title: str) -> list[str]:
    lines = [_text(LEFT - 10, 20, title, "end")]
    for number, name in enumerate(parts):
        x = LEFT + 150 * number
        lines.append(f'<rect x="{x}" y="10" width="12" height="12" fill="{COLOURS[number]}"/>')
        lines.append(_text(x + 18, 20, name))
    return lines


def _bar(bar: Bar, y: int, scale: float) -> list[str]:
    lines = [_text(LEFT - 10, y + 13, bar.name, "end")]
    x = float(LEFT)
    for colour, value in zip(COLOURS, bar.parts.values(), strict=False):
        lines.append(f'<rect x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="{HIGH}" fill="{colour}"/>')
        x += value * scale
    return [*lines, _text(x + 8, y + 13, bar.note)]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
