"""The account: for each source and period, what was received and what became of it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from psycopg2.extensions import cursor as PgCursor
from psycopg2.extras import execute_values

from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("account.sql"))
OUTCOMES = ("appended", "duplicate", "conflict", "parked", "rejected")


class Line(NamedTuple):
    """The account of one source. `received` = the sum of the five outcomes."""

    source: str
    received: int
    appended: int
    duplicate: int
    conflict: int
    parked: int
    rejected: int


class Gap(NamedTuple):
    """Sequence numbers of a source, first to last, of which nothing was received."""

    source: str
    first: int
    last: int


class Move(NamedTuple):
    """One receipt that ended otherwise than the account says, and may go by another source now."""

    received_at: datetime
    source: str
    outcome: str
    new_source: str
    new_outcome: str


class Difference(NamedTuple):
    """An outcome of a source whose count is not what is really there."""

    source: str
    outcome: str
    accounted: int
    found: int


def enter(
    cursor: PgCursor,
    now: datetime,
    outcomes: Mapping[tuple[str, str], int],
    settled: Iterable[Move],
) -> None:
    """Write a batch into the account.

    `outcomes` counts what came, by (source, outcome). `settled` are receipts of earlier that ended
    otherwise now; they are moved at the time at which they came.
    """
    sums: dict[tuple[datetime, str], Counter[str]] = {}
    for (source, outcome), count in outcomes.items():
        counts = sums.setdefault((now, source), Counter())
        counts["received"] += count
        counts[outcome] += count
    for received_at, source, outcome, new_source, new_outcome in settled:
        for name, ended, count in ((source, outcome, -1), (new_source, new_outcome, 1)):
            counts = sums.setdefault((received_at, name), Counter())
            counts["received"] += count
            counts[ended] += count
    execute_values(
        cursor,
        _SQL["enter"],
        [
            (received_at, source, counts["received"], *(counts[o] for o in OUTCOMES))
            for (received_at, source), counts in sums.items()
        ],
    )


def account(
    cursor: PgCursor, source: str | None = None, since: datetime | None = None
) -> list[Line]:
    """The account by source, of what was received since a time (default: ever)."""
    cursor.execute(_SQL["account"], {"source": source, "since": since})
    return [Line._make(row) for row in cursor.fetchall()]


def gaps(cursor: PgCursor, source: str | None = None) -> list[Gap]:
    """Which `sequence` numbers of a source are missing between its first and its last."""
    cursor.execute(_SQL["gaps"], {"source": source})
    return [Gap._make(row) for row in cursor.fetchall()]


def differences(cursor: PgCursor, source: str | None = None) -> list[Difference]:
    """Where the account and what is really kept do not agree; empty when all is well.

    Counts the ledger and the kept inputs themselves, so it takes as long as they are large.
    """
    cursor.execute(_SQL["differences"], {"source": source})
    return [Difference._make(row) for row in cursor.fetchall()]
