"""What tells whether what is kept of days in memory is still what stands in the tables."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections import days as changes

_TABLES = named_queries(Path(__file__).with_name("marks.sql"))["tables"]


class Marks(NamedTuple):
    """What is kept of days is in these tables as long as their marks are the same."""

    tables: tuple[Any, ...] | None
    """None: nothing of them can be kept."""
    of_day: Mapping[int, int]

    def digest(self, days: range) -> bytes | None:
        """What is the same for some of the days only while all of that is; None: nothing of them
        can be kept, or they are none.
        """
        if self.tables is None or not days:
            return None
        numbers = np.array([self.of_day[day] for day in days], np.int64)
        return sha256(repr(self.tables).encode() + numbers.tobytes()).digest()


def marks(cursor: PgCursor, days: range) -> Marks:
    """The marks of days that follow each other."""
    cursor.execute(_TABLES)
    marked, *tables = cursor.fetchone() or (False,)
    if not marked:
        return Marks(None, dict.fromkeys(days, 0))
    return Marks(tuple(tables), dict(zip(days, changes.marks(cursor, days), strict=True)))
