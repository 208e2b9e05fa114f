"""Writes policies: one row per published version."""

from collections.abc import Sequence
from typing import Any

from ledger.datastore import PgCursor
from projections.copying import copy_new_rows
from projections.events import RecordedEvent
from projections.model import ReadModel, sql_beside, types_of
from schemas.codec import to_json

_FIELDS = {  # event type: table, and the event's fields that are its columns
    "calendar.published.v1": ("calendars", ("calendar_id", "timezone", "weekly", "holidays")),
    "service_level.published.v1": (
        "service_levels",
        (
            "service_level_id",
            "metric",
            "channel",
            "topic",
            "tier",
            "severity",
            "target_seconds",
            "clock",
            "calendar_id",
        ),
    ),
    "channel.costed.v1": (
        "channel_costs",
        ("channel", "cost_per_minute", "cost_per_contact", "currency"),
    ),
    "authority_limit.set.v1": ("authority_limits", ("role", "max_value", "currency")),
    "moment.classified.v1": ("moments", ("moment", "importance")),
}

HANDLES = frozenset(_FIELDS)
IGNORES = types_of(
    "touchpoint", "statement", "feedback", "promise", "complaint", "customer", "support", "access"
)


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    for type_, (table, fields) in _FIELDS.items():
        rows = [_row(event, fields) for event in events if event.type == type_]
        columns = ("event_id", "published_at", "valid_from", *fields)
        copy_new_rows(cursor, table, columns, rows)


def _row(event: RecordedEvent, fields: Sequence[str]) -> tuple[Any, ...]:
    said = to_json(event.type, {name: event.data[name] for name in fields})
    return (event.event_id, event.occurred_at, event.data["valid_from"], *said.values())


POLICIES = ReadModel(
    name="policies",
    version="1",
    tables=tuple(table for table, _ in _FIELDS.values()),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_apply,
)
