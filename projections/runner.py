"""Feeds read models: batch after batch of events, rows and position in one transaction.

Every read model has a position of its own in table `position`, so that one that is new, or was
built anew, catches up alone and then goes on together with the others, each event decoded once for
all.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
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

BATCH_SIZE = 5_000
_LOST = (OperationalError, InterfaceError)
_SECONDS_BETWEEN_ATTEMPTS = 0.5
_FEW_EVENTS = 100
_SECONDS_TO_GATHER = 0.025
"""A step costs much the same for one event as for many, so after a small one more may gather."""
_SECONDS_BETWEEN_LOOKS = 5.0
"""How long to trust that a notification comes: a net below it, not the way events are noticed."""

_SQL = named_queries(Path(__file__).with_name("position.sql"))
_log = structlog.get_logger(__name__)


class ReadModelReplaced(Exception):
    """Another program has taken a read model to another version: this one must not write to it."""


class Progress(NamedTuple):
    """After a batch: where read models stand, where the ledger ends, how many events it held."""

    position: int
    end: int
    events: int


class Runner:
    """Keeps a set of read models up to date.

    `schema` is where their tables are; every statement is unqualified, so the same models can be
    built in a schema beside. Any number of runners may work on one schema: a batch is written by
    one of them. `batch_size` is the most events of one transaction. `on_progress` is called after
    each batch.

    Raises ValueError if a read model neither handles nor ignores an event type.
    """

    def __init__(
        self,
        datastore: Datastore,
        models: Sequence[ReadModel],
        *,
        schema: str = "read",
        batch_size: int = BATCH_SIZE,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        for model in models:
            _check_every_type_is_named(model)
        self._datastore = datastore
        self._models = {model.name: model for model in models}
        self._schema = schema
        self._batch_size = batch_size
        self._on_progress = on_progress
        self._stopping = threading.Event()
        self._wakeups: Wakeups | None = None
        self.failure: str | None = None
        """The kind of error because of which `run` tries the same again and again; None if all is
        well."""

    @retry_on_loss
    def prepare(self) -> None:
        """Make the tables of read models that are new or have another version than those there.

        What a changed read model had is dropped; it is built again from the first event.
        """
        with self._transaction() as cursor:
            cursor.execute(_SQL["one_at_a_time"], {"schema": self._schema})
            cursor.execute(_SQL["table"])
            cursor.execute(_SQL["built"])
            built = {name: (version, tables) for name, version, tables in cursor}
            for model in self._models.values():
                version, tables = built.get(model.name, (None, []))
                if version != model.version:
                    self._build(cursor, model, tables)

    def _build(self, cursor: PgCursor, model: ReadModel, old_tables: Sequence[str]) -> None:
        for table in {*old_tables, *model.tables}:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))
        cursor.execute(model.definition)
        cursor.execute(
            _SQL["begin"],
            {"name": model.name, "version": model.version, "tables": list(model.tables)},
        )

    @retry_on_loss
    def step(self) -> int:
        """Apply the next batch; gives the number of events in it, 0 when there is nothing to do.

        Raises ReadModelReplaced if another program has built another version of a read model.
        """
        with self._transaction() as cursor:
            names, position, until = self._claim(cursor)
            events = recorded(events_after(cursor, position, self._batch_size, until=until))
            if not events:
                return 0
            for name in names:
                _feed(cursor, self._models[name], events)
            last = events[-1]
            cursor.execute(
                _SQL["advance"],
                {"names": names, "position": last.position, "recorded_at": last.recorded_at},
            )
            end = last_position(cursor)
        if self._on_progress is not None:
            self._on_progress(Progress(last.position, end, len(events)))
        return len(events)

    def _claim(self, cursor: PgCursor) -> tuple[list[str], int, int | None]:
        """Lock the positions: which read models are furthest behind, at which position, and up to
        which position they go on without the others.
        """
        cursor.execute(_SQL["claim"], {"names": list(self._models)})
        positions: dict[str, int] = {}
        for name, version, position in cursor:
            if version != self._models[name].version:
                raise ReadModelReplaced(
                    f"read model {name} is at version {version!r} in the database and at "
                    f"{self._models[name].version!r} here: start again to build it anew"
                )
            positions[name] = position
        if missing := self._models.keys() - positions.keys():
            raise ReadModelReplaced(f"read models {sorted(missing)} are not prepared")
        lowest = min(positions.values())
        names = [name for name, position in positions.items() if position == lowest]
        return names, lowest, min((p for p in positions.values() if p > lowest), default=None)

    def catch_up(self) -> int:
        """Apply everything there is, and give the position reached. `prepare` comes first."""
        while self.step():
            pass
        reached: int = self.position()
        return reached

    @retry_on_loss
    def position(self) -> int:
        """Up to where all read models hold every event."""
        with self._transaction() as cursor:
            cursor.execute(_SQL["reached"], {"names": list(self._models)})
            row = cursor.fetchone()
        return int(row[0] or 0) if row else 0

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
                self.failure = type(error.__cause__ or error).__name__
                _log.warning("projector_lost_database", error=str(error))
                self._stopping.wait(_SECONDS_BETWEEN_ATTEMPTS)

    def _follow(self) -> None:
        with Wakeups(self._datastore) as self._wakeups:
            while not self._stopping.is_set():
                events = self.step()
                self.failure = None
                if not events:
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
        """A transaction in which unqualified tables are those of the read models."""
        with self._datastore.transaction() as cursor:
            cursor.execute(
                sql.SQL("SET LOCAL search_path TO {}; SET LOCAL synchronous_commit TO off").format(
                    sql.Identifier(self._schema)
                )
            )
            yield cursor


def _feed(cursor: PgCursor, model: ReadModel, events: Sequence[RecordedEvent]) -> None:
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
