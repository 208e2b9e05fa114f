"""Table `position`: where each worker stands with each read model."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ledger.datastore import PgCursor
from ledger.reading import Share
from ledger.sql import named_queries
from projections.days import prepare_changes
from projections.model import ReadModel
from projections.registry import VIEWS

_SQL = named_queries(Path(__file__).with_name("position.sql"))


class Slot(NamedTuple):
    """A row of table `position`: where a worker stands with a read model."""

    name: str
    version: str
    worker: int
    workers: int
    position: int
    highest: int

    @property
    def share(self) -> Share:
        """Whose events the worker takes in."""
        return Share(self.worker, self.workers)


def prepare_positions(cursor: PgCursor) -> None:
    """Make the tables of positions and of changes in the schema that is worked in, if they are not
    there.
    """
    cursor.execute(_SQL["table"])
    prepare_changes(cursor)


def define_views(cursor: PgCursor, *, anew: bool = True) -> None:
    """Make what rests on tables of read models point to those of the live schema; not `anew`: only
    if its definitions have changed.
    """
    definitions = hashlib.sha256("\n".join(view.definition for view in VIEWS).encode()).hexdigest()
    cursor.execute(_SQL["defined"])
    if not anew and cursor.fetchone() == (definitions,):
        return
    cursor.execute(_SQL["tables"])
    there = {table for (table,) in cursor}
    for view in VIEWS:
        if view.tables <= there:
            cursor.execute(view.definition)
    cursor.execute("COMMENT ON TABLE position IS %s", (definitions,))


def slots_of(cursor: PgCursor, names: Iterable[str]) -> list[Slot]:
    """Where every worker stands with these read models."""
    cursor.execute(_SQL["slots"], {"names": list(names)})
    return list(map(Slot._make, cursor))


def locked_slots(cursor: PgCursor, names: Iterable[str], worker: int | None = None) -> list[Slot]:
    """As `slots_of`, of one worker or of all (None); nobody else writes these read models until
    the end of the transaction.
    """
    cursor.execute(_SQL["lock"], {"names": list(names), "worker": worker})
    return list(map(Slot._make, cursor))


def divide(
    cursor: PgCursor, model: ReadModel, workers: int, position: int, highest: int = 0
) -> None:
    """Set a read model's positions, one for each worker, all of them at `position`."""
    shared_by = workers if model.per_customer else 1
    _set(cursor, Slot(model.name, model.version, 0, shared_by, position, highest), model.tables)


def share_anew(cursor: PgCursor, models: Iterable[ReadModel], workers: int) -> None:
    """Divide the customers between so many workers; of read models that stand there in another
    version nothing is changed.
    """
    for model in models:
        slots = locked_slots(cursor, [model.name])
        if slots[0].version == model.version:
            share_slots(cursor, slots, model.tables, workers if model.per_customer else 1)


def share_slots(
    cursor: PgCursor, slots: Sequence[Slot], tables: Sequence[str], workers: int
) -> None:
    """Make the slots of one read model those of exactly so many workers. Each begins at the lowest
    position of before: folds take what they know already without changing anything.
    """
    if slots[0].workers != workers:
        position = min(slot.position for slot in slots)
        highest = max(slot.highest for slot in slots)
        _set(cursor, slots[0]._replace(workers=workers, position=position, highest=highest), tables)


def _set(cursor: PgCursor, slot: Slot, tables: Sequence[str]) -> None:
    """Set the positions of all workers as in one's."""
    cursor.execute(_SQL["forget"], {"names": [slot.name]})
    cursor.execute(
        _SQL["divide"],
        {
            **slot._asdict(),
            "tables": list(tables),
            "highest": max(slot.position, slot.highest),
        },
    )
