"""The company's clock and its working hours."""

from datetime import date, datetime

import pytest

from servicetrail.simulate.chance import DAY, HOUR
from servicetrail.simulate.clockwork import Clockwork, Story
from servicetrail.simulate.company import CALENDARS, OFFICE_AFTER_THE_CHANGE
from servicetrail.simulate.hours import Hours, instant, midnight_after


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def tells(clock: Clockwork, name: str, *instants: int) -> Story:
    for wake_at in instants:
        yield wake_at
        clock.tell("source", name, "subject", {})


def test_stories_wake_in_order_of_time_and_those_of_one_instant_in_turn() -> None:
    clock = Clockwork(0)
    clock.start(tells(clock, "first", 5, 10))
    clock.start(tells(clock, "second", 5, 7))
    assert [(h.at, h.type) for h in clock.run()] == [
        (5, "first"),
        (5, "second"),
        (7, "second"),
        (10, "first"),
    ]


def test_a_story_may_start_another() -> None:
    clock = Clockwork(0)

    def begins() -> Story:
        yield 3
        clock.start(tells(clock, "child", 4))
        clock.tell("source", "parent", "subject", {})

    clock.start(begins())
    assert [(h.at, h.type) for h in clock.run()] == [(3, "parent"), (4, "child")]


def test_a_story_cannot_wake_in_the_past() -> None:
    clock = Clockwork(0)
    clock.start(tells(clock, "confused", 5, 4))
    with pytest.raises(ValueError, match="cannot wake"):
        list(clock.run())


@pytest.mark.parametrize(
    ("asked", "working_seconds", "answered"),
    [
        ("2024-03-05T09:00:00+01:00", HOUR, "2024-03-05T10:00:00+01:00"),
        ("2024-03-05T12:15:00+01:00", HOUR // 2, "2024-03-05T13:15:00+01:00"),  # lunch
        ("2024-03-05T12:40:00+01:00", 60, "2024-03-05T13:01:00+01:00"),  # asked at lunch
        ("2024-03-08T17:00:00+01:00", HOUR, "2024-03-11T09:30:00+01:00"),  # over a weekend
        ("2024-03-29T17:00:00+01:00", HOUR, "2024-04-01T09:30:00+02:00"),  # and the clock change
        ("2023-12-22T17:00:00+01:00", HOUR, "2023-12-27T09:30:00+01:00"),  # Christmas
        ("2024-03-05T20:00:00+01:00", 8 * HOUR, "2024-03-06T17:30:00+01:00"),  # to closing time
    ],
)
def test_work_goes_on_in_working_hours_only(
    asked: str, working_seconds: int, answered: str
) -> None:
    office = Hours(CALENDARS["office"])
    assert office.after(seconds(asked), working_seconds) == seconds(answered)


def test_work_around_the_clock_takes_as_long_as_the_clock_says() -> None:
    always = Hours(CALENDARS["always"])
    asked = seconds("2024-03-30T12:00:00+01:00")
    assert always.after(asked, 3 * DAY) == asked + 3 * DAY


def test_a_new_week_holds_from_its_day_on() -> None:
    office = Hours(CALENDARS["office"])
    friday = seconds("2024-03-08T14:00:00+01:00")
    office.change(OFFICE_AFTER_THE_CHANGE, date(2024, 3, 11))
    assert office.is_open(friday)
    assert not office.is_open(friday + 7 * DAY)
    assert office.after(friday + 7 * DAY, 60) == seconds("2024-03-18T08:31:00+01:00")


def test_midnight_is_the_companys_own() -> None:
    assert instant(midnight_after(seconds("2024-07-01T12:00:00Z"))) == "2024-07-01T22:00:00Z"
