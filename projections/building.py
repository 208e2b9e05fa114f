"""Builds read models in a schema beside the live one, from everything up to a position.

Not event after event as it came, but customer after customer: each batch holds everything of the
customers in it, so that nothing has to be looked up, folded a second time or taken back, and
indexes can be made when the rows are there. That is the same result, because folds are blind to
order.

The work is cut into parts, customers by shard. Any number of processes take parts until none is
left, each batch commits with how far its part is, and whoever begins later goes on from there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.errors import LockNotAvailable

from domain import EVENT_TYPES
from ledger.datastore import Datastore, PgConnection, PgCursor
from ledger.reading import LedgerEvent, Share, events_after, events_by_customer, events_of_nobody
from ledger.sql import named_queries
from projections.events import RecordedEvent, recorded
from projections.model import ReadModel
from projections.runner import feed
from projections.schemas import drop_everything, drop_tables, make_tables, work_in
from projections.slots import divide, prepare_positions

PARTS = 8
"""Each part reads the ledger once, so not many; each worker takes a part, so not few."""
_POLICIES = -1
_UNDIVIDED = -2
BATCH_EVENTS = 10_000

_SQL = named_queries(Path(__file__).with_name("building.sql"))

Tell = Callable[[int], None]
"""Is told of each batch how many events it held."""


class BuildTaken(Exception):
    """Another program goes on with the same build."""


class Plan(NamedTuple):
    """What is built: from the events up to `position`, of which `events` concern it."""

    position: int
    events: int


class _Place(NamedTuple):
    """How far a part of the work is, and up to which position it goes."""

    part: int
    customer_id: str
    position: int
    until: int


class Building:
    """Read models on their way in `schema`, whose every table belongs to the build.

    `datastore` and `models` as in `Runner`. A batch holds at least `batch_events`, and the rest of
    its last customer's.
    """

    def __init__(
        self,
        datastore: Datastore,
        models: Sequence[ReadModel],
        schema: str,
        *,
        batch_events: int = BATCH_EVENTS,
    ) -> None:
        self._datastore = datastore
        self._models = models
        self._schema = schema
        self._batch_events = batch_events

    def begin(self, position: int, *, anywhere: bool = False) -> Plan:
        """Make the tables and plan the work, or go on with what was begun for the same versions of
        the same read models and up to the same position (`anywhere`: up to any).

        What else is in the schema is dropped. One program at a time.
        """
        versions = {model.name: model.version for model in self._models}
        with self._transaction() as cursor:
            planned = _planned(cursor, versions)
            if planned is not None and (anywhere or planned.position == position):
                return planned
            drop_everything(cursor)
            for table in ("plan", "parts", "closing"):
                cursor.execute(_SQL[table])
            make_tables(cursor, self._models)
            for model in self._models:
                _put_off(cursor, model)
            for part in self._parts():
                cursor.execute(_SQL["write_part"], {"part": part})
            cursor.execute(
                _SQL["write_plan"],
                {
                    "position": position,
                    "versions": json.dumps(versions),
                    "types": _filter(self._models),
                },
            )
            made = _planned(cursor, versions)
            assert made is not None
            return made

    def _parts(self) -> Iterator[int]:
        if any(model.per_customer for model in self._models):
            yield from (_POLICIES, *range(PARTS))
        if not all(model.per_customer for model in self._models):
            yield _UNDIVIDED

    def work(self, stop: Event, tell: Tell) -> None:
        """Do parts of the work until none is left, or asked to stop.

        What another process is at is waited for, and done here if that process ends without it.
        Raises BuildTaken if another program has begun something else in the schema.
        """
        while parts := self._open_parts():
            for part in parts:
                self._do(part, stop, tell)
                if stop.is_set():
                    return

    def _open_parts(self) -> list[int]:
        with self._transaction() as cursor:
            cursor.execute(_SQL["open_parts"])
            return [part for (part,) in cursor]

    def close(self, stop: Event) -> None:
        """Make the indexes, once everything is loaded; any number of processes, each another."""
        while not stop.is_set():
            with self._transaction() as cursor:
                cursor.execute("SET LOCAL maintenance_work_mem TO '256MB'")
                cursor.execute(_SQL["next_closing"])
                row = cursor.fetchone()
                if row is None:
                    return
                place, statement = row
                cursor.execute(statement)
                cursor.execute(_SQL["closed"], {"place": place})

    def finish(self) -> None:
        """Turn what was built into read models like all others.

        Raises BuildTaken if work is left.
        """
        with self._transaction() as cursor:
            position = _position(cursor)
            cursor.execute(_SQL["open_parts"])
            parts = cursor.fetchall()
            cursor.execute(_SQL["left_to_close"])
            [left] = cursor.fetchone() or (0,)
            if parts or left:
                raise BuildTaken(f"another program is still building in {self._schema}")
            cursor.execute(_SQL["afterwards"])
            for (statement,) in cursor.fetchall():
                cursor.execute(statement)
            drop_tables(cursor, ["plan", "parts", "closing"])
            prepare_positions(cursor)
            for model in self._models:
                divide(cursor, model, 1, position)

    def loaded(self) -> tuple[int, int]:
        """How many events are in the tables, and of how many."""
        with self._transaction() as cursor:
            cursor.execute(_SQL["loaded"])
            events, of = cursor.fetchone() or (0, 0)
            return events, of

    def _do(self, part: int, stop: Event, tell: Tell) -> None:
        with self._datastore.connection() as reading:
            reading.autocommit = False
            place = self._held(reading, part)
            if place is None:
                return
            for batch in self._batches(reading, place):
                if stop.is_set():
                    return
                place = self._write(place, batch)
                tell(len(batch))
            with self._transaction() as cursor:
                _locked(cursor, place)
                cursor.execute(_SQL["part_done"], {"part": part})

    def _held(self, reading: PgConnection, part: int) -> "_Place | None":
        """Where a part stands, if it is ours as long as this transaction lasts.

        That ends with the process, however it ends.
        """
        with reading.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout TO 0")
            work_in(cursor, self._schema)
            cursor.execute("SET LOCAL lock_timeout TO '500ms'")
            try:
                cursor.execute(_SQL["hold"], {"schema": self._schema, "part": part})
            except LockNotAvailable:
                return None
            cursor.execute(_SQL["place"], {"part": part})
            row = cursor.fetchone()
            return None if row is None else _Place(*row)

    def _batches(self, reading: PgConnection, place: "_Place") -> Iterator[list[LedgerEvent]]:
        types = _filter(self._of(place.part))
        if place.part < 0:
            return self._in_order(place, types)
        return whole_customers(
            events_by_customer(
                reading,
                Share(place.part, PARTS),
                until=place.until,
                after=place.customer_id,
                types=types,
            ),
            self._batch_events,
        )

    def _in_order(self, place: "_Place", types: list[str] | None) -> Iterator[list[LedgerEvent]]:
        position = place.position
        while True:
            with self._datastore.transaction() as cursor:
                if place.part == _POLICIES:
                    read = events_of_nobody(
                        cursor, position, self._batch_events, until=place.until, types=types
                    )
                else:
                    read = events_after(
                        cursor, position, self._batch_events, until=place.until, types=types
                    )
            if not read:
                return
            yield read
            position = read[-1].position

    def _of(self, part: int) -> list[ReadModel]:
        return [model for model in self._models if model.per_customer == (part != _UNDIVIDED)]

    def _write(self, place: "_Place", batch: Sequence[LedgerEvent]) -> "_Place":
        events = recorded(batch)
        reached = place._replace(
            customer_id=batch[-1].customer_id or "", position=batch[-1].position
        )
        with self._transaction() as cursor:
            _locked(cursor, place)
            for model in self._of(place.part):
                if place.part >= 0:
                    build(cursor, model, events)
                else:
                    feed(cursor, model, events)
            cursor.execute(_SQL["part_went_on"], {**reached._asdict(), "events": len(batch)})
        return reached

    @contextmanager
    def _transaction(self) -> Iterator[PgCursor]:
        with self._datastore.transaction() as cursor:
            work_in(cursor, self._schema)
            yield cursor


def build(cursor: PgCursor, model: ReadModel, events: Sequence[RecordedEvent]) -> None:
    """Let a read model take in everything of some customers, of whom it knows nothing yet."""
    handled = [event for event in events if event.type in model.handles]
    if handled:
        (model.build or model.apply)(cursor, handled)


def whole_customers(events: Iterable[LedgerEvent], size: int) -> Iterator[list[LedgerEvent]]:
    """Events in the order of their customers, in batches that end where a customer does."""
    batch: list[LedgerEvent] = []
    for event in events:
        if len(batch) >= size and event.customer_id != batch[-1].customer_id:
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch


def _planned(cursor: PgCursor, versions: dict[str, str]) -> Plan | None:
    cursor.execute(_SQL["in_work"])
    if cursor.fetchone() != (True,):
        return None
    cursor.execute(_SQL["planned"])
    position, events, planned = cursor.fetchone() or (0, 0, None)
    return Plan(position, events) if planned == versions else None


def _position(cursor: PgCursor) -> int:
    cursor.execute(_SQL["planned"])
    row = cursor.fetchone()
    if row is None:
        raise BuildTaken("nothing is planned")
    position: int = row[0]
    return position


def _locked(cursor: PgCursor, place: _Place) -> None:
    """Lock a part for what is written next. Raises BuildTaken if it is not where we left it."""
    cursor.execute(_SQL["locked_place"], {"part": place.part})
    row = cursor.fetchone()
    if row is None or _Place(*row) != place:
        raise BuildTaken(f"another program goes on with part {place.part} of this build")


def _filter(models: Iterable[ReadModel]) -> list[str] | None:
    """The types that some read models handle; None for all there are."""
    types: frozenset[str] = frozenset().union(*(model.handles for model in models))
    return None if types == EVENT_TYPES.keys() else sorted(types)


def _put_off(cursor: PgCursor, model: ReadModel) -> None:
    """Drop the indexes that nobody needs while rows are loaded, and note how to make them."""
    cursor.execute(_SQL["indexes"], {"tables": list(model.tables)})
    for table, index, definition, constraint, kind in cursor.fetchall() if model.build else ():
        after = None
        if constraint is None:
            cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
        else:
            cursor.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                    sql.Identifier(table), sql.Identifier(constraint)
                )
            )
            kind_words = {"p": "PRIMARY KEY", "u": "UNIQUE"}[kind]
            after = (
                f'ALTER TABLE "{table}" ADD CONSTRAINT "{constraint}" '
                f'{kind_words} USING INDEX "{index}"'
            )
        cursor.execute(_SQL["close_with"], {"statement": definition, "after": after})
    for table in model.tables:
        cursor.execute(_SQL["close_with"], {"statement": f'ANALYZE "{table}"', "after": None})
