"""Answers which matters customers brought to two channels."""

from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.answers import Answer, answer, cut, fetch, page, window
from projections.customers.persons import persons

_SQL = named_queries(Path(__file__).with_name("duplicates.sql"))
_LISTED = _SQL["listed"].replace("{duplicates}", _SQL["duplicates"])
_BY_CHANNELS = _SQL["by_channels"].replace("{duplicates}", _SQL["duplicates"])
_READ_MODELS = ("conversations", "customers")


def channel_duplicates(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
    first_channel: str | None = None,
    second_channel: str | None = None,
    customer_id: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Matters that a customer brought to a second channel in [from_, to), by time.

    A contact is a duplicate if the customer's contact before it about the same matter was on
    another channel, and was still waiting for a reply or at most 24 hours ago. A customer is a
    person, under whichever ids that are merged by `as_of`; so is that of `customer_id`. Rows:
    `customer_id`, `topic`, `case_id` (of the second contact), `first_customer_id`, of both
    contacts, `first_` and `second_`: `channel`, `at`, `touchpoint_id`, `event_id`, and
    `first_still_waiting`, `after_seconds` (from the first contact to the second).

    Raises ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    wanted = page("channel duplicates", limit, as_of, token)
    after_time, after_event = wanted.after or (None, None)
    parameters = {
        "as_of": wanted.as_of,
        "first_channel": first_channel,
        "second_channel": second_channel,
        "after_time": after_time,
        "after_event": after_event,
        "rows": limit + 1,
        **_whose(cursor, wanted.as_of, customer_id),
        **window(from_, to),
    }
    found = fetch(cursor, _LISTED, parameters)
    rows, next_ = cut("channel duplicates", wanted, found, ("second_at", "second_event_id"))
    return answer(cursor, _READ_MODELS, wanted.as_of, rows, next_)


def channel_duplicates_by_channels(
    cursor: PgCursor,
    *,
    as_of: datetime,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Answer:
    """How many matters went from one channel to another, the most first.

    Rows: `first_channel`, `second_channel`, `duplicates`, as `channel_duplicates` lists them,
    `customers` (persons), `first_still_waiting` (of the duplicates, those that came while the first
    contact still waited), `after_median_seconds`.
    """
    parameters = {"as_of": as_of, **_whose(cursor, as_of), **window(from_, to)}
    rows = fetch(cursor, _BY_CHANNELS, parameters)
    return answer(cursor, _READ_MODELS, as_of, rows)


def _whose(cursor: PgCursor, as_of: datetime, customer_id: str | None = None) -> dict[str, Any]:
    person = persons(cursor, as_of=as_of)
    return {
        "customer_id": customer_id,
        "person": None if customer_id is None else person.get(customer_id),
        "merged_ids": text_array(person),
        "persons": text_array(person.values()),
    }
