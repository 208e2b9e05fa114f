"""Draws that give the same answer for a seed on every machine.

`random.Random` seeded with a string does; sets and `hash()` do not, so neither is used here.
Durations are cut to whole seconds, which hides the last bit in which mathematical libraries may
differ.
"""

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

Option = TypeVar("Option")

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Weighted(Generic[Option]):
    """Options with weights; the weights need not add up to one."""

    def __init__(self, weights: Mapping[Option, float]) -> None:
        self._options = list(weights)
        self._sums = list(accumulate(weights.values()))
        self._last = len(self._options) - 1

    def draw(self, rng: Random) -> Option:
        """One option, as often as its weight says."""
        return self._options[bisect(self._sums, rng.random() * self._sums[-1], 0, self._last)]


def lognormal(rng: Random, median_seconds: float, sigma: float) -> int:
    """A duration in whole seconds, at least 1: half below the median, a few far above it."""
    return max(1, int(median_seconds * rng.lognormvariate(0.0, sigma)))


def between(rng: Random, low: float, high: float) -> int:
    """Whole seconds, evenly between two bounds."""
    return int(low + (high - low) * rng.random())
