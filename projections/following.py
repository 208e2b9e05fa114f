"""Several processes that keep read models up to date together, each for its share of customers."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.datastore import Datastore
from projections.rebuilding import Models
from projections.runner import BATCH_SIZE, Progress, Runner
from projections.workers import Tell, stopping


@dataclass(frozen=True)
class Follow:
    """The job of following the ledger, for `projections.workers`; tells its progress."""

    datastore: Datastore
    models: Models
    batch_size: int = BATCH_SIZE

    def __call__(self, worker: int, stop: threading.Event, tell: Tell) -> None:
        runner = Runner(
            self.datastore,
            self.models(),
            worker=worker,
            batch_size=self.batch_size,
            on_progress=tell,
        )
        with stopping(stop, runner.stop):
            runner.run()
        self.datastore.close()


class Together:
    """The progress of several workers as that of one: `on_progress` hears up to where all are.

    `positions` are where they begin, by their numbers.
    """

    def __init__(
        self, positions: Mapping[int, int], on_progress: Callable[[Progress], None]
    ) -> None:
        self._reached = dict(positions)
        self._on_progress = on_progress
        self._lowest = min(positions.values())

    def heard(self, worker: int, progress: Progress) -> None:
        """A worker has got on."""
        self._reached[worker] = progress.position
        lowest = min(self._reached.values())
        if lowest > self._lowest:
            passed = lowest - self._lowest
            self._lowest = lowest
            self._on_progress(Progress(lowest, progress.end, passed))
