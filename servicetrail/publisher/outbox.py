"""Records that wait for their delivery, in an SQLite file that survives whatever ends the process.

`waiting` has the records, `delivered` remembers the last of those that were acknowledged, by a
hash, so that publishing the same again sends nothing. A record stays in `waiting` until the
transaction that notes its acknowledgement; or, if brokers refuse it, until somebody puts it aside:
then its name and the reasons stay in `discarded`.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple

from consumers.producing import Record
from servicetrail.publisher.errors import OutboxFailed, OutboxFull, OutboxInUse, PublisherClosed

OUTBOX_FILE = "outbox.sqlite"
"""The outbox of the command line, in the data directory."""
FORMAT = 1
REMEMBERED = 1_000_000
_TABLES = (Path(__file__).parent / "outbox.sql").read_text(encoding="utf-8")
_OPEN = "SELECT count(*) FROM waiting WHERE refused IS NULL"
_FIRST = "SELECT min(number) FROM waiting WHERE refused IS NULL"
_PUT = """
    INSERT INTO waiting (identity, topic, key, value, headers, timestamp)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (identity) DO UPDATE SET refused = NULL WHERE refused IS NOT NULL
"""
_NEXT = """
    SELECT number, identity, topic, key, value, headers, timestamp
    FROM waiting
    WHERE refused IS NULL AND topic NOT IN (SELECT value FROM json_each(?))
    ORDER BY number LIMIT ?
"""
_DISCARD = """
    INSERT INTO discarded (number, source, id, refused, reason, at) VALUES (?, ?, ?, ?, ?, ?)
"""
_FORGET = "DELETE FROM delivered WHERE number <= (SELECT max(number) FROM delivered) - ?"


class Waiting(NamedTuple):
    """A record that waits; `number` is its place in the order of publishing."""

    number: int
    identity: bytes
    record: Record


class Refusal(NamedTuple):
    """A record that brokers will never take as it is, and why."""

    source: str
    id: str
    reason: str


class Discard(NamedTuple):
    """A refused record that was put aside: when, why it was refused, and why that is all right."""

    source: str
    id: str
    refused: str
    reason: str
    at: datetime


class Outbox:
    """The waiting records of one publisher. All methods may be called from any thread.

    `capacity` is how many records may wait. What `put` took is on the disk when it returns. Only
    the owner may read the file. Raises `OutboxInUse` if another publisher has it open,
    `OutboxFailed` if it cannot be used.
    """

    def __init__(self, path: Path | str, *, capacity: int, remembered: int = REMEMBERED) -> None:
        self.path = Path(path)
        self._capacity = capacity
        self._remembered = remembered
        self._changed = threading.Condition()
        self._puts = 0
        self._lock_file = _locked(self.path)
        self._closed = False
        try:
            self._database = _opened(self.path)
            self._open = int(self._database.execute(_OPEN).fetchone()[0])
        except (sqlite3.Error, OSError, OutboxFailed) as error:
            self._lock_file.close()
            raise OutboxFailed(f"{self.path}: {error}") from error

    def put(self, records: Sequence[Record]) -> int:
        """Add records, all or none; how many of them did not wait already.

        A record that was refused before is tried again. Raises `OutboxFull`, `OutboxFailed`,
        `PublisherClosed`.
        """
        rows = [_row(record) for record in records]
        with self._changed:
            if self._closed:
                raise PublisherClosed("this publisher was closed")
            if self._open + len(rows) > self._capacity:
                raise OutboxFull(
                    f"{self._open:,} events wait in {self.path}, and it may hold "
                    f"{self._capacity:,}: the brokers must take some first"
                )
            with self._transaction() as database:
                before = database.total_changes
                database.executemany(_PUT, rows)
                added = database.total_changes - before
            self._open += added
            self._puts += 1
            self._changed.notify_all()
        return added

    def next(self, limit: int, without: Collection[str] = ()) -> list[Waiting]:
        """The first of those that wait, in the order of publishing; none of those topics."""
        with self._changed, self._reading() as database:
            rows = database.execute(_NEXT, (json.dumps(list(without)), limit)).fetchall()
        return [
            Waiting(number, identity, Record(topic, key, value, _headers(headers), timestamp))
            for number, identity, topic, key, value, headers, timestamp in rows
        ]

    def were_delivered(self, hashes: Sequence[bytes]) -> set[bytes]:
        """Those of the hashes that are remembered as delivered."""
        with self._changed, self._reading() as database:
            marks = ", ".join("?" * len(hashes))
            found = database.execute(
                f"SELECT identity FROM delivered WHERE identity IN ({marks})", hashes
            )
            return {identity for (identity,) in found}

    def settle(
        self, numbers: Iterable[int], refused: dict[int, str], delivered: Iterable[bytes]
    ) -> None:
        """Take records out and remember hashes of what was delivered; note what was refused.

        Survives the end of the process; a power cut soon after may undo it, and then what was
        delivered is delivered once more.
        """
        gone = [(number,) for number in numbers]
        reasons = [(reason, number) for number, reason in refused.items()]
        with self._changed:
            with self._transaction("NORMAL") as database:
                database.executemany("DELETE FROM waiting WHERE number = ?", gone)
                database.executemany("UPDATE waiting SET refused = ? WHERE number = ?", reasons)
                database.executemany(
                    "INSERT OR IGNORE INTO delivered (identity) VALUES (?)",
                    [(each,) for each in delivered],
                )
                database.execute(_FORGET, (self._remembered,))
            self._open -= len(gone) + len(reasons)
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many records wait, without those that were refused."""
        with self._changed:
            return self._open

    def last(self) -> int:
        """The number of the record that was put last, 0 if there was none ever."""
        with self._changed, self._reading() as database:
            row = database.execute("SELECT max(number) FROM waiting").fetchone()
        return row[0] or 0

    def wait_for_delivery(self, number: int, seconds: float | None) -> int:
        """Wait until no record waits that was put before or with that one, for so long at most.

        Returns how many of those still wait. Refused records do not wait.
        """
        with self._changed, self._reading() as database:

            def is_over() -> bool:
                if self._closed:
                    return True
                first = database.execute(_FIRST).fetchone()[0]
                return first is None or first > number

            self._changed.wait_for(is_over, seconds)
            return int(database.execute(f"{_OPEN} AND number <= ?", (number,)).fetchone()[0])

    def refusals(self) -> list[Refusal]:
        """What brokers refused, in the order of publishing."""
        with self._changed, self._reading() as database:
            return list(_refusals(database).values())

    def discard(self, reason: str) -> list[Discard]:
        """Put aside what brokers refused until now, for good: its name and the reasons stay."""
        now = datetime.now(UTC)
        with self._changed, self._transaction() as database:
            refused = _refusals(database)
            database.executemany(
                _DISCARD, [(n, *each, reason, now.isoformat()) for n, each in refused.items()]
            )
            database.executemany("DELETE FROM waiting WHERE number = ?", [(n,) for n in refused])
        return [
            Discard(each.source, each.id, each.reason, reason, now) for each in refused.values()
        ]

    def discards(self) -> list[Discard]:
        """What was ever put aside, in the order of publishing."""
        with self._changed, self._reading() as database:
            rows = database.execute(
                "SELECT source, id, refused, reason, at FROM discarded ORDER BY number"
            ).fetchall()
        return [
            Discard(source, id_, refusal, reason, datetime.fromisoformat(at))
            for source, id_, refusal, reason, at in rows
        ]

    def forget(self, key: str) -> int:
        """Destroy the refused records of a key, such as a customer; how many of it still wait."""
        with self._changed:
            with self._transaction() as database:
                refused = "DELETE FROM waiting WHERE key = ? AND refused IS NOT NULL"
                database.execute(refused, (key.encode(),))
            with self._reading() as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                found = database.execute(f"{_OPEN} AND key = ?", (key.encode(),)).fetchone()
        return int(found[0])

    def wait_for_records(self, stopped: Callable[[], bool]) -> None:
        """Return when records wait, or when `stopped` says so at a change or a `wake`."""
        with self._changed:
            self._changed.wait_for(lambda: self._open > 0 or self._closed or stopped())

    @property
    def puts(self) -> int:
        """How often something was put."""
        return self._puts

    def wait_for_a_put(self, puts: int, stopped: Callable[[], bool], seconds: float) -> None:
        """Return when there were more of them than that, when `stopped` says so at a change or a
        `wake`, or after so long.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._puts > puts or self._closed or stopped(), max(0.0, seconds)
            )

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Close the file and let others open it. May be called twice."""
        with self._changed:
            if not self._closed:
                self._closed = True
                self._database.close()
                self._lock_file.close()
                self._changed.notify_all()

    @contextmanager
    def _transaction(self, synchronous: str = "FULL") -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            database.execute(f"PRAGMA synchronous = {synchronous}")
            with database:
                yield database

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._database
        except sqlite3.ProgrammingError as error:
            raise PublisherClosed("this publisher was closed") from error
        except sqlite3.Error as error:
            raise OutboxFailed(f"{self.path}: {error}") from error


def _refusals(database: sqlite3.Connection) -> dict[int, Refusal]:
    rows = database.execute(
        "SELECT number, headers, refused FROM waiting WHERE refused IS NOT NULL ORDER BY number"
    )
    named = [(number, dict(json.loads(headers)), reason) for number, headers, reason in rows]
    return {n: Refusal(names["ce_source"], names["ce_id"], reason) for n, names, reason in named}


def _locked(path: Path) -> IO[str]:
    """A lock that the kernel drops however the process ends."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_file = path.with_name(f"{path.name}.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise OutboxFailed(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock_file.seek(0)
        holder = lock_file.read().strip() or "unknown"
        lock_file.close()
        raise OutboxInUse(
            f"{path} is open in another publisher (process {holder}): "
            "give every publisher an outbox of its own"
        ) from None
    lock_file.truncate(0)
    lock_file.write(f"{os.getpid()}\n")
    lock_file.flush()
    return lock_file


def _opened(path: Path) -> sqlite3.Connection:
    # What waits may hold personal data: nobody else reads it, and what was deleted is overwritten.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found > FORMAT:
            raise OutboxFailed("written by a newer version of this program")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA secure_delete = ON")
        database.executescript(_TABLES)
        database.execute(f"PRAGMA user_version = {FORMAT}")
    except BaseException:
        database.close()
        raise
    return database


def _row(record: Record) -> tuple[bytes, str, bytes, bytes, str, int]:
    """What is stored of a record, begun by a hash of everything but the timestamp: that says only
    when publishing was tried.
    """
    headers = json.dumps([(name, value.decode()) for name, value in record.headers])
    hashed = blake2b(digest_size=16)
    for part in (record.topic.encode(), record.key, record.value, headers.encode()):
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    row = (record.topic, record.key, record.value, headers, record.timestamp)
    return (hashed.digest(), *row)


def _headers(text: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in json.loads(text)]
