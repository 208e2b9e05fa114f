"""Answers what became of promises."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from projections.promises.fold import PromiseFact, counting
from projections.waits import fetch_waits
from schemas.codec import decode, to_json

VERDICTS = ("kept", "kept_late", "broken", "overdue", "pending", "withdrawn")
FINDINGS = ("below_standard", "below_competitor", "delivered_otherwise")
"""What can be wrong with a promise beside its verdict."""

_SQL = named_queries(Path(__file__).with_name("queries.sql"))

JUDGED = _SQL["judged"]
"""Every promise due in [`from`, `to`) with its verdict at `as_of`: a query to select from."""

_PROMISES = (
    _SQL["promises"].replace("{judged}", JUDGED).replace("{late_seconds}", _SQL["late_seconds"])
)
_FACTS = _SQL["facts"].replace("{columns}", ", ".join(PromiseFact._fields))

_DIMENSIONS: Dimensions = {
    "channel": ("channel", "channel"),
    "topic": ("topic", "topic"),
    "team": ("team", "team"),
    "department": ("department", "department"),
    "employee": ("employee_id", "employee_id"),
    "tier": ("tier", "tier"),
    "month": ("month", "to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM')"),
}
DIMENSIONS = tuple(_DIMENSIONS)
"""By what promises can be grouped, one or several at once."""

_SHOWN_AS_COLUMNS = {"promise_id", "customer_id", "channel", "employee_id", "team", "department"}


class UnknownVerdict(WrongParameter):
    """Promises have no such verdict."""

    parameter = "verdict"


class UnknownFinding(WrongParameter):
    """Nothing of that kind is found with promises."""

    parameter = "finding"


def promises(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    channel: str | None = None,
    customer_id: str | None = None,
    verdict: str | None = None,
    finding: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Promises made by `as_of` that are due in [from_, to), by due time.

    `channel` is the one promised on, `verdict` one of VERDICTS, `finding` one of FINDINGS. Rows:
    `promise_id`, `customer_id`, `channel`, `topic`, `team`, `department`, `employee_id`, `made_at`,
    `due_at` (in force at `as_of`), `settled_at`, `verdict`, `late_seconds` (kept_late: when it was
    kept; overdue: so far; null otherwise), `revised` (how often somebody wanted to move the due
    time), `due_moved` (whether one of these did), the verdicts (below, meets, above; null: not
    weighed) against `industry_standard`, `competitor`, `customer_need`, `internal_resources`,
    `weighed` (share of these four sides), `differentiator`, `promised_value`, `observed_value`,
    `below_standard`, `below_competitor` (without a differentiator), `delivered_otherwise` (kept
    with another value than promised).

    Raises UnknownVerdict, UnknownFinding, ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise UnknownVerdict(f"verdict must be one of {', '.join(VERDICTS)}")
    if finding is not None and finding not in FINDINGS:
        raise UnknownFinding(f"finding must be one of {', '.join(FINDINGS)}")
    wanted = page("promises", limit, as_of, token)
    after_time, after_promise = wanted.after or (None, None)
    found = _listed(
        cursor,
        wanted.as_of,
        limit + 1,
        channel=channel,
        customer_id=customer_id,
        verdict=verdict,
        finding=finding,
        after_time=after_time,
        after_promise=after_promise,
        **window(from_, to),
    )
    rows, next_ = cut("promises", wanted, found, ("due_at", "promise_id"))
    return answer(cursor, ["promises"], wanted.as_of, rows, next_)


def whose_promise(cursor: PgCursor, promise_id: str) -> str | None:
    """The id of the customer whose promise it is; None if there is none of that id."""
    cursor.execute(_SQL["whose"], {"promise_id": promise_id})
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def promise(cursor: PgCursor, promise_id: str, *, as_of: datetime) -> Answer:
    """One promise at `as_of`: one row as in `promises`, none if it was not made yet.

    Its `steps` are what was said about it, in the order in which it happened: `position`,
    `occurred_at`, `recorded_at`, `event_id`, `type`, `channel`, `employee_id`, `team`,
    `department`, `counts` (whether it made the promise, moved its due time or settled it; a
    revision that does not count moved nothing), `data` (what else the event says, as JSON has it).
    """
    rows = _listed(cursor, as_of, 1, promise_id=promise_id, **window(None, None))
    told = answer(cursor, ["promises"], as_of, rows)
    if not rows:
        return told
    asked = {"promise_id": promise_id, "as_of": as_of}
    cursor.execute(_FACTS, asked)
    counted = counting(map(PromiseFact._make, cursor.fetchall()))
    steps = [_step(row, counted) for row in fetch(cursor, _SQL["steps"], asked)]
    return replace(told, rows=[rows[0] | {"steps": steps}])


def _step(row: Mapping[str, Any], counted: set[str]) -> dict[str, Any]:
    said = dict(row)
    event_type, raw = said["type"], bytes(said.pop("facts"))
    data = to_json(event_type, decode(bytes(said.pop("fingerprint")), raw))
    own = {name: value for name, value in data.items() if name not in _SHOWN_AS_COLUMNS}
    return said | {"counts": said["event_id"] in counted, "data": own}


def _listed(cursor: PgCursor, as_of: datetime, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    names = ("promise_id", "channel", "customer_id", "verdict", "finding")
    anything = dict.fromkeys((*names, "after_time", "after_promise"))
    return fetch(cursor, _PROMISES, anything | wanted | {"as_of": as_of, "rows": limit})


def promise_quality(
    cursor: PgCursor,
    *,
    as_of: datetime,
    by: Sequence[str] = ("channel",),
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Answer:
    """How well promises due in [from_, to) were made and kept, by group.

    `by` is one or more of DIMENSIONS: as promised, `tier` the customer's at that time, `month` that
    of the due time. Rows, ordered by group: a column for each of `by`, `promises_due`, how many of
    them are `kept`, `kept_late`, `broken`, `overdue`, `pending`, `withdrawn`, `keep_rate`,
    `settled_keep_rate` (without those overdue), `late_median_seconds` over those kept late,
    counting those overdue as still late `late_km_median_seconds` with its 95 % interval `_low` and
    `_high`, `due_moved` (how many), `weighed` (sides weighed / 4), and how many are
    `below_standard`, `below_competitor`, `delivered_otherwise`.

    Raises UnknownDimension.
    """
    grouping.check(by, _DIMENSIONS)
    asked = {"as_of": as_of, **window(from_, to)}
    rows = fetch_waits(
        cursor, _quality(tuple(by)), asked, of=("late_",), percentiles={"median": 0.5}
    )
    rests_on = ["promises", "customers"] if "tier" in by else ["promises"]
    return answer(cursor, rests_on, as_of, rows)


@cache
def _quality(by: tuple[str, ...]) -> str:
    statement = (
        _SQL["quality"]
        .replace("{judged}", JUDGED)
        .replace("{late_seconds}", _SQL["late_seconds"])
        .replace("{held}", _SQL["held"] if "tier" in by else "")
    )
    return grouping.filled(statement, by, _DIMENSIONS)


GROUPS = tuple(grouping.columns(DIMENSIONS, _DIMENSIONS))
"""The columns that name a group of promises."""

_BEHIND_QUALITY = grouping.filled(
    _SQL["behind_quality"]
    .replace("{judged}", JUDGED)
    .replace("{late_seconds}", _SQL["late_seconds"])
    .replace("{held}", _SQL["held"]),
    DIMENSIONS,
    _DIMENSIONS,
)


def behind_promise_quality(cursor: PgCursor, wanted: Behind) -> Answer:
    """The promises behind rows of `promise_quality`, as `projections.explaining.explain` does."""
    return explain(cursor, _BEHIND_QUALITY, wanted, ["promises", "customers"], groups=GROUPS)
