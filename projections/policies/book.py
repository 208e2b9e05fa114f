"""Every rule as it was published by an instant, read once for a whole question."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.business_time.hours import CalendarVersion, Hours, Shift, work_out
from projections.policies.rules import AuthorityLimit, Levels, ServiceLevel, in_force

_SQL = named_queries(Path(__file__).with_name("queries.sql"))


class RuleBook:
    """The policies published by an instant, for judging what is between `since` and `until`."""

    def __init__(
        self,
        levels: Levels,
        limits: Sequence[AuthorityLimit],
        calendars: dict[str, tuple[CalendarVersion, ...]],
        *,
        since: datetime,
        until: datetime,
    ) -> None:
        self.levels = levels
        self._said = frozenset(limits), tuple(calendars.items())
        self._limits: dict[tuple[str, str], list[AuthorityLimit]] = defaultdict(list)
        for limit in limits:
            self._limits[limit.role, limit.currency].append(limit)
        self._calendars = calendars
        self._hours: dict[str, Hours | None] = {}
        self._first = datetime(since.year, 1, 1, tzinfo=UTC)
        self._last = datetime(min(until.year + 1, 9999), 1, 1, tzinfo=UTC)

    @property
    def said(self) -> Hashable:
        """What stands for all that the book says: one object for books that say the same, so
        that they are compared at once.
        """
        return _same((self.levels.versions, *self._said, self._first, self._last))

    def limit(self, role: str, currency: str, at: datetime) -> AuthorityLimit | None:
        """How much a role may offer by itself at an instant, in a currency; None: nothing was set.

        Limits in several currencies stand beside each other.
        """
        return in_force(self._limits.get((role, currency), ()), at)

    def hours(self, calendar_id: str | None) -> Hours | None:
        """The working hours of a calendar; None if it was never published."""
        name = calendar_id or ""
        if name not in self._hours:
            versions = self._calendars.get(name)
            worked_out = _worked_out(versions, self._first, self._last) if versions else None
            self._hours[name] = worked_out
        return self._hours[name]

    def measures(self, level: ServiceLevel, start: datetime) -> bool:
        """Whether the clock of a service level can be read for what began at an instant.

        Not if it goes by a calendar of which no version was in force then.
        """
        if level.clock == "calendar":
            return True
        hours = self.hours(level.calendar_id)
        return hours is not None and start.timestamp() >= hours.known_from

    def elapsed_seconds(self, level: ServiceLevel, start: datetime, end: datetime) -> float | None:
        """How long it was from `start` to `end` by the clock of a service level.

        None if it goes by a calendar of which no version was in force at `start`.
        """
        if level.clock == "calendar":
            return (end - start).total_seconds()
        hours = self.hours(level.calendar_id)
        return None if hours is None else hours.between(start, end)

    def due_at(self, level: ServiceLevel, start: datetime) -> datetime | None:
        """When the target of a service level, counted from `start`, has elapsed by its clock.

        None if its clock cannot be read for `start`, or shows that much only after `until`.
        """
        if level.clock == "calendar":
            return start + timedelta(seconds=level.target_seconds)
        hours = self.hours(level.calendar_id)
        return None if hours is None else hours.after(start, level.target_seconds)


def rule_book(
    cursor: PgCursor, *, since: datetime, as_of: datetime, until: datetime | None = None
) -> RuleBook:
    """Read what had been published by `as_of`, to measure from `since` until `until` or `as_of`."""
    parameters = {"as_of": as_of}
    cursor.execute(_SQL["service_levels"], parameters)
    levels = Levels(map(ServiceLevel._make, cursor))
    cursor.execute(_SQL["authority_limits"], parameters)
    limits = list(map(AuthorityLimit._make, cursor))
    cursor.execute(_SQL["calendars"], parameters)
    calendars: dict[str, tuple[CalendarVersion, ...]] = defaultdict(tuple)
    for event_id, published_at, valid_from, zone, weekly, holidays, calendar_id in cursor:
        shifts = tuple(
            Shift(shift["weekday"], _minute(shift["from"]), _minute(shift["to"]))
            for shift in weekly
        )
        days = frozenset(map(date.fromisoformat, holidays))
        version = CalendarVersion(event_id, published_at, valid_from, zone, shifts, days)
        calendars[calendar_id] += (version,)
    return RuleBook(levels, limits, calendars, since=since, until=until or as_of)


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


@lru_cache(maxsize=64)
def _same(said: Hashable) -> Hashable:  # noqa: ARG001  # which object it is depends on it
    """An object of its own for each of the things that differ."""
    return object()


@lru_cache(maxsize=64)
def _worked_out(versions: tuple[CalendarVersion, ...], first: datetime, last: datetime) -> Hours:
    return work_out(versions, first, last)
