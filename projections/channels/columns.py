"""Touchpoints, conversations and waits by column, day for day, kept in memory while they hold.

Figures of channels are counted over every row of a window. PostgreSQL goes through them in seconds,
numpy in milliseconds once they are there. So the rows of each day are read once, as arrays, and
again only when they have changed, which `projections.days` tells in the same snapshot: what is
counted is always what stands in the tables.

Instants are int64, microseconds since 2000-01-01 UTC; the largest is infinity. Customers, and
matters (a customer's contacts about one topic), are numbers that stand for them in this process.
Two are taken for one if PostgreSQL hashes both to the same 64 bits: with a million of them that
happens in one of 37 million ledgers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby, pairwise, starmap
from pathlib import Path
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from cachetools import LRUCache
from numpy.typing import DTypeLike, NDArray

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.arrays import fetch_arrays
from projections.channels.marks import Marks
from projections.channels.numbering import Integers, Names, Numbering, Numbers
from projections.days import DAY, ORIGIN, day_of

_DAYS_AT_ONCE = 91
"""So many are read by one statement: what is on its way takes four times the memory of the rest."""

MOST_BYTES = 256 * 1024 * 1024
_BYTES_OF_MARK = 300
"""What it takes to know that there is nothing of a day."""
_BYTES_BESIDE_ROWS = 5_000
"""What another one takes beside its rows."""

Flags = NDArray[np.bool_]

FOREVER = int(np.iinfo(np.int64).max)
"""Infinity among instants."""

_MICROSECOND = timedelta(microseconds=1)
DAY_MICROS = DAY // _MICROSECOND
_SQL = named_queries(Path(__file__).with_name("columns.sql"))


class Touches(NamedTuple):
    """Touchpoints, by time."""

    at: Integers
    kind: Numbers
    """The place of its `Kind` in `Columns.kinds`."""
    person: Numbers
    matter: Numbers
    handling_seconds: NDArray[np.float64]
    """Divided among what was handled at the same time; 0 where it is not known."""


class Talks(NamedTuple):
    """Conversations, by when they began."""

    at: Integers
    channel: Numbers


class Waits(NamedTuple):
    """Waits, by when they began."""

    at: Integers
    ended_at: Integers
    about: Numbers
    """The place of its `About` in `Columns.abouts`."""
    stratum: Numbers
    """Which topic, and for first responses which tier the customer was in when they began."""
    matter: Numbers


class Kind(NamedTuple):
    """What touchpoints are told apart by."""

    channel: str
    inbound: bool
    abandoned: bool
    timed: bool
    """It is known how long the handling took."""


class About(NamedTuple):
    """What waits are told apart by."""

    metric: str
    channel: str


class Rows(NamedTuple):
    """Rows of all three kinds."""

    touches: Touches
    talks: Talks
    waits: Waits


Table = TypeVar("Table", Touches, Talks, Waits)


class Stretch(NamedTuple):
    """The instants of [first, after)."""

    first: int
    after: int


class Versions(Generic[Table]):
    """Every version of some rows, each of which holds as of instants from one until another."""

    def __init__(self, rows: Table, visible_from: Integers, visible_to: Integers) -> None:
        current = visible_to == FOREVER
        self._current: Table = chosen(rows, current)
        self._former: Table = chosen(rows, ~current)
        self._current_from: Integers = visible_from[current]
        self._former_from: Integers = visible_from[~current]
        self._former_to: Integers = visible_to[~current]
        edges: Integers = np.concatenate((self._current_from, self._former_to))
        self._settled_at = int(edges.max(initial=-FOREVER))

    def as_of(self, instant_: int) -> Table:
        """Those that hold as of an instant, by time."""
        # As of now and most other instants they are all there already.
        if instant_ >= self._settled_at:
            return self._current
        current = chosen(self._current, self._current_from <= instant_)
        holding = (self._former_from <= instant_) & (self._former_to > instant_)
        together = joined(current, chosen(self._former, holding))
        return chosen(together, np.argsort(together.at, kind="stable"))

    def stretch(self, instant_: int) -> Stretch:
        """As of which instants around one the same rows hold."""
        if instant_ >= self._settled_at:
            return Stretch(self._settled_at, FOREVER)
        return stretch((self._current_from, self._former_from, self._former_to), instant_)

    def bytes_held(self) -> int:
        """What all of that takes in memory."""
        held = *self._current, *self._former, self._current_from, self._former_from, self._former_to
        return sum(column.nbytes for column in held)


class Day(NamedTuple):
    """Everything of a day."""

    touches: Versions[Touches]
    talks: Versions[Talks]
    waits: Versions[Waits]


_Read = Mapping[str, Any]


def micros(instant: datetime) -> int:
    """An instant as it stands in columns."""
    return (instant - ORIGIN) // _MICROSECOND


def all_days(cursor: PgCursor) -> range:
    """The days in which there are rows."""
    cursor.execute(_SQL["reach"])
    first_at, last_at = cursor.fetchone() or (None, None)
    if first_at is None or last_at is None:
        return range(0)
    return range(day_of(first_at), day_of(last_at) + 1)


def overlapping(days: range, from_: int, to: int) -> range:
    """Those of the days in which there can be rows of [from_, to)."""
    first = max(from_ // DAY_MICROS, days.start)
    return range(first, max(first, min((to - 1) // DAY_MICROS + 1, days.stop)))


def stretch(edges: Iterable[Integers], instant_: int) -> Stretch:
    """Those around an instant between which there is no edge."""
    first, after = -FOREVER, FOREVER
    for each in edges:
        before = each <= instant_
        first = max(first, int(each.max(initial=first, where=before)))
        after = min(after, int(each.min(initial=after, where=~before)))
    return Stretch(first, after)


def common(stretches: Iterable[Stretch]) -> Stretch:
    """What lies in all of them."""
    firsts, afters = zip((-FOREVER, FOREVER), *stretches, strict=True)
    return Stretch(max(firsts), min(afters))


def chosen(table: Table, which: slice | Flags | NDArray[np.intp]) -> Table:
    """Some of a table's rows, or all in another order."""
    return _like(table, (column[which] for column in table))


def within(table: Table, from_: int, to: int) -> Table:
    """Its rows in [from_, to)."""
    first, after = np.searchsorted(table.at, (from_, to))
    return chosen(table, slice(first, after))


def joined(*tables: Table) -> Table:
    """The rows of all, one after the other."""
    return _like(tables[0], map(np.concatenate, zip(*tables, strict=True)))


class Columns:
    """Rows by column for any number of threads, of which `most_bytes` are kept."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._lock = Lock()
        self._kept: LRUCache[tuple[Any, ...], tuple[int, Day | None]] = LRUCache(
            most_bytes, getsizeof=lambda kept: _bytes(kept[1])
        )
        self._channels = Names[str]()
        self._kinds = Names[Kind]()
        self._abouts = Names[About]()
        self._people = Numbering()
        self._matters = Numbering()
        self._strata = Numbering()
        touches, talks, waits = self._touches([]), self._talks([]), self._waits([])
        never = touches.at
        self._nothing = Day(
            Versions(touches, never, never),
            Versions(talks, never, never),
            Versions(waits, never, never),
        )

    @property
    def channels(self) -> Sequence[str]:
        """Channels by number, those known so far."""
        return tuple(self._channels.names)

    @property
    def kinds(self) -> Sequence[Kind]:
        """Kinds of touchpoints by number, likewise."""
        return tuple(self._kinds.names)

    @property
    def abouts(self) -> Sequence[About]:
        """What waits are about by number, likewise."""
        return tuple(self._abouts.names)

    def people(self, hashes: Integers) -> Numbers:
        """Customers' numbers by what PostgreSQL's `hashtextextended(customer_id, 0)` says."""
        return self._people.of(hashes)

    def days(self, cursor: PgCursor, marked: Marks, days: Iterable[int]) -> dict[int, Day]:
        """Those of the days, which are in order, of which there is anything: by number, as the
        snapshot has them, in which these are the marks.
        """
        held: dict[int, Day | None] = {}
        missing = []
        tables, of_day = marked
        with self._lock:
            for day in days:
                mark, rows = self._kept.get((tables, day), (None, None))
                if mark == of_day[day]:
                    held[day] = rows
                else:
                    missing.append(day)
        read = {
            day: rows
            for run in _runs(missing)
            for some in _with_rows(cursor, run)
            for day, rows in self._read(cursor, some)
        }
        if tables is not None:
            for day in missing:
                with self._lock, suppress(ValueError):  # it alone is larger than all the room
                    self._kept[tables, day] = of_day[day], read.get(day)
        return {day: rows for day, rows in sorted((held | read).items()) if rows}

    def rows(self, days: Iterable[Day], as_of: int) -> Rows:
        """The rows of days that follow each other that hold as of an instant, by time."""
        held = [self._nothing, *days]
        return Rows(
            joined(*(day.touches.as_of(as_of) for day in held)),
            joined(*(day.talks.as_of(as_of) for day in held)),
            joined(*(day.waits.as_of(as_of) for day in held)),
        )

    def _read(self, cursor: PgCursor, days: range) -> Iterator[tuple[int, Day]]:
        """Those of these days of which there is anything."""
        read = [_fetch(cursor, table, days) for table in ("touches", "talks", "waits")]
        touches = _by_day(self._touches(read[0]), read[0])
        talks = _by_day(self._talks(read[1]), read[1])
        waits = _by_day(self._waits(read[2]), read[2])
        no_touches, no_talks, no_waits = self._nothing
        for day in {*touches, *talks, *waits}:
            found = touches.get(day, no_touches), talks.get(day, no_talks), waits.get(day, no_waits)
            yield day, Day(*found)

    def _touches(self, read: Sequence[_Read]) -> Touches:
        return Touches(
            _array(read, "at"),
            _repeated(read, self._kind, np.int32),
            self._people.of(_array(read, "person")),
            self._matters.of(_array(read, "matter")),
            _array(read, "handling_seconds", np.float64),
        )

    def _talks(self, read: Sequence[_Read]) -> Talks:
        return Talks(_array(read, "at"), _repeated(read, self._channel, np.int32))

    def _waits(self, read: Sequence[_Read]) -> Waits:
        return Waits(
            _array(read, "at"),
            _array(read, "ended_at"),
            _repeated(read, self._about, np.int32),
            self._strata.of(_array(read, "stratum")),
            self._matters.of(_array(read, "matter")),
        )

    def _channel(self, row: _Read) -> int:
        return self._channels.number(row["channel"])

    def _kind(self, row: _Read) -> int:
        return self._kinds.number(Kind(*(row[name] for name in Kind._fields)))

    def _about(self, row: _Read) -> int:
        return self._abouts.number(About(*(row[name] for name in About._fields)))


def _runs(days: Iterable[int]) -> Iterator[range]:
    """Days, which are in order, as far as they follow each other."""
    for _, run in groupby(enumerate(days), lambda each: each[1] - each[0]):
        together = [day for _, day in run]
        yield range(together[0], together[-1] + 1)


def _with_rows(cursor: PgCursor, days: range) -> Iterator[range]:
    """The days, not too many at once, but for long stretches in which there are no rows."""
    while days:
        yield days[:_DAYS_AT_ONCE]
        days = days[_DAYS_AT_ONCE:]
        if days:
            cursor.execute(_SQL["next"], _edges(days))
            (next_at,) = cursor.fetchone() or (None,)
            days = range(days.stop if next_at is None else day_of(next_at), days.stop)


def _edges(days: range) -> dict[str, datetime]:
    return {"begins": ORIGIN + days.start * DAY, "ends": ORIGIN + days.stop * DAY}


def _fetch(cursor: PgCursor, table: str, days: range) -> list[dict[str, Any]]:
    statement = _SQL[table].replace("{matter}", _SQL["matter"])
    return fetch_arrays(cursor, statement, _edges(days))


def _array(read: Sequence[_Read], name: str, of: DTypeLike = np.int64) -> NDArray[Any]:
    return np.concatenate([np.empty(0, of), *(row[name] for row in read)])


def _repeated(read: Sequence[_Read], value: Callable[[_Read], Any], of: DTypeLike) -> NDArray[Any]:
    return np.repeat(np.array([value(row) for row in read], of), [len(row["at"]) for row in read])


def _by_day(table: Table, read: Sequence[_Read]) -> dict[int, Versions[Table]]:
    """What was read of each day that has any, by time; no array holds on to those of others."""
    order = np.argsort(table.at, kind="stable")
    table = chosen(table, order)
    visible_from, visible_to = (
        _array(read, name)[order] for name in ("visible_from", "visible_to")
    )
    days = table.at // DAY_MICROS
    firsts: NDArray[np.intp] = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    edges = pairwise([*firsts.tolist(), days.size])
    # Versions are chosen by masks, which copy.
    return {
        int(days[of_day.start]): Versions(
            chosen(table, of_day), visible_from[of_day], visible_to[of_day]
        )
        for of_day in starmap(slice, edges)
    }


def _like(table: Table, columns: Iterable[NDArray[Any]]) -> Table:
    return type(table)(*columns)


def _bytes(day: Day | None) -> int:
    if day is None:
        return _BYTES_OF_MARK
    return _BYTES_BESIDE_ROWS + sum(versions.bytes_held() for versions in day)
