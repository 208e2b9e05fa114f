"""The statistics against SciPy on random data, and against a truth that is known."""

import warnings
from collections.abc import Callable, Sequence
from math import exp, log
from random import Random
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.stats import CensoredData, ecdf

from ledger.datastore import Datastore
from projections.survival import Median, in_order, percentiles, standardised
from tests.projections.test_survival import Wait, arrays, estimate

Draw = Callable[[], float]


def by_scipy(waits: Sequence[Wait]) -> Median:
    """SciPy's Kaplan-Meier curve and its log-log band, read where they come down to one half."""
    curve = curve_by_scipy(waits)
    if curve is None:
        return Median(None, None, None)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it has none where the curve is 0 or 1
        band = curve.confidence_interval(confidence_level=0.95, method="log-log")
    left = np.asarray(curve.probabilities)
    # SciPy's curve steps at cuts as well, where it stays as it was.
    exactly = _first(curve.quantiles, np.isclose(left, 0.5))
    below = _first(curve.quantiles, left < 0.5 - 1e-9)
    times = [time for time in (exactly, below) if time is not None]
    middle = sum(times) / len(times) if times else None
    # A curve that has come down to zero has no variance there, and so no band.
    said = (left > 0) & (left < 1)
    low, high = (
        _first(curve.quantiles, said & (np.asarray(limit.probabilities) <= 0.5))
        for limit in (band.low, band.high)
    )
    return Median(middle, low, high)


def curve_by_scipy(waits: Sequence[Wait]) -> Any:
    """The share still waiting; None if nobody's wait has ended."""
    ended = [seconds for seconds, over in waits if over]
    waiting = [seconds for seconds, over in waits if not over]
    return ecdf(CensoredData(uncensored=ended, right=waiting)).sf if ended else None


def _first(times: Any, where: Any) -> float | None:
    found = np.flatnonzero(where)
    return float(times[found[0]]) if found.size else None


@pytest.mark.parametrize("waiting", [0.0, 0.3, 0.7])
def test_medians_and_intervals_are_those_of_scipy(waiting: float) -> None:
    """300 groups of 2 to 200 waits, many of them equal."""
    chance = Random(11)
    groups = [
        [
            (float(chance.randint(0, longest)), chance.random() >= waiting)
            for _ in range(chance.choice([2, 3, 5, 17, 80, 200]))
        ]
        for longest in (4, 60, 100_000)
        for _ in range(100)
    ]
    for waits in groups:
        assert estimate(waits) == by_scipy(waits), waits


def test_percentiles_are_those_of_the_database(datastore: Datastore) -> None:
    """To the last digit, from none to 200 seconds, many of them equal."""
    chance = Random(15)
    shares = [0.0, 0.1, 1 / 3, 0.5, 0.9, 0.99, 1.0]
    with datastore.transaction() as cursor:
        for count in [0, 1, 2, 3, 10, 11, 100, 101, 200]:
            drawn = [chance.choice([chance.expovariate(0.01), 60.0]) for _ in range(count)]
            cursor.execute(
                "SELECT percentile_cont(%s::float8[]) WITHIN GROUP (ORDER BY seconds)"
                " FROM unnest(%s::float8[]) AS seconds",
                (shares, drawn),
            )
            (expected,) = cursor.fetchone() or (None,)
            assert percentiles(np.sort(drawn), shares) == (expected or [None] * len(shares))


class Stratum(NamedTuple):
    """Waits of one channel with one kind of matter."""

    channel: str
    number: int
    waits: Sequence[Wait]


def adjusted(strata: Sequence[Stratum], mix: dict[int, float]) -> dict[str, float]:
    """The standardised medians of all channels."""
    found = {}
    for channel in {each.channel for each in strata}:
        mine = [each for each in strata if each.channel == channel]
        median_ = standardised((mix[each.number], in_order(*arrays(each.waits))) for each in mine)
        assert median_ is not None
        found[channel] = median_
    return found


def test_standardised_medians_are_those_of_scipys_curves_weighted() -> None:
    """60 channels, each with three strata of its own sizes and speeds, a third still waiting."""
    chance = Random(12)
    mix = {1: 0.55, 2: 0.3, 3: 0.15}
    strata = [
        Stratum(f"channel {channel}", number, draws(chance, chance.randint(30, 90), slow * 600.0))
        for channel in range(60)
        for number, slow in zip(mix, chance.sample([1, 2, 5, 20], 3), strict=True)
    ]
    found = adjusted(strata, mix)
    assert len(found) == 60
    for channel, median_ in found.items():
        curves = {each.number: curve_by_scipy(each.waits) for each in strata if each[0] == channel}
        times = sorted({time for curve in curves.values() for time in curve.quantiles})
        left = sum(share * curves[number].evaluate(times) for number, share in mix.items())
        assert median_ == pytest.approx(_first(times, left <= 0.5))


def draws(chance: Random, count: int, mean: float, waiting: float = 0.3) -> list[Wait]:
    """Exponential waits, of which a share is cut off at random before it ends."""
    rate = 1 / mean
    cut = rate * waiting / (1 - waiting)
    waits = []
    for _ in range(count):
        ends, cuts = chance.expovariate(rate), chance.expovariate(cut)
        waits.append((min(ends, cuts), ends <= cuts))
    return waits


MINUTE = 60.0
EASY, DIFFICULT = 1, 2
PLANTED = {
    # channel: stratum: how many, how long they take on average
    "mail": {EASY: (90, 10 * MINUTE), DIFFICULT: (360, 100 * MINUTE)},
    "phone": {EASY: (360, 20 * MINUTE), DIFFICULT: (90, 200 * MINUTE)},
}
"""Mail is twice as fast with everything, and gets the difficult things."""


def true_median(channel: str) -> float:
    """Where half of all are answered if the channel gets as many easy as difficult things."""
    low, high = 0.0, 1e6
    while high - low > 1e-6:
        middle = (low + high) / 2
        left = sum(exp(-middle / mean) for _, mean in PLANTED[channel].values()) / 2
        low, high = (middle, high) if left > 0.5 else (low, middle)
    return low


def test_the_naive_ranking_is_wrong_and_ours_is_right() -> None:
    """100 draws of a planted company in which 30 % are still waiting."""
    chance = Random(13)
    strata, naive_right = [], 0
    for number in range(100):
        answered = {}
        for channel, kinds in PLANTED.items():
            mine = [
                Stratum(f"{channel} {number}", kind, draws(chance, count, mean))
                for kind, (count, mean) in kinds.items()
            ]
            strata += mine
            answered[channel] = median(
                seconds for each in mine for seconds, over in each.waits if over
            )
        naive_right += answered["mail"] < answered["phone"]
    waiting = [not over for each in strata for _, over in each.waits]
    assert sum(waiting) / len(waiting) == pytest.approx(0.3, abs=0.01)
    found = adjusted(strata, {EASY: 0.5, DIFFICULT: 0.5})
    ours_right = sum(found[f"mail {n}"] < found[f"phone {n}"] for n in range(100))
    assert (naive_right, ours_right) == (0, 100)
    for channel in PLANTED:
        typical = median(found[f"{channel} {number}"] for number in range(100))
        assert typical == pytest.approx(true_median(channel), rel=0.03)


def lognormal(chance: Random) -> Draw:
    """Answered at the end of the queue: a long tail, as real response times have; median 1 hour."""
    return lambda: chance.lognormvariate(log(3600), 1.5)


def exponential(chance: Random) -> Draw:
    return lambda: chance.expovariate(log(2) / 3600)


def weibull(chance: Random) -> Draw:
    """Whoever has waited long is answered the sooner."""
    return lambda: chance.weibullvariate(3600 / log(2) ** (1 / 2), 2)


@pytest.mark.parametrize("shape", [exponential, lognormal, weibull])
@pytest.mark.parametrize("waiting", [0.0, 0.3])
def test_95_of_100_intervals_hold_the_true_median(
    shape: Callable[[Random], Draw], waiting: float
) -> None:
    """2,000 groups of 50 whose true median is an hour; who still waits is cut off at random."""
    chance = Random(14)
    ends = shape(chance)
    groups = []
    for _ in range(2000):
        group = []
        for _ in range(50):
            end = ends()
            # Cut off somewhere before its end: it is not known how much longer it would have been.
            cut = chance.expovariate(waiting / (1 - waiting) * log(2) / 3600) if waiting else end
            group.append((min(end, cut), end <= cut))
        groups.append(group)
    held = [
        found.low is not None and found.low <= 3600 and (found.high is None or found.high > 3600)
        for found in map(estimate, groups)
    ]
    assert 0.93 <= sum(held) / len(held) <= 0.97
