"""Answers what became of promises."""

from datetime import datetime
from pathlib import Path

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import Answer, WrongParameter, answer, cut, fetch, page, window

VERDICTS = ("kept", "kept_late", "broken", "overdue", "pending", "withdrawn")

_SQL = named_queries(Path(__file__).with_name("queries.sql"))

JUDGED = _SQL["judged"]
"""Every promise due in [`from`, `to`) with its verdict at `as_of`: a query to select from."""

_PROMISES = _SQL["promises"].replace("{judged}", JUDGED)


class UnknownVerdict(WrongParameter):
    """Promises have no such verdict."""

    parameter = "verdict"


def promises(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    channel: str | None = None,
    customer_id: str | None = None,
    verdict: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Promises made by `as_of` that are due in [from_, to), by due time.

    `channel` is the one promised on, `verdict` one of VERDICTS. Rows: `promise_id`, `customer_id`,
    `channel`, `made_at`, `due_at` (in force at `as_of`), `settled_at`, `verdict`, `late_seconds`
    (kept_late: when it was kept; overdue: so far; null otherwise).

    Raises UnknownVerdict, ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise UnknownVerdict(f"verdict must be one of {', '.join(VERDICTS)}")
    wanted = page("promises", limit, as_of, token)
    after_time, after_promise = wanted.after or (None, None)
    parameters = {
        "as_of": wanted.as_of,
        "channel": channel,
        "customer_id": customer_id,
        "verdict": verdict,
        "after_time": after_time,
        "after_promise": after_promise,
        "rows": limit + 1,
        **window(from_, to),
    }
    found = fetch(cursor, _PROMISES, parameters)
    rows, next_ = cut("promises", wanted, found, ("due_at", "promise_id"))
    return answer(cursor, ["promises"], wanted.as_of, rows, next_)
