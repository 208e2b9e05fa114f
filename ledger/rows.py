"""Appending: the one way by which rows get into the ledger."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from eventsourcing.persistence import DataError

from ledger.datastore import PgCursor
from ledger.sql import named_queries

SHARDS = 64
NO_SHARD = -1  # of what belongs to no customer: policies
_SQL = named_queries(Path(__file__).with_name("rows.sql"))
_COPY_CHUNK_BYTES = 1 << 20
_NULL = r"\N"
_BYTES = r"\\x"
_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_ESCAPE = str.maketrans(_ESCAPES)


class NewEvent(NamedTuple):
    """An event that is to be appended: a row of ``ledger.events`` but for its place in the order.

    `event_id` is 32 hex digits, times are aware, `fingerprint` is 8 bytes, `facts` a bare Avro
    datum without personal fields, `personal` those fields encrypted, if there were any.
    """

    event_id: str
    originator_id: str
    originator_version: int
    type: str
    customer_id: str | None
    shard: int
    source: str
    id: str
    occurred_at: datetime
    time_assumed: bool
    sequence: int | None
    correlation_id: str | None
    causation_id: str | None
    fingerprint: bytes
    facts: bytes
    personal: bytes | None


class Appended(NamedTuple):
    """Where a batch stands: `first_position`, and one more for each event after the first."""

    first_position: int
    recorded_at: datetime


def shard_of(customer_id: str | None) -> int:
    """The shard, 0 to 63, in which parallel projectors find a customer; -1 without a customer."""
    return NO_SHARD if customer_id is None else crc32(customer_id.encode()) % SHARDS


def append(cursor: PgCursor, events: Sequence[NewEvent]) -> Appended:
    """Append a batch (at least one event) at the end of the ledger, in the caller's transaction.

    From here to the end of the transaction every other writer waits: do everything else before,
    and commit at once. Readers that listen on ``servicetrail_ledger`` wake up at the commit.

    Raises psycopg2's `UniqueViolation` when an event id, or the version of a stream, is there
    already (`Datastore.transaction` makes it an `IntegrityError`), and `DataError` for text that
    PostgreSQL cannot hold (NUL, half of a surrogate pair).
    """
    if not events:
        raise ValueError("a batch holds at least one event")
    lines = _copy_lines(events)
    cursor.execute(_SQL["lock_head"])
    head = cursor.fetchone()
    if head is None:
        raise LookupError("ledger.head has lost its row")
    first_position, recorded_at = head[0] + 1, head[1]
    stamp = f"\t{recorded_at.isoformat()}\t".encode()
    placed = [b"%d%b%b" % (place, stamp, line) for place, line in enumerate(lines, first_position)]
    cursor.copy_expert(_SQL["copy_events"], io.BytesIO(b"".join(placed)), _COPY_CHUNK_BYTES)
    return Appended(first_position, recorded_at)


def _copy_lines(events: Sequence[NewEvent]) -> list[bytes]:
    """The events in COPY's text format, all columns but the first two, made before the lock."""
    texts = "".join([_texts(event) for event in events])
    if "\0" in texts:
        raise DataError("PostgreSQL holds no NUL characters in text")
    # Hardly ever there, so that one search over all texts is cheaper than an escape of each.
    if any(special in texts for special in _ESCAPES):
        events = [_escaped(event) for event in events]
    try:
        return [line.encode() for line in map(_copy_line, events)]
    except UnicodeEncodeError as error:
        raise DataError(f"PostgreSQL holds no half surrogate pairs in text: {error}") from error


def _texts(event: NewEvent) -> str:
    return (
        f"{event.originator_id}{event.type}{event.customer_id}{event.source}{event.id}"
        f"{event.correlation_id}{event.causation_id}"
    )


def _escaped(event: NewEvent) -> NewEvent:
    return NewEvent._make(
        value.translate(_ESCAPE) if isinstance(value, str) else value for value in event
    )


def _copy_line(event: NewEvent) -> str:
    (
        event_id, originator_id, originator_version, type_, customer_id, shard, source, id_,
        occurred_at, time_assumed, sequence, correlation_id, causation_id,
        fingerprint, facts, personal,
    ) = event  # fmt: skip
    if occurred_at.tzinfo is not UTC:
        occurred_at = occurred_at.astimezone(UTC)
    occurred = occurred_at.replace(tzinfo=None).isoformat()  # twice as fast as with its zone
    return (
        f"{event_id}\t{originator_id}\t{originator_version}\t{type_}\t"
        f"{_NULL if customer_id is None else customer_id}\t{shard}\t{source}\t{id_}\t"
        f"{occurred}Z\t{time_assumed:d}\t{_NULL if sequence is None else sequence}\t"
        f"{_NULL if correlation_id is None else correlation_id}\t"
        f"{_NULL if causation_id is None else causation_id}\t"
        f"{_BYTES}{fingerprint.hex()}\t{_BYTES}{facts.hex()}\t"
        f"{_NULL if personal is None else _BYTES + personal.hex()}\n"
    )
