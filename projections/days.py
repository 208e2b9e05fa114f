"""Table `day_changes`: whether rows of a day are others than before.

Days are those of UTC, counted from 2000-01-01. Whoever keeps rows of a day in memory may take them
for those in the tables as long as the day's mark is the same. Tables that are replaced as a whole,
as after a rebuild, are other tables, of which it says nothing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.events import BEGINNING, END

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

_SQL = named_queries(Path(__file__).with_name("days.sql"))


def prepare_changes(cursor: PgCursor) -> None:
    """Make the table in the schema that is worked in, if it is not there."""
    cursor.execute(_SQL["table"])


def day_of(instant: datetime) -> int:
    """The day on which an instant lies."""
    return (instant - ORIGIN) // DAY


def changed(cursor: PgCursor, instants: Iterable[datetime], *, onwards: bool = False) -> None:
    """Say that rows which lie at these instants are others now; `onwards`: or rows at any later
    instant. Ends of time lie on no day.
    """
    days = sorted({day_of(at) for at in set(instants) if BEGINNING < at < END})
    if days:
        cursor.execute(_SQL["changed"], {"days": days, "onwards": onwards})


def marks(cursor: PgCursor, days: range) -> list[int]:
    """The marks of days that follow each other."""
    if not days:
        return []
    alone, since = [0] * len(days), [0] * len(days)
    cursor.execute(_SQL["marks"], {"first": days.start, "after": days.stop})
    for day, of_day, onwards in cursor:
        place = max(0, day - days.start)
        alone[place] += of_day
        since[place] += onwards
    return [one + before for one, before in zip(alone, accumulate(since), strict=True)]
