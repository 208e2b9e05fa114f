"""Processes that make calls for this one, where an interpreter alone would not keep up."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from threading import Event, Lock, Thread
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from ledger.garbage import ease_garbage_collection

Given = TypeVar("Given")
Made = TypeVar("Made")
Function = Callable[[Given], Made]

AT_ONCE = 2
"""Calls that a process is given at once: when it is done with one, the next is there already."""

_WAIT_SECONDS = 1.0
END_SECONDS = 5.0
_PAUSE_SECONDS = 30.0

# A new interpreter each: connections and threads of the parent are none of their business.
_processes = multiprocessing.get_context("spawn")
_log = structlog.get_logger(__name__)


class Processes(Generic[Given, Made]):
    """A function whose calls are made by `count` processes, for any number of threads.

    Each process gets the function from `make`, which is sent there, as are what calls give and what
    they make. Processes are started once calls overlap: who calls one at a time needs none. Until
    one is ready, in place of one that died, and where all have been busy for a second, a call is
    made `here`. One that died is started again when it is needed, at most every half minute; one
    that takes longer than `call_seconds` for a call is taken for stuck, and ended.
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
        """End the processes, once each has made the calls that it is at; they have some seconds."""
        try:
            for each in self._all:
                each.stop()
            deadline = time.monotonic() + END_SECONDS
            for each in self._all:
                each.join(deadline)
        finally:
            for each in self._all:
                each.kill()

    def _elsewhere(self, given: Given) -> Made:
        process = self._taken()
        if process is None:
            return self._here(given)
        try:
            outcome = process.call(given)
        finally:
            self._give_back(process)
        return self._here(given) if outcome is None else outcome.told()

    def _taken(self) -> _Process[Given, Made] | None:
        with self._lock:
            # One that is not there is taken last: calls come back from it at once.
            process = min(self._all, key=lambda each: (each.full, each.ready is None, each.calls))
            if not process.full:
                process.calls += 1
                return process
            free: Future[_Process[Given, Made]] = Future()
            self._waiting.append(free)
        try:
            return free.result(_WAIT_SECONDS)
        except TimeoutError:
            with self._lock:
                if free.done():
                    return free.result()
                self._waiting.remove(free)
            return None

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
        self._stopped = False
        self._started_at: float | None = None
        self._process: Any = None

    @property
    def full(self) -> bool:
        """Whether it has as many calls as it is given at once."""
        return self.calls >= AT_ONCE

    def call(self, given: Given) -> _Outcome[Made] | None:
        """What came of the call; None if there is no process to make it."""
        ready = self.ready
        if ready is None:
            self._start_again()
            return None
        sent = ForkingPickler.dumps(given)
        received = Event()
        try:
            with self._lock:
                ready.asked.send_bytes(sent)
                before, self._last_received = self._last_received, received
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

    def stop(self) -> None:
        """Tell it to end after the calls that it has."""
        with self._lock:
            self._stopped = True
            if self.ready is not None:
                with suppress(OSError):
                    self.ready.asked.send(_Stop)

    def join(self, deadline: float) -> None:
        """Wait until it has ended, but no longer than until then, by the monotonic clock."""
        if self._process is not None:
            self._process.join(max(0.0, deadline - time.monotonic()))

    def kill(self) -> None:
        """End it now, if it has not ended."""
        if self._process is not None:
            _kill(self._process)

    def _ended(self, ready: _Ready) -> None:
        """Take it away, unless another call has noticed before."""
        with self._lock:
            if self.ready is not ready or self._stopped:
                return
            self.ready = None
        _kill(ready.process)
        _log.error("a process that answers has ended", exit_status=ready.process.exitcode)

    def _start_again(self) -> None:
        with self._lock:
            now = time.monotonic()
            due = self._started_at is None or now - self._started_at > _PAUSE_SECONDS
            if not due or self._stopped:
                return
            self._started_at = now
            try:
                asked, asks = _processes.Pipe()
                arguments = (self._make, asks)
                process = _processes.Process(target=_work, args=arguments, daemon=True)
                with _undisturbed():
                    process.start()
            except OSError as error:
                _log.error("a process that answers cannot be started", error=str(error))
                return
            self._process = process
        asks.close()
        ready = _Ready(process, asked)
        Thread(target=self._await, args=[ready], name="starting a process", daemon=True).start()

    def _await(self, starting: _Ready) -> None:
        """Wait until it is ready, or has ended."""
        try:
            starting.asked.recv()
        except (EOFError, OSError):
            _kill(starting.process)
            if not self._stopped:
                status = starting.process.exitcode
                _log.error("a process that answers did not start", exit_status=status)
            return
        with self._lock:
            self.ready = starting
            if self._stopped:
                with suppress(OSError):
                    starting.asked.send(_Stop)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What is started meanwhile never sees Ctrl-C, which reaches all processes of a terminal: who
    asks finishes what is under way, and then ends the others.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill(process: Any) -> None:
    process.kill()
    process.join()


def _work(make: Callable[[], Function[Any, Any]], asked: Connection) -> None:
    """The whole life of a process: it ends when nobody is there to ask."""
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
