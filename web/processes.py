"""Processes that make calls for this one, where an interpreter alone would not keep up."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from operator import attrgetter
from threading import Event, Lock, Thread
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from ledger.garbage import ease_garbage_collection

Given = TypeVar("Given")
Made = TypeVar("Made")
Function = Callable[[Given], Made]

AT_ONCE = 2
"""Calls that a process is given at once: when it is done with one, the next is there already."""

_END_SECONDS = 5.0
_PAUSE_SECONDS = 30.0

# A new interpreter each: connections and threads of the parent are none of their business.
_processes = multiprocessing.get_context("spawn")
_log = structlog.get_logger(__name__)


class Processes(Generic[Given, Made]):
    """A function whose calls are made by `count` processes, for any number of threads.

    Each process gets the function from `make`, which is sent there, as are what calls give and what
    they make. Processes are started once calls overlap: who calls one at a time needs none. Until
    one is ready, and in place of one that died, a call is made `here`; it is started again then,
    but not more often than every half minute. One that takes longer than `call_seconds` for a call
    is taken for stuck, and ended.
    """

    def __init__(
        self,
        make: Callable[[], Function[Given, Made]],
        here: Function[Given, Made],
        count: int,
        *,
        call_seconds: float,
    ) -> None:
        self._here = here
        self._lock = Lock()
        self._under_way = 0
        self._needed = False
        self._all = [_Process[Given, Made](make, call_seconds) for _ in range(count)]
        self._waiting: deque[Future[_Process[Given, Made]]] = deque()

    def __call__(self, given: Given) -> Made:
        """What the function makes of it. Raises what it raises."""
        with self._lock:
            self._under_way += 1
            self._needed = self._needed or (self._under_way > 1 and bool(self._all))
        try:
            return self._elsewhere(given) if self._needed else self._here(given)
        finally:
            with self._lock:
                self._under_way -= 1

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that are ready."""
        return [each.ready.process.pid for each in self._all if each.ready is not None]

    def close(self) -> None:
        """End the processes, once each has made the call that it is at."""
        for each in self._all:
            each.close()

    def _elsewhere(self, given: Given) -> Made:
        process = self._taken()
        try:
            outcome = process.call(given)
        finally:
            self._give_back(process)
        return self._here(given) if outcome is None else outcome.told()

    def _taken(self) -> _Process[Given, Made]:
        with self._lock:
            process = min(self._all, key=attrgetter("calls"))
            if process.calls < AT_ONCE:
                process.calls += 1
                return process
            free: Future[_Process[Given, Made]] = Future()
            self._waiting.append(free)
        return free.result()

    def _give_back(self, process: _Process[Given, Made]) -> None:
        """To whoever waits for the longest; newcomers would be quicker to take it."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set_result(process)
            else:
                process.calls -= 1


class _Outcome(Generic[Made]):
    """What a call made or raised, on its way between processes."""

    def __init__(self, made: Made | None, error: Exception | None = None) -> None:
        self._made = made
        self._error = error

    @classmethod
    def of(cls, function: Function[Given, Made], given: Given) -> _Outcome[Made]:
        try:
            return cls(function(given))
        except Exception as error:
            error.add_note(traceback.format_exc())
            return cls(None, _sendable(error))

    def told(self) -> Made:
        if self._error is not None:
            raise self._error
        return self._made  # type: ignore[return-value]  # made where nothing was raised


class _Stop:
    """In place of what a call gives: there will be no more."""


class _Ready(NamedTuple):
    """A process that makes calls, and what they are sent through."""

    process: Any
    asked: Connection


class _Process(Generic[Given, Made]):
    """One of the processes, or nothing in its place. `calls` it has belongs to `Processes`."""

    def __init__(self, make: Callable[[], Function[Given, Made]], call_seconds: float) -> None:
        self.calls = 0
        self.ready: _Ready | None = None
        self._make = make
        self._call_seconds = call_seconds
        self._lock = Lock()
        self._last_received = Event()
        self._last_received.set()
        self._closed = False
        self._started_at: float | None = None
        self._starting: Thread | None = None

    def call(self, given: Given) -> _Outcome[Made] | None:
        """What came of the call; None if there is no process to make it."""
        ready = self.ready
        if ready is None:
            self._start_again()
            return None
        received = Event()
        try:
            with self._lock:
                before, self._last_received = self._last_received, received
                ready.asked.send(given)
            before.wait()  # what comes next from the process is the answer to this call
            if not ready.asked.poll(self._call_seconds):
                ready.process.kill()
            outcome: _Outcome[Made] = ready.asked.recv()
        except (EOFError, OSError):
            self._ended(ready)
            return None
        finally:
            received.set()
        return outcome

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._closed = True
        if self._starting is not None:
            self._starting.join()
        if self.ready is not None:
            with suppress(OSError):
                self.ready.asked.send(_Stop)
            _end(self.ready.process)

    def _ended(self, ready: _Ready) -> None:
        """Take it away, unless another call has noticed before."""
        with self._lock:
            if self.ready is not ready or self._closed:
                return
            self.ready = None
        _end(ready.process)
        _log.error("a process that answers has ended", exit_status=ready.process.exitcode)

    def _start_again(self) -> None:
        with self._lock:
            now = time.monotonic()
            due = self._started_at is None or now - self._started_at > _PAUSE_SECONDS
            if due and not self._closed:
                self._started_at = now
                self._starting = Thread(target=self._start, name="starting a process")
                self._starting.start()

    def _start(self) -> None:
        asked, asks = _processes.Pipe()
        process = _processes.Process(target=_work, args=(self._make, asks), daemon=True)
        process.start()
        asks.close()
        try:
            asked.recv()
        except (EOFError, OSError):
            asked.close()
            _end(process)
            _log.error("a process that answers did not start", exit_status=process.exitcode)
        else:
            self.ready = _Ready(process, asked)


def _end(process: Any) -> None:
    process.join(_END_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()


def _work(make: Callable[[], Function[Any, Any]], asked: Connection) -> None:
    """The whole life of a process: it ends when nobody is there to ask."""
    # Those reach all processes of a group: who asks finishes what is under way, and then ends us.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    ease_garbage_collection()
    function = make()
    with suppress(EOFError, OSError):
        asked.send(None)
        while (given := asked.recv()) is not _Stop:
            asked.send(_Outcome.of(function, given))


def _sendable(error: Exception) -> Exception:
    """The error, or one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just written
    except Exception:
        other = RuntimeError(f"{type(error).__name__}: {error}")
        other.add_note(traceback.format_exc())
        return other
    return error
