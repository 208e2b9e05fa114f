"""Writes statements: one row per event."""

from collections.abc import Sequence
from typing import Any

from ledger.datastore import PgCursor
from projections.copying import copy_new_rows, copy_rows
from projections.events import RecordedEvent
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of

HANDLES = frozenset({"statement.made.v1"})
IGNORES = types_of(
    "touchpoint", "feedback", "promise", "complaint", "customer", "support", *KINDS_OF_NOBODY
)

_FIELDS = (
    "statement_id",
    "customer_id",
    "claim_key",
    "value",
    "valid_until",
    "channel",
    "topic",
    "team",
    "department",
    "employee_id",
)
_COLUMNS = ("event_id", "occurred_at", *_FIELDS)


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    copy_new_rows(cursor, "statements", _COLUMNS, _rows(events))


def _build(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    copy_rows(cursor, "statements", _COLUMNS, _rows(events))


def _rows(events: Sequence[RecordedEvent]) -> list[tuple[Any, ...]]:
    return [
        (event.event_id, event.occurred_at, *[event.data[field] for field in _FIELDS])
        for event in events
    ]


STATEMENTS = ReadModel(
    name="statements",
    version="1",
    tables=("statements",),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_apply,
    build=_build,
)
