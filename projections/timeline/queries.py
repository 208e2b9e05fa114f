"""Answers what happened with a customer."""

from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.prepared import Prepared
from ledger.sql import named_queries
from projections.answers import Answer, answer, cut, fetch, page
from projections.customers.persons import person
from projections.timeline.sentences import sentence
from schemas.codec import decode, without_personal

_TIMELINE = Prepared(named_queries(Path(__file__).with_name("queries.sql"))["timeline"])
_KEY = ("occurred_at", "rank", "event_id")
_BEFORE_ALL = ("-infinity", 0, "00000000-0000-0000-0000-000000000000")
_HIDDEN = ("rank", "event_id", "fingerprint", "facts")


def timeline(
    cursor: PgCursor,
    customer_id: str,
    *,
    as_of: datetime,
    only_this_id: bool = False,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Everything that happened with a customer up to `as_of`, in the order in which it happened.

    Of a customer who is one person with other ids by then, theirs is there as well, unless
    `only_this_id`. Rows: `position`, `occurred_at`, `recorded_at`, `source`, `id`, `type`,
    `customer_id`, `channel`, `employee_id`, `summary` (a sentence without personal data), `data`
    (the event's fields as JSON has them, without personal ones).

    Raises ValueError for a limit outside 1 to 1,000 and BadToken.
    """
    wanted = page("timeline", limit, as_of, token)
    after_time, after_rank, after_event = wanted.after or _BEFORE_ALL
    whole = [] if only_this_id else person(cursor, customer_id, as_of=wanted.as_of)
    parameters = {
        "ids": [identity.customer_id for identity in whole] or [customer_id],
        "as_of": wanted.as_of,
        "after_time": after_time,
        "after_rank": after_rank,
        "after_event": after_event,
        "rows": limit + 1,
    }
    found = fetch(cursor, _TIMELINE, parameters)
    rows, next_ = cut("timeline", wanted, found, _KEY)
    told = [_told(row) for row in rows]
    return answer(cursor, ["timeline", "customers"], wanted.as_of, told, next_)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    data = decode(bytes(row["fingerprint"]), bytes(row["facts"]))
    for name in _HIDDEN:
        del row[name]
    what_it_was = data["corrected"] if row["type"] == "touchpoint.corrected.v1" else data
    row["channel"] = what_it_was.get("channel")
    row["employee_id"] = data.get("employee_id")
    row["summary"] = sentence(row["type"], data)
    row["data"] = without_personal(row["type"], data)
    return row
