"""The projector of a running program: one thread, or several processes that share the work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from eventsourcing.persistence import InterfaceError, OperationalError

from projections.building import BuildTaken
from projections.following import Follow, Together
from projections.rebuilding import Done, Stopped, replace_stale
from projections.runner import Progress, ReadModelReplaced
from projections.workers import Job, Tell, Workers
from servicetrail import log as logging
from servicetrail.metrics import Metrics
from servicetrail.settings import Settings
from servicetrail.system import System
from web.health import ProjectorState

log = structlog.get_logger(__name__)
_SECONDS_BETWEEN_ATTEMPTS = 5.0


@dataclass(frozen=True)
class AsSet:
    """A job in a process of its own, with the settings of this program."""

    job: Job
    settings: Settings

    def __call__(self, worker: int, stop: threading.Event, tell: Tell) -> None:
        logging.configure(self.settings.log_format, self.settings.log_level)
        self.job(worker, stop, tell)


class Projector:
    """Keeps the read models up to date.

    Those that are there in another version are built anew beside, by processes of their own, and
    put in their place when they are ready.
    """

    def __init__(self, system: System, on_progress: Callable[[Progress], None]) -> None:
        self._system = system
        self._on_progress = on_progress
        self._workers = system.settings.projector_workers
        self._runner = system.runner(on_progress)
        self._error: Exception | None = None
        self._not_replaced: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projector")
        self._replacing = threading.Thread(target=self._replace, name="rebuild")
        self._processes: Workers | None = None

    def start(self) -> None:
        """Begin."""
        # Questions may come as soon as HTTP is up: their tables must be there by then.
        stale = self._runner.prepare(self._workers)
        if self._workers == 1:
            self._thread.start()
        else:
            job = Follow(
                self._system.datastore,
                self._system.models,
                self._system.settings.projection_batch_events,
            )
            self._processes = Workers(
                AsSet(job, self._system.settings),
                self._workers,
                Together(self._runner.positions(self._workers), self._on_progress).heard,
            )
        if stale:
            log.info("building read models anew", names=[model.name for model in stale])
            self._replacing.start()

    def stop(self) -> None:
        """Finish the batch in hand."""
        self._stop.set()
        self._runner.stop()
        if self._processes is not None:
            self._processes.close()
        for thread in (self._thread, self._replacing):
            if thread.ident is not None:
                thread.join()

    @property
    def state(self) -> ProjectorState:
        """Whether it does its work."""
        if self._processes is not None:
            stopped, failing = self._processes.given_up, not self._processes.alive
        else:
            stopped, failing = not self._thread.is_alive(), self._runner.failure is not None
        if stopped:
            return "stopped"
        return "failing" if failing or self._not_replaced else "running"

    @property
    def why(self) -> str | None:
        """Why it does not, in words that quote no event; None if it does."""
        state = self.state
        if state == "stopped":
            error = self._error
            told = str(error) if isinstance(error, ReadModelReplaced) else type(error).__name__
            if self._processes is not None:
                told = "a read model was replaced by another version, or its processes failed"
            return f"the projector stopped: {told}; see the log, and start the program again"
        if state == "failing":
            failure = self._runner.failure or self._not_replaced or "a worker ended"
            return f"the projector does not get on: {failure}; see the log; it tries again"
        return None

    def _run(self) -> None:
        try:
            self._runner.run()
        except Exception as error:
            log.exception("projector stopped")
            self._error = error

    def _replace(self) -> None:
        """Build what is there in another version, until that is done."""
        while not self._stop.is_set():
            try:
                replace_stale(
                    self._system.datastore,
                    self._system.models,
                    workers=self._workers,
                    apart=True,
                    stop=self._stop,
                    on_progress=_Told().heard,
                )
            except Stopped:
                return
            except (OperationalError, InterfaceError, BuildTaken) as error:
                log.warning("rebuild interrupted", error=str(error))
                self._not_replaced = type(error).__name__
            except Exception as error:
                log.exception("rebuild failed")
                self._not_replaced = type(error).__name__
            else:
                self._not_replaced = None
                log.info("read models are built and in their place")
                return
            self._stop.wait(_SECONDS_BETWEEN_ATTEMPTS)


class _Told:
    """Says in the log, at every tenth, how far a rebuild is."""

    def __init__(self) -> None:
        self._last = (-1, "")

    def heard(self, done: Done) -> None:
        """How far it is now."""
        tenth = 10 * done.events // done.of if done.of else 0
        if self._last != (tenth, done.stage):
            self._last = (tenth, done.stage)
            log.info("rebuilding", stage=done.stage, done=done.events, of=done.of)


@contextmanager
def projecting(system: System, metrics: Metrics) -> Iterator[Projector]:
    """Keep the read models up to date until the end of the block."""
    projector = Projector(system, metrics.projected)
    projector.start()
    try:
        yield projector
    finally:
        projector.stop()
