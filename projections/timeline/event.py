"""Answers what stands at one position of the ledger, and what stands around it."""

from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.reading import last_position
from ledger.sql import named_queries
from projections.answers import LARGEST_PAGE, METRIC_VERSION, Answer, fetch
from projections.timeline.queries import without_personal
from schemas.codec import decode, to_json

_SQL = named_queries(Path(__file__).with_name("event.sql"))
_HIDDEN = ("fingerprint", "facts")


def event_at(cursor: PgCursor, position: int, *, as_of: datetime) -> Answer:
    """The event at a position of the ledger: one row, none beyond its ends.

    `position`, `source`, `id`, `event_id`, `type`, `fingerprint` (of the schema it was written
    with, hex), `occurred_at`, `time_assumed`, `recorded_at`, `stream` and `version` in it,
    `customer_id`, `correlation_id`, `causation_id`, `data` (its fields without personal ones),
    `neighbours` (at most 1,000: `relation`, `position`, `source`, `id`, `type`, `occurred_at`).
    """
    found = fetch(cursor, _SQL["event"], {"position": position})
    rows = [_told(cursor, row) for row in found]
    known_at = rows[0]["recorded_at"] if rows else None
    return Answer(last_position(cursor), as_of, known_at, METRIC_VERSION, rows)


def _told(cursor: PgCursor, row: dict[str, Any]) -> dict[str, Any]:
    written_with = bytes(row["fingerprint"])
    data = to_json(row["type"], decode(written_with, bytes(row["facts"])))
    shown = {name: value for name, value in row.items() if name not in _HIDDEN}
    return shown | {
        "fingerprint": written_with.hex(),
        "data": without_personal(row["type"], data),
        "neighbours": fetch(cursor, _SQL["neighbours"], {**shown, "most": LARGEST_PAGE}),
    }
