"""Table `week_changes`: whether rows of a week are others than before.

Weeks are counted from 2000-01-01 UTC. Whoever keeps rows of a week in memory may take them for
those in the tables as long as the week's mark is the same. Tables that are replaced as a whole, as
after a rebuild, are other tables, of which it says nothing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.events import BEGINNING, END

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)

_SQL = named_queries(Path(__file__).with_name("weeks.sql"))


def prepare_changes(cursor: PgCursor) -> None:
    """Make the table in the schema that is worked in, if it is not there."""
    cursor.execute(_SQL["table"])


def week_of(instant: datetime) -> int:
    """The week in which an instant lies."""
    return (instant - ORIGIN) // WEEK


def changed(cursor: PgCursor, instants: Iterable[datetime], *, onwards: bool = False) -> None:
    """Say that rows which lie at these instants are others now; `onwards`: or rows at any later
    instant. Ends of time lie in no week.
    """
    weeks = sorted({week_of(at) for at in set(instants) if BEGINNING < at < END})
    if weeks:
        cursor.execute(_SQL["changed"], {"weeks": weeks, "onwards": onwards})


def marks(cursor: PgCursor, weeks: range) -> list[int]:
    """The marks of weeks that follow each other."""
    if not weeks:
        return []
    alone, since = [0] * len(weeks), [0] * len(weeks)
    cursor.execute(_SQL["marks"], {"first": weeks.start, "after": weeks.stop})
    for week, onwards, mark in cursor:
        (since if onwards else alone)[max(0, week - weeks.start)] += mark
    return [one + before for one, before in zip(alone, accumulate(since), strict=True)]
