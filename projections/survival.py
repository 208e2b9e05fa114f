"""Medians that count those who still wait.

The estimate of the share still waiting after t seconds is Kaplan and Meier's (1958). The median is
where it reaches one half; where it stays at exactly one half for a while, the middle of that while,
so that without anyone waiting it is the ordinary median. The interval is that of Brookmeyer and
Crowley (1982): all t at which one half lies within the 95 % confidence band, the band being
Greenwood's on the scale log(-log) (Kalbfleisch and Prentice), which stays within 0 and 1. Where
the estimate does not come down to one half the median is None: not reached. Where a band does not
its limit is None: not reached either, or the estimate fell to zero first, where Greenwood's formula
gives no band, as in R's survfit. So both limits are None where all ended at one instant.
"""

from collections.abc import Iterable
from math import ceil, floor, log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.proportions import Z

Seconds = NDArray[np.float64]
Ended = NDArray[np.bool_]
"""Whether a wait ended after its seconds; if not, it still lasted."""

_HALF = log(0.5)
_TOLERANCE = 1e-9
"""A curve so near to one half is there: sums of logarithms are not exact."""


class Waited(NamedTuple):
    """How long waits lasted that ended, and how long those have lasted that still do, each from the
    shortest on.
    """

    ended: Seconds
    lasting: Seconds


class Median(NamedTuple):
    """A median in seconds with the limits of its 95 % interval; None: it cannot be said."""

    median: float | None
    low: float | None
    high: float | None


def in_order(seconds: Seconds, ended: Ended) -> Waited:
    """Waits that were in any order."""
    return Waited(np.sort(seconds[ended]), np.sort(seconds[~ended]))


def kaplan_meier(waited: Waited) -> Median:
    """The median of waits; all None if none has ended."""
    times, ends, at_risk = _ends(waited)
    if not times.size:
        return Median(None, None, None)
    log_left = _log_left(ends, at_risk)
    middle = _middle(times, log_left, _HALF)
    if at_risk[-1] == ends[-1]:  # nobody is left, and there is no band
        times, ends, at_risk, log_left = times[:-1], ends[:-1], at_risk[:-1], log_left[:-1]
    # Those who ended at one instant count one by one: Greenwood's terms, 1/n(n-1) + 1/(n-1)(n-2),
    # are 2/n(n-2).
    greenwood = np.cumsum(ends / (at_risk * (at_risk - ends)))
    width = Z * np.sqrt(greenwood) / -log_left
    low, high = (_first(times, log_left * np.exp(side * width) <= _HALF) for side in (1, -1))
    return Median(middle, low, high)


def standardised(strata: Iterable[tuple[float, Waited]]) -> float | None:
    """The median that waits would have if every stratum had its share; None: not reached.

    Direct standardisation: of each stratum the share (1 in total), and the waits in it. What is
    weighted are the curves. Says nothing sensible if a stratum has no waits.
    """
    fallen = []
    for share, waited in strata:
        times, ends, at_risk = _ends(waited)
        left = np.exp(_log_left(ends, at_risk))
        fallen.append((times, share * -np.diff(left, prepend=1.0)))
    if not fallen:
        return None
    times, falls = (np.concatenate(each) for each in zip(*fallen, strict=True))
    order = np.argsort(times)
    return _middle(times[order], 1 - np.cumsum(falls[order]), 0.5)


def percentiles(ordered: Seconds, shares: Iterable[float]) -> list[float | None]:
    """Below how many seconds, which are in order, so large a share lies, each from 0 to 1; None of
    none.

    Between two neighbours the straight line, as PostgreSQL's percentile_cont has it.
    """
    if not ordered.size:
        return [None for _ in shares]
    return [_at(ordered, share * (len(ordered) - 1)) for share in shares]


def _at(ordered: Seconds, index: float) -> float:
    below, above = float(ordered[floor(index)]), float(ordered[ceil(index)])
    return below + (index - floor(index)) * (above - below)


def _ends(waited: Waited) -> tuple[Seconds, Seconds, Seconds]:
    """When waits ended, how many at that instant, and how many had lasted until then."""
    ordered, lasting = waited
    another = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=another[1:])
    first = np.flatnonzero(another)
    times = ordered[first]
    ends = np.diff(first, append=ordered.size)
    at_risk = ordered.size + lasting.size - first - np.searchsorted(lasting, times)
    return times, ends.astype(np.float64), at_risk.astype(np.float64)


def _log_left(ends: Seconds, at_risk: Seconds) -> Seconds:
    """The logarithm of the share that is left after each end."""
    with np.errstate(divide="ignore"):  # of nobody left it is -infinity
        return np.cumsum(np.log(1 - ends / at_risk))


def _middle(times: Seconds, curve: Seconds, half: float) -> float | None:
    """Where a falling curve is at one half."""
    reached = _first(times, curve <= half + _TOLERANCE)
    below = _first(times, curve < half - _TOLERANCE)
    if reached is None:
        return None
    return (reached + (reached if below is None else below)) / 2


def _first(times: Seconds, where: NDArray[np.bool_]) -> float | None:
    return float(times[where.argmax()]) if where.any() else None
