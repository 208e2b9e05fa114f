"""Time in the simulated company: whole seconds since 1970, and the hours in which people work."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from servicetrail.simulate.chance import DAY, HOUR
from servicetrail.simulate.company import HOLIDAYS, ZONE, Week

_ZONE = ZoneInfo(ZONE)


class Opening(NamedTuple):
    """A stretch in which people work, half-open, in seconds since 1970."""

    start: int
    end: int


class Hours:
    """The working hours of a calendar, which may get a new week from a local day on."""

    def __init__(self, week: Week) -> None:
        self._weeks = [(date.min, week)]
        self._openings: dict[date, Sequence[Opening]] = {}

    def change(self, week: Week, valid_from: date) -> None:
        """Another week from that local day on; later than any change before."""
        self._weeks.append((valid_from, week))
        self._openings.clear()

    def after(self, at: int, working_seconds: int) -> int:
        """The instant by which that many seconds have been worked since `at`."""
        day = local_day(at)
        while True:
            for opening in self._on(day):
                if opening.end > at:
                    begin = max(at, opening.start)
                    if begin + working_seconds <= opening.end:
                        return begin + working_seconds
                    working_seconds -= opening.end - begin
            day += timedelta(days=1)

    def is_open(self, at: int) -> bool:
        """Whether anybody works at that instant."""
        return any(opening.start <= at < opening.end for opening in self._on(local_day(at)))

    def _on(self, day: date) -> Sequence[Opening]:
        openings = self._openings.get(day)
        if openings is None:
            openings = self._openings[day] = self._work_out(day)
        return openings

    def _work_out(self, day: date) -> Sequence[Opening]:
        week = next(week for since, week in reversed(self._weeks) if since <= day)
        if week.keeps_holidays and (day.month, day.day) in HOLIDAYS:
            return ()
        midnight = datetime(day.year, day.month, day.day, tzinfo=_ZONE)
        return [
            Opening(_at_clock(midnight, begin), _at_clock(midnight, end))
            for weekday, begin, end in week.shifts
            if weekday == day.isoweekday()
        ]


def local_day(at: int) -> date:
    """The company's date at that instant."""
    return _local_hour(at // HOUR)[0]


def local_hour(at: int) -> tuple[int, int]:
    """The company's weekday (0 Monday to 6 Sunday) and hour (0 to 23) at that instant."""
    day, hour = _local_hour(at // HOUR)
    return day.weekday(), hour


def midnight_after(at: int) -> int:
    """The next local midnight, in seconds since 1970."""
    day = local_day(at) + timedelta(days=1)
    return int(datetime(day.year, day.month, day.day, tzinfo=_ZONE).timestamp())


def instant(at: int) -> str:
    """RFC 3339 in UTC."""
    day, second = divmod(at, DAY)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{_utc_day(day)}T{hour:02}:{minute:02}:{second:02}Z"


@cache
def _local_hour(hours: int) -> tuple[date, int]:
    # The company's zone moves by whole hours, so an hour since 1970 lies within one local hour.
    local = datetime.fromtimestamp(hours * HOUR, _ZONE)
    return local.date(), local.hour


@cache
def _utc_day(days: int) -> str:
    return datetime.fromtimestamp(days * DAY, UTC).date().isoformat()


def _at_clock(midnight: datetime, clock: str) -> int:
    """The instant at which the wall clock shows `HH:MM` on that day; 24:00 is the next midnight."""
    hour, minute = map(int, clock.split(":"))
    shown = midnight + timedelta(hours=hour, minutes=minute)  # wall-clock arithmetic
    return int(shown.timestamp())
