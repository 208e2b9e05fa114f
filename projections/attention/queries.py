"""Answers what needs attention now."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest
from pathlib import Path
from typing import Any, NamedTuple

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.answers import Answer, WrongParameter, answer, cut, fetch, page
from projections.complaints.deadlines import deadlines
from projections.complaints.reading import cases
from projections.events import BEGINNING
from projections.policies.book import RuleBook, rule_book

KINDS = ("promise", "reply", "complaint")
"""What can need attention."""

LONGEST = 366 * 86_400
"""In seconds: no list is asked to look ahead, or only so far back, further than a year."""

_NAMED = named_queries(Path(__file__).with_name("queries.sql"))
_SQL = {
    name: text.replace("{priority}", _NAMED["priority"]).replace("{held}", _NAMED["held"])
    for name, text in _NAMED.items()
}
_READ_MODELS = ("promises", "conversations", "complaints", "policies", "customers")
_TIERS = ("most_valuable", "most_growable", "low_contribution", "negative")
_LAST_PRIORITY = len(_TIERS) + 1


class UnknownKind(WrongParameter):
    """Nothing of that kind needs attention."""

    parameter = "kind"


class Item(NamedTuple):
    """Something that is due, in the order of the list. `kind`, `thing_id` and `step` name it.

    `priority` is 1 for the first tier and for regulated complaints, up to 5 for customers who are
    in none. Whoever acted last in a complaint is not told here.
    """

    priority: int
    due_at: datetime
    kind: str
    thing_id: str
    step: str
    customer_id: str
    tier: str | None
    regulated: bool
    channel: str
    topic: str | None
    team: str | None
    employee_id: str | None
    events: tuple[str, ...]


_KEY = ("priority", "due_at", "kind", "thing_id", "step")


def attention(
    cursor: PgCursor,
    *,
    as_of: datetime,
    horizon_seconds: float = 86_400,
    past_seconds: float | None = None,
    kind: str | None = None,
    channel: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """What is due at `as_of`, or will be in `horizon_seconds`: by tier, then by when it is due.

    `past_seconds` leaves out what has been due for longer.

    Complaints with a jurisdiction are not put back for the customer's tier: they stand among those
    of the first one. `kind` is one of KINDS. Rows: `priority` (1 first), `due_at`, `seconds_left`
    (negative: past), `kind`, `thing_id` (of the promise, the conversation, the complaint), `step`
    (what is to be done: keep; first_response or next_reply; acknowledge, apologize, amend, decide,
    resolution or anticipate), `customer_id`, `tier` (at `as_of`), `regulated`, `channel`, `topic`,
    `team`, `employee_id`, `events` (the ids of those that say so, service levels among them).

    Raises UnknownKind, ValueError for a limit outside 1 to 1,000 or seconds outside 0 to LONGEST,
    and BadToken.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownKind(f"kind must be one of {', '.join(KINDS)}")
    if not all(0 <= told <= LONGEST for told in (horizon_seconds, past_seconds or 0)):
        raise ValueError(f"the horizon and what is past must be from 0 to {LONGEST} seconds")
    wanted = page("attention", limit, as_of, token)
    until = wanted.as_of + timedelta(seconds=horizon_seconds)
    since = BEGINNING if past_seconds is None else wanted.as_of - timedelta(seconds=past_seconds)
    asked = {
        "as_of": wanted.as_of,
        "since": since,
        "until": until,
        "channel": channel,
        "tiers": list(_TIERS),
    }
    after = None
    if wanted.after is not None:
        priority, due_at, *rest = wanted.after
        after = (priority, datetime.fromisoformat(due_at), *rest)
    kinds = KINDS if kind is None else (kind,)
    found = _first_due(cursor, asked, kinds, after, limit + 1)
    rows = _rows(cursor, found, wanted.as_of)
    rows, next_ = cut("attention", wanted, rows, _KEY)
    return answer(cursor, _READ_MODELS, wanted.as_of, rows, next_)


def _first_due(
    cursor: PgCursor,
    asked: Mapping[str, Any],
    kinds: Sequence[str],
    after: tuple[Any, ...] | None,
    wanted: int,
) -> list[Item]:
    """So many items of these kinds that are due first, of those after a key.

    Most pages end within the first priority, which few have: the others are looked for together
    where it has not enough.
    """
    first = after[0] if after else 1
    found: list[Item] = []
    for priorities in ([first], list(range(first + 1, _LAST_PRIORITY + 1))):
        if priorities and len(found) < wanted:
            due = (
                item
                for kind in kinds
                for item in _SOURCES[kind](cursor, {**asked, "priorities": priorities})
                if asked["since"] <= item.due_at <= asked["until"]
                and (after is None or item[: len(_KEY)] > after)
            )
            found += nsmallest(wanted - len(found), due)
    return found


def _rows(cursor: PgCursor, items: Sequence[Item], as_of: datetime) -> list[dict[str, Any]]:
    complaints = text_array(item.thing_id for item in items if item.kind == "complaint")
    cursor.execute(_SQL["acting"], {"complaints": complaints, "as_of": as_of})
    acting = {complaint_id: who for complaint_id, *who in cursor}
    return [_row(item, acting.get(item.thing_id), as_of) for item in items]


def _row(item: Item, acting: Sequence[str | None] | None, as_of: datetime) -> dict[str, Any]:
    row = item._asdict() | {
        "seconds_left": (item.due_at - as_of).total_seconds(),
        "events": list(item.events),
    }
    if item.kind == "complaint" and acting is not None:
        team, row["employee_id"] = acting
        row["team"] = item.team if team is None else team
    return row


def _promises(cursor: PgCursor, asked: dict[str, Any]) -> Iterator[Item]:
    """Promises that nothing has settled."""
    for row in fetch(cursor, _SQL["promises"], asked):
        yield Item(
            row["priority"],
            row["due_at"],
            "promise",
            row["promise_id"],
            "keep",
            row["customer_id"],
            row["tier"],
            False,
            row["channel"],
            row["topic"],
            row["team"],
            row["employee_id"],
            tuple(dict.fromkeys((row["made_by"], row["due_by"]))),
        )


def _replies(cursor: PgCursor, asked: dict[str, Any]) -> Iterator[Item]:
    """Conversations in which somebody waits for a person, by the service level that ends first."""
    rows = fetch(cursor, _SQL["waits"], asked)
    if not rows:
        return
    book = _book(cursor, asked, since=min(row["started_at"] for row in rows))
    first: dict[str, Item] = {}
    for row in rows:
        item = _reply(row, book)
        if item is not None and (
            item.thing_id not in first or item.due_at < first[item.thing_id].due_at
        ):
            first[item.thing_id] = item
    yield from first.values()


def _reply(row: dict[str, Any], book: RuleBook) -> Item | None:
    """The wait, if a service level says until when."""
    level = book.levels.level(
        row["metric"],
        row["started_at"],
        channel=row["channel"],
        topic=row["topic"],
        tier=row["tier_then"],
    )
    due_at = level and book.due_at(level, row["started_at"])
    if level is None or due_at is None:
        return None
    return Item(
        row["priority"],
        due_at,
        "reply",
        row["conversation_id"],
        row["metric"],
        row["customer_id"],
        row["tier"],
        False,
        row["channel"],
        row["topic"],
        row["team"],
        None,
        (row["started_by"], level.event_id),
    )


def _complaints(cursor: PgCursor, asked: dict[str, Any]) -> Iterator[Item]:
    """Steps that complaints still need; the clock of a regulated one does not know the tier."""
    rows = fetch(cursor, _SQL["complaints"], asked)
    if not rows:
        return
    book = _book(cursor, asked, since=min(row["raised_at"] for row in rows))
    for row, case in zip(rows, cases(cursor, rows, book, as_of=asked["as_of"]), strict=True):
        for deadline in deadlines(case):
            yield Item(
                row["priority"],
                deadline.due_at,
                "complaint",
                row["complaint_id"],
                deadline.step,
                row["customer_id"],
                row["tier"],
                case.regulated,
                row["channel"],
                row["topic"],
                row["team"],
                None,
                deadline.events,
            )


_SOURCES = {"promise": _promises, "reply": _replies, "complaint": _complaints}


def _book(cursor: PgCursor, asked: dict[str, Any], *, since: datetime) -> RuleBook:
    return rule_book(cursor, since=since, as_of=asked["as_of"], until=asked["until"])
