"""Group commit: concurrent requests share transactions, so that throughput does not depend on their
size.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple, TypeAlias

import structlog
from eventsourcing.persistence import PersistenceError

from ledger.candidates import Receipt
from schemas.avro_data import RegistryUnavailable
from schemas.message import Message

log = structlog.get_logger(__name__)

Take: TypeAlias = Callable[[Sequence[Message]], list[Receipt]]


class QueueFull(Exception):
    """More events wait for their commit than may; nothing of the request was taken."""


class Closed(Exception):
    """The program is stopping; nothing of the request was taken."""


class _Waiting(NamedTuple):
    messages: Sequence[Message]
    receipts: Future[list[Receipt]]


class GroupCommitter:
    """One thread that takes whatever is queued, up to `most` events, in one transaction, again and
    again.

    While one group commits the next one gathers, so groups grow with the load and a lone request
    never waits. A request's messages stay together in one transaction.
    """

    def __init__(self, take: Take, *, most: int, queue: int) -> None:
        self._take = take
        self._most = most
        self._room = queue
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="group-committer", daemon=True)
        self._thread.start()

    def submit(self, messages: Sequence[Message]) -> Future[list[Receipt]]:
        """Queue one request's messages; the future gives one receipt each, in order.

        Raises QueueFull or Closed. A request larger than the whole queue is taken when nothing else
        waits.
        """
        receipts: Future[list[Receipt]] = Future()
        with self._changed:
            if self._closed:
                raise Closed
            if self._waiting and len(messages) > self._room:
                raise QueueFull
            self._room -= len(messages)
            self._waiting.append(_Waiting(messages, receipts))
            self._changed.notify()
        return receipts

    def close(self) -> None:
        """Take what is queued, accept nothing more, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            # Whoever hung up before their turn gets nothing recorded; from here on nobody can
            # cancel.
            self._settle([each for each in group if each.receipts.set_running_or_notify_cancel()])
            self._free(group)

    def _next_group(self) -> list[_Waiting]:
        """Wait for requests and give the first ones; empty when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            group: list[_Waiting] = []
            size = 0
            while self._waiting and (
                not group or size + len(self._waiting[0].messages) <= self._most
            ):
                group.append(self._waiting.popleft())
                size += len(group[-1].messages)
            return group

    def _free(self, group: Sequence[_Waiting]) -> None:
        with self._changed:
            self._room += sum(len(each.messages) for each in group)

    def _settle(self, group: Sequence[_Waiting]) -> None:
        try:
            receipts = iter(self._take([message for each in group for message in each.messages]))
        except PersistenceError as error:
            log.warning("group not committed", error=type(error).__name__, requests=len(group))
            for each in group:
                each.receipts.set_exception(error)
        except Exception as error:
            if isinstance(error, RegistryUnavailable):
                log.warning("group not committed", error=str(error), requests=len(group))
            else:
                log.exception("group not committed", requests=len(group))
            if len(group) == 1:
                group[0].receipts.set_exception(error)
                return
            # One request that trips the program must not take the others down with it.
            for each in group:
                self._settle([each])
        else:
            for each in group:
                each.receipts.set_result([next(receipts) for _ in each.messages])
