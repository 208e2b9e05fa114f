"""An event as read models see it: decoded once, whatever the number of read models."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from domain import EVENT_TYPES
from ledger.reading import LedgerEvent
from schemas.codec import decode

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Before every instant; PostgreSQL's `-infinity`."""

END = datetime.max.replace(tzinfo=UTC)
"""After every instant; PostgreSQL's `infinity`."""


class RecordedEvent(NamedTuple):
    """One event of the ledger with its facts decoded.

    `event_id` is written as PostgreSQL writes a uuid. `rank` orders events of one instant. `data`
    are the schema's fields, personal ones null; instants in it are aware datetimes and amounts are
    Decimal.
    """

    position: int
    event_id: str
    type: str
    customer_id: str | None
    originator_id: str
    occurred_at: datetime
    recorded_at: datetime
    source: str
    id: str
    rank: int
    data: Mapping[str, Any]


def recorded(events: Iterable[LedgerEvent]) -> list[RecordedEvent]:
    """Decode ledger rows. Raises KeyError for a type this program does not know."""
    return [
        RecordedEvent(
            event.position,
            _uuid_text(event.event_id),
            event.type,
            event.customer_id,
            event.originator_id,
            event.occurred_at,
            event.recorded_at,
            event.source,
            event.id,
            EVENT_TYPES[event.type].rank(data := decode(event.fingerprint, event.facts)),
            data,
        )
        for event in events
    ]


def _uuid_text(digits: str) -> str:
    """32 hex digits as PostgreSQL writes a uuid; str(UUID(digits)) costs five times as much."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
