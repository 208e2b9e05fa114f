"""What happened to complaints, as of several instants."""

from typing import Any

from ledger.datastore import Datastore
from projections.queries import complaint, complaints, snapshot
from tests.projections.history import Happened, at, happened, project


def step(type_: str, when: str, **data: Any) -> Happened:
    return happened(f"complaint.{type_}.v1", when, complaint_id="K", **data)


HISTORY = [
    step("raised", "2024-03-01", channel="mail", severity="high", description="personal words"),
    step("acknowledged", "2024-03-02", employee_id="E1"),
    step("amends_offered", "2024-03-03", amends_id="A1", kind="refund"),
    step("closed", "2024-03-04", outcome="upheld"),
    step("reopened", "2024-03-06", reason="not repaired"),
    step("closed", "2024-03-09", outcome="partly_upheld"),
]


def test_a_complaint_is_open_closed_open_and_closed(datastore: Datastore) -> None:
    project(datastore, list(reversed(HISTORY)))

    def state(as_of: str) -> tuple[Any, ...]:
        with snapshot(datastore) as cursor:
            (row,) = complaints(cursor, as_of=at(as_of)).rows
        return row["closed_at"], row["outcome"], row["first_closed_at"], row["reopened"]

    assert state("2024-03-03") == (None, None, None, 0)
    assert state("2024-03-05") == (at("2024-03-04"), "upheld", at("2024-03-04"), 0)
    assert state("2024-03-07") == (None, None, at("2024-03-04"), 1)
    assert state("2024-03-10") == (at("2024-03-09"), "partly_upheld", at("2024-03-04"), 1)


def test_open_and_closed_complaints_can_be_listed_apart(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    with snapshot(datastore) as cursor:
        assert complaints(cursor, as_of=at("2024-03-07"), open_=True).rows
        assert not complaints(cursor, as_of=at("2024-03-07"), open_=False).rows
        assert complaints(cursor, as_of=at("2024-03-10"), open_=False).rows
        assert not complaints(cursor, as_of=at("2024-02-01")).rows


def test_a_complaint_opens_to_its_steps(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    with snapshot(datastore) as cursor:
        (listed,) = complaints(cursor, as_of=at("2024-03-03")).rows
        (row,) = complaint(cursor, "K", as_of=at("2024-03-03")).rows
        assert complaint(cursor, "unknown", as_of=at("2024-03-03")).rows == []
    assert listed["steps"] == {
        "complaint.raised.v1": 1,
        "complaint.acknowledged.v1": 1,
        "complaint.amends_offered.v1": 1,
    }
    raised, acknowledged, offered = row["steps"]
    assert (raised["position"], raised["occurred_at"]) == (1, at("2024-03-01"))
    assert raised["data"] == {"severity": "high"}
    assert acknowledged["employee_id"] == "E1"
    assert offered["data"] == {"amends_id": "A1", "kind": "refund"}


def test_steps_without_the_complaint_are_not_listed(datastore: Datastore) -> None:
    project(datastore, HISTORY[1:])
    with snapshot(datastore) as cursor:
        assert complaints(cursor, as_of=at("2024-03-10")).rows == []
