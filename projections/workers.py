"""Processes that share a job: each does the part of one worker, and none is left alone.

A job is what every process calls with its worker's number (0 to N - 1), an event that is set when
it is asked to end, and a function by which it tells its parent something. It travels to the
process, so it is made of what can be pickled; a datastore opens connections of its own there.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self

import structlog

from ledger.garbage import ease_garbage_collection
from projections.runner import ReadModelReplaced

Tell = Callable[[Any], None]
Job = Callable[[int, threading.Event, Tell], None]

# A new interpreter each: connections and threads of the parent are none of a worker's business.
_processes = multiprocessing.get_context("spawn")
_FAILED = 1
_REPLACED = 3
_PATIENCE_SECONDS = 30.0
_SHORTEST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_log = structlog.get_logger(__name__)


class _Worker(NamedTuple):
    number: int
    process: Any
    told: Connection
    started_at: float


class Workers:
    """A job done by `count` processes. `heard` is called with the number of a worker and what it
    told, from one thread. Ends with them when it is closed.

    One that died is started again (`again`), after a pause that grows while it keeps dying;
    `alive` is False meanwhile, and for good when one ended because its read model was replaced.
    All are ended, and given up, when one cannot be started again or `heard` raises.
    """

    def __init__(
        self, job: Job, count: int, heard: Callable[[int, Any], None], *, again: bool = True
    ) -> None:
        self._job = job
        self._heard = heard
        self._again = again
        self._closing = False
        self._pauses: dict[int, float] = {}
        self._due: dict[int, float] = {}
        self._given_up = False
        self._wakes, self._wake = _processes.Pipe(duplex=False)
        self._workers: list[_Worker] = []
        try:
            for number in range(count):
                self._workers.append(self._start(number))
        except Exception:
            self._end_all()
            raise
        self._count = count
        self._thread = threading.Thread(target=self._watch, name="workers")
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether every worker is at work."""
        return not self._given_up and len(self._workers) == self._count

    @property
    def pids(self) -> list[int]:
        """The ids of the processes at work."""
        return [worker.process.pid for worker in self._workers]

    @property
    def given_up(self) -> bool:
        """Whether a worker has ended for good that should not have."""
        return self._given_up

    @property
    def busy(self) -> bool:
        """Whether any process has something to do still."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Ask every process to end after what it is at, and wait for that."""
        self._closing = True
        self._wake.send(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, number: int) -> _Worker:
        told, tells = _processes.Pipe(duplex=False)
        process = _processes.Process(target=_work, args=(self._job, number, tells), daemon=True)
        process.start()
        tells.close()
        return _Worker(number, process, told, time.monotonic())

    def _watch(self) -> None:
        try:
            self._watch_them()
        except Exception:
            # Nobody would start them again, so none goes on unseen.
            _log.exception("workers given up")
            self._given_up = True
        finally:
            self._end_all()

    def _watch_them(self) -> None:
        while not self._closing and (self._workers or self._due):
            ready = wait([self._wakes, *self._waited_for()], self._seconds_to_next_start())
            for worker in list(self._workers):
                if worker.told in ready:
                    self._hear(worker)
                if worker.process.sentinel in ready:
                    self._ended(worker)
            self._start_again()

    def _waited_for(self) -> Iterator[Any]:
        for worker in self._workers:
            yield worker.process.sentinel
            if not worker.told.closed:
                yield worker.told

    def _hear(self, worker: _Worker) -> None:
        """Everything that a worker has told."""
        while True:
            try:
                if not worker.told.poll():
                    return
                what = worker.told.recv()
            except (EOFError, OSError):
                worker.told.close()
                return
            self._heard(worker.number, what)

    def _ended(self, worker: _Worker) -> None:
        if not worker.told.closed:
            self._hear(worker)
            worker.told.close()
        worker.process.join()
        code = worker.process.exitcode
        self._workers.remove(worker)
        if code == _REPLACED or not self._again:
            self._given_up = self._given_up or code != 0
            return
        pause = self._pauses.get(worker.number, 0.0)
        if time.monotonic() - worker.started_at > _LONGEST_PAUSE_SECONDS:
            pause = 0.0
        _log.error("worker ended", worker=worker.number, exit_status=code, again_in_seconds=pause)
        self._due[worker.number] = time.monotonic() + pause
        self._pauses[worker.number] = min(
            max(2 * pause, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS
        )

    def _seconds_to_next_start(self) -> float | None:
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None

    def _start_again(self) -> None:
        for number, due in list(self._due.items()):
            if due <= time.monotonic() and not self._closing:
                del self._due[number]
                self._workers.append(self._start(number))

    def _end_all(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_PATIENCE_SECONDS)
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()
            worker.told.close()


def _work(job: Job, number: int, tells: Connection) -> None:
    """The whole life of a process."""
    stop = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    ease_garbage_collection()
    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the parent tells us
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(what: Any) -> None:
        try:
            tells.send(what)
        except OSError:
            stop.set()  # nobody listens any more

    try:
        job(number, stop, tell)
    except ReadModelReplaced as replaced:
        _log.error("worker stopped", worker=number, reason=str(replaced))
        sys.exit(_REPLACED)
    except Exception:
        _log.exception("worker failed", worker=number)
        sys.exit(_FAILED)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def stopping(stop: threading.Event, what: Callable[[], None]) -> Iterator[None]:
    """Call `what` as soon as `stop` is set."""
    done = threading.Event()

    def watch() -> None:
        stop.wait()
        if not done.is_set():
            what()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        stop.set()
        thread.join()
