"""One customer as of what was known at some time, at once.

A question about whole read models needs a side schema; for one customer the few events are taken
from the ledger and fed to the read models as ever, in temporary tables, and the same queries are
asked there. Whose else's events count is looked up in the live read models.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from ledger.datastore import Datastore, PgCursor
from ledger.reading import events_at, events_of_customer, events_of_nobody, known_position
from projections.building import build
from projections.events import recorded
from projections.model import ReadModel
from projections.runner import feed
from projections.schemas import LIVE, work_in
from projections.slots import divide, prepare_positions, slots_of

_INDEX = re.compile(r"^CREATE (UNIQUE )?INDEX\b[^;]*;", re.MULTILINE)


@contextmanager
def knowing(
    datastore: Datastore,
    models: Sequence[ReadModel],
    customers: Sequence[str],
    known_at: datetime | int,
) -> Iterator[PgCursor]:
    """A cursor that sees read models made of what was recorded by `known_at` (an aware instant, or
    a position) about these customers, of what answers about them rest on of others
    (`ReadModel.others`), and of all policies recorded by then. Where the live read models have not
    come that far, it is what they know: answers carry the position.

    `models` are those that will be asked. Nothing of it stays. Raises the errors of
    `eventsourcing.persistence`.
    """
    with datastore.transaction() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL jit TO off")
        resting = [model for model in models if model.others is not None]
        position = _reached(cursor, resting, known_at)
        about_others = {
            model.name: events_at(cursor, model.others(cursor, customers, position))
            for model in resting
            if model.others is not None and position
        }
        cursor.execute("SET LOCAL search_path TO pg_temp")
        prepare_positions(cursor)
        for model in models:
            # Nothing is looked up in tables of a few rows.
            cursor.execute(_INDEX.sub("", model.definition) if model.build else model.definition)
            divide(cursor, model, 1, position)
        types = frozenset().union(*(model.handles for model in models))
        policies = recorded(events_of_nobody(cursor, until=position, types=types))
        said = recorded(
            event
            for customer in dict.fromkeys(customers)
            for event in events_of_customer(cursor, customer, until=position)
            if event.type in types
        )
        for model in models:
            feed(cursor, model, policies)
            build(cursor, model, [*said, *recorded(about_others.get(model.name, ()))])
        yield cursor
        cursor.connection.rollback()


def _reached(cursor: PgCursor, resting: Sequence[ReadModel], known_at: datetime | int) -> int:
    """The position that was the last one then, and that live read models have reached in which
    other customers' events are looked up; leaves the live schema worked in.
    """
    if not resting:
        return known_position(cursor, known_at)
    work_in(cursor, LIVE)
    # Before the snapshot, as in `projections.answers.snapshot`.
    cursor.execute("LOCK TABLE position IN ACCESS SHARE MODE")
    slots = slots_of(cursor, [model.name for model in resting])
    live = min((slot.position for slot in slots), default=0)
    return min(live, known_position(cursor, known_at))
