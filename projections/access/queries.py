"""Answers who looked, and who did what."""

from datetime import datetime
from pathlib import Path

from ledger.access import ACTIONS
from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import Answer, WrongParameter, answer, cut, fetch, page, window
from projections.customers.persons import ever_together

_SQL = named_queries(Path(__file__).with_name("queries.sql"))
_LIST = "access-log"


class UnknownAction(WrongParameter):
    """Nobody does anything of that name."""

    parameter = "action"


def access_log(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    customer_id: str | None = None,
    who: str | None = None,
    action: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Who did what in [from_, to) and by `as_of`, the latest first.

    With `customer_id` only what was about that person, under whichever of their ids; `action` is
    one of `ledger.access.ACTIONS`. Rows: `position`, `event_id`, `occurred_at`, and what the event
    says: `who`, `role`, `token_id`, `via`, `action`, `question`, `kind`, `ids`, `customer_id` and
    `details`, null where that does not apply.

    Raises UnknownAction, ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    if action is not None and action not in ACTIONS:
        raise UnknownAction(f"must be one of {', '.join(ACTIONS)}")
    wanted = page(_LIST, limit, as_of, token)
    after_time, after_event = wanted.after or (None, None)
    parameters = {
        "as_of": wanted.as_of,
        "customers": None if customer_id is None else ever_together(cursor, customer_id),
        "who": who,
        "action": action,
        "after_time": after_time,
        "after_event": after_event,
        "rows": limit + 1,
        **window(from_, to),
    }
    found = fetch(cursor, _SQL["access_log"], parameters)
    rows, next_ = cut(_LIST, wanted, found, ("occurred_at", "event_id"))
    return answer(cursor, ["access", "customers"], wanted.as_of, rows, next_)
