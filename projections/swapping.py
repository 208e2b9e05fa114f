"""Puts rebuilt read models in the place of those there, and back, in one step.

The tables change their schemas in one transaction, in which nobody reads or writes read models:
`projections.answers.snapshot` and the runners have locked table `position` before anything else. So
a question sees all of the former tables, or all of the new ones.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from eventsourcing.persistence import OperationalError
from psycopg2 import sql
from psycopg2.errors import DeadlockDetected, LockNotAvailable

from ledger.datastore import Datastore, PgCursor
from ledger.reading import last_position
from ledger.sql import named_queries
from projections.model import ReadModel
from projections.runner import Runner
from projections.schemas import BUILDING, LIVE, PREVIOUS, SWAPPING, drop_tables, work_in
from projections.slots import (
    define_views,
    divide,
    locked_slots,
    prepare_positions,
    share_slots,
    slots_of,
)

_SQL = named_queries(Path(__file__).with_name("swapping.sql"))
_SECONDS_BETWEEN_ATTEMPTS = 1.0
_PATIENCE_SECONDS = 3_600.0
_MOST_EVENTS_LEFT = 5_000


T = TypeVar("T")


class NothingToGoBackTo(Exception):
    """No former read model of that name was kept."""


class Placed(NamedTuple):
    """A read model as it stands in a schema: its version and its tables."""

    name: str
    version: str
    tables: list[str]


def swap(
    datastore: Datastore,
    models: Sequence[ReadModel],
    workers: int | None = None,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Put what was built, and brought up to date, in the place of the live read models.

    Their customers are divided between so many `workers` from then on (None: as those of the live
    ones were). The former ones are kept, in place of those kept before. Questions that run are
    waited for, but they are not made to wait for long themselves: what is not free within a moment
    is tried again, after `wait` seconds.
    """
    rebuilt = Runner(datastore, models, schema=BUILDING)
    names = [model.name for model in models]

    def change(cursor: PgCursor) -> bool:
        end = last_position(cursor)
        live = {slot.name: slot.workers for slot in slots_of(cursor, names)}
        work_in(cursor, BUILDING)
        if end - min(slot.position for slot in slots_of(cursor, names)) > _MOST_EVENTS_LEFT:
            return False  # too much has come in the meantime: not while everybody waits
        while rebuilt.step_in(cursor, end):
            pass
        _replace(cursor, BUILDING, _placed(cursor, BUILDING, names))
        work_in(cursor, LIVE)
        for model in models:
            divide(cursor, model, workers or live.get(model.name, 1), end)
        define_views(cursor)
        return True

    rebuilt.catch_up()
    while not _in_one_step(datastore, wait, change):
        rebuilt.catch_up()


def go_back(
    datastore: Datastore, names: Sequence[str] = (), wait: Callable[[float], object] = time.sleep
) -> list[Placed]:
    """Change places of the live and the former read models of these names (none: of all that were
    kept). The same again undoes it. Gives those that are live now.

    Where only rows change, not the version, whoever follows goes on with them, so their customers
    are divided as those of the live ones. A program of another version divides them as it starts.

    Raises NothingToGoBackTo.
    """

    def change(cursor: PgCursor) -> list[Placed]:
        work_in(cursor, PREVIOUS)
        prepare_positions(cursor)
        kept = _placed(cursor, PREVIOUS)
        former = [placed for placed in kept if not names or placed.name in names]
        if missing := set(names) - {placed.name for placed in former}:
            raise NothingToGoBackTo(
                f"nothing was kept of {', '.join(sorted(missing))}; kept are: "
                f"{', '.join(placed.name for placed in kept) or 'none'}"
            )
        if not former:
            raise NothingToGoBackTo("no former read model was kept: nothing was rebuilt so far")
        _share_as_live(cursor, former)
        work_in(cursor, SWAPPING)
        prepare_positions(cursor)
        for placed in former:
            _move(cursor, placed, PREVIOUS, SWAPPING)
        _replace(cursor, SWAPPING, former)
        work_in(cursor, SWAPPING)
        drop_tables(cursor, ["position"])
        work_in(cursor, LIVE)
        define_views(cursor)
        return former

    return _in_one_step(datastore, wait, change)


def _share_as_live(cursor: PgCursor, former: Iterable[Placed]) -> None:
    """Divide kept read models between the workers that follow the live ones of their versions."""
    for placed in former:
        work_in(cursor, LIVE)
        live = slots_of(cursor, [placed.name])
        if live and live[0].version == placed.version:
            work_in(cursor, PREVIOUS)
            kept = locked_slots(cursor, [placed.name])
            share_slots(cursor, kept, placed.tables, live[0].workers)


def _in_one_step(
    datastore: Datastore, wait: Callable[[float], object], change: Callable[[PgCursor], T]
) -> T:
    """Do it in a transaction, at work in the live schema, in which nobody else uses read models."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with datastore.transaction() as cursor:
                work_in(cursor, LIVE)
                # Shorter than the server waits before it looks for a deadlock.
                cursor.execute("SET LOCAL lock_timeout TO '800ms'")
                cursor.execute(_SQL["alone"])
                return change(cursor)
        except OperationalError as error:
            in_the_way = isinstance(error.__cause__, LockNotAvailable | DeadlockDetected)
            if not in_the_way or time.monotonic() > deadline:
                raise
        wait(_SECONDS_BETWEEN_ATTEMPTS)


def _replace(cursor: PgCursor, schema: str, arriving: Iterable[Placed]) -> None:
    """Move read models of a schema into the live one, and those there to the former."""
    work_in(cursor, PREVIOUS)
    prepare_positions(cursor)
    for placed in arriving:
        for former in _placed(cursor, PREVIOUS, [placed.name]):
            work_in(cursor, PREVIOUS)
            drop_tables(cursor, former.tables)
            cursor.execute(_SQL["forget"], {"name": former.name})
        work_in(cursor, LIVE)
        cursor.execute(_SQL["grants"], {"tables": placed.tables})
        granted = cursor.fetchall()
        for leaving in _placed(cursor, LIVE, [placed.name]):
            _move(cursor, leaving, LIVE, PREVIOUS)
        _move(cursor, placed, schema, LIVE)
        for table, grantee, privilege in granted:
            cursor.execute(
                sql.SQL("GRANT {} ON {} TO {}").format(
                    sql.SQL(privilege), sql.Identifier(LIVE, table), sql.SQL(grantee)
                )
            )


def _move(cursor: PgCursor, placed: Placed, schema: str, to: str) -> None:
    for table in placed.tables:
        cursor.execute(
            sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
                sql.Identifier(schema, table), sql.Identifier(to)
            )
        )
    cursor.execute(
        sql.SQL(_SQL["move"]).format(
            there=sql.Identifier(to, "position"), here=sql.Identifier(schema, "position")
        ),
        {"name": placed.name},
    )


def _placed(cursor: PgCursor, schema: str, names: Sequence[str] = ()) -> list[Placed]:
    """The read models that stand in a schema, of these names or all; leaves it worked in."""
    work_in(cursor, schema)
    cursor.execute(_SQL["placed"], {"names": list(names)})
    return list(map(Placed._make, cursor.fetchall()))
