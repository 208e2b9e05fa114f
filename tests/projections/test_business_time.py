"""Business time: the clock put forward and back, lunch, holidays, calendars that are replaced."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.business_time.hours import CalendarVersion, Shift, work_out
from tests.projections.history import at

ROUND_THE_CLOCK = tuple(Shift(day, 0, 24 * 60) for day in range(1, 8))
NINE_TO_SIX = tuple(Shift(day, 9 * 60, 18 * 60) for day in range(1, 6))
WITH_LUNCH = tuple(
    shift
    for day in range(1, 6)
    for shift in (Shift(day, 9 * 60, 12 * 60), Shift(day, 13 * 60, 18 * 60))
)
FIRST, LAST = at("2023-01-01"), at("2026-01-01")


def calendar(
    shifts: Sequence[Shift] = NINE_TO_SIX,
    zone: str = "UTC",
    *holidays: str,
    valid_from: str = "2020-01-01",
    published: str = "2020-01-01",
) -> CalendarVersion:
    days = frozenset(date.fromisoformat(day) for day in holidays)
    return CalendarVersion(published, at(published), at(valid_from), zone, tuple(shifts), days)


def minutes(versions: Sequence[CalendarVersion], start: str, end: str) -> float | None:
    seconds = work_out(versions, FIRST, LAST).between(at(start), at(end))
    return None if seconds is None else seconds / 60


def test_nights_weekends_and_lunch_do_not_count() -> None:
    # 2024-03-01 is a Friday.
    assert minutes([calendar()], "2024-03-01 17:00", "2024-03-04 09:30") == 90
    assert minutes([calendar(WITH_LUNCH)], "2024-03-01 11:30", "2024-03-01 13:30") == 60
    assert minutes([calendar(WITH_LUNCH)], "2024-03-01 12:00", "2024-03-01 13:00") == 0
    assert minutes([calendar()], "2024-03-02 12:00", "2024-03-02 12:00") == 0


def test_midnight_has_two_names() -> None:
    late = [Shift(5, 22 * 60, 24 * 60), Shift(6, 0, 2 * 60)]
    assert minutes([calendar(late)], "2024-03-01 12:00", "2024-03-02 12:00") == 240


def test_a_holiday_added_later_counts_from_when_its_calendar_is_in_force() -> None:
    without = calendar()
    added = calendar(NINE_TO_SIX, "UTC", "2024-03-05", "2024-03-12", valid_from="2024-03-10")
    assert minutes([without, added], "2024-03-05 09:00", "2024-03-05 18:00") == 540
    assert minutes([added, without], "2024-03-12 09:00", "2024-03-12 18:00") == 0


def test_a_calendar_replaced_in_the_middle_of_a_wait_is_measured_piece_by_piece() -> None:
    """Taking the last calendar for the whole of it would say 28 % too little."""
    old, new = [Shift(1, 6 * 60, 17 * 60 + 30)], [Shift(1, 9 * 60, 16 * 60), Shift(2, 0, 24 * 60)]
    versions = [calendar(old), calendar(new, valid_from="2024-03-05")]
    span = "2024-03-04 06:00", "2024-03-05 04:29:27.6"
    assert minutes(versions, *span) == pytest.approx(959.46)
    assert minutes([calendar(new)], *span) == pytest.approx(689.46)


def test_of_two_versions_valid_from_one_instant_the_later_published_counts() -> None:
    short = calendar([Shift(5, 0, 60)], published="2021-01-01")
    for versions in ([calendar(), short], [short, calendar()]):
        assert minutes(versions, "2024-03-01 00:00", "2024-03-01 18:00") == 60


def test_nothing_can_be_said_before_the_first_version() -> None:
    versions = [calendar(valid_from="2024-03-01")]
    assert minutes(versions, "2024-02-29 23:59", "2024-03-01 10:00") is None
    assert minutes(versions, "2024-03-01 00:00", "2024-03-01 10:00") == 60
    assert minutes([], "2024-03-01 00:00", "2024-03-01 10:00") is None


@pytest.mark.parametrize(
    ("zone", "forward", "back"),
    [
        ("Europe/Amsterdam", "2024-03-31", "2024-10-27"),
        ("America/New_York", "2024-03-10", "2024-11-03"),
        ("Australia/Lord_Howe", "2024-10-06", "2024-04-07"),
    ],
)
def test_a_day_on_which_the_clock_changes_has_the_hours_that_there_are(
    zone: str, forward: str, back: str
) -> None:
    step = 30 if zone == "Australia/Lord_Howe" else 60
    hours = work_out([calendar(ROUND_THE_CLOCK, zone)], FIRST, LAST)
    nights = work_out([calendar([Shift(7, 0, 6 * 60)], zone)], FIRST, LAST)
    days = work_out([calendar([Shift(7, 9 * 60, 18 * 60)], zone)], FIRST, LAST)
    for day, change in ((forward, -step), (back, step)):
        midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
        start, end = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
        assert hours.between(start, end) == (24 * 60 + change) * 60
        assert nights.between(start, end) == (6 * 60 + change) * 60
        assert days.between(start, end) == 9 * 3600


def test_a_shift_that_begins_or_ends_in_the_hour_skipped() -> None:
    """On 2024-03-31 in Amsterdam 02:00 is followed by 03:00, at 01:00 UTC."""
    begins = [calendar([Shift(7, 2 * 60 + 30, 4 * 60)], "Europe/Amsterdam")]
    ends = [calendar([Shift(7, 60, 2 * 60 + 30)], "Europe/Amsterdam")]
    assert minutes(begins, "2024-03-31 00:00", "2024-03-31 12:00") == 60
    assert minutes(ends, "2024-03-31 00:00", "2024-03-31 12:00") == 60


instants = st.integers(0, 366 * 86_400_000).map(
    lambda milliseconds: at("2024-01-01") + timedelta(milliseconds=milliseconds)
)
zones = st.sampled_from(
    ["UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"]
)
shifts = st.builds(
    lambda day, two: Shift(day, min(two), max(two)),
    st.integers(1, 7),
    st.tuples(st.integers(0, 24 * 4), st.integers(0, 24 * 4)).map(
        lambda quarters: (quarters[0] * 15, quarters[1] * 15)
    ),
)
calendars = st.builds(
    lambda number, valid_from, zone, week, holidays: CalendarVersion(
        str(number), FIRST, valid_from, zone, tuple(week), frozenset(holidays)
    ),
    st.integers(),
    st.one_of(st.just(FIRST), instants),
    zones,
    st.lists(shifts, max_size=12),
    st.sets(st.dates(date(2024, 1, 1), date(2024, 12, 31)), max_size=4),
)
versions = st.lists(calendars, min_size=1, max_size=4, unique_by=lambda version: version.event_id)


@given(zones, instants, instants)
def test_round_the_clock_business_time_is_calendar_time(
    zone: str, one: datetime, other: datetime
) -> None:
    start, end = sorted((one, other))
    measured = work_out([calendar(ROUND_THE_CLOCK, zone)], FIRST, LAST).between(start, end)
    assert measured == pytest.approx((end - start).total_seconds(), abs=1e-4)


@given(versions, st.tuples(instants, instants, instants))
def test_time_adds_up_and_is_never_negative(
    held: list[CalendarVersion], times: tuple[datetime, datetime, datetime]
) -> None:
    start, middle, end = sorted(times)
    hours = work_out(held, FIRST, LAST)
    whole, first, second = (
        hours.between(start, end),
        hours.between(start, middle),
        hours.between(middle, end),
    )
    if whole is None or first is None:
        assert whole == first
        return
    assert second is not None
    assert whole == pytest.approx(first + second, abs=1e-4)
    assert 0 <= first <= whole + 1e-4
    assert whole <= (end - start).total_seconds() + 1e-4


@given(versions, calendars, st.tuples(instants, instants))
def test_a_version_valid_from_later_changes_no_measure_before_it(
    held: list[CalendarVersion], later: CalendarVersion, times: tuple[datetime, datetime]
) -> None:
    start, end = sorted(times)
    later = later._replace(valid_from=end + timedelta(seconds=1), event_id="later")
    before = work_out(held, FIRST, LAST).between(start, end)
    assert work_out([later, *held], FIRST, LAST).between(start, end) == before


@given(versions, st.tuples(instants, instants))
def test_the_measure_is_that_of_every_quarter_of_an_hour_looked_at(
    held: list[CalendarVersion], times: tuple[datetime, datetime]
) -> None:
    """Quarter by quarter against the definition; on days without a change of the clock."""
    held = [version._replace(valid_from=_quarter(version.valid_from)) for version in held]
    start = _quarter(min(times))
    end = min(_quarter(max(times)), start + timedelta(days=3))
    hours = work_out(held, FIRST, LAST)
    whole = hours.between(start, end)
    if whole is None:
        return
    expected, instant = 0, start
    while instant < end:
        expected += 900 * _works(held, instant)
        instant += timedelta(minutes=15)
    offsets = {
        (start + timedelta(hours=hour)).astimezone(ZoneInfo(version.timezone)).utcoffset()
        == start.astimezone(ZoneInfo(version.timezone)).utcoffset()
        for version in held
        for hour in range(-24, 96)
    }
    if offsets == {True}:
        assert whole == pytest.approx(expected, abs=1e-4)


@given(versions, instants, st.floats(1, 3 * 86_400))
def test_a_target_has_elapsed_at_the_first_instant_that_measures_it(
    held: list[CalendarVersion], start: datetime, seconds: float
) -> None:
    hours = work_out(held, FIRST, LAST)
    due_at = hours.after(start, seconds)
    rest = hours.between(start, LAST)
    if due_at is None:
        assert rest is None or rest < seconds + 1e-3
        return
    assert hours.between(start, due_at) == pytest.approx(seconds, abs=1e-3)
    before = hours.between(start, max(start, due_at - timedelta(seconds=1)))
    assert before is not None
    assert before < seconds


def _quarter(instant: datetime) -> datetime:
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)


def _works(held: Sequence[CalendarVersion], instant: datetime) -> bool:
    """Whether an instant is business time, word by word."""
    version = max(
        (version for version in held if version.valid_from <= instant),
        key=lambda version: (version.valid_from, version.published_at, version.event_id),
    )
    local = instant.astimezone(ZoneInfo(version.timezone))
    minute = local.hour * 60 + local.minute
    return local.date() not in version.holidays and any(
        shift.weekday == local.isoweekday() and shift.from_minute <= minute < shift.to_minute
        for shift in version.shifts
    )
