"""Connections to PostgreSQL through psycopg2, pooled by the eventsourcing library's pool."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from select import POLLIN, poll
from threading import Thread
from typing import Any, TypeVar

import psycopg2
import psycopg2.extensions
from eventsourcing import persistence
from eventsourcing.persistence import ConnectionPoolClosedError, Params
from eventsourcing.utils import retry
from psycopg2.errors import FeatureNotSupported, LockNotAvailable
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, make_dsn, parse_dsn

PgConnection = psycopg2.extensions.connection
PgCursor = psycopg2.extensions.cursor
Seen = TypeVar("Seen", bound=PgCursor)

PROGRAM_ROLE = "servicetrail_writer"
"""What the program may do in the database is what was granted to this role, whoever logs in."""

DASHBOARD_ROLE = "servicetrail_dashboard"
"""May read the views in schema `dashboard` and nothing else; logins are made members of it."""

_ERRORS: tuple[tuple[type[psycopg2.Error], type[persistence.PersistenceError]], ...] = (
    (psycopg2.InterfaceError, persistence.InterfaceError),
    (psycopg2.OperationalError, persistence.OperationalError),
    (psycopg2.DataError, persistence.DataError),
    (psycopg2.IntegrityError, persistence.IntegrityError),
    (psycopg2.InternalError, persistence.InternalError),
    (psycopg2.ProgrammingError, persistence.ProgrammingError),
    (psycopg2.NotSupportedError, persistence.NotSupportedError),
    (psycopg2.DatabaseError, persistence.DatabaseError),
    (psycopg2.Error, persistence.PersistenceError),
)

_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_CLOSE_SECONDS = 1.0
"""So long a pool that is closed waits for statements to be cancelled."""

# A login may end its own connections, the role that the program takes may not.
_END_FROZEN = """
SET ROLE NONE;
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND usename = session_user
  AND application_name = current_setting('application_name')
  AND state = 'active' AND wait_event = 'ClientRead' AND query ILIKE '%%COPY ledger.%%FROM STDIN%%'
  AND query_start < clock_timestamp() - make_interval(secs => %(seconds)s)
"""

retry_on_loss = retry(
    (persistence.InterfaceError, persistence.OperationalError), max_attempts=10, wait=0.2
)
"""Decorates what may run again from its start: after a lost connection, a serialization failure, a
deadlock, a lock or statement that took too long."""


@contextmanager
def persistence_errors() -> Iterator[None]:
    """Raise psycopg2's errors as the eventsourcing library's errors of the same names.

    The message is the server's, and the original error stays reachable as ``__cause__``.
    """
    try:
        yield
    except psycopg2.Error as error:
        for ours, theirs in _ERRORS:
            if isinstance(error, ours):
                raise theirs(str(error).strip()) from error
        raise


class Cursor(persistence.Cursor):
    """A psycopg2 cursor as the library's pool expects it."""

    def __init__(self, cursor: PgCursor) -> None:
        self.raw = cursor

    def execute(self, statement: str | bytes, params: Params | None = None) -> None:
        """Execute one statement with its parameters."""
        self.raw.execute(statement, params)

    def fetchall(self) -> Any:
        """All rows, as tuples."""
        return self.raw.fetchall()

    def fetchone(self) -> Any:
        """The next row as a tuple, or None."""
        return self.raw.fetchone()


class Connection(persistence.Connection[Cursor]):
    """A psycopg2 connection in the pool. In autocommit mode unless in `transaction`."""

    def __init__(self, raw: PgConnection, max_age: float | None) -> None:
        super().__init__(max_age=max_age)
        self.raw = raw

    def commit(self) -> None:
        """Commit the transaction."""
        self.raw.commit()

    def rollback(self) -> None:
        """Roll the transaction back."""
        self.raw.rollback()

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor(self.raw.cursor())

    def answers(self) -> bool:
        """Whether the server is still there, as far as can be known without asking it.

        A server that closes a connection says so; only if it has said anything it is asked.
        """
        if self.raw.closed:
            return False
        waiting = poll()
        waiting.register(self.raw.fileno(), POLLIN)
        if not waiting.poll(0):
            return True
        try:
            with self.raw.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            return False
        return True

    def _close(self) -> None:
        super()._close()
        self.raw.close()

    @contextmanager
    def transaction(self) -> Iterator[PgCursor]:
        """One transaction. A connection that cannot even roll back is closed."""
        self.raw.autocommit = False
        try:
            with self.raw.cursor() as cursor:
                yield cursor
            self.raw.commit()
        except BaseException:
            with suppress(psycopg2.Error):
                self.raw.rollback()
            raise
        finally:
            if self._is_idle():
                self.raw.autocommit = True
            else:
                self.close()

    @contextmanager
    def reading(
        self,
        first: Callable[[PgCursor], str],
        parameters: Mapping[str, Any],
        cursor_factory: type[Seen],
    ) -> Iterator[Seen]:
        """One transaction that reads, begun with the statements `first` in one round trip; the
        cursor has the result of the last of them. psycopg2 would send BEGIN by itself, before.
        """
        with self.raw.cursor(cursor_factory=cursor_factory) as cursor:
            try:
                cursor.execute(f"{_BEGIN_READING}; {first(cursor)}", parameters)
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(psycopg2.Error):
                    cursor.execute("ROLLBACK")
                raise
            finally:
                if not self._is_idle():
                    self.close()

    def _is_idle(self) -> bool:
        return not self.raw.closed and self.raw.info.transaction_status == TRANSACTION_STATUS_IDLE


class ConnectionPool(persistence.ConnectionPool[Connection]):
    """The library's pool over psycopg2 connections made from one connection string."""

    def __init__(self, dsn: str, **pool_settings: Any) -> None:
        self._dsn = dsn
        super().__init__(**pool_settings)

    def _create_connection(self) -> Connection:
        with persistence_errors():
            return Connection(_connect(self._dsn), self.max_age)

    def close(self) -> None:
        """Close every connection, those in use as well: what runs there is cancelled and rolled
        back. May be called twice.

        psycopg2 closes no connection before its statement is over, and a server that vanished
        cancels none. What is still open after a second ends with its user, or with the process.
        """
        self._closed = True
        if not self._put_condition.acquire(timeout=_CLOSE_SECONDS):
            return  # somebody is connecting, and will find the pool closed
        try:
            idle, in_use = list(self._pool), list(self._in_use.values())
            self._pool.clear()
            self._in_use.clear()
        finally:
            self._put_condition.release()
        for connection in idle:
            connection.close()
        if in_use:
            ending = Thread(target=_end, args=[in_use], name="closing", daemon=True)
            ending.start()
            ending.join(_CLOSE_SECONDS)


class Datastore:
    """The program's way to its database, for any number of threads.

    `url` is a libpq URL or connection string. The login it names must be a member of the role
    ``servicetrail_writer`` (`ledger.migrations.migrate` sees to that), and every connection takes
    that role. Timeouts are in seconds, 0 means none:

    * `connect_timeout`: for one attempt to reach the server;
    * `pool_timeout`: waiting for one of the `pool_size` + `max_overflow` connections;
    * `statement_timeout`: for one statement;
    * `lock_timeout`: for one lock, among them the one that hands out positions;
    * `idle_in_transaction_timeout`: for a transaction in which nothing happens, because one that
      has appended holds up every other writer.

    A pooled connection that the server has closed is replaced before it is used. Sent to another
    process, a datastore opens connections of its own there.

    PostgreSQL's timeouts leave alone who was frozen in the middle of a COPY, since it only waits
    for its client. So whoever waited in vain for a lock ends those that do so for longer than
    `idle_in_transaction_timeout`.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        max_overflow: int = 10,
        pool_timeout: float = 30.0,
        max_age: float | None = None,
        connect_timeout: int = 10,
        statement_timeout: float = 0,
        lock_timeout: float = 30,
        idle_in_transaction_timeout: float = 60,
    ) -> None:
        self._alike = partial(
            Datastore,
            url,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=pool_timeout,
            max_age=max_age,
            connect_timeout=connect_timeout,
            statement_timeout=statement_timeout,
            lock_timeout=lock_timeout,
            idle_in_transaction_timeout=idle_in_transaction_timeout,
        )
        self.url = url
        self._dsn = _program_dsn(
            url,
            connect_timeout=connect_timeout,
            settings={
                "role": PROGRAM_ROLE,
                "TimeZone": "UTC",
                "default_transaction_isolation": r"read\ committed",
                "statement_timeout": f"{statement_timeout * 1000:.0f}",
                "lock_timeout": f"{lock_timeout * 1000:.0f}",
                "idle_in_transaction_session_timeout": f"{idle_in_transaction_timeout * 1000:.0f}",
            },
        )
        self._patience = idle_in_transaction_timeout
        self._pool = ConnectionPool(
            self._dsn,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=pool_timeout,
            max_age=max_age,
        )

    @contextmanager
    def transaction(self) -> Iterator[PgCursor]:
        """A cursor in a transaction of its own, committed at the end, rolled back on any exception.

        Raises the errors of `eventsourcing.persistence`: `IntegrityError` for a row that exists,
        `OperationalError` for a lost connection, a deadlock or a timeout, and so on.
        """
        with self._pooled() as pooled, pooled.transaction() as cursor:
            yield cursor

    @contextmanager
    def reading(
        self,
        first: Callable[[PgCursor], str],
        parameters: Mapping[str, Any],
        cursor_factory: type[Seen],
    ) -> Iterator[Seen]:
        """A cursor in a transaction that reads one state of the database. It begins with the
        statements that `first` says for the cursor, of the last of which that has the result.

        The state is that of the first statement that looks at any table. Raises as `transaction`.
        """
        with (
            self._pooled() as pooled,
            pooled.reading(first, parameters, cursor_factory) as cursor,
        ):
            yield cursor

    @contextmanager
    def _pooled(self) -> Iterator[Connection]:
        with persistence_errors():
            pooled = self._connected()
            try:
                yield pooled
            except LockNotAvailable:
                self._end_frozen()
                raise
            except FeatureNotSupported:
                # What is prepared there does not fit its tables any more.
                pooled.close()
                raise
            finally:
                self._put(pooled)

    def _connected(self) -> Connection:
        """A connection of the pool that answers. The pool would try each by a statement, and only
        one thread at a time.
        """
        while True:
            pooled = self._pool.get_connection()
            try:
                if pooled.answers():
                    return pooled
                pooled.close()
            except BaseException:
                self._put(pooled)
                raise
            self._put(pooled)

    def _put(self, pooled: Connection) -> None:
        try:
            self._pool.put_connection(pooled)
        except ConnectionPoolClosedError:  # by another thread in the meantime
            pooled.close()

    @contextmanager
    def connection(self) -> Iterator[PgConnection]:
        """A connection in autocommit mode outside the pool, for LISTEN; closed at the end.

        Raises the errors of `eventsourcing.persistence`.
        """
        with persistence_errors():
            raw = _connect(self._dsn)
            try:
                yield raw
            finally:
                raw.close()

    def _end_frozen(self) -> None:
        """End the program's other connections that have waited too long for the rest of a COPY."""
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(_END_FROZEN, {"seconds": self._patience})

    def close(self) -> None:
        """Close every connection; what runs there is cancelled. Takes a second or two at most, and
        may be called twice.
        """
        self._pool.close()

    def __reduce__(self) -> tuple[Callable[[], "Datastore"], tuple[()]]:
        return self._alike, ()


def _end(connections: Sequence[Connection]) -> None:
    for connection in connections:
        with suppress(psycopg2.Error):
            connection.raw.cancel()
    for connection in connections:
        connection.close()


class _Connected(PgConnection):
    """A connection of ours, which remembers what is prepared on it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.prepared: set[str] = set()


def prepared_on(cursor: PgCursor) -> set[str]:
    """The names of the statements that are prepared on the connection of a cursor of ours."""
    connection = cursor.connection
    assert isinstance(connection, _Connected)
    return connection.prepared


def _connect(dsn: str) -> PgConnection:
    connection = psycopg2.connect(dsn, connection_factory=_Connected)
    connection.autocommit = True
    return connection


def _program_dsn(url: str, *, connect_timeout: int, settings: dict[str, str]) -> str:
    with persistence_errors():
        given = parse_dsn(url)
    options = [f"-c {name}={value}" for name, value in settings.items()]
    if "options" in given:
        options.insert(0, given["options"])
    defaults = {
        "application_name": "servicetrail",
        "connect_timeout": str(connect_timeout),
        # A server that vanished without a word is noticed within about two minutes.
        "keepalives_idle": "60",
        "keepalives_interval": "10",
        "keepalives_count": "6",
        "tcp_user_timeout": "120000",
    }
    fixed = {"options": " ".join(options), "client_encoding": "UTF8"}
    dsn: str = make_dsn(**{**defaults, **given, **fixed})
    return dsn
