"""The reading side of the ledger.

Whoever has seen position N has seen everything up to N: positions become visible in their order
and without gaps, so a reader needs to remember one number only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ledger.datastore import Datastore, PgConnection, PgCursor
from ledger.sql import named_queries

_QUERIES = named_queries(Path(__file__).with_name("reading.sql"))
_SQL = {name: query.replace("{columns}", _QUERIES["columns"]) for name, query in _QUERIES.items()}
_NO_END = 2**63 - 1
_STREAMED_ROWS = 5_000


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


class Share(NamedTuple):
    """One of `workers` equal shares of the customers: those whose shard leaves the rest `worker`.

    What belongs to no customer is in the share of worker 0.
    """

    worker: int = 0
    workers: int = 1


EVERYBODY = Share()


@contextmanager
def consistent(datastore: Datastore) -> Iterator[PgCursor]:
    """A cursor that sees one state of the ledger and of what the intake kept."""
    with datastore.transaction() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield cursor


def events_after(
    cursor: PgCursor,
    position: int,
    limit: int,
    *,
    until: int | None = None,
    share: Share = EVERYBODY,
    types: Iterable[str] | None = None,
) -> list[LedgerEvent]:
    """The events behind `position` (0: from the start) up to and with `until`, at most `limit`:
    those of a share of the customers, and of some types (None: of all).
    """
    return _events(
        cursor,
        "events_after",
        position=position,
        limit=limit,
        until=_end(until),
        types=None if types is None else list(types),
        **share._asdict(),
    )


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


def events_of_nobody(
    cursor: PgCursor,
    position: int = 0,
    limit: int | None = None,
    *,
    until: int | None = None,
    types: Iterable[str] | None = None,
) -> list[LedgerEvent]:
    """The events behind `position` that belong to no customer, such as policies, in the order of
    their positions; of some types (None: of all).
    """
    return _events(
        cursor,
        "events_of_nobody",
        position=position,
        limit=limit,
        until=_end(until),
        types=None if types is None else list(types),
    )


def events_by_customer(
    connection: PgConnection,
    share: Share,
    *,
    until: int,
    after: str = "",
    types: Iterable[str] | None = None,
) -> Iterator[LedgerEvent]:
    """The events up to position `until` of a share of the customers, one customer after the other,
    each one's in the order of their positions; of customers behind `after` only.

    They are streamed through a cursor of the connection's transaction: any number of them.
    """
    with connection.cursor() as settings:
        # All of them will be read, and are spread over the whole ledger: to go through it once and
        # to sort, in memory if that can be, is faster than to fetch each by an index.
        settings.execute(
            "SET LOCAL cursor_tuple_fraction TO 1; SET LOCAL enable_indexscan TO off;"
            " SET LOCAL work_mem TO '256MB'; SET LOCAL jit TO off"
        )
    with connection.cursor(name="events_by_customer") as cursor:
        cursor.itersize = _STREAMED_ROWS
        cursor.execute(
            _SQL["events_by_customer"],
            {
                "after": after,
                "until": until,
                "types": None if types is None else list(types),
                **share._asdict(),
            },
        )
        yield from map(_event, cursor)


def selected_events(
    cursor: PgCursor,
    after: int,
    limit: int,
    *,
    until: int,
    as_of: datetime,
    customers: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    window: Mapping[str, str],
) -> list[LedgerEvent]:
    """The events behind position `after` and up to `until`, at most `limit`, that had happened by
    `as_of`, within `window` (its instants `from` and `to`), of these customers and types (None: of
    all).
    """
    if customers is None:
        _walk_an_index(cursor)
    return _events(
        cursor,
        "selected_events",
        after=after,
        limit=limit,
        until=until,
        as_of=as_of,
        customers=None if customers is None else list(customers),
        types=None if types is None else list(types),
        **window,
    )


def selected_by_customer(
    cursor: PgCursor,
    after: tuple[str, int],
    limit: int,
    *,
    until: int,
    as_of: datetime,
    customers: Sequence[str] | None = None,
) -> list[LedgerEvent]:
    """The events behind `after`, a customer and a position, one customer after the other: at most
    `limit`, up to position `until`, that had happened by `as_of`; policies are not among them.
    """
    if customers is None:
        _walk_an_index(cursor)
    return _events(
        cursor,
        "selected_by_customer",
        after_customer=after[0],
        after=after[1],
        limit=limit,
        until=until,
        as_of=as_of,
        customers=None if customers is None else list(customers),
    )


def event_by_position(cursor: PgCursor, position: int) -> LedgerEvent | None:
    """The event at `position`, or None beyond the ends of the ledger."""
    return next(iter(_events(cursor, "event_by_position", position=position)), None)


def events_at(cursor: PgCursor, positions: Iterable[int]) -> list[LedgerEvent]:
    """The events at these positions, in their order."""
    return _events(cursor, "events_at", positions=list(positions))


def last_position(cursor: PgCursor) -> int:
    """The position of the last event, 0 for an empty ledger."""
    cursor.execute(_SQL["last_position"])
    row = cursor.fetchone()
    if row is None:
        raise LookupError("ledger.head has lost its row")
    position: int = row[0]
    return position


def known_position(cursor: PgCursor, known_at: datetime | int) -> int:
    """The position of the last event that was recorded by `known_at`: an instant, or a position."""
    if isinstance(known_at, int):
        return max(0, min(known_at, last_position(cursor)))
    cursor.execute(_SQL["position_at"], {"instant": known_at})
    row = cursor.fetchone()
    if row is None:
        raise LookupError("ledger.head has lost its row")
    position: int = row[0]
    return position


def recorded_at(cursor: PgCursor, position: int) -> datetime | None:
    """When the event at `position` was recorded; None beyond the ends of the ledger."""
    cursor.execute(_SQL["recorded_at"], {"position": position})
    row = cursor.fetchone()
    return None if row is None else row[0]


def _walk_an_index(cursor: PgCursor) -> None:
    """Let pages be read in the order of an index.

    Of a ledger that was just filled the planner has no statistics, and would sort all that is left
    for every page.
    """
    cursor.execute("SET LOCAL enable_sort TO off; SET LOCAL enable_bitmapscan TO off")


def _end(until: int | None) -> int:
    return _NO_END if until is None else until


def _events(cursor: PgCursor, query: str, **parameters: Any) -> list[LedgerEvent]:
    cursor.execute(_SQL[query], parameters)
    return [_event(row) for row in cursor.fetchall()]


def _event(row: Sequence[Any]) -> LedgerEvent:
    return LedgerEvent._make(
        (*row[:14], *[None if raw is None else bytes(raw) for raw in row[14:]])
    )
