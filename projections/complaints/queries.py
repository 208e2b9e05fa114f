"""Answers what happened to complaints."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import Answer, answer, cut, fetch, page, window

_SQL = named_queries(Path(__file__).with_name("queries.sql"))


def complaints(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    channel: str | None = None,
    customer_id: str | None = None,
    severity: str | None = None,
    open_: bool | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Complaints raised in [from_, to) and by `as_of`, the oldest first.

    `open_` wants those open (True) or closed (False) at `as_of`. Rows: `complaint_id`,
    `customer_id`, `channel`, `severity`, `topic`, `product`, `team`, `department`, `raised_at`,
    `closed_at` and `outcome` (of the closing that stands; null while open), `first_closed_at`,
    `reopened_at` (last), `reopened` (how often), `steps` (event type → how many), `last_step_at`,
    `verdict`, `fitness`, `rules` (null: complaints are not judged yet).

    Raises ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    wanted = page("complaints", limit, as_of, token)
    after_time, after_complaint = wanted.after or (None, None)
    found = _listed(
        cursor,
        wanted.as_of,
        limit + 1,
        channel=channel,
        customer_id=customer_id,
        severity=severity,
        open=open_,
        after_time=after_time,
        after_complaint=after_complaint,
        **window(from_, to),
    )
    rows, next_ = cut("complaints", wanted, found, ("raised_at", "complaint_id"))
    return answer(cursor, ["complaints"], wanted.as_of, rows, next_)


def complaint(cursor: PgCursor, complaint_id: str, *, as_of: datetime) -> Answer:
    """One complaint at `as_of`: one row as in `complaints`, none if it was not raised yet.

    Its `steps` are a list in the order in which they happened: `position`, `occurred_at`,
    `recorded_at`, `event_id`, `type`, `channel`, `employee_id`, `team`, `department`, `data` (what
    only this type of step says, as JSON has it, without personal fields).
    """
    rows = _listed(cursor, as_of, 1, complaint_id=complaint_id, **window(None, None))
    told = answer(cursor, ["complaints"], as_of, rows)
    if not rows:
        return told
    steps = fetch(cursor, _SQL["steps"], {"complaint_id": complaint_id, "as_of": as_of})
    return replace(told, rows=[rows[0] | {"steps": steps}])


def _listed(cursor: PgCursor, as_of: datetime, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    anything = dict.fromkeys(
        (
            "complaint_id",
            "channel",
            "customer_id",
            "severity",
            "open",
            "after_time",
            "after_complaint",
        )
    )
    return fetch(cursor, _SQL["complaints"], anything | wanted | {"as_of": as_of, "rows": limit})
