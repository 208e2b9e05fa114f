"""What the statement of response times has to know of service levels and calendars."""

from datetime import datetime
from typing import Any

from ledger.datastore import PgCursor
from projections.events import END
from projections.policies.book import rule_book
from projections.policies.rules import ServiceLevel

_CALENDAR = (
    "(%(calendar_{n})s::text, %(known_from_{n})s::float8, %(opens_{n})s::float8[],"
    " %(closes_{n})s::float8[], %(worked_{n})s::float8[])"
)
_NO_CALENDAR = "(NULL::text, NULL::float8, NULL::float8[], NULL::float8[], NULL::float8[])"


def targets(
    cursor: PgCursor, metric: str, *, since: datetime, as_of: datetime
) -> tuple[str, dict[str, Any]]:
    """The rows of calendars worked out, and the parameters of these and of the service levels.

    `since` is when the first wait began. A level for one severity is none for a wait.
    """
    book = rule_book(cursor, since=since, as_of=as_of)
    spans = [span for span in book.levels.spans(metric) if span[0].severity is None]
    levels = [level for level, _ in spans]
    ends = [_seconds(end) for _, end in spans]
    parameters: dict[str, Any] = {
        "weights": list(range(len(levels))),
        "channels": [level.channel for level in levels],
        "topics": [level.topic for level in levels],
        "tiers": [level.tier for level in levels],
        "valid_from": [level.valid_from.timestamp() for level in levels],
        "valid_to": ends,
        "targets": [level.target_seconds for level in levels],
        "clocks": [level.clock for level in levels],
        "calendars": [level.calendar_id for level in levels],
        "level_ids": [level.event_id for level in levels],
        "changes": sorted({level.valid_from.timestamp() for level in levels} | set(ends)),
    }
    rows = [_NO_CALENDAR]
    for calendar_id in _calendars(levels):
        hours = book.hours(calendar_id)
        if hours is not None:
            n = len(rows)
            rows.append(_CALENDAR.format(n=n))
            parameters |= {
                f"calendar_{n}": calendar_id,
                f"known_from_{n}": hours.known_from,
                f"opens_{n}": hours.opens,
                f"closes_{n}": hours.closes,
                f"worked_{n}": hours.worked,
            }
    return ", ".join(rows), parameters


def _calendars(levels: list[ServiceLevel]) -> list[str]:
    return sorted({level.calendar_id for level in levels if level.calendar_id})


def _seconds(instant: datetime) -> float:
    return float("inf") if instant == END else instant.timestamp()
