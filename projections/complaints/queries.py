"""Answers what happened to complaints."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.answers import (
    LARGEST_PAGE,
    Answer,
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
from projections.complaints.standing import standings
from projections.events import END
from projections.policies.book import rule_book

VERDICTS = ("conforming", "deviating", "open")

_SQL = named_queries(Path(__file__).with_name("queries.sql"))
_COMPLAINTS, _CANDIDATES = (
    _SQL[name].replace("{listed}", _SQL["listed"]) for name in ("complaints", "candidates")
)
_ANYTHING: dict[str, Any] = dict.fromkeys(
    (
        "complaints",
        "channel",
        "customer_id",
        "severity",
        "open",
        "after_time",
        "after_complaint",
    )
)

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
    after_time, after_complaint = wanted.after or (None, None)
    asked: dict[str, Any] = {
        "channel": channel,
        "customer_id": customer_id,
        "severity": severity,
        "open": open_,
        "after_time": after_time,
        "after_complaint": after_complaint,
        **window(from_, to),
    }
    if verdict is not None or violates is not None:
        # How one stands is not in the database, so as many are looked at as it takes.
        alike = _alike(cursor, wanted.as_of, asked, verdict, violates)
        asked = {"complaints": text_array(islice(alike, limit + 1)), **window(None, None)}
    found = _listed(cursor, wanted.as_of, limit + 1, **asked)
    rows, next_ = cut("complaints", wanted, found, ("raised_at", "complaint_id"))
    return answer(cursor, READ_MODELS, wanted.as_of, rows, next_)


def _alike(
    cursor: PgCursor,
    as_of: datetime,
    asked: dict[str, Any],
    verdict: str | None,
    violates: str | None,
) -> Iterator[str]:
    """The ids of the complaints asked for that stand like this."""
    while True:
        rows = fetch(
            cursor, _CANDIDATES, _ANYTHING | asked | {"as_of": as_of, "rows": LARGEST_PAGE}
        )
        for row, standing in zip(rows, standings(cursor, rows, as_of=as_of), strict=True):
            if verdict in (None, standing.verdict) and (
                violates is None or standing.states[RULES.index(violates)] == VIOLATED
            ):
                yield row["complaint_id"]
        if len(rows) < LARGEST_PAGE:
            return
        last = rows[-1]
        after = {"after_time": last["raised_at"], "after_complaint": last["complaint_id"]}
        asked = asked | after


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
    rows = _listed(cursor, as_of, 1, complaints=text_array([complaint_id]), **window(None, None))
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
    asked = _ANYTHING | wanted | {"as_of": as_of, "rows": limit}
    return _judged(cursor, as_of, fetch(cursor, _COMPLAINTS, asked))


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
