"""The measure of an interval inside a calendar, piece by piece over its versions. Pure.

An instant is business time if it lies in a shift of the calendar version in force at that very
instant: on a weekday of the week, on no holiday, between `from` and `to` as a clock in the
calendar's time zone goes. Where the clock is put forward, a shift has the hours that there are;
where it is put back, the hour that comes twice belongs to the shifts that cover it, and is two
hours long (a shift that begins or ends within it does so when the clock shows that time first).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from projections.events import END
from projections.policies.rules import precedence

LONGEST = timedelta(days=100 * 366)
"""No calendar is worked out further than this beyond where it begins to be asked for."""

_DAY = timedelta(days=1)


class Shift(NamedTuple):
    """Working hours on one day of the week (1 to 7, Monday first), in minutes since midnight."""

    weekday: int
    from_minute: int
    to_minute: int


class CalendarVersion(NamedTuple):
    """One published version of a calendar."""

    event_id: str
    published_at: datetime
    valid_from: datetime
    timezone: str
    shifts: tuple[Shift, ...]
    holidays: frozenset[date]


class Hours(NamedTuple):
    """Working hours worked out: instants in seconds since 1970, in order, without overlap.

    `worked[i]` are the business seconds before `opens[i]`. Nothing can be said of what lies before
    `known_from`, when no version was in force.
    """

    known_from: float
    opens: Sequence[float]
    closes: Sequence[float]
    worked: Sequence[float]

    def between(self, start: datetime, end: datetime) -> float | None:
        """Business seconds in [start, end); None if no version was in force at its beginning."""
        if start.timestamp() < self.known_from:
            return None
        return self._until(end.timestamp()) - self._until(start.timestamp())

    def after(self, start: datetime, seconds: float) -> datetime | None:
        """The first instant at which so many business seconds have passed since `start`.

        None if no version was in force at its beginning, or the hours worked out end before.
        """
        if start.timestamp() < self.known_from or not self.opens:
            return None
        if seconds <= 0:
            return start
        wanted = self._until(start.timestamp()) + seconds
        # The shift before whose beginning less was worked than is wanted; it ends there or later.
        shift = bisect_left(self.worked, wanted) - 1
        at = self.opens[shift] + wanted - self.worked[shift]
        return datetime.fromtimestamp(at, UTC) if at <= self.closes[shift] else None

    def _until(self, at: float) -> float:
        last = bisect_right(self.opens, at) - 1
        if last < 0:
            return 0.0
        return self.worked[last] + min(at, self.closes[last]) - self.opens[last]


def work_out(versions: Iterable[CalendarVersion], first: datetime, last: datetime) -> Hours:
    """The working hours of a calendar from `first` until `last` (at most LONGEST later)."""
    last = min(last, first + LONGEST) if first < END - LONGEST else last
    opens: list[float] = []
    closes: list[float] = []
    ordered = sorted(versions, key=precedence)
    for version, begin, end in _pieces(ordered):
        for opening, closing in _openings(version, max(begin, first), min(end, last)):
            if closes and opening <= closes[-1]:
                closes[-1] = max(closes[-1], closing)
            else:
                opens.append(opening)
                closes.append(closing)
    worked = [0.0]
    for opening, closing in zip(opens, closes, strict=True):
        worked.append(worked[-1] + closing - opening)
    known_from = ordered[0].valid_from.timestamp() if ordered else float("inf")
    return Hours(known_from, opens, closes, worked[:-1])


def _pieces(
    ordered: Sequence[CalendarVersion],
) -> Iterator[tuple[CalendarVersion, datetime, datetime]]:
    """Each version with the stretch in which it is the one in force."""
    for version, following in pairwise(ordered):
        yield version, version.valid_from, following.valid_from
    if ordered:
        yield ordered[-1], ordered[-1].valid_from, END


def _openings(
    version: CalendarVersion, begin: datetime, end: datetime
) -> Iterator[tuple[float, float]]:
    """The shifts of one version within [begin, end), in order of their beginning."""
    if begin >= end:
        return
    zone = ZoneInfo(version.timezone)
    by_weekday: dict[int, list[Shift]] = {}
    for shift in sorted(version.shifts):
        by_weekday.setdefault(shift.weekday, []).append(shift)
    earliest, latest = begin.timestamp(), end.timestamp()
    day, last_day = begin.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last_day:
        if day not in version.holidays:
            for shift in by_weekday.get(day.isoweekday(), ()):
                opening = max(_instant(zone, day, shift.from_minute), earliest)
                closing = min(_instant(zone, day, shift.to_minute), latest)
                if opening < closing:
                    yield opening, closing
        day += _DAY


def _instant(zone: ZoneInfo, day: date, minute: int) -> float:
    """When the clock first shows that minute of the day, or, where it skips it, one later."""
    if minute == 24 * 60:
        day, minute = day + _DAY, 0
    shown = datetime.combine(day, time(minute // 60, minute % 60), zone)
    seconds = shown.timestamp()
    before, after = shown.utcoffset(), shown.replace(fold=1).utcoffset()
    if before == after or before is None or after is None or before > after:
        return seconds
    # The clock skips this time. It was put forward by the difference, at some instant between the
    # two readings of the time shown; the last one with the old offset is found by halving.
    low, high = int(shown.replace(fold=1).timestamp()), int(seconds)
    while high - low > 1:
        middle = (low + high) // 2
        offset = datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset()
        low, high = (middle, high) if offset == before else (low, middle)
    return float(high)
