"""Checks the whole ledger: every leaf, tree, chain, count and signature is calculated anew.

By a reading path of its own: nothing here uses the code that appends, reads or seals.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from audit import whole_rows
from audit.standalone.proofs import Checkpoint
from audit.whole_checkpoints import Outside, Target, targets
from audit.whole_found import Found
from audit.whole_register import check_register
from audit.whole_rows import Rows, instant_of_bytes
from audit.whole_trees import CustomersTree, GrowingTree
from ledger.datastore import Datastore, PgCursor
from ledger.sql import named_queries

STRETCH_EVENTS = 5_000
_IN_ONE_PROCESS = 2  # starting others takes longer than to read so many stretches
_READ_AHEAD = 32
_HASH_BYTES = 32
_BUCKET_BYTES = 2
_EVENTS, _REGISTER = 0, 1
_SQL = named_queries(Path(__file__).with_name("whole.sql"))


def check_ledger(
    datastore: Datastore,
    *,
    keys: Sequence[str],
    outside: Iterable[Outside] = (),
    unwrap: Callable[[str, bytes], object] | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Check everything against the checkpoints in the database and those `outside` of it.

    `keys` are the ledger's public keys, known from outside the database. `unwrap` opens a data key
    and raises if the master key did not wrap it. `progress` is called with the number of events
    checked and of all. `processes` is how many read at once (None: one for each processor).
    """
    found = Found()
    with datastore.transaction() as cursor:
        whole_rows.see(cursor)
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        [(snapshot,)] = _rows(cursor, "snapshot")
        [(end, recorded_at, origin, entries, strays)] = _rows(cursor, "ends")
        if strays:
            found.fault(None, f"{strays} rows have positions outside of 1 to {end}")
        wanted, newest = targets(cursor, _SQL, found, origin, keys, outside)
        events = _Events(found, wanted, newest)
        for stretch in _stretches(datastore.url, snapshot, end, processes):
            events.take(stretch)
            if progress is not None:
                progress(found.events, end)
        if end and events.recorded_last != instant_of_bytes(recorded_at):
            found.fault(end, "the ledger's head has another time than its last event")
        events.finish(_check_tiles(cursor, found, _EVENTS, events.tree))
        _check_customers(cursor, found, events.customers)
        register = check_register(cursor, _SQL, found, wanted, entries, events.erased, unwrap)
        _check_tiles(cursor, found, _REGISTER, register)
    return found


def _rows(cursor: PgCursor, query: str, **parameters: object) -> list[tuple[Any, ...]]:
    cursor.execute(_SQL[query], parameters)
    return cursor.fetchall()


class _Events:
    """Follows the events, and compares the trees over them with every checkpoint on the way."""

    def __init__(self, found: Found, wanted: Sequence[Target], newest: Checkpoint | None) -> None:
        self.tree = GrowingTree()
        self.customers = CustomersTree()
        self.erased: set[str] = set()
        self.recorded_last: int | None = None
        self._found = found
        self._waiting = deque(wanted)
        self._sealed = newest.size if newest else 0
        self._agreed = 0
        self._disagreeing: list[tuple[int, int, str]] = []
        self._compare()

    def take(self, rows: Rows) -> None:
        """Take the next stretch."""
        found = self._found
        for position, what in rows.faults:
            found.fault(position, what)
        self.erased.update(rows.erased)
        before, first = self.recorded_last, rows.recorded_first
        if before is not None and first is not None and first < before:
            found.fault(rows.first, "the time of recording is before that of the row before")
        self.recorded_last = rows.recorded_last or before
        count = len(rows.leaves) // _HASH_BYTES
        for at in range(0, min(count, self._sealed - found.events) * _HASH_BYTES, _HASH_BYTES):
            leaf = rows.leaves[at : at + _HASH_BYTES]
            self.tree.append(leaf)
            self.customers.append(rows.keys[at : at + _HASH_BYTES], leaf)
            if self._waiting and self._waiting[0].checkpoint.size == self.tree.size:
                self._compare()
        found.events += count

    def finish(self, exact: int | None) -> None:
        """What to say once there are no more events.

        A checkpoint tells between which positions something is wrong; `exact` is the first one
        whose stored hash is another.
        """
        found = self._found
        for first, last, what in self._disagreeing:
            found.fault(exact if exact and first <= exact <= last else first, what)
        found.sealed, found.customers = self.tree.size, len(self.customers.customers)
        for target in self._waiting:
            size = target.checkpoint.size
            found.fault(
                found.events + 1,
                f"{target.place} was signed for {size:,} events, the ledger has {found.events:,}",
            )

    def _compare(self) -> None:
        while self._waiting and self._waiting[0].checkpoint.size == self.tree.size:
            place, checkpoint = self._waiting.popleft()
            first, last = self._agreed + 1, self.tree.size
            if checkpoint.root == self.tree.root():
                self._agreed = last
            else:
                what = f"{place} was signed for other events than those from {first:,} to {last:,}"
                self._disagreeing.append((first, last, what))
            customers = len(self.customers.customers)
            if (checkpoint.customers, checkpoint.customers_root) != (
                customers,
                self.customers.root(),
            ):
                what = f"{place} was signed for other customers, or others of their events"
                self._disagreeing.append((first, last, what))


def _check_tiles(cursor: PgCursor, found: Found, tree: int, expected: GrowingTree) -> int | None:
    """Compare the stored tree; gives the position of the first event with another hash."""
    exact = None
    stored: dict[int, bytearray] = {}
    for level, number, hashes in _rows(cursor, "tiles", tree=tree):
        so_far = stored.setdefault(level, bytearray())
        if len(so_far) == number * 256 * _HASH_BYTES:
            so_far += bytes(hashes)
        else:
            found.fault(None, f"tile {number} of level {level} of tree {tree} is not in its place")
    for level in sorted(stored.keys() | expected.tiles.keys()):
        there, right = stored.get(level, bytearray()), expected.tiles.get(level, bytearray())
        if there == right:
            continue
        at = _first_difference(there, right) // _HASH_BYTES
        if tree == _EVENTS and level == 0:
            exact = at + 1
            found.fault(exact, f"event {exact:,} is not what its hash was made of when sealed")
        else:
            found.fault(None, f"hash {at} of level {level} of the stored tree {tree} is wrong")
    return exact


def _first_difference(one: bytearray, other: bytearray) -> int:
    """Where two sequences of bytes that are not the same begin to differ."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _check_customers(cursor: PgCursor, found: Found, expected: CustomersTree) -> None:
    buckets: dict[int, list[bytes]] = {}
    for key, events, head in sorted(expected.customers.values()):
        entry = key + events.to_bytes(8, "big") + head
        buckets.setdefault(int.from_bytes(key[:_BUCKET_BYTES], "big"), []).append(entry)
    for bucket, root, entries in _rows(cursor, "customers"):
        right = b"".join(buckets.pop(bucket, []))
        if bytes(entries) != right or bytes(root) != expected.root_below(bucket):
            found.fault(None, f"what is stored of the customers in bucket {bucket} is wrong")
    for bucket in buckets:
        found.fault(None, f"what is stored of the customers in bucket {bucket} is missing")


def _stretches(url: str, snapshot: str, end: int, processes: int | None) -> Iterator[Rows]:
    """Read the ledger in stretches, in the order of positions."""
    wanted = [
        (snapshot, first, min(first + STRETCH_EVENTS - 1, end))
        for first in range(1, end + 1, STRETCH_EVENTS)
    ]
    if len(wanted) <= _IN_ONE_PROCESS:
        with closing(whole_rows.start(url)):
            yield from map(whole_rows.read, wanted)
        return
    room = threading.Semaphore(_READ_AHEAD)

    def paced() -> Iterator[tuple[str, int, int]]:
        for each in wanted:
            room.acquire()
            yield each

    context = multiprocessing.get_context("spawn")  # a fork would copy connections and threads
    with context.Pool(processes or os.cpu_count() or 1, whole_rows.start, (url,)) as pool:
        for stretch in pool.imap(whole_rows.read, paced()):
            room.release()
            yield stretch
