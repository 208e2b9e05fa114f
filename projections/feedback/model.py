"""Writes feedback: one row per event."""

from collections.abc import Sequence
from typing import Any

from ledger.datastore import PgCursor
from projections.copying import copy_new_rows, copy_rows
from projections.events import RecordedEvent
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of

HANDLES = frozenset({"feedback.given.v1"})
IGNORES = types_of(
    "touchpoint", "statement", "promise", "complaint", "customer", "support", *KINDS_OF_NOBODY
)

_FIELDS = (
    "feedback_id",
    "customer_id",
    "channel",
    "kind",
    "instrument",
    "score",
    "scale_min",
    "scale_max",
    "touchpoint_id",
    "complaint_id",
    "promise_id",
    "campaign_id",
    "topic",
    "team",
    "department",
    "employee_id",
)
_COLUMNS = ("event_id", "occurred_at", *_FIELDS)


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    copy_new_rows(cursor, "feedback", _COLUMNS, _rows(events))


def _build(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    copy_rows(cursor, "feedback", _COLUMNS, _rows(events))


def _rows(events: Sequence[RecordedEvent]) -> list[tuple[Any, ...]]:
    return [
        (event.event_id, event.occurred_at, *[event.data[field] for field in _FIELDS])
        for event in events
    ]


FEEDBACK = ReadModel(
    name="feedback",
    version="1",
    tables=("feedback",),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_apply,
    build=_build,
)
