"""Feeds read models: batch after batch of events, rows and position in one transaction.

Every read model has a position of its own in table `position`, so that one that is new, or was
built anew, catches up alone and then goes on together with the others, each event decoded once for
all. Where several workers share the customers between them, each has a position for each read
model.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import structlog
from eventsourcing.persistence import InterfaceError, OperationalError
from psycopg2 import sql

from domain import EVENT_TYPES
from ledger.datastore import Datastore, PgCursor, retry_on_loss
from ledger.listening import Wakeups
from ledger.reading import events_after, last_position
from ledger.sql import named_queries
from projections.events import RecordedEvent, recorded
from projections.model import ReadModel
from projections.schemas import LIVE, make_tables, work_in
from projections.slots import (
    Slot,
    define_views,
    divide,
    locked_slots,
    prepare_positions,
    share_anew,
    slots_of,
)

BATCH_SIZE = 5_000
_LOST = (OperationalError, InterfaceError)
_SECONDS_BETWEEN_ATTEMPTS = 0.5
_FEW_EVENTS = 100
_SECONDS_TO_GATHER = 0.025
"""A step costs much the same for one event as for many, so after a small one more may gather."""
_MANY_EVENTS = 10_000
"""So many at once change the tables more than the planner of queries should be left not to know."""
_SECONDS_BETWEEN_LOOKS = 5.0
"""How long to trust that a notification comes: a net below it, not the way events are noticed."""

_SQL = named_queries(Path(__file__).with_name("position.sql"))
_log = structlog.get_logger(__name__)


class ReadModelReplaced(Exception):
    """Another program has taken a read model to another version: this one must not write to it."""


class Progress(NamedTuple):
    """After a batch: where read models stand, where the ledger ends, how many positions were
    passed.
    """

    position: int
    end: int
    events: int


class Runner:
    """Keeps a set of read models up to date.

    `schema` is where their tables are; every statement is unqualified, so the same models can be
    built in a schema beside. Any number of runners may work on one schema: a batch is written by
    one of them. With `worker` a runner does the part of that worker only, without it everybody's.
    `batch_size` is the most events of one transaction. `on_progress` is called after each batch.

    A read model that stands there in another version is left alone until somebody has replaced it
    (`projections.rebuilding`).

    Raises ValueError if a read model neither handles nor ignores an event type.
    """

    def __init__(
        self,
        datastore: Datastore,
        models: Sequence[ReadModel],
        *,
        schema: str = LIVE,
        worker: int | None = None,
        batch_size: int = BATCH_SIZE,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        for model in models:
            _check_every_type_is_named(model)
        self._datastore = datastore
        self._models = {model.name: model for model in models}
        self._schema = schema
        self._worker = worker
        self._batch_size = batch_size
        self._on_progress = on_progress
        self._ours: set[str] = set()
        self._applied = 0
        self._analyzed = False
        self._stopping = threading.Event()
        self._wakeups: Wakeups | None = None
        self.failure: str | None = None
        """The kind of error because of which `run` tries the same again and again; None if all is
        well."""

    @retry_on_loss
    def prepare(self, workers: int | None = None) -> list[ReadModel]:
        """Make the tables of read models that are new; gives those of which another version is
        there.

        `workers`: divide the customers between so many from now on (None: as it is). Whatever is
        running takes notice at its next batch.
        """
        with self._transaction() as cursor:
            cursor.execute(_SQL["one_at_a_time"], {"schema": self._schema})
            prepare_positions(cursor)
            cursor.execute(_SQL["built"])
            built = {name: version for name, version, _ in cursor}
            missing = [model for model in self._models.values() if model.name not in built]
            make_tables(cursor, missing)
            for model in missing:
                divide(cursor, model, workers or 1, position=0)
            if workers is not None:
                share_anew(cursor, self._models.values(), workers)
            if self._schema == LIVE:
                define_views(cursor, anew=bool(missing))
        others = [
            model
            for model in self._models.values()
            if built.get(model.name, model.version) != model.version
        ]
        self._ours |= self._models.keys() - {model.name for model in others}
        return others

    @retry_on_loss
    def step(self, until: int | None = None) -> int:
        """Apply the next batch; gives the number of positions passed, 0 when there is nothing to
        do. `until`: no event behind this position.

        Raises ReadModelReplaced if another program has built another version of a read model.
        """
        with self._transaction() as cursor:
            end = last_position(cursor)
            passed = self.step_in(cursor, end if until is None else min(until, end))
        if passed is None:
            return 0
        self._applied += passed.events
        if self._on_progress is not None:
            self._on_progress(Progress(passed.position, end, passed.events))
        return passed.events

    def _has_much_to_tell(self) -> bool:
        """Whether the first long catch-up is over: the planner of queries would hear a minute later
        what is in the tables, and until then go through them row by row.
        """
        first = not self._analyzed and self._applied >= _MANY_EVENTS
        self._analyzed |= first
        return first

    def _analyze(self) -> None:
        ours = [model for name, model in self._models.items() if name in self._ours]
        tables = [sql.Identifier(table) for model in ours for table in model.tables]
        try:
            with self._transaction() as cursor:
                cursor.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(tables)))
        except _LOST as error:  # answers are slower until PostgreSQL does so by itself
            _log.warning("read_models_not_analyzed", error=str(error))

    def step_in(self, cursor: PgCursor, until: int) -> Progress | None:
        """As `step`, in a transaction of the caller's, in which `until` is in the ledger."""
        slots, others = self._claim(cursor)
        if not slots or slots[0].position >= until:
            return None
        position, share = slots[0].position, slots[0].share
        until = min([until, *(slot.position for slot in others if slot.position > position)])
        models = [self._models[slot.name] for slot in slots]
        types = frozenset().union(*(model.handles for model in models))
        read = events_after(
            cursor,
            position,
            self._batch_size,
            until=until,
            share=share,
            types=None if types == EVENT_TYPES.keys() else types,
        )
        reached = read[-1].position if len(read) == self._batch_size else until
        events = recorded(read)
        for model in models:
            feed(cursor, model, events)
        cursor.execute(
            _SQL["advance"],
            {
                "names": [model.name for model in models],
                "worker": share.worker,
                "position": reached,
            },
        )
        return Progress(reached, until, reached - position)

    def _claim(self, cursor: PgCursor) -> tuple[list[Slot], list[Slot]]:
        """Lock the positions of the worker that is furthest behind: those of the read models that
        go on together, from one position and for one share, and the others.
        """
        slots = slots_of(cursor, self._models)
        if missing := self._models.keys() - {slot.name for slot in slots}:
            raise ReadModelReplaced(f"read models {sorted(missing)} are not prepared")
        slots = self._checked(slots)
        worker = self._worker
        if worker is None and slots:
            worker = min(slots, key=lambda slot: (slot.position, slot.worker)).worker
        names = {slot.name for slot in slots if slot.worker == worker}
        # Somebody else may have gone on while the lock was waited for.
        locked = self._checked(locked_slots(cursor, names, worker)) if names else []
        if not locked:
            return [], []
        lowest = min(locked, key=lambda slot: slot.position)
        together = [
            slot
            for slot in locked
            if slot.position == lowest.position and slot.workers == lowest.workers
        ]
        return together, [slot for slot in locked if slot not in together]

    def _checked(self, slots: Sequence[Slot]) -> list[Slot]:
        """Those that are of our version. Raises ReadModelReplaced if one is no more."""
        ours = []
        for slot in slots:
            version = self._models[slot.name].version
            if slot.version == version:
                ours.append(slot)
                self._ours.add(slot.name)
            elif slot.name in self._ours:
                raise ReadModelReplaced(
                    f"read model {slot.name} is at version {slot.version!r} in the database and at "
                    f"{version!r} here: start the program again to build its own version anew"
                )
        return ours

    def catch_up(self) -> int:
        """Apply everything there is, and give the position reached. `prepare` comes first."""
        while self.step():
            pass
        if self._has_much_to_tell():
            self._analyze()
        reached: int = self.position()
        return reached

    @retry_on_loss
    def position(self) -> int:
        """Up to where all read models hold every event."""
        with self._transaction() as cursor:
            return min((slot.position for slot in slots_of(cursor, self._models)), default=0)

    @retry_on_loss
    def positions(self, workers: int) -> dict[int, int]:
        """Up to where each of so many workers holds every event of its share."""
        with self._transaction() as cursor:
            slots = self._checked(slots_of(cursor, self._models))
        return {
            worker: min((slot.position for slot in slots if slot.worker == worker), default=0)
            for worker in range(workers)
        }

    def run_until(self, position: int, *, timeout_seconds: float = 60.0) -> None:
        """Apply events until all read models hold `position`, waiting for events to be appended.

        Raises TimeoutError.
        """
        deadline = time.monotonic() + timeout_seconds
        with Wakeups(self._datastore) as wakeups:
            while self.catch_up() < position:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"read models did not reach position {position}")
                wakeups.wait(left)

    def run(self) -> None:
        """Prepare, then follow the ledger until `stop` is called from another thread.

        A lost connection is waited out.
        """
        prepared = False
        while not self._stopping.is_set():
            try:
                if not prepared:
                    self.prepare()
                    prepared = True
                self._follow()
            except _LOST as error:
                failure = type(error.__cause__ or error).__name__
                if failure != self.failure:  # said once, not twice a second until it is over
                    _log.warning("projector_lost_database", error=str(error))
                self.failure = failure
                self._stopping.wait(_SECONDS_BETWEEN_ATTEMPTS)

    def _follow(self) -> None:
        with Wakeups(self._datastore) as self._wakeups, ThreadPoolExecutor(1, "analyze") as beside:
            while not self._stopping.is_set():
                events = self.step()
                if self.failure is not None:
                    _log.info("projector_goes_on", after=self.failure)
                    self.failure = None
                if not events:
                    if self._has_much_to_tell():  # which takes seconds, and events go on coming
                        beside.submit(self._analyze)
                    self._wakeups.wait(_SECONDS_BETWEEN_LOOKS)
                elif events < _FEW_EVENTS:
                    self._stopping.wait(_SECONDS_TO_GATHER)

    def stop(self) -> None:
        """Make `run` return after the batch that it is at. May be called from any thread."""
        self._stopping.set()
        if self._wakeups is not None:
            self._wakeups.wake()

    @contextmanager
    def _transaction(self) -> Iterator[PgCursor]:
        with self._datastore.transaction() as cursor:
            work_in(cursor, self._schema)
            yield cursor


def feed(cursor: PgCursor, model: ReadModel, events: Sequence[RecordedEvent]) -> None:
    """Let a read model take in those of the events that it handles."""
    handled = [event for event in events if event.type in model.handles]
    if handled:
        model.apply(cursor, handled)


def _check_every_type_is_named(model: ReadModel) -> None:
    named = model.handles | model.ignores
    if named != EVENT_TYPES.keys() or model.handles & model.ignores:
        raise ValueError(
            f"read model {model.name} must handle or ignore each event type, and only one of both: "
            f"{sorted(named ^ EVENT_TYPES.keys()) + sorted(model.handles & model.ignores)}"
        )
