"""Matters that customers brought to two channels."""

from datetime import datetime
from typing import Any

import pytest

from ledger.datastore import Datastore
from projections.answers import snapshot
from projections.channels.duplicates import channel_duplicates, channel_duplicates_by_channels
from tests.projections.history import Happened, at, event_id, happened, inbound, outbound, project

NOW = at("2024-06-01")

MAIL = inbound("2024-03-01 09:00", "A1", topic="boiler")
CALL_NEXT_WEEK = inbound("2024-03-08 09:00", "A2", channel="phone", topic="boiler")


def duplicates(datastore: Datastore, as_of: datetime = NOW, **how: Any) -> list[dict[str, Any]]:
    with snapshot(datastore) as cursor:
        return channel_duplicates(cursor, as_of=as_of, **how).rows


def test_who_waits_on_one_channel_and_calls_another(datastore: Datastore) -> None:
    project(datastore, [CALL_NEXT_WEEK, MAIL])
    (row,) = duplicates(datastore)
    assert row == {
        "customer_id": "Ada",
        "topic": "boiler",
        "case_id": None,
        "first_customer_id": "Ada",
        "first_channel": "mail",
        "first_at": at("2024-03-01 09:00"),
        "first_touchpoint_id": "A1",
        "first_event_id": event_id(MAIL),
        "first_still_waiting": True,
        "second_channel": "phone",
        "second_at": at("2024-03-08 09:00"),
        "second_touchpoint_id": "A2",
        "second_event_id": event_id(CALL_NEXT_WEEK),
        "after_seconds": 7 * 86_400,
    }
    assert duplicates(datastore, at("2024-03-08 08:59")) == []
    assert duplicates(datastore, to=at("2024-03-08 09:00")) == []
    assert duplicates(datastore, from_=at("2024-03-08 09:01")) == []
    assert duplicates(datastore, first_channel="phone") == []
    assert duplicates(datastore, customer_id="Ben") == []


REPLY = outbound("2024-03-02 09:00", "A3", topic="boiler")


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (inbound("2024-03-02 09:00", "B", channel="phone", topic="boiler"), True),
        (inbound("2024-03-02 09:01", "B", channel="phone", topic="boiler"), False),
        (inbound("2024-03-01 10:00", "B", channel="mail", topic="boiler"), False),
        (inbound("2024-03-01 10:00", "B", channel="phone", topic="price"), False),
        (inbound("2024-03-01 10:00", "B", channel="phone"), False),
        (
            inbound("2024-03-01 10:00", "B", channel="phone", topic="boiler", expects_reply=False),
            False,
        ),
        (
            inbound("2024-03-01 10:00", "B", channel="phone", topic="boiler", customer_id="Ben"),
            False,
        ),
    ],
)
def test_once_answered_a_day_makes_the_difference(
    datastore: Datastore, second: Happened, found: bool
) -> None:
    project(datastore, [MAIL, REPLY, second])
    rows = duplicates(datastore)
    assert len(rows) == found
    if found:
        assert not rows[0]["first_still_waiting"]


def test_who_is_known_by_two_ids_on_two_channels(datastore: Datastore) -> None:
    call = inbound("2024-03-05 09:00", "B", channel="phone", customer_id="Ben", topic="boiler")
    merge = {"customer_id": "Ben", "merged_customer_id": "Ada"}
    history = [
        MAIL,
        call,
        happened("customer.merged.v1", "2024-04-01", **merge),
        happened("customer.unmerged.v1", "2024-05-01", **merge),
    ]
    project(datastore, history)
    merged = at("2024-04-15")
    (row,) = duplicates(datastore, merged)
    assert (row["first_customer_id"], row["customer_id"]) == ("Ada", "Ben")
    assert row["first_still_waiting"]
    for customer in ("Ada", "Ben"):
        assert duplicates(datastore, merged, customer_id=customer) == [row]
    with snapshot(datastore) as cursor:
        (counted,) = channel_duplicates_by_channels(cursor, as_of=merged).rows
    assert (counted["duplicates"], counted["customers"]) == (1, 1)
    # Before the merge, and once it was taken back, they are two.
    assert duplicates(datastore, at("2024-03-31")) == duplicates(datastore) == []


@pytest.mark.parametrize("case_id", [None, "C"])
def test_a_question_added_to_another_waits_with_it(
    datastore: Datastore, case_id: str | None
) -> None:
    """Nobody answered the first mail: the second one, about something else, waits as well."""
    history = [
        inbound("2024-01-01 09:00", "0", topic="price"),  # an episode of its own, never answered
        inbound("2024-03-01 09:00", "1", topic="price", case_id=case_id),
        inbound("2024-03-01 09:10", "2", topic="boiler", case_id=case_id),
        inbound("2024-03-04 09:00", "3", topic="boiler", case_id="D", channel="phone"),
    ]
    reply = outbound("2024-03-02 09:00", "4", case_id=case_id, in_reply_to="2")
    project(datastore, history)
    (row,) = duplicates(datastore)
    assert (row["first_touchpoint_id"], row["first_still_waiting"]) == ("2", True)
    assert row["after_seconds"] > 86_400
    project(datastore, [reply._replace(data=reply.data | {"in_reply_to": None})])
    assert duplicates(datastore) == []


def test_without_a_topic_the_case_says_what_it_is_about(datastore: Datastore) -> None:
    history = [
        inbound("2024-03-01 09:00", "A1", case_id="7"),
        inbound("2024-03-01 10:00", "A2", case_id="7", channel="chat"),
        inbound("2024-03-01 11:00", "A3", case_id="8", channel="phone"),
    ]
    project(datastore, history)
    (row,) = duplicates(datastore)
    assert (row["case_id"], row["second_channel"]) == ("7", "chat")
    assert row["first_still_waiting"] is True


def test_counted_by_channels_and_listed_in_pages(datastore: Datastore) -> None:
    history = [
        inbound(f"2024-03-01 {hour:02}:00", f"{who} {hour}", customer_id=who, topic="x", channel=on)
        for who in ("Ada", "Ben")
        for hour, on in enumerate(["mail", "phone", "mail", "phone", "web"], 9)
    ]
    project(datastore, history)
    with snapshot(datastore) as cursor:
        counted = channel_duplicates_by_channels(cursor, as_of=NOW).rows
        first = channel_duplicates(cursor, as_of=NOW, limit=5)
        second = channel_duplicates(cursor, as_of=NOW, limit=5, token=first.next)
    assert [
        (row["first_channel"], row["second_channel"], row["duplicates"], row["customers"])
        for row in counted
    ] == [("mail", "phone", 4, 2), ("phone", "mail", 2, 2), ("phone", "web", 2, 2)]
    assert {row["after_median_seconds"] for row in counted} == {3600.0}
    assert [*first.rows, *second.rows] == duplicates(datastore)
    assert (len(first.rows), len(second.rows), second.next) == (5, 3, None)
