"""Kaplan-Meier medians in SQL, against the textbook's formulas and against published figures."""

from collections.abc import Sequence
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist, median
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.survival import kaplan_meier

Wait = tuple[float, bool]
"""Seconds, and whether it ended."""


class Estimate(NamedTuple):
    """A median with its interval; None: it cannot be said."""

    median: float | None
    low: float | None
    high: float | None


NOT_REACHED = Estimate(None, None, None)


def estimates(datastore: Datastore, groups: Sequence[Sequence[Wait]]) -> list[Estimate]:
    """What the statement says of each group."""
    flat = [(str(number), *wait) for number, waits in enumerate(groups) for wait in waits]
    columns: list[list[Any]] = [list(column) for column in zip(*flat, strict=True)] or [[], [], []]
    with datastore.transaction() as cursor:
        cursor.execute(
            "WITH measured AS (SELECT * FROM unnest(%s::text[], %s::float8[], %s::boolean[])"
            f" AS waits (name, seconds, ended)), {kaplan_meier(['name'])}"
            " SELECT name, median, low, high FROM km",
            columns,
        )
        found = {name: Estimate(*figures) for name, *figures in cursor}
    return [found.get(str(number), NOT_REACHED) for number in range(len(groups))]


def by_the_book(waits: Sequence[Wait]) -> Estimate:
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
    return Estimate(middle, below.get("low"), below.get("high"))


def said(*ended: float, waiting: Sequence[float] = ()) -> list[Wait]:
    return [(seconds, True) for seconds in ended] + [(seconds, False) for seconds in waiting]


def test_the_remission_times_of_freireich(datastore: Datastore) -> None:
    """Freireich and others (1963), as in Kalbfleisch and Prentice, table 1.1.

    The medians are 23 and 8 weeks, the limits on log(-log) 13 to not reached, and 4 to 11.
    """
    treated = said(
        6, 6, 6, 7, 10, 13, 16, 22, 23, waiting=[6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    )
    control = said(1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
    assert estimates(datastore, [treated, control]) == [
        Estimate(23, 13, None),
        Estimate(8, 4, 11),
    ]


def test_what_is_not_reached_is_null(datastore: Datastore) -> None:
    found = estimates(
        datastore,
        [
            said(1, waiting=[2, 3]),
            said(waiting=[1, 2]),
            said(5),
            said(1, 3),
            said(1, 1, waiting=[1]),
        ],
    )
    assert [estimate.median for estimate in found] == [None, None, 5, 2, 1]
    assert found[1] == NOT_REACHED


def test_where_nobody_is_left_there_is_no_band(datastore: Datastore) -> None:
    """R's survfit says the same: its limits are NA where the curve drops to zero at once."""
    one, all_at_once, most_of_them, half_before = estimates(
        datastore,
        [said(300), said(*[300] * 100), said(1, *[300] * 99), said(*[200] * 50, *[300] * 50)],
    )
    assert one == all_at_once == Estimate(300, None, None)
    assert most_of_them == Estimate(300, None, None)
    assert half_before == Estimate(250, 200, None)


def test_random_waits_as_by_the_book(datastore: Datastore) -> None:
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
    found = estimates(datastore, groups)
    for waits, estimate in zip(groups, found, strict=True):
        assert estimate == by_the_book(waits), waits


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    groups=st.lists(
        st.lists(st.tuples(st.integers(0, 9).map(float), st.booleans()), min_size=1, max_size=12),
        min_size=1,
        max_size=5,
    )
)
def test_counting_those_who_wait_never_lowers_the_median(
    datastore: Datastore, groups: list[list[Wait]]
) -> None:
    for waits, estimate in zip(groups, estimates(datastore, groups), strict=True):
        answered = [seconds for seconds, ended in waits if ended]
        if estimate.median is not None:
            assert estimate.median >= median(answered)
            assert estimate.low is None or estimate.low <= estimate.median
            assert estimate.high is None or estimate.high >= estimate.median
        if len(answered) == len(waits):
            assert estimate.median == median(answered)


@pytest.mark.parametrize("waiting", [0.0, 0.3])
def test_95_of_100_intervals_hold_the_true_median(datastore: Datastore, waiting: float) -> None:
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
        estimate.low is not None
        and estimate.low <= true_median
        and (estimate.high is None or true_median < estimate.high)
        for estimate in estimates(datastore, draws)
    ]
    assert 0.93 <= sum(held) / len(held) <= 0.97
