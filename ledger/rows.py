"""Appending: the one way by which rows get into the ledger."""

import io
import struct
from collections.abc import Iterable, Sequence
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

# COPY's binary format: every field is its length in four bytes (-1: NULL), then its value as the
# server holds it. Less work than the text format on both sides, and nothing to escape.
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = struct.pack("!h", -1)
_COPY_CHUNK_BYTES = 1 << 20
_COLUMNS = 18
_place = struct.Struct("!hiqiq").pack  # number of columns, position, recorded_at
_fixed = struct.Struct("!iqiqi16sihi?").pack  # version, occurred_at, event id, shard, time assumed
_bigint = struct.Struct("!iq").pack
_length = struct.Struct("!i").pack
_NULL = _length(-1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


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
    already (`Datastore.transaction` makes it an `IntegrityError`), and a `DataError` for text that
    PostgreSQL cannot hold (NUL, half of a surrogate pair).
    """
    if not events:
        raise ValueError("a batch holds at least one event")
    rows = _copy_rows(events)
    cursor.execute(_SQL["lock_head"])
    head = cursor.fetchone()
    if head is None:
        raise LookupError("ledger.head has lost its row")
    first_position, recorded_at = head[0] + 1, head[1]
    recorded = _microseconds(recorded_at)
    placed = [
        _place(_COLUMNS, 8, position, 8, recorded) + row
        for position, row in enumerate(rows, first_position)
    ]
    data = io.BytesIO(b"".join((_COPY_HEADER, *placed, _COPY_TRAILER)))
    cursor.copy_expert(_SQL["copy_events"], data, _COPY_CHUNK_BYTES)
    return Appended(first_position, recorded_at)


def _copy_rows(events: Iterable[NewEvent]) -> list[bytes]:
    """The events in COPY's binary format, all columns but the first two, made before the lock."""
    try:
        return [_copy_row(event) for event in events]
    except UnicodeEncodeError as error:
        raise DataError(f"PostgreSQL holds no half surrogate pairs in text: {error}") from error


def _copy_row(event: NewEvent) -> bytes:
    (
        event_id, originator_id, version, type_, customer_id, shard, source, id_, occurred_at,
        time_assumed, sequence, correlation_id, causation_id, fingerprint, facts, personal,
    ) = event  # fmt: skip
    identity, occurred = bytes.fromhex(event_id), _microseconds(occurred_at)
    stream, kind = originator_id.encode(), type_.encode()
    source_text, id_text = source.encode(), id_.encode()
    # The columns that are always there stand first, without a call for each: this is the hot path.
    return b"".join(
        (
            _fixed(8, version, 8, occurred, 16, identity, 2, shard, 1, time_assumed),
            _length(len(stream)), stream, _length(len(kind)), kind,
            _length(len(source_text)), source_text, _length(len(id_text)), id_text,
            _length(len(fingerprint)), fingerprint, _length(len(facts)), facts,
            _NULL if customer_id is None else _sized(customer_id.encode()),
            _NULL if correlation_id is None else _sized(correlation_id.encode()),
            _NULL if causation_id is None else _sized(causation_id.encode()),
            _NULL if sequence is None else _bigint(8, sequence),
            _NULL if personal is None else _sized(personal),
        )
    )  # fmt: skip


def _sized(value: bytes) -> bytes:
    return _length(len(value)) + value


def _microseconds(moment: datetime) -> int:
    """A moment as PostgreSQL counts it: microseconds since 2000."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
