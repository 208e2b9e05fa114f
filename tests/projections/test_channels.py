"""Channels compared, and response times by group."""

from typing import Any

import pytest

from ledger.datastore import Datastore
from projections.queries import (
    UnknownDimension,
    UnknownMetric,
    channels,
    response_times,
    snapshot,
    waiting,
)
from tests.projections.history import Happened, at, happened, inbound, outbound, project

NOW = at("2024-04-01")

A_DAY = [
    inbound("2024-03-01 09:00", "A1", customer_id="Ada", topic="boiler", team="north"),
    outbound(
        "2024-03-01 09:10",
        "A2",
        customer_id="Ada",
        employee_id="E1",
        team="south",
        outcome="resolved",
    ),
    inbound("2024-03-01 09:00", "B1", customer_id="Ben", topic="boiler"),
    outbound("2024-03-01 09:30", "B2", customer_id="Ben", channel="phone", employee_id="E2"),
    inbound("2024-03-01 09:00", "C1", customer_id="Cleo", channel="phone", team="north"),
    inbound("2024-03-02 09:00", "D1", customer_id="Dan", channel="phone", outcome="abandoned"),
    happened(
        "promise.made.v1",
        "2024-03-01 09:00",
        promise_id="P1",
        statement="a call",
        channel="mail",
        due_at="2024-03-02",
    ),
    happened("promise.kept.v1", "2024-03-01 12:00", promise_id="P1"),
    happened(
        "promise.made.v1",
        "2024-03-01 09:00",
        promise_id="P2",
        statement="a call",
        channel="mail",
        due_at="2024-03-03",
    ),
    happened("complaint.raised.v1", "2024-03-01 10:00", complaint_id="K", channel="phone"),
    happened(
        "feedback.given.v1",
        "2024-03-01 11:00",
        feedback_id="F",
        kind="explicit",
        instrument="csat",
        score=4.0,
        channel="web",
    ),
]


def test_channels_side_by_side(datastore: Datastore) -> None:
    project(datastore, A_DAY)
    with snapshot(datastore) as cursor:
        answer = channels(cursor, as_of=NOW)
    assert (answer.position, answer.as_of) == (len(A_DAY), NOW)
    assert answer.known_at is not None
    mail, phone, web = answer.rows
    assert mail == {
        "channel": "mail",
        "touchpoints_in": 2,
        "touchpoints_out": 1,
        "customers": 2,
        # Nobody said how long the handling took.
        "handling_minutes": None,
        "conversations": 2,
        "answered": 2,
        "waiting": 0,
        "first_response_median_seconds": 1200,
        "first_response_p90_seconds": 1680,
        "first_response_p99_seconds": 1788,
        "first_response_km_median_seconds": 1200,
        "first_response_km_median_seconds_low": 600,
        "first_response_km_median_seconds_high": None,
        "answered_any": 2,
        "first_response_any_median_seconds": 1200,
        "resolution_median_seconds": 600,
        "promises_due": 2,
        "kept": 1,
        "kept_late": 0,
        "broken": 0,
        "overdue": 1,
        "pending": 0,
        "withdrawn": 0,
        "keep_rate": 0.5,
        # Nobody published what a channel costs.
        "cost": None,
        "cost_per_resolved": None,
        "first_contact_resolution": 0.5,
        "abandoned": 0,
        "complaints_per_1000": 0,
        "feedback_n": 0,
        "feedback_mean": None,
        "feedback_share": None,
        "feedback_response_rate": 0,
        "adjusted_first_response_median_seconds": None,
        "comparable": False,
        "reversed_by_adjustment": None,
    }
    assert (phone["touchpoints_in"], phone["touchpoints_out"], phone["customers"]) == (2, 1, 3)
    assert (phone["answered"], phone["waiting"], phone["abandoned"]) == (0, 2, 1)
    assert phone["first_response_median_seconds"] is None
    assert phone["keep_rate"] is None
    assert phone["complaints_per_1000"] == pytest.approx(1000 / 3)
    assert (web["touchpoints_in"], web["feedback_n"], web["feedback_mean"]) == (0, 1, 4)
    # It names no scale, and nobody had a touchpoint there.
    assert (web["feedback_share"], web["feedback_response_rate"]) == (None, None)


def test_minutes_of_handling_are_shared_by_what_is_handled_at_once(datastore: Datastore) -> None:
    history = [
        inbound("2024-03-01 09:00", "A1", channel="chat", handling_seconds=600.0, concurrency=4),
        outbound("2024-03-01 09:10", "A2", channel="chat", handling_seconds=90.0),
        outbound("2024-03-01 09:20", "A3", channel="chat"),
    ]
    project(datastore, history)
    with snapshot(datastore) as cursor:
        (chat,) = channels(cursor, as_of=NOW).rows
    assert chat["handling_minutes"] == 4


def test_a_bot_that_answers_first_is_shown_beside_the_human(datastore: Datastore) -> None:
    history = [
        inbound("2024-03-01 09:00", "A1", channel="chat", customer_id="Ada"),
        outbound("2024-03-01 09:01", "A2", channel="chat", customer_id="Ada", handled_by="bot"),
        outbound("2024-03-01 10:00", "A3", channel="chat", customer_id="Ada"),
        inbound("2024-03-01 09:00", "B1", channel="chat", customer_id="Ben"),
        outbound("2024-03-01 09:03", "B2", channel="chat", customer_id="Ben", handled_by="system"),
    ]
    project(datastore, history)
    with snapshot(datastore) as cursor:
        (chat,) = channels(cursor, as_of=NOW).rows
    assert (chat["answered"], chat["waiting"]) == (1, 1)
    assert chat["first_response_median_seconds"] == 3_600
    assert (chat["answered_any"], chat["first_response_any_median_seconds"]) == (2, 120)


def feedback(day: str, customer_id: str, **data: Any) -> Happened:
    given = {"customer_id": customer_id, "feedback_id": f"{customer_id} {day}", **data}
    return happened("feedback.given.v1", day, **{"kind": "explicit", "channel": "mail", **given})


def test_feedback_on_different_scales_and_who_gave_it(datastore: Datastore) -> None:
    history = [
        *(
            inbound("2024-03-01 09:00", name, customer_id=name)
            for name in ("Ada", "Ben", "Cleo", "Dan")
        ),
        # Twice the same customer; one who had no touchpoint there; one on another channel.
        feedback("2024-03-02", "Ada", instrument="nps", score=10.0, scale_min=0.0, scale_max=10.0),
        feedback("2024-03-03", "Ada", instrument="csat", score=2.0, scale_min=1.0, scale_max=5.0),
        feedback("2024-03-02", "Eve", instrument="csat", score=1.0, scale_min=1.0, scale_max=5.0),
        feedback("2024-03-02", "Ben", instrument="open", channel="web"),
        feedback("2024-03-04", "Cleo", instrument="csat", score=3.0),
    ]
    project(datastore, history)
    with snapshot(datastore) as cursor:
        mail, web = channels(cursor, as_of=NOW).rows
        (early, _) = channels(cursor, as_of=at("2024-03-03")).rows
        (later,) = channels(cursor, as_of=NOW, from_=at("2024-03-03")).rows
    assert (mail["feedback_n"], mail["feedback_mean"]) == (4, 4)
    assert mail["feedback_share"] == pytest.approx((1 + 0.25 + 0) / 3)
    assert mail["feedback_response_rate"] == 2 / 4
    assert (web["feedback_share"], web["feedback_response_rate"]) == (None, None)
    assert early["feedback_response_rate"] == 1 / 4
    # Whoever gives feedback later than the window of their touchpoints is not counted.
    assert (later["feedback_n"], later["feedback_response_rate"]) == (2, None)


def test_channels_in_a_window_and_as_of(datastore: Datastore) -> None:
    project(datastore, A_DAY)
    with snapshot(datastore) as cursor:
        second_day = channels(cursor, as_of=NOW, from_=at("2024-03-02"), to=at("2024-03-03")).rows
        early = channels(cursor, as_of=at("2024-03-01 09:15")).rows
    mail, phone = second_day
    assert (mail["touchpoints_in"], mail["promises_due"], mail["kept"]) == (0, 1, 1)
    assert (phone["touchpoints_in"], phone["waiting"]) == (1, 1)
    mail, phone = early
    assert (mail["answered"], mail["waiting"], mail["pending"]) == (1, 1, 2)
    assert (phone["touchpoints_in"], phone["touchpoints_out"]) == (1, 0)


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        (["channel"], [("mail", 2, 0, 1200), ("phone", 0, 2, None)]),
        (["topic"], [("boiler", 2, 0, 1200), (None, 0, 2, None)]),
        # Who answered, or else who was asked: south answered what north was asked.
        (["team"], [("north", 0, 1, None), ("south", 1, 0, 600), (None, 1, 1, 1800)]),
        (["employee"], [("E1", 1, 0, 600), ("E2", 1, 0, 1800), (None, 0, 2, None)]),
        (["month"], [("2024-03", 2, 2, 1200)]),
        (
            ["channel", "month"],
            [("mail", "2024-03", 2, 0, 1200), ("phone", "2024-03", 0, 2, None)],
        ),
    ],
)
def test_response_times_by_group(
    datastore: Datastore, by: list[str], rows: list[tuple[object, ...]]
) -> None:
    project(datastore, A_DAY)
    with snapshot(datastore) as cursor:
        answer = response_times(cursor, as_of=NOW, by=by)
    names = ["employee_id" if name == "employee" else name for name in by]
    shown = [*names, "answered", "waiting", "median_seconds"]
    assert [tuple(row[name] for name in shown) for row in answer.rows] == rows
    assert list(answer.rows[0]) == [
        *names,
        "metric",
        "answered",
        "waiting",
        "median_seconds",
        "p90_seconds",
        "p99_seconds",
        "km_median_seconds",
        "km_median_seconds_low",
        "km_median_seconds_high",
        "business_median_seconds",
        "business_p90_seconds",
        "business_p99_seconds",
        "business_km_median_seconds",
        "business_km_median_seconds_low",
        "business_km_median_seconds_high",
        "judged",
        "within_target",
    ]


def test_response_times_want_known_names(datastore: Datastore) -> None:
    project(datastore, A_DAY)
    with snapshot(datastore) as cursor:
        with pytest.raises(UnknownMetric):
            response_times(cursor, as_of=NOW, metric="speed")
        for by in (["colour"], [], ["team", "team"]):
            with pytest.raises(UnknownDimension):
                response_times(cursor, as_of=NOW, by=by)


def test_who_waits_the_longest_first(datastore: Datastore) -> None:
    project(datastore, A_DAY)
    with snapshot(datastore) as cursor:
        first = waiting(cursor, as_of=NOW, limit=1)
        second = waiting(cursor, as_of=NOW, limit=1, token=first.next)
        early = waiting(cursor, as_of=at("2024-03-01 09:20"))
    assert [row["customer_id"] for row in first.rows + second.rows] == ["Cleo", "Dan"]
    assert first.rows[0]["waiting_seconds"] == (NOW - at("2024-03-01 09:00")).total_seconds()
    assert second.next is None
    assert {row["customer_id"] for row in early.rows} == {"Ben", "Cleo"}
