"""The tree over customers: for each, how many events there are and the head of their chain.

It is what lets somebody prove that nothing was left out. The key of a customer is the SHA-256 of
the subject (`customer:<id>`; `policies` for what belongs to no customer). Its bits, the first one
first, 0 to the left, lead from the root to the customer's place: as far up as nobody else's key
begins with the same bits. In each place stands, for

* nobody: 32 zero bytes;
* one customer: SHA-256(0x10, key, number of events in 8 bytes, head of the chain);
* several: SHA-256(0x11, left half, right half), split by the next bit.

The chain begins with 32 zero bytes; each event makes it SHA-256(0x12, chain so far, leaf hash).
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ledger.datastore import PgCursor
from ledger.sql import named_queries

NOBODY = bytes(32)
BUCKET_BITS = 16
"""Customers whose keys begin with the same 16 bits are stored together."""

_SQL = named_queries(Path(__file__).with_name("customers.sql"))
_ENTRY = struct.Struct(">32sQ32s")


class Entry(NamedTuple):
    """One customer: the key (SHA-256 of the subject), the number of events, the chain's head."""

    key: bytes
    events: int
    head: bytes


class Place(NamedTuple):
    """Where a key leads to: what stands beside the path, from the root down, and what is found.

    `found` is the entry with this key, or of somebody else who is alone there, or None for nobody.
    """

    beside: list[bytes]
    found: Entry | None


def key_of(subject: str) -> bytes:
    """The key of a subject."""
    return sha256(subject.encode()).digest()


def entry_hash(entry: Entry) -> bytes:
    """The hash of a customer who is alone in a part of the tree."""
    return sha256(b"\x10" + _ENTRY.pack(*entry)).digest()


def _inner(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x11" + left + right).digest()


def subtree(entries: Sequence[Entry], bit: int) -> bytes:
    """The hash over entries, sorted by key, that share the first `bit` bits."""
    if not entries:
        return NOBODY
    if len(entries) == 1:
        return entry_hash(entries[0])
    middle = _first_with_bit(entries, bit)
    return _inner(subtree(entries[:middle], bit + 1), subtree(entries[middle:], bit + 1))


def place_in(entries: Sequence[Entry], key: bytes, bit: int = 0) -> Place:
    """Where a key leads to among entries, sorted by key, that share its first `bit` bits."""
    beside = []
    while len(entries) > 1:
        middle = _first_with_bit(entries, bit)
        left, right = entries[:middle], entries[middle:]
        entries, other = (right, left) if _bit(key, bit) else (left, right)
        bit += 1
        beside.append(subtree(other, bit))
    return Place(beside, entries[0] if entries else None)


def root_above(key: bytes, place: Place) -> bytes:
    """The root that follows if a key leads to this place."""
    found = NOBODY if place.found is None else entry_hash(place.found)
    for bit in range(len(place.beside) - 1, -1, -1):
        other = place.beside[bit]
        found = _inner(other, found) if _bit(key, bit) else _inner(found, other)
    return found


def _first_with_bit(entries: Sequence[Entry], bit: int) -> int:
    return bisect_left(entries, 1, key=lambda entry: _bit(entry.key, bit))


def _bit(key: bytes, bit: int) -> int:
    return key[bit >> 3] >> (7 - (bit & 7)) & 1


class Crown:
    """The tree above the buckets, in memory. Its `customers` are how many there are below."""

    def __init__(self, buckets: Iterable[tuple[int, int, bytes]] = ()) -> None:
        """From the buckets that have customers: number, how many, hash over them."""
        # Like a heap: 1 is the root, 2n and 2n+1 are below n, the buckets are the lowest row.
        self._hashes = [NOBODY] * (2 << BUCKET_BITS)
        self._counts = [0] * (2 << BUCKET_BITS)
        self.update(buckets)

    @property
    def customers(self) -> int:
        """How many customers the tree has."""
        return self._counts[1]

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        return self._hashes[1]

    def update(self, buckets: Iterable[tuple[int, int, bytes]]) -> None:
        """Put in the new state of some buckets: number, how many customers, hash over them."""
        hashes, counts = self._hashes, self._counts
        changed = set()
        for bucket, count, found in buckets:
            at = (1 << BUCKET_BITS) + bucket
            hashes[at], counts[at] = found, count
            changed.add(at >> 1)
        while changed and 0 not in changed:
            for at in changed:
                left, right = 2 * at, 2 * at + 1
                counts[at] = counts[left] + counts[right]
                if counts[at] > 1:
                    hashes[at] = sha256(b"\x11" + hashes[left] + hashes[right]).digest()
                else:
                    hashes[at] = hashes[left] if counts[left] else hashes[right]
            changed = {at >> 1 for at in changed}

    def place(self, key: bytes, bucket: Sequence[Entry]) -> Place:
        """Where a key leads to; `bucket` are the entries of the bucket that the path ends in."""
        at, beside = 1, []
        for bit in range(BUCKET_BITS):
            if self._counts[at] < 2:
                break
            at = 2 * at + _bit(key, bit)
            beside.append(self._hashes[at ^ 1])
        else:
            below = place_in(bucket, key, BUCKET_BITS)
            return Place(beside + below.beside, below.found)
        return Place(beside, bucket[0] if bucket else None)

    def bucket_of(self, key: bytes) -> int | None:
        """The bucket with what the key leads to; None where the path ends at nobody."""
        at = 1
        for bit in range(BUCKET_BITS):
            if self._counts[at] == 0:
                return None
            if self._counts[at] == 1:
                break
            at = 2 * at + _bit(key, bit)
        while at < 1 << BUCKET_BITS:
            at = 2 * at if self._counts[2 * at] else 2 * at + 1
        return at - (1 << BUCKET_BITS)


def bucket_number(key: bytes) -> int:
    """The bucket of a key: its first 16 bits."""
    return int.from_bytes(key[:2])


def unpacked(stored: bytes) -> list[Entry]:
    """The entries of a bucket."""
    return [Entry._make(each) for each in _ENTRY.iter_unpack(stored)]


def load_crown(cursor: PgCursor) -> Crown:
    """The stored tree without what is inside its buckets."""
    cursor.execute(_SQL["roots"], {"entry_bytes": _ENTRY.size})
    return Crown((bucket, count, bytes(root)) for bucket, count, root in cursor.fetchall())


def load_buckets(cursor: PgCursor, numbers: Iterable[int]) -> dict[int, list[Entry]]:
    """The entries of the stored buckets with these numbers; of those without any, none."""
    stored = _stored_buckets(cursor, numbers)
    return {bucket: unpacked(entries) for bucket, entries in stored.items()}


def _stored_buckets(cursor: PgCursor, numbers: Iterable[int]) -> dict[int, bytes]:
    cursor.execute(_SQL["load"], {"buckets": list(numbers)})
    return {bucket: bytes(entries) for bucket, entries in cursor.fetchall()}


def _split(stored: bytes) -> list[bytes]:
    return [stored[at : at + _ENTRY.size] for at in range(0, len(stored), _ENTRY.size)]


def _longer(entry: bytes, key: bytes, leaves: Sequence[bytes]) -> bytes:
    """The packed entry of a customer after some more events; it is empty before the first."""
    _, count, head = _ENTRY.unpack(entry) if entry else (key, 0, NOBODY)
    for leaf in leaves:
        head = sha256(b"\x12" + head + leaf).digest()
    return _ENTRY.pack(key, count + len(leaves), head)


def lengthen(cursor: PgCursor, crown: Crown, events: Mapping[bytes, Sequence[bytes]]) -> None:
    """Take in events, stored and in `crown`: key of the customer → leaf hashes in their order."""
    touched: dict[int, list[bytes]] = {}
    for key in events:
        touched.setdefault(bucket_number(key), []).append(key)
    stored = _stored_buckets(cursor, touched)
    rows = []
    for number, keys in touched.items():
        there = stored.get(number, b"")
        if len(keys) == 1 and there[:32] in (b"", keys[0]) and len(there) <= _ENTRY.size:
            # Nearly all: the only customer of the bucket.
            entry = _longer(there, keys[0], events[keys[0]])
            rows.append((number, 1, sha256(b"\x10" + entry).digest(), entry))
            continue
        entries = {each[:32]: each for each in _split(there)}
        for key in keys:
            entries[key] = _longer(entries.get(key, b""), key, events[key])
        after = b"".join(sorted(entries.values()))
        rows.append((number, len(entries), subtree(unpacked(after), BUCKET_BITS), after))
    cursor.execute(
        _SQL["store"],
        {
            "buckets": [row[0] for row in rows],
            "roots": [row[2] for row in rows],
            "entries": [row[3] for row in rows],
        },
    )
    crown.update(row[:3] for row in rows)
