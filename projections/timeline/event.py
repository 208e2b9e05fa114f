"""Answers what stands at one position of the ledger, and what stands around it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.reading import last_position
from ledger.sql import named_queries
from projections.answers import LARGEST_PAGE, METRIC_VERSION, Answer, fetch
from schemas import codec
from schemas.codec import decode, without_personal

_SQL = named_queries(Path(__file__).with_name("event.sql"))
_HIDDEN = ("fingerprint", "facts")


def event_at(cursor: PgCursor, position: int, *, as_of: datetime) -> Answer:
    """The event at a position of the ledger: one row, none beyond its ends.

    `position`, `source`, `id`, `event_id`, `type`, `fingerprint` (of the schema it was written
    with, hex), `occurred_at`, `time_assumed`, `recorded_at`, `stream` and `version` in it,
    `customer_id`, `correlation_id`, `causation_id`, `data` (its fields without personal ones),
    `outcome`, `duplicates` (how often it came again), `inputs` (what else came under its source and
    id: `kept_id`, `state`, `outcome`, `reason`, `first_seen`, `last_seen`), `neighbours` (at most
    1,000: `relation`, `position`, `source`, `id`, `type`, `occurred_at`).
    """
    found = fetch(cursor, _SQL["event"], {"position": position})
    rows = [_told(cursor, row) for row in found]
    known_at = rows[0]["recorded_at"] if rows else None
    return Answer(last_position(cursor), as_of, known_at, METRIC_VERSION, rows)


def event_named(cursor: PgCursor, source: str, id_: str, *, as_of: datetime) -> Answer:
    """What became of what was published under this source and id: a row as `event_at` has.

    What was parked, in conflict or rejected has no place in the ledger: `position` and all that
    follows from it are null then, and `outcome` is that of the last input. No row if nothing was
    ever received under it.
    """
    event_id = codec.event_id(source, id_)
    cursor.execute(_SQL["position"], {"event_id": event_id})
    recorded = cursor.fetchone()
    if recorded is not None:
        return event_at(cursor, recorded[0], as_of=as_of)
    inputs = fetch(cursor, _SQL["inputs"], {"event_id": event_id})
    rows = [_not_recorded(event_id, inputs)] if inputs else []
    return Answer(last_position(cursor), as_of, None, METRIC_VERSION, rows)


def schema_text(cursor: PgCursor, fingerprint: bytes) -> str | None:
    """The Avro schema that events were written with; None if there is none of that fingerprint."""
    cursor.execute(_SQL["schema"], {"fingerprint": fingerprint})
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def _not_recorded(event_id: str, inputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    last = inputs[-1]
    unknown = ("position", "occurred_at", "time_assumed", "recorded_at", "version", "fingerprint")
    return {
        **dict.fromkeys((*unknown, "correlation_id", "causation_id")),
        **{name: last[name] for name in ("source", "id", "type", "customer_id", "stream")},
        "event_id": event_id,
        "data": {},
        "neighbours": [],
        "outcome": last["outcome"],
        "duplicates": 0,
        "inputs": _shown(inputs),
    }


def _shown(inputs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    names = ("kept_id", "state", "outcome", "reason", "first_seen", "last_seen")
    return [{name: row[name] for name in names} for row in inputs]


def _told(cursor: PgCursor, row: dict[str, Any]) -> dict[str, Any]:
    written_with = bytes(row["fingerprint"])
    data = decode(written_with, bytes(row["facts"]))
    shown = {name: value for name, value in row.items() if name not in _HIDDEN}
    return shown | {
        "fingerprint": written_with.hex(),
        "data": without_personal(row["type"], data),
        "outcome": "appended",
        **fetch(cursor, _SQL["duplicates"], shown)[0],
        "inputs": _shown(fetch(cursor, _SQL["inputs"], shown)),
        "neighbours": fetch(cursor, _SQL["neighbours"], {**shown, "most": LARGEST_PAGE}),
    }
