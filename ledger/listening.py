"""Waiting for new events instead of asking for them again and again."""

import os
import select
import threading
import time
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

import psycopg2
from eventsourcing.persistence import InterfaceError, OperationalError

from ledger.datastore import Datastore, PgConnection, persistence_errors

CHANNEL = "servicetrail_ledger"
_RECONNECT_SECONDS = 0.5


class Wakeups:
    """Tells one reader that events were appended.

    Listens from the moment it is made on: read everything there is first, then call `wait`, then
    read again, and no event is missed. A lost connection counts as a wakeup, because something may
    have been appended while nobody listened, and is replaced at the next `wait`. `wake` may be
    called from any thread, everything else from one at a time.

    Raises `eventsourcing.persistence.OperationalError` when the server cannot be reached at first.
    """

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._connection: PgConnection | None = None
        self._opened = ExitStack()
        self._listen()
        self._woken, self._wake = os.pipe()
        self._wake_lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until there may be something new (True), or for `timeout` seconds (False).

        Everything since the last call counts as one wakeup. While the server cannot be reached,
        the answer is False after at most half a second: the caller's next query tells the reason.
        """
        connection = self._connection
        if connection is None:
            return self._listen_again(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._was_woken():
            try:
                connection.poll()
            except psycopg2.Error:
                self._forget()
                return True
            if connection.notifies:
                connection.notifies.clear()
                return True
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return False
            self._wait_for(connection.fileno(), remaining)
        return True

    def wake(self) -> None:
        """Make the current `wait`, or else the next one, return True at once."""
        with self._wake_lock:
            if not self._closed:
                os.write(self._wake, b"!")

    def close(self) -> None:
        """Stop listening. May be called twice."""
        with self._wake_lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._wake)
            os.close(self._woken)
        self._forget()

    def _listen(self) -> None:
        with persistence_errors(), ExitStack() as opened:
            connection = opened.enter_context(self._datastore.connection())
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._opened = opened.pop_all()
        self._connection = connection

    def _listen_again(self, timeout: float | None) -> bool:
        try:
            self._listen()
        except (OperationalError, InterfaceError):
            self._forget()
            pause = _RECONNECT_SECONDS if timeout is None else min(timeout, _RECONNECT_SECONDS)
            self._wait_for(None, pause)
            return self._was_woken()
        return True

    def _forget(self) -> None:
        self._connection = None
        with suppress(OperationalError, InterfaceError):
            self._opened.close()

    def _wait_for(self, server: int | None, timeout: float | None) -> None:
        poll = select.poll()  # unlike select(), it takes file numbers above 1023
        poll.register(self._woken, select.POLLIN)
        if server is not None:
            poll.register(server, select.POLLIN)
        poll.poll(None if timeout is None else max(0.0, timeout * 1000))

    def _was_woken(self) -> bool:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        if not poll.poll(0):
            return False
        os.read(self._woken, 4096)
        return True
