"""Writes the log of access: one row per event."""

from collections.abc import Sequence
from typing import Any

from ledger.datastore import PgCursor
from projections.copying import copy_new_rows
from projections.events import RecordedEvent
from projections.model import POLICY_KINDS, ReadModel, sql_beside, types_of

HANDLES = frozenset({"access.recorded.v1"})
IGNORES = types_of(
    "touchpoint",
    "statement",
    "feedback",
    "promise",
    "complaint",
    "customer",
    "support",
    *POLICY_KINDS,
)

_SAID = ("who", "role", "token_id", "via", "action", "question", "kind", "ids", "details")
_COLUMNS = ("event_id", "position", "occurred_at", "customer_id", *_SAID)


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    copy_new_rows(cursor, "access_log", _COLUMNS, [_row(event) for event in events])


def _row(event: RecordedEvent) -> tuple[Any, ...]:
    said = [event.data[name] for name in _SAID]
    looked_at = event.data["about_customer_id"]
    return (event.event_id, event.position, event.occurred_at, looked_at, *said)


ACCESS = ReadModel(
    name="access",
    version="2",
    tables=("access_log",),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_apply,
    of_customers=False,
)
