"""Answers how long customers waited, and who is waiting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections import grouping
from projections.answers import Answer, WrongParameter, answer, cut, fetch, page, window
from projections.conversations.fold import FIRST_RESPONSE, METRICS, NEXT_REPLY
from projections.conversations.targets import targets
from projections.explaining import Behind, explain
from projections.grouping import Dimensions
from projections.waits import fetch_waits

_SQL = named_queries(Path(__file__).with_name("queries.sql"))
_READ_MODELS = ("conversations", "policies", "customers")

# An answered wait belongs to who answered it, one still open to who was asked.
_DIMENSIONS: Dimensions = {
    "channel": ("channel", "channel"),
    "topic": ("topic", "topic"),
    "team": (
        "team",
        "CASE WHEN ended_at <= %(as_of)s THEN coalesce(answered_team, team) ELSE team END",
    ),
    "department": (
        "department",
        "CASE WHEN ended_at <= %(as_of)s THEN coalesce(answered_department, department)"
        " ELSE department END",
    ),
    "employee": ("employee_id", "CASE WHEN ended_at <= %(as_of)s THEN employee_id END"),
    "tier": ("tier", "tier"),
    "month": ("month", "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM')"),
}
DIMENSIONS = tuple(_DIMENSIONS)
"""By what response times can be grouped, one or several at once."""

_PERCENTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99}


class UnknownMetric(WrongParameter):
    """Response times have no such metric."""

    parameter = "metric"


def response_times(
    cursor: PgCursor,
    *,
    as_of: datetime,
    metric: str = FIRST_RESPONSE,
    by: Sequence[str] = ("channel",),
    from_: datetime | None = None,
    to: datetime | None = None,
    channel: str | None = None,
) -> Answer:
    """How long customers waited whose wait began in [from_, to), by group.

    `metric` is one of METRICS, `by` one or more of DIMENSIONS. Rows, ordered by group: a column for
    each of `by` (`employee_id` for employee, `month` as YYYY-MM in UTC; null where it is not
    known), `metric`, `answered`, `waiting`, over the answered `median_seconds`, `p90_seconds`,
    `p99_seconds` (interpolated, null if none is answered), and counting those who wait
    `km_median_seconds` with its 95 % interval `km_median_seconds_low` and `_high` (null: it
    cannot be said, as `projections.survival` tells), over the answered in the calendar of the
    service level in force when they began `business_median_seconds`, `business_p90_seconds` and
    `business_p99_seconds`, in it counting those who wait `business_km_median_seconds` with `_low`
    and `_high`, and by its target `judged` (met or over, whoever still waits included) and
    `within_target`, the share of these.

    Raises UnknownMetric and UnknownDimension.
    """
    _check_metric(metric)
    grouping.check(by, _DIMENSIONS)
    asked = {"as_of": as_of, "metric": metric, "channel": channel, **window(from_, to)}
    statement, parameters = _with_targets(cursor, _response_times(tuple(by)), asked)
    rows = fetch_waits(
        cursor, statement, parameters, of=("", "business_"), percentiles=_PERCENTILES
    )
    return answer(cursor, _READ_MODELS, as_of, rows)


def behind_response_times(
    cursor: PgCursor, wanted: Behind, *, metric: str = FIRST_RESPONSE
) -> Answer:
    """The waits behind rows of `response_times`, as `projections.explaining.explain` lists them.

    Raises UnknownMetric.
    """
    _check_metric(metric)
    asked = {"metric": metric, "channel": wanted.group.get("channel"), **wanted.parameters()}
    things, parameters = _with_targets(cursor, _BEHIND_RESPONSE_TIMES, asked)
    return explain(cursor, things, wanted, _READ_MODELS, groups=GROUPS, parameters=parameters)


def _with_targets(
    cursor: PgCursor, statement: str, parameters: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """A statement about judged waits, and its parameters, with what had been agreed by then."""
    cursor.execute(_SQL["first_wait"], parameters)
    (first,) = cursor.fetchone() or (None,)
    as_of = parameters["as_of"]
    calendars, agreed = targets(cursor, parameters["metric"], since=first or as_of, as_of=as_of)
    return statement.replace("{calendars}", calendars), {**parameters, **agreed}


@cache
def _response_times(by: tuple[str, ...]) -> str:
    statement = _SQL["response_times"].replace("{judged_waits}", _SQL["judged_waits"])
    return grouping.filled(statement, by, _DIMENSIONS)


GROUPS = tuple(grouping.columns(DIMENSIONS, _DIMENSIONS))
"""The columns that name a group of response times."""

_BEHIND_RESPONSE_TIMES = grouping.filled(
    _SQL["behind_response_times"].replace(
        "{judged_waits}",
        _SQL["judged_waits"].replace(
            "{dimensions}",
            "{dimensions}, customer_id, conversation_id, started_by, started_at, tiered_by,"
            " ended_at, ended_by",
        ),
    ),
    DIMENSIONS,
    _DIMENSIONS,
)


def waiting(
    cursor: PgCursor,
    *,
    as_of: datetime,
    metric: str = NEXT_REPLY,
    channel: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Who waits at `as_of`, the longest first.

    Rows: `conversation_id`, `customer_id`, `channel`, `topic`, `team`, `department`, `started_at`,
    `waiting_seconds`, `event_id` (the touchpoint that waits).

    Raises UnknownMetric, ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    _check_metric(metric)
    wanted = page("waiting", limit, as_of, token)
    after_time, after_event = wanted.after or (None, None)
    parameters = {
        "as_of": wanted.as_of,
        "metric": metric,
        "channel": channel,
        "after_time": after_time,
        "after_event": after_event,
        "rows": limit + 1,
    }
    found = fetch(cursor, _SQL["waiting"], parameters)
    rows, next_ = cut("waiting", wanted, found, ("started_at", "event_id"))
    return answer(cursor, ["conversations"], wanted.as_of, rows, next_)


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise UnknownMetric(f"metric must be one of {', '.join(METRICS)}")
