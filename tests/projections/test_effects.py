"""What customers did after their complaints."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ledger.datastore import Datastore
from projections.answers import snapshot
from projections.effects.queries import NotSoLong, UnknownDimension, effects
from projections.proportions import wilson
from tests.projections.complaining import WELL_DONE
from tests.projections.history import Happened, at, happened, project

NOW = at("2025-12-31")


def complaint_of(
    customer: str, *, complete: bool, later: timedelta = timedelta()
) -> list[Happened]:
    """A complaint raised on 2024-03-01, or later, and recovered well or not."""
    steps = WELL_DONE if complete else [WELL_DONE[0], *WELL_DONE[4:]]
    whose = {"customer_id": customer, "complaint_id": f"K {customer}"}
    return [
        step._replace(
            id=f"{step.id} {customer}",
            occurred_at=step.occurred_at + later,
            data=step.data
            | whose
            | ({"amends_id": f"A {customer}"} if "amends_id" in step.data else {}),
        )
        for step in steps
    ]


def bought(when: str, customer: str) -> Happened:
    return happened("customer.purchased.v1", when, customer_id=customer, order_id="O")


def lapsed(when: str, customer: str) -> Happened:
    return happened("customer.lapsed.v1", when, customer_id=customer)


HISTORY = [
    *complaint_of("Ada", complete=True),
    bought("2024-02-28", "Ada"),  # before the complaint
    bought("2024-06-01", "Ada"),
    *complaint_of("Ben", complete=True),
    bought("2024-08-28 09:00", "Ben"),  # on the last instant of 180 days
    *complaint_of("Cleo", complete=False),
    bought("2024-08-28 09:01", "Cleo"),  # a minute later
    lapsed("2024-05-01", "Cleo"),
    *complaint_of("Dan", complete=False),
    *complaint_of("Eve", complete=True, later=timedelta(days=600)),
    bought("2025-11-01", "Eve"),
    *complaint_of("Finn", complete=True)[:2],
]


def rows(datastore: Datastore, **how: Any) -> list[dict[str, Any]]:
    with snapshot(datastore) as cursor:
        return effects(cursor, **{"as_of": NOW} | how).rows


def test_repurchase_and_lapse_by_whether_the_recovery_was_complete(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    told = {row["recovery"]: row for row in rows(datastore)}
    columns = ("complaints", "customers", "following", "followed", "repurchased", "lapsed")
    assert {name: tuple(row[column] for column in columns) for name, row in told.items()} == {
        "complete": (3, 3, 1, 2, 2, 0),
        "incomplete": (2, 2, 0, 2, 0, 1),
        "open": (1, 1, 0, 1, 0, 0),
    }
    complete, incomplete = told["complete"], told["incomplete"]
    assert (complete["repurchase_rate"], incomplete["repurchase_rate"]) == (1, 0)
    assert (complete["repurchase_rate_low"], complete["repurchase_rate_high"]) == wilson(2, 2)
    assert (incomplete["lapse_rate_low"], incomplete["lapse_rate_high"]) == wilson(1, 2)
    assert {row["reading"] for row in told.values()} == {"observation"}


def test_what_is_bought_under_another_id_of_the_person(datastore: Datastore) -> None:
    merge = {"customer_id": "Ben", "merged_customer_id": "Ada"}
    history = [
        *complaint_of("Ada", complete=True),
        *complaint_of("Ben", complete=True),
        happened("customer.merged.v1", "2024-04-01", **merge),
        bought("2024-06-01", "Ben"),
        lapsed("2024-07-01", "Ada"),
        happened("customer.unmerged.v1", "2025-06-01", **merge),
    ]
    project(datastore, history)
    columns = ("complaints", "customers", "followed", "repurchased", "lapsed")
    (merged,) = rows(datastore, as_of=at("2025-05-31"))
    assert tuple(merged[column] for column in columns) == (2, 1, 2, 2, 2)
    (apart,) = rows(datastore)
    assert tuple(apart[column] for column in columns) == (2, 2, 2, 1, 1)


def test_the_time_of_following_is_asked_for(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    complete, *_ = rows(datastore, days=60)
    assert (complete["followed"], complete["repurchased"]) == (3, 1)
    complete, *_ = rows(datastore, days=5)
    assert (complete["followed"], complete["repurchased"], complete["following"]) == (3, 0, 0)


def test_nobody_is_judged_whose_following_is_not_over(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    for row in rows(datastore, as_of=at("2024-07-01")):
        assert (row["followed"], row["repurchase_rate"], row["lapse_rate_low"]) == (0, None, None)
        assert row["following"] == row["complaints"]


def test_windows_and_groups(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    [late] = rows(datastore, from_=at("2025-01-01"))
    assert (late["recovery"], late["complaints"]) == ("complete", 1)
    by_channel = rows(datastore, by="channel")
    assert [(row["channel"], row["recovery"]) for row in by_channel] == [
        ("mail", "complete"),
        ("mail", "incomplete"),
        ("mail", "open"),
    ]
    assert [row["topic"] for row in rows(datastore, by="topic")] == [None] * 3


def test_what_it_cannot_be_asked_by(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    with pytest.raises(UnknownDimension, match="channel"):
        rows(datastore, by="weather")
    for days in (0, 100_000):
        with pytest.raises(NotSoLong, match="from 1"):
            rows(datastore, days=days)


@given(st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    successes, n = counts
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_nobody_nothing_is_said() -> None:
    assert wilson(0, 0) == (None, None)
