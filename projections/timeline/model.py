"""Writes timelines: one row per event of a customer."""

from collections.abc import Sequence

from ledger.datastore import PgCursor
from projections.copying import copy_new_rows, copy_rows
from projections.events import RecordedEvent
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of

HANDLES = types_of(
    "touchpoint", "statement", "feedback", "promise", "complaint", "customer", "support"
)
IGNORES = types_of(*KINDS_OF_NOBODY)

_COLUMNS = (
    "customer_id",
    "occurred_at",
    "rank",
    "event_id",
    "type",
    "position",
)


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    copy_new_rows(cursor, "timeline", _COLUMNS, [_row(event) for event in events])


def _build(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    copy_rows(cursor, "timeline", _COLUMNS, [_row(event) for event in events])


def _row(event: RecordedEvent) -> tuple[object, ...]:
    return (
        event.customer_id,
        event.occurred_at,
        event.rank,
        event.event_id,
        event.type,
        event.position,
    )


TIMELINE = ReadModel(
    name="timeline",
    version="2",
    tables=("timeline",),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_apply,
    build=_build,
)
