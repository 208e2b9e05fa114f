"""Answers what happened to complaints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries
from projections.answers import (
    LARGEST_PAGE,
    Answer,
    Page,
    WrongParameter,
    answer,
    cut,
    fetch,
    page,
    window,
)
from projections.complaints.case import VIOLATED, Case, Ruling
from projections.complaints.deadlines import deadlines
from projections.complaints.judging import RULES
from projections.complaints.reading import READ_MODELS, cases, judged
from projections.events import END
from projections.policies.book import rule_book

VERDICTS = ("conforming", "deviating", "open")

_SQL = named_queries(Path(__file__).with_name("queries.sql"))

_AHEAD = timedelta(days=366)
"""How far ahead deadlines are told."""


class UnknownVerdict(WrongParameter):
    """Complaints have no such verdict."""

    parameter = "verdict"


class UnknownRule(WrongParameter):
    """Complaints are judged by no such rule."""

    parameter = "violates"


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
    verdict: str | None = None,
    violates: str | None = None,
    limit: int = 100,
    token: str | None = None,
) -> Answer:
    """Complaints raised in [from_, to) and by `as_of`, the oldest first.

    `open_` wants those open (True) or closed (False) at `as_of`, `verdict` is one of VERDICTS, and
    `violates` one of RULES that is to be violated. Rows: `complaint_id`,
    `customer_id`, `channel`, `severity`, `topic`, `product`, `team`, `department`, `raised_at`,
    `closed_at` and `outcome` (of the closing that stands; null while open), `first_closed_at`,
    `reopened_at` (last), `reopened` (how often), `steps` (event type → how many), `last_step_at`,
    `tier` (the customer's when it was raised), `verdict` (conforming, deviating or open), `fitness`
    (satisfied rules of those satisfied or violated; null if there is none), `rules` (name → `state`
    and `events`, the ids of those that decide it), `verified` (alike: whether the prevention has
    worked; it has no part in verdict and fitness).

    Raises UnknownVerdict, UnknownRule, ValueError for a limit outside 1 to 1,000, and BadToken.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise UnknownVerdict(f"verdict must be one of {', '.join(VERDICTS)}")
    if violates is not None and violates not in RULES:
        raise UnknownRule(f"violates must be one of {', '.join(RULES)}")
    wanted = page("complaints", limit, as_of, token)
    asked = {
        "channel": channel,
        "customer_id": customer_id,
        "severity": severity,
        "open": open_,
        **window(from_, to),
    }
    # A judgement is not in the database, so for one of a kind as many are judged as it takes.
    at_once = limit + 1 if verdict is violates is None else LARGEST_PAGE
    judged_ones = (
        row
        for row in _in_turn(cursor, wanted, at_once, asked)
        if verdict in (None, row["verdict"])
        and (violates is None or row["rules"][violates]["state"] == VIOLATED)
    )
    found = list(islice(judged_ones, limit + 1))
    rows, next_ = cut("complaints", wanted, found, ("raised_at", "complaint_id"))
    return answer(cursor, READ_MODELS, wanted.as_of, rows, next_)


def _in_turn(
    cursor: PgCursor, wanted: Page, at_once: int, asked: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The complaints asked for from a page on, so many read and judged together."""
    after = wanted.after or (None, None)
    while True:
        time, complaint_id = after
        keys = {"after_time": time, "after_complaint": complaint_id}
        rows = _listed(cursor, wanted.as_of, at_once, **asked, **keys)
        yield from rows
        if len(rows) < at_once:
            return
        after = rows[-1]["raised_at"], rows[-1]["complaint_id"]


def whose_complaint(cursor: PgCursor, complaint_id: str) -> str | None:
    """The id of the customer whose complaint it is; None if there is none of that id."""
    cursor.execute(_SQL["whose"], {"complaint_id": complaint_id})
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def complaint(cursor: PgCursor, complaint_id: str, *, as_of: datetime) -> Answer:
    """One complaint at `as_of`: one row as in `complaints`, none if it was not raised yet.

    Its `steps` are a list in the order in which they happened: `position`, `occurred_at`,
    `recorded_at`, `event_id`, `type`, `channel`, `employee_id`, `team`, `department`, `data` (what
    only this type of step says, as JSON has it, without personal fields).
    """
    rows = _listed(cursor, as_of, 1, complaint_id=complaint_id, **window(None, None))
    told = answer(cursor, READ_MODELS, as_of, rows)
    if not rows:
        return told
    steps = fetch(cursor, _SQL["steps"], {"complaint_id": complaint_id, "as_of": as_of})
    return replace(told, rows=[rows[0] | {"steps": steps}])


def open_complaints(
    cursor: PgCursor, customers: Sequence[str], as_of: datetime
) -> list[dict[str, Any]]:
    """The rows of `complaints` for some customers' complaints that are open at `as_of`.

    Each with `due`: the steps that it still needs, by their deadlines (`step`, `due_at`).
    """
    rows = [
        row
        for customer_id in customers
        for row in _listed(
            cursor, as_of, LARGEST_PAGE, customer_id=customer_id, open=True, **window(None, None)
        )
    ]
    if not rows:
        return []
    since = min(row["raised_at"] for row in rows)
    ahead = min(as_of, END - _AHEAD) + _AHEAD
    book = rule_book(cursor, since=since, as_of=as_of, until=ahead)
    return [
        row | {"due": _due(case)}
        for row, case in zip(rows, cases(cursor, rows, book, as_of=as_of), strict=True)
    ]


def _due(case: Case) -> list[dict[str, Any]]:
    found = sorted(deadlines(case), key=lambda deadline: deadline.due_at)
    return [{"step": deadline.step, "due_at": deadline.due_at} for deadline in found]


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
    asked = anything | wanted | {"as_of": as_of, "rows": limit}
    return _judged(cursor, as_of, fetch(cursor, _SQL["complaints"], asked))


def _judged(cursor: PgCursor, as_of: datetime, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `tier`, `verdict`, `fitness`, `rules` and `verified`."""
    return [
        row
        | {
            "tier": found.tier,
            "verdict": found.judgement.verdict,
            "fitness": found.judgement.fitness,
            "rules": {name: _ruling(rule) for name, rule in found.judgement.rules.items()},
            "verified": _ruling(found.verified),
        }
        for row, found in zip(rows, judged(cursor, rows, as_of=as_of), strict=True)
    ]


def _ruling(ruling: Ruling) -> dict[str, Any]:
    return {"state": ruling.state, "events": list(ruling.events)}
