"""Response times against the service levels in force, in calendar and in business time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ledger.datastore import Datastore
from projections.queries import attention, response_times, snapshot
from tests.projections.history import Happened, at, happened, inbound, outbound, project

OFFICE = happened(
    "calendar.published.v1",
    "2024-01-01",
    calendar_id="office",
    timezone="UTC",
    weekly=[{"weekday": day, "from": "09:00", "to": "17:00"} for day in range(1, 6)],
    valid_from="2024-01-01",
)
SHORTER = happened(
    "calendar.published.v1",
    "2024-03-02",
    calendar_id="office",
    timezone="UTC",
    weekly=[{"weekday": 1, "from": "12:00", "to": "13:00"}],
    valid_from="2024-03-04",
)


def agreed(id_: str, seconds: int, **said: Any) -> Happened:
    return happened(
        "service_level.published.v1",
        "2024-01-01",
        service_level_id=id_,
        metric="first_response",
        target_seconds=seconds,
        **{"clock": "business", "calendar_id": "office", "valid_from": "2024-01-01"} | said,
    )


# 2024-03-01 is a Friday: an hour on Friday, an hour on Monday.
OVER_THE_WEEKEND = [
    inbound("2024-03-01 16:00", "A1", customer_id="Ada"),
    outbound("2024-03-04 10:00", "A2", customer_id="Ada"),
]


def asked(datastore: Datastore, as_of: str = "2024-04-01", **how: Any) -> list[dict[str, Any]]:
    with snapshot(datastore) as cursor:
        return response_times(cursor, as_of=at(as_of), **how).rows


def test_business_time_stands_beside_calendar_time(datastore: Datastore) -> None:
    project(datastore, [OFFICE, agreed("mail", 7200), *OVER_THE_WEEKEND])
    (row,) = asked(datastore)
    assert (row["median_seconds"], row["business_median_seconds"]) == (66 * 3600, 2 * 3600)
    assert (row["judged"], row["within_target"]) == (1, 1.0)


def test_each_piece_is_measured_by_the_calendar_in_force(datastore: Datastore) -> None:
    """On Monday nobody works before noon any more, so only the hour on Friday counts."""
    project(datastore, [*OVER_THE_WEEKEND, SHORTER, agreed("mail", 3599), OFFICE])
    (row,) = asked(datastore)
    assert (row["business_median_seconds"], row["within_target"]) == (3600, 0.0)


def test_who_waits_is_judged_once_the_target_is_over(datastore: Datastore) -> None:
    project(datastore, [OFFICE, agreed("mail", 7200), OVER_THE_WEEKEND[0]])
    for as_of, judged, share in (
        ("2024-03-03", 0, None),
        ("2024-03-04 10:00", 0, None),
        ("2024-03-04 10:01", 1, 0.0),
    ):
        (row,) = asked(datastore, as_of)
        assert (row["judged"], row["within_target"]) == (judged, share)
        assert row["business_median_seconds"] is None


def test_the_level_is_that_of_channel_topic_and_tier_when_the_wait_began(
    datastore: Datastore,
) -> None:
    history = [
        agreed("all", 10, clock="calendar"),
        agreed("mail", 3600, clock="calendar", channel="mail"),
        agreed("gold", 60, clock="calendar", channel="mail", tier="most_valuable"),
        agreed("boiler", 600, clock="calendar", channel="mail", topic="boiler"),
        agreed(
            "boiler", 1, clock="calendar", channel="mail", topic="boiler", valid_from="2024-03-05"
        ),
        happened("customer.tiered.v1", "2024-02-01", customer_id="Ada", tier="most_valuable"),
        happened("customer.tiered.v1", "2024-03-02", customer_id="Ada", tier="negative"),
    ]
    for number, (day, customer, channel, topic) in enumerate(
        [
            ("2024-03-01", "Ada", "mail", "price"),
            ("2024-03-03", "Ada", "mail", "price"),
            ("2024-03-01", "Ben", "mail", "boiler"),
            ("2024-03-06", "Ben", "mail", "boiler"),
            ("2024-03-01", "Ben", "phone", "boiler"),
        ]
    ):
        about = {"customer_id": customer, "channel": channel, "topic": topic}
        case = {"case_id": f"case {number}"}
        history += [
            inbound(f"{day} 10:00", f"{number} in", **about, **case),
            outbound(f"{day} 10:05", f"{number} out", **about, **case),
        ]
    project(datastore, history)
    rows = asked(datastore, by=["tier", "topic", "channel", "month"])
    assert [(row["tier"], row["topic"], row["channel"], row["judged"]) for row in rows] == [
        ("most_valuable", "price", "mail", 1),
        ("negative", "price", "mail", 1),
        (None, "boiler", "mail", 2),
        (None, "boiler", "phone", 1),
    ]
    assert [row["within_target"] for row in rows] == [0.0, 1.0, 0.5, 0.0]
    assert {row["business_median_seconds"] for row in rows} == {None}


round_the_clock = happened(
    "calendar.published.v1",
    "2024-01-01",
    calendar_id="office",
    timezone="America/New_York",
    weekly=[{"weekday": day, "from": "00:00", "to": "24:00"} for day in range(1, 8)],
    valid_from="2024-01-01",
)


def test_round_the_clock_both_times_are_equal(datastore: Datastore) -> None:
    """Waits of 0 to 59 days, begun on as many days, over both changes of the clock."""
    history = [round_the_clock, agreed("mail", 7200)]
    begin = at("2024-02-01")
    for number in range(60):
        begins = begin + timedelta(days=5 * number, minutes=7 * number)
        ends = begins + timedelta(days=number, minutes=number)
        case = {"case_id": f"case {number}"}
        history += [
            inbound(f"{begins:%Y-%m-%d %H:%M}", f"{number} in", **case),
            outbound(f"{ends:%Y-%m-%d %H:%M}", f"{number} out", **case),
        ]
    project(datastore, history)
    rows = asked(datastore, "2025-12-31", by=["month"])
    assert sum(row["answered"] for row in rows) == 60
    for row in rows:
        assert row["business_median_seconds"] == row["median_seconds"]
        assert row["business_p99_seconds"] == pytest.approx(row["p99_seconds"])
        for name in ("km_median_seconds", "km_median_seconds_low", "km_median_seconds_high"):
            assert row[f"business_{name}"] == row[name]


def test_who_still_waits_counts_with_the_business_time_until_now(datastore: Datastore) -> None:
    """Two answered on a Friday; three wait over a weekend, which is next to no business time."""
    history = [
        OFFICE,
        agreed("mail", 7200, channel="mail"),
        inbound("2024-03-01 14:00", "A1", customer_id="Ada"),
        outbound("2024-03-01 15:00", "A2", customer_id="Ada"),
        inbound("2024-03-01 14:00", "B1", customer_id="Ben"),
        outbound("2024-03-01 16:00", "B2", customer_id="Ben"),
        inbound("2024-03-01 16:00", "C1", customer_id="Cleo"),
        inbound("2024-03-02 16:00", "D1", customer_id="Dan"),
        inbound("2024-03-03 16:00", "E1", customer_id="Eve"),
        inbound("2024-03-01 16:00", "F1", customer_id="Finn", channel="chat"),
        outbound("2024-03-01 17:00", "F2", customer_id="Finn", channel="chat"),
    ]
    project(datastore, history)
    chat, mail = asked(datastore, "2024-03-04 09:30")
    # In elapsed time three of five wait longer than anybody who was answered.
    assert (mail["waiting"], mail["km_median_seconds"]) == (3, None)
    # In business time Dan and Eve wait half an hour, Cleo one and a half: of three one is answered
    # after an hour, and the last of them after two.
    assert mail["business_km_median_seconds"] == 2 * 3600
    assert mail["business_median_seconds"] == 1.5 * 3600
    # No service level names a calendar for the chat.
    assert (chat["km_median_seconds"], chat["business_km_median_seconds"]) == (3600, None)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        # The clock is put forward, and back; beside it an hour for lunch.
        ("Europe/Amsterdam", "2024-03-31", 22),
        ("Europe/Amsterdam", "2024-10-27", 24),
        ("America/New_York", "2024-03-10", 22),
        ("America/New_York", "2024-11-03", 24),
        ("Australia/Lord_Howe", "2024-10-06", 22.5),
        ("Australia/Lord_Howe", "2024-04-07", 23.5),
    ],
)
def test_a_day_on_which_the_clock_changes_and_everybody_has_lunch(
    datastore: Datastore, zone: str, day: str, hours: float
) -> None:
    shifts = (("00:00", "12:00"), ("13:00", "24:00"))
    calendar = happened(
        "calendar.published.v1",
        "2024-01-01",
        calendar_id="office",
        timezone=zone,
        weekly=[{"weekday": on, "from": a, "to": b} for on in range(1, 8) for a, b in shifts],
        valid_from="2024-01-01",
    )
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    begins, ends = (
        f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"
        for instant in (midnight, midnight + timedelta(days=1))
    )
    target = agreed("all", int(hours * 3600))
    project(datastore, [inbound(begins, "A1"), outbound(ends, "A2"), target, calendar])
    (row,) = asked(datastore, "2024-12-31")
    assert (row["business_median_seconds"], row["within_target"]) == (hours * 3600, 1.0)
    # Who was to answer could see until when: the end of that day, and not an hour before or after.
    with snapshot(datastore) as cursor:
        (due,) = attention(cursor, as_of=at(ends) - timedelta(hours=1)).rows
    assert due["due_at"] == at(ends)


def test_a_holiday_added_later_does_not_count_from_then_on(datastore: Datastore) -> None:
    """Monday becomes a holiday three days before; the Friday stays as it was."""
    with_holiday = happened(
        "calendar.published.v1",
        "2024-03-01",
        calendar_id="office",
        timezone="UTC",
        weekly=OFFICE.data["weekly"],
        holidays=[date(2024, 3, 1), date(2024, 3, 4)],
        valid_from="2024-03-02",
    )
    project(datastore, [OFFICE, agreed("mail", 7200), *OVER_THE_WEEKEND])
    assert asked(datastore)[0]["business_median_seconds"] == 2 * 3600
    project(datastore, [with_holiday])
    assert asked(datastore)[0]["business_median_seconds"] == 3600
    assert asked(datastore, "2024-02-29") == []
