"""Reads rows of the ledger for checking, apart from everybody else, in processes of its own."""

from __future__ import annotations

import struct
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from audit.standalone.proofs import leaf_hash
from ledger.datastore import Datastore, PgCursor
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("whole_rows.sql"))
_MISSING = bytes(32)


class Rows(NamedTuple):
    """A stretch of the ledger: for each position 32 bytes of leaf and of the customer's key.

    `faults` are positions and what is wrong there. `erased` are the customers that events say were
    erased. Times are microseconds since 2000.
    """

    first: int
    leaves: bytes
    keys: bytes
    recorded_first: int | None
    recorded_last: int | None
    faults: list[tuple[int, str]]
    erased: list[str]


_reading: Datastore | None = None


def start(url: str) -> Datastore:
    """Prepare a process for `read`; gives what to close at the end."""
    global _reading
    _reading = Datastore(url, pool_size=1, max_overflow=0, idle_in_transaction_timeout=0)
    return _reading


def read(stretch: tuple[str, int, int]) -> Rows:
    """The rows of a snapshot from one position to another."""
    snapshot, first, last = stretch
    assert _reading is not None
    with _reading.transaction() as cursor:
        see(cursor, snapshot)
        cursor.execute(_SQL["rows"], {"first": first, "last": last})
        return _hashed(first, last, cursor.fetchall())


def see(cursor: PgCursor, snapshot: str | None = None) -> None:
    """Make a transaction see one moment: its own, or that of a snapshot."""
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if snapshot is not None:
        cursor.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))


def _hashed(first: int, last: int, rows: list[tuple[Any, ...]]) -> Rows:
    leaves, keys, faults, erased = [], [], [], []
    recorded: list[int] = []
    expected = first
    for row in rows:
        position = row[0]
        if position < expected:
            faults.append((position, "there are two rows with this position"))
            continue
        if position > expected:
            faults.append((expected, f"the rows from {expected} to {position - 1} are missing"))
            leaves += [_MISSING] * (position - expected)
            keys += [_MISSING] * (position - expected)
        expected = position + 1
        try:
            at, leaf, key = _read_row(row)
        except (AttributeError, TypeError, ValueError, struct.error) as error:
            faults.append((position, f"the row cannot be read: {error}"))
            leaves.append(_MISSING)
            keys.append(_MISSING)
            continue
        if recorded and at < recorded[-1]:
            faults.append((position, "the time of recording is before that of the row before"))
        recorded.append(at)
        leaves.append(leaf)
        keys.append(key)
        if row[8] == "customer.erased.v1":
            erased.append(row[13])
    if expected <= last:
        faults.append((expected, f"the rows from {expected} to {last} are missing"))
        leaves += [_MISSING] * (last + 1 - expected)
        keys += [_MISSING] * (last + 1 - expected)
    return Rows(
        first,
        b"".join(leaves),
        b"".join(keys),
        recorded[0] if recorded else None,
        recorded[-1] if recorded else None,
        faults,
        erased,
    )


def _read_row(row: tuple[Any, ...]) -> tuple[int, bytes, bytes]:
    """When it was recorded, the hash of the leaf, the key of the customer."""
    (
        position, version, occurred_at, recorded_at, event_id, shard, time_assumed, originator_id,
        type_, source, id_, fingerprint, facts, customer_id, correlation_id, causation_id, sequence,
        personal,
    ) = row  # fmt: skip
    at = instant_of_bytes(recorded_at)
    leaf = leaf_hash(
        position, version, instant_of_bytes(occurred_at), at,
        bytes.fromhex(event_id.replace("-", "")), shard, time_assumed,
        originator_id.encode(), type_.encode(), source.encode(), id_.encode(),
        bytes(fingerprint), bytes(facts),
        None if customer_id is None else customer_id.encode(),
        None if correlation_id is None else correlation_id.encode(),
        None if causation_id is None else causation_id.encode(),
        sequence,
        None if personal is None else bytes(personal),
    )  # fmt: skip
    subject = "policies" if customer_id is None else f"customer:{customer_id}"
    return at, leaf, sha256(subject.encode()).digest()


def instant_of_bytes(sent: Any) -> int:
    """Microseconds since 2000 of an instant as PostgreSQL sends it, whatever instant it is."""
    return int.from_bytes(bytes(sent), "big", signed=True)
