"""The reading side of the ledger.

Whoever has seen position N has seen everything up to N: positions become visible in their order
and without gaps, so a reader needs to remember one number only.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ledger.datastore import PgCursor
from ledger.sql import named_queries

_QUERIES = named_queries(Path(__file__).with_name("reading.sql"))
_SQL = {name: query.replace("{columns}", _QUERIES["columns"]) for name, query in _QUERIES.items()}
_NO_END = 2**63 - 1


class LedgerEvent(NamedTuple):
    """A recorded event. `event_id` is 32 hex digits, times are aware and in UTC.

    `facts` is a bare Avro datum written with the schema of `fingerprint`; `personal` is ciphertext.
    """

    position: int
    event_id: str
    originator_id: str
    originator_version: int
    type: str
    customer_id: str | None
    source: str
    id: str
    occurred_at: datetime
    time_assumed: bool
    recorded_at: datetime
    sequence: int | None
    correlation_id: str | None
    causation_id: str | None
    fingerprint: bytes
    facts: bytes
    personal: bytes | None


def events_after(
    cursor: PgCursor, position: int, limit: int, *, until: int | None = None
) -> list[LedgerEvent]:
    """The events behind `position` (0: from the start) up to and with `until`, at most `limit`."""
    return _events(cursor, "events_after", position=position, limit=limit, until=_end(until))


def events_of_customer(
    cursor: PgCursor,
    customer_id: str,
    position: int = 0,
    limit: int | None = None,
    *,
    until: int | None = None,
) -> list[LedgerEvent]:
    """One customer's events behind `position`, in the order of their positions."""
    return _events(
        cursor,
        "events_of_customer",
        customer_id=customer_id,
        position=position,
        limit=limit,
        until=_end(until),
    )


def event_by_position(cursor: PgCursor, position: int) -> LedgerEvent | None:
    """The event at `position`, or None beyond the ends of the ledger."""
    return next(iter(_events(cursor, "event_by_position", position=position)), None)


def last_position(cursor: PgCursor) -> int:
    """The position of the last event, 0 for an empty ledger."""
    cursor.execute(_SQL["last_position"])
    row = cursor.fetchone()
    if row is None:
        raise LookupError("ledger.head has lost its row")
    position: int = row[0]
    return position


def _end(until: int | None) -> int:
    return _NO_END if until is None else until


def _events(cursor: PgCursor, query: str, **parameters: Any) -> list[LedgerEvent]:
    cursor.execute(_SQL[query], parameters)
    return [
        LedgerEvent._make((*row[:14], *[None if raw is None else bytes(raw) for raw in row[14:]]))
        for row in cursor.fetchall()
    ]
