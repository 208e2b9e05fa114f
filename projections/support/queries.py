"""Answers what the back office was asked for, how long it took, and what it kept waiting."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections import grouping
from projections.answers import Answer, WrongParameter, answer, cut, fetch, page, window
from projections.explaining import Behind, explain
from projections.grouping import Dimensions
from projections.waits import fetch_waits

_SQL = named_queries(Path(__file__).with_name("queries.sql"))
_READ_MODELS = ("support", "promises", "complaints", "conversations")

STATES = ("open", "fulfilled", "unfulfilled")
KINDS = ("technical", "administrative")
_DIMENSIONS: Dimensions = {
    "kind": ("kind", "kind"),
    "team": ("team", "team"),
    "department": ("department", "department"),
    "channel": ("channel", "channel"),
    "topic": ("topic", "topic"),
    "month": ("month", "to_char(requested_at AT TIME ZONE 'UTC', 'YYYY-MM')"),
}
DIMENSIONS = tuple(_DIMENSIONS)
"""By what the times of the back office can be grouped, one or several at once."""


class UnknownState(WrongParameter):
    """Requests to the back office are in no such state."""

    parameter = "state"


class UnknownKind(WrongParameter):
    """The back office is not asked for that kind of support."""

    parameter = "kind"


def support_requests(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    customer_id: str | None = None,
    kind: str | None = None,
    team: str | None = None,
    department: str | None = None,
    state: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """What the back office was asked for in [from_, to) and by `as_of`, the oldest first.

    `kind` is one of KINDS, `state` one of STATES; `team` and `department` are those that asked.
    Rows: `request_id`, `customer_id`, `kind`, `state`, `requested_at`, `answered_at` (null while
    open), `waited_seconds` (until the first answer, or so far), `channel`, `topic`, `product`,
    `team`, `department`, `employee_id`, `kept_waiting`: for the promise, the complaint and the case
    that the request names `kind`, `id`, `from_at`, `to_at` (null: not settled), `due_at` (of a
    promise), `waited_seconds` (how much of its time the request was open) and `late_seconds` (how
    much of that lay after a promise was due; null for others).

    Raises UnknownKind, UnknownState, ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownKind(f"kind must be one of {', '.join(KINDS)}")
    if state is not None and state not in STATES:
        raise UnknownState(f"state must be one of {', '.join(STATES)}")
    wanted = page("support-requests", limit, as_of, token)
    found = _found(
        cursor,
        wanted.as_of,
        limit + 1,
        after=wanted.after or (None, None),
        customers=None if customer_id is None else [customer_id],
        kind=kind,
        team=team,
        department=department,
        state=state,
        **window(from_, to),
    )
    rows, next_ = cut("support-requests", wanted, found, ("requested_at", "request_id"))
    told = with_kept_waiting(cursor, wanted.as_of, rows)
    return answer(cursor, _READ_MODELS, wanted.as_of, told, next_)


def open_requests(
    cursor: PgCursor, customers: Sequence[str], as_of: datetime
) -> list[dict[str, Any]]:
    """The rows of `support_requests` for some customers' requests that are open at `as_of`."""
    found = _found(
        cursor,
        as_of,
        None,
        after=(None, None),
        customers=list(customers),
        kind=None,
        team=None,
        department=None,
        state="open",
        **window(None, None),
    )
    return with_kept_waiting(cursor, as_of, found)


def _found(
    cursor: PgCursor, as_of: datetime, rows: int | None, *, after: Sequence[Any], **wanted: Any
) -> list[dict[str, Any]]:
    after_time, after_request = after
    parameters = wanted | {
        "as_of": as_of,
        "rows": rows,
        "after_time": after_time,
        "after_request": after_request,
    }
    return fetch(cursor, _SQL["requests"], parameters)


def with_kept_waiting(
    cursor: PgCursor, as_of: datetime, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Requests with `kept_waiting` instead of the ids of what they belong to."""
    naming = [row for row in rows if row["promise_id"] or row["complaint_id"] or row["case_id"]]
    kept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if naming:
        parameters = {
            "as_of": as_of,
            "requests": [row["request_id"] for row in naming],
            "of": [row["customer_id"] for row in naming],
            "promises": [row["promise_id"] for row in naming],
            "complaints": [row["complaint_id"] for row in naming],
            "cases": [row["case_id"] for row in naming],
            "begun": [row["requested_at"] for row in naming],
            "ended": [row["answered_at"] for row in naming],
        }
        for thing in fetch(cursor, _SQL["kept_waiting"], parameters):
            kept[thing.pop("request_id")].append(thing)
    named = {"promise_id", "complaint_id", "case_id"}
    return [
        {name: value for name, value in row.items() if name not in named}
        | {"kept_waiting": kept[row["request_id"]]}
        for row in rows
    ]


def support_times(
    cursor: PgCursor,
    *,
    as_of: datetime,
    by: Sequence[str] = ("kind",),
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Answer:
    """How long the back office took for what it was asked in [from_, to), by group.

    `by` is one or more of DIMENSIONS. Rows, ordered by group: a column for each of `by` (`month` as
    YYYY-MM in UTC; null where it is not known), `requests`, `answered`, `fulfilled` (by any
    answer), `open`, over the answered `median_seconds` and `p90_seconds`, and counting the open
    ones `km_median_seconds` with its 95 % interval `km_median_seconds_low` and `_high` (null: not
    reached).

    Raises UnknownDimension.
    """
    grouping.check(by, _DIMENSIONS)
    asked = {"as_of": as_of, **window(from_, to)}
    rows = fetch_waits(cursor, _times(tuple(by)), asked, percentiles={"median": 0.5, "p90": 0.9})
    return answer(cursor, ["support"], as_of, rows)


@cache
def _times(by: tuple[str, ...]) -> str:
    measured = _SQL["measured"].replace("{identified}", "")
    return grouping.filled(_SQL["times"].replace("{measured}", measured), by, _DIMENSIONS)


_IDENTIFIED = (
    ", request_id, customer_id, requested_at, answered_at, requested_by, answered_by, fulfilled_by"
)
_BEHIND_TIMES = grouping.filled(
    _SQL["behind_times"].replace(
        "{measured}", _SQL["measured"].replace("{identified}", _IDENTIFIED)
    ),
    DIMENSIONS,
    _DIMENSIONS,
)


def behind_support_times(cursor: PgCursor, wanted: Behind) -> Answer:
    """The requests behind rows of `support_times`, as `projections.explaining.explain` does."""
    return explain(cursor, _BEHIND_TIMES, wanted, ["support"], groups=DIMENSIONS)
