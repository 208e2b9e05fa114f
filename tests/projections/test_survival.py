"""Kaplan-Meier medians, against the textbook's formulas and against published figures."""

from collections.abc import Sequence
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist, median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.survival import Ended, Median, Seconds, in_order, kaplan_meier

Wait = tuple[float, bool]
"""Seconds, and whether it ended."""


NOT_REACHED = Median(None, None, None)


def estimate(waits: Sequence[Wait]) -> Median:
    """What the program says of these waits."""
    return kaplan_meier(in_order(*arrays(waits)))


def arrays(waits: Sequence[Wait]) -> tuple[Seconds, Ended]:
    """The waits as the program takes them."""
    return np.array([wait[0] for wait in waits]), np.array([wait[1] for wait in waits], dtype=bool)


def by_the_book(waits: Sequence[Wait]) -> Median:
    """Product limit, Greenwood's variance, limits on log(-log), instant by instant."""
    z = NormalDist().inv_cdf(0.975)
    surviving, greenwood = 1.0, 0.0
    below: dict[str, float] = {}
    half = None
    for at in sorted({seconds for seconds, ended in waits if ended}):
        at_risk = sum(seconds >= at for seconds, _ in waits)
        ends = sum(seconds == at and ended for seconds, ended in waits)
        surviving *= 1 - ends / at_risk
        if abs(surviving - 0.5) < 1e-9 and half is None:
            half = at
        if surviving < 0.5 - 1e-9:
            below.setdefault("median", at)
        if at_risk == ends:
            break
        greenwood += ends / (at_risk * (at_risk - ends))
        error = sqrt(greenwood) / abs(log(surviving))
        if surviving ** exp(z * error) <= 0.5:
            below.setdefault("low", at)
        if surviving ** exp(-z * error) <= 0.5:
            below.setdefault("high", at)
    middle = below.get("median")
    if half is not None:
        middle = half if middle is None else (half + middle) / 2
    return Median(middle, below.get("low"), below.get("high"))


def said(*ended: float, waiting: Sequence[float] = ()) -> list[Wait]:
    return [(seconds, True) for seconds in ended] + [(seconds, False) for seconds in waiting]


def test_the_remission_times_of_freireich() -> None:
    """Freireich and others (1963), as in Kalbfleisch and Prentice, table 1.1.

    The medians are 23 and 8 weeks, the limits on log(-log) 13 to not reached, and 4 to 11.
    """
    treated = said(
        6, 6, 6, 7, 10, 13, 16, 22, 23, waiting=[6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    )
    control = said(1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
    assert estimate(treated) == Median(23, 13, None)
    assert estimate(control) == Median(8, 4, 11)


def test_what_is_not_reached_is_null() -> None:
    assert estimate(said(1, waiting=[2, 3])).median is None
    assert estimate(said(waiting=[1, 2])) == estimate([]) == NOT_REACHED
    assert estimate(said(5)).median == 5
    assert estimate(said(1, 3)).median == 2
    assert estimate(said(1, 1, waiting=[1])).median == 1


def test_where_nobody_is_left_there_is_no_band() -> None:
    """R's survfit says the same: its limits are NA where the curve drops to zero at once."""
    one, all_at_once, most_of_them = said(300), said(*[300] * 100), said(1, *[300] * 99)
    for waits in (one, all_at_once, most_of_them):
        assert estimate(waits) == Median(300, None, None)
    half_before = said(*[200] * 50, *[300] * 50)
    assert estimate(half_before) == Median(250, 200, None)


def test_what_ended_before_it_began_counts_as_any_other() -> None:
    # Clocks of two systems differ: a complaint may be acknowledged before it is raised.
    assert estimate([(-1.0, True), (-1.0, True), (3_600.0, True)]).median == -1
    assert estimate([(-1.0, True), (-2.0, True), (-1.0, False)]).median == -1


def test_random_waits_as_by_the_book() -> None:
    """Ties, few and many, some waiting: 400 groups drawn with a fixed seed."""
    chance = Random(4)
    groups = [
        [
            (float(chance.randint(0, chance.choice([5, 50, 5000]))), chance.random() < share)
            for _ in range(chance.choice([1, 2, 3, 10, 60, 200]))
        ]
        for share in (1.0, 0.7, 0.3, 0.05)
        for _ in range(100)
    ]
    for waits in groups:
        assert estimate(waits) == by_the_book(waits), waits


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9).map(float), st.booleans()), min_size=1, max_size=12))
def test_counting_those_who_wait_never_lowers_the_median(waits: list[Wait]) -> None:
    found = estimate(waits)
    answered = [seconds for seconds, ended in waits if ended]
    if found.median is not None:
        assert found.median >= median(answered)
        assert found.low is None or found.low <= found.median
        assert found.high is None or found.high >= found.median
    if len(answered) == len(waits):
        assert found.median == median(answered)


def test_nothing_is_lost_in_a_hundred_thousand_waits() -> None:
    """Half of them last equally long, half are all different: the curve stays at one half."""
    count = 100_000
    waits = said(*[1.0] * (count // 2), *(2.0 + number for number in range(count // 2)))
    assert estimate(waits).median == 1.5
    # One more who still waits, and it comes down to one half a step later.
    assert estimate([*waits, (0.5 + count, False)]).median == 2.0


@pytest.mark.parametrize("waiting", [0.0, 0.3])
def test_95_of_100_intervals_hold_the_true_median(waiting: float) -> None:
    """3,000 draws of 80 exponential waits, of which a share is cut off at random."""
    chance = Random(7)
    rate_of_ends = 1 / 3600
    rate_of_cuts = rate_of_ends * waiting / (1 - waiting)
    draws = []
    for _ in range(3000):
        draw = []
        for _ in range(80):
            end = chance.expovariate(rate_of_ends)
            cut = chance.expovariate(rate_of_cuts) if waiting else float("inf")
            draw.append((min(end, cut), end <= cut))
        draws.append(draw)
    true_median = 3600 * log(2)
    held = [
        found.low is not None
        and found.low <= true_median
        and (found.high is None or true_median < found.high)
        for found in map(estimate, draws)
    ]
    assert 0.93 <= sum(held) / len(held) <= 0.97
