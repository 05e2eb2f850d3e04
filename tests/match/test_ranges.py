"""Many bounds and bands: what a number finds among them."""

import random
from decimal import Decimal

import pytest

from engine.match.ranges import Band, Find, bands, thresholds

NUMBERS = [*range(-2, 60), *(Decimal(n) / 4 for n in range(-8, 240)), 10**30, -(10**30)]


def _found(find: Find, number: int | Decimal) -> list[int]:
    hits: list[int] = []
    find(number, hits)
    assert len(hits) == len(set(hits))
    return sorted(hits)


@pytest.mark.parametrize("above", [True, False])
def test_bounds_that_are_reached(above: bool) -> None:
    """More of them than are sorted in one go, many of them equal, of both kinds of numbers."""
    chosen = random.Random(1)
    exact: list[int | Decimal] = [*range(51), *(Decimal(n) / 4 for n in range(201))]
    bounds = [chosen.choice(exact) for _ in range(9_000)]
    find = thresholds(list(zip(bounds, range(len(bounds)), strict=True)), above=above)
    for number in NUMBERS[::7]:
        reached = [place for place, bound in enumerate(bounds) if (bound <= number if above else bound >= number)]
        assert _found(find, number) == reached


@pytest.mark.parametrize("longest", [1, 3, 50])
def test_bands_around_a_number(longest: int) -> None:
    """Short ones side by side and long ones one over the other; some are empty, and some the wrong way round."""
    chosen = random.Random(longest)
    made: list[Band] = []
    for _ in range(300):
        low = chosen.randint(0, 50)
        made.append((low, low + chosen.randint(-1, longest), True))
    find = bands(list(zip(made, range(len(made)), strict=True)))
    for number in NUMBERS:
        around = [place for place, (low, high, _) in enumerate(made) if low <= number < high]
        assert _found(find, number) == around


def test_a_closed_band_has_its_ends() -> None:
    """And may be found of what lies just beyond, which is for the rule to judge."""
    find = bands([((Decimal("0.5"), Decimal("0.75"), False), 1), ((Decimal("0.75"), Decimal("0.75"), False), 2)])
    assert _found(find, Decimal("0.5")) == [1]
    assert _found(find, Decimal("0.75")) == [1, 2]
    assert _found(find, Decimal("0.4")) == []
