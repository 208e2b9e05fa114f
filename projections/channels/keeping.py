"""Sums over the days of a window, put together from those of days that have not changed.

The parts of a window are its last day, the one before, the two before, then four, and so on: what
streams in mostly changes the small ones. What is kept, of a part and of a window, goes with the
marks of its days, which each question reads in its snapshot, and holds as of instants between
which nothing happened in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from cachetools import LRUCache

from ledger.datastore import PgCursor
from projections.channels.columns import (
    DAY_MICROS,
    FOREVER,
    Columns,
    Stretch,
    all_days,
    common,
    overlapping,
)
from projections.channels.marks import Marks, marks
from projections.channels.sums import (
    Part,
    Sums,
    Window,
    added,
    bytes_of,
    counted,
    still_asking,
    together,
)

MOST_BYTES = 64 * 1024 * 1024

_BYTES_OF_SUMS = 3_000
"""What is kept takes so much beside its columns and groups, with its key."""
_BYTES_OF_CUT = 40

_Key = tuple[range, Window]


class _Whole(NamedTuple):
    """A window, as `Part` is some days."""

    sums: Sums
    holds: Stretch

    def bytes_held(self) -> int:
        return bytes_of(self.sums)


Held = TypeVar("Held", Part, _Whole)


class Kept:
    """Sums for any number of threads; at most `most_bytes` of windows are kept, as many of their
    parts, and what `columns` keep.
    """

    def __init__(self, columns: Columns | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.columns = columns or Columns()
        self._parts = _Held[Part](most_bytes)
        self._wholes = _Held[_Whole](most_bytes)

    def sums(self, cursor: PgCursor, window: Window, now: int) -> Sums:
        """What is counted in a window as of now, in the snapshot of the cursor."""
        every = all_days(cursor)
        days = overlapping(every, window.first, window.after)
        marked = marks(cursor, days)
        digest = marked.digest(days)
        whole = self._wholes.find((days, window), digest, now)
        if whole is None:
            parts = self._parts_of(cursor, marked, days, window, now)
            whole = _Whole(together(parts), common(each.holds for each in parts))
            self._wholes.keep((days, window), digest, whole)
        asking = whole.sums.asking
        if asking.until.size:  # whoever came back may have done so after the window
            until = min(int(asking.until.max()), now)
            later = overlapping(every, days.stop * DAY_MICROS, until + 1)
            if later:
                marked = marks(cursor, later)
                for each in self._parts_of(cursor, marked, later, window, now):
                    asking = still_asking(asking, each.came)
        return whole.sums._replace(helped=added((whole.sums.helped, np.bincount(asking.about))))

    def _parts_of(
        self, cursor: PgCursor, marked: Marks, days: range, window: Window, now: int
    ) -> list[Part]:
        parts = {some: _clipped(window, some) for some in _divided(days)}
        digests = {some: marked.digest(some) for some in parts}
        found = {
            some: self._parts.find((some, clipped), digests[some], now)
            for some, clipped in parts.items()
        }
        missing = [some for some, part in found.items() if part is None]
        read = self.columns.days(cursor, marked, chain.from_iterable(missing))
        kinds, abouts = self.columns.kinds, self.columns.abouts
        for some in missing:
            held = [read[day] for day in some if day in read]
            rows, clipped = self.columns.rows(held, now), parts[some]
            part = counted(rows, clipped, some.stop * DAY_MICROS, kinds, abouts, now)
            versions = (versions.stretch(now) for day in held for versions in day)
            found[some] = part = part._replace(holds=common((part.holds, *versions)))
            self._parts.keep((some, clipped), digests[some], part)
        return [part for part in found.values() if part is not None]


class _Entry(NamedTuple, Generic[Held]):
    digest: bytes
    held: Held
    bytes_held: int


class _Held(Generic[Held]):
    """What is kept by days and window: of each what holds for ever, and what was last counted
    that holds for a while. The longest unused is dropped first.
    """

    def __init__(self, most_bytes: int) -> None:
        self._lock = Lock()
        self._kept: LRUCache[tuple[_Key, bool], _Entry[Held]] = LRUCache(
            most_bytes, getsizeof=lambda entry: entry.bytes_held
        )

    def find(self, key: _Key, digest: bytes | None, now: int) -> Held | None:
        """What is kept, if it is of days with the marks of this digest and holds as of now."""
        for for_ever in (True, False):
            with self._lock:
                entry = self._kept.get((key, for_ever))
            if entry and entry.digest == digest:
                holds = entry.held.holds
                if holds.first <= now < holds.after:
                    return entry.held
        return None

    def keep(self, key: _Key, digest: bytes | None, held: Held) -> None:
        """Keep what was counted, if it can be kept."""
        if digest is None:
            return
        _, window = key
        bytes_held = _BYTES_OF_SUMS + _BYTES_OF_CUT * len(window.cuts) + held.bytes_held()
        with self._lock, suppress(ValueError):  # it alone is larger than all the room
            self._kept[key, held.holds.after == FOREVER] = _Entry(digest, held, bytes_held)


def _divided(days: range) -> Iterator[range]:
    """Parts of days, the first ones first: each, but for the first, is as long as all after it."""
    parts = []
    first = days.stop
    while first > days.start:
        after, first = first, max(days.start, first - max(1, days.stop - first))
        parts.append(range(first, after))
    return reversed(parts)


def _clipped(window: Window, days: range) -> Window:
    """What of a window is on these days."""
    begins, ends = days.start * DAY_MICROS, days.stop * DAY_MICROS
    first = min(max(window.first, begins), ends)
    return Window(first, min(max(window.after, first), ends), window.cuts)
