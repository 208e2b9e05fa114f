"""The back office: what it was asked for, how long it took, and what it kept waiting."""

from typing import Any

import pytest

from ledger.datastore import Datastore
from projections.answers import snapshot
from projections.grouping import UnknownDimension
from projections.support.queries import (
    UnknownKind,
    UnknownState,
    support_requests,
    support_times,
)
from tests.projections.history import Happened, at, happened, inbound, outbound, project

NOW = at("2024-03-31")


def requested(when: str, request_id: str, **data: Any) -> Happened:
    told = {"kind": "technical", "team": "phones"} | data
    return happened("support.requested.v1", when, request_id=request_id, **told)


def answered(when: str, request_id: str, fulfilled: bool = True, **data: Any) -> Happened:
    return happened("support.answered.v1", when, request_id=request_id, fulfilled=fulfilled, **data)


def requests(datastore: Datastore, as_of: str = "2024-03-31", **how: Any) -> list[dict[str, Any]]:
    with snapshot(datastore) as cursor:
        return support_requests(cursor, as_of=at(as_of), **how).rows


def test_a_request_is_open_until_its_first_answer(datastore: Datastore) -> None:
    project(
        datastore,
        [
            answered("2024-03-02 12:00", "R"),
            requested("2024-03-01 09:00", "R"),
            answered("2024-03-01 12:00", "R", fulfilled=False),
        ],
    )

    def state(as_of: str) -> list[tuple[Any, ...]]:
        rows = requests(datastore, as_of)
        return [(row["state"], row["answered_at"], row["waited_seconds"]) for row in rows]

    first = at("2024-03-01 12:00")
    assert state("2024-03-01 08:59") == []
    assert state("2024-03-01 10:00") == [("open", None, 3_600)]
    assert state("2024-03-01 12:00") == [("unfulfilled", first, 3 * 3_600)]
    # A later answer may still fulfil it; waited for was the first.
    assert state("2024-03-02 12:00") == [("fulfilled", first, 3 * 3_600)]


def test_it_shows_how_much_of_a_promise_was_spent_waiting(datastore: Datastore) -> None:
    """Promised on the 1st for the 3rd; the back office was asked on the 2nd, done on the 5th."""
    project(
        datastore,
        [
            happened(
                "promise.made.v1",
                "2024-03-01",
                promise_id="P",
                statement="a part",
                channel="mail",
                due_at="2024-03-03",
            ),
            requested("2024-03-02", "R", promise_id="P"),
            answered("2024-03-05", "R"),
            happened("promise.kept.v1", "2024-03-06", promise_id="P"),
        ],
    )
    day = 86_400

    def waited(as_of: str) -> tuple[Any, ...]:
        [row] = requests(datastore, as_of)
        [kept] = row["kept_waiting"]
        assert (kept["kind"], kept["id"], kept["due_at"]) == ("promise", "P", at("2024-03-03"))
        return kept["waited_seconds"], kept["late_seconds"], kept["to_at"]

    assert waited("2024-03-03") == (day, 0, None)
    assert waited("2024-03-04") == (2 * day, day, None)
    assert waited("2024-03-31") == (3 * day, 2 * day, at("2024-03-06"))


def test_complaints_and_cases_wait_too(datastore: Datastore) -> None:
    project(
        datastore,
        [
            inbound("2024-03-01", "T1", case_id="C"),
            happened("complaint.raised.v1", "2024-03-02", complaint_id="K", channel="mail"),
            requested("2024-03-03", "R", case_id="C", complaint_id="K"),
            happened("complaint.closed.v1", "2024-03-04", complaint_id="K", outcome="upheld"),
            outbound("2024-03-06", "T2", case_id="C", outcome="resolved"),
            requested("2024-03-07", "S", case_id="elsewhere", promise_id="unknown"),
        ],
    )
    belonging, nothing = requests(datastore)
    assert [
        (kept["kind"], kept["id"], kept["waited_seconds"] / 86_400, kept["late_seconds"])
        for kept in belonging["kept_waiting"]
    ] == [("case", "C", 3, None), ("complaint", "K", 1, None)]
    assert nothing["kept_waiting"] == []


MANY = [
    requested("2024-03-01", "R1", kind="technical", team="phones"),
    answered("2024-03-02", "R1"),
    requested("2024-03-01", "R2", kind="technical", team="phones", customer_id="Ben"),
    answered("2024-03-04", "R2", fulfilled=False, customer_id="Ben"),
    requested("2024-03-01", "R3", kind="administrative", team="shop", department="sales"),
    requested("2024-03-02", "R4", kind="technical", team=None),
    answered("2024-03-08", "R4"),
]


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({}, ["R1", "R2", "R3", "R4"]),
        ({"customer_id": "Ben"}, ["R2"]),
        ({"kind": "administrative"}, ["R3"]),
        ({"team": "phones"}, ["R1", "R2"]),
        ({"department": "sales"}, ["R3"]),
        ({"state": "open"}, ["R3"]),
        ({"state": "fulfilled"}, ["R1", "R4"]),
        ({"state": "unfulfilled"}, ["R2"]),
        ({"from_": at("2024-03-02")}, ["R4"]),
        ({"to": at("2024-03-02"), "team": "shop"}, ["R3"]),
    ],
)
def test_the_list_is_asked_by(datastore: Datastore, how: dict[str, Any], found: list[str]) -> None:
    project(datastore, MANY)
    assert [row["request_id"] for row in requests(datastore, **how)] == found


def test_the_list_comes_in_pages(datastore: Datastore) -> None:
    project(datastore, MANY)
    with snapshot(datastore) as cursor:
        first = support_requests(cursor, as_of=NOW, limit=3)
        second = support_requests(cursor, as_of=NOW, limit=3, token=first.next)
    assert [row["request_id"] for row in first.rows + second.rows] == ["R1", "R2", "R3", "R4"]
    assert second.next is None


def test_times_by_group_count_what_is_still_open(datastore: Datastore) -> None:
    project(datastore, MANY)
    with snapshot(datastore) as cursor:
        rows = support_times(cursor, as_of=NOW, by=["kind", "team"]).rows
    columns = ("kind", "team", "requests", "answered", "fulfilled", "open", "median_seconds")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("administrative", "shop", 1, 0, 0, 1, None),
        ("technical", "phones", 2, 2, 1, 0, 2 * 86_400),
        ("technical", None, 1, 1, 1, 0, 6 * 86_400),
    ]
    assert [row["km_median_seconds"] for row in rows] == [None, 2 * 86_400, 6 * 86_400]


def test_what_it_cannot_be_asked_by(datastore: Datastore) -> None:
    project(datastore, MANY)
    with snapshot(datastore) as cursor:
        with pytest.raises(UnknownState, match="open, fulfilled"):
            support_requests(cursor, as_of=NOW, state="lost")
        with pytest.raises(UnknownKind, match="technical"):
            support_requests(cursor, as_of=NOW, kind="moral")
        for by in ([], ["kind", "kind"], ["weather"]):
            with pytest.raises(UnknownDimension, match="kind, team"):
                support_times(cursor, as_of=NOW, by=by)
