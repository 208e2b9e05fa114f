"""Reads what complaints are judged by, and judges them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from json import loads
from pathlib import Path
from typing import Any, NamedTuple

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.complaints.case import Case, Ruling, case_of
from projections.complaints.fold import Step
from projections.complaints.judging import Judgement, judgement
from projections.complaints.verifying import (
    VERIFIED_AFTER,
    Further,
    FurtherComplaints,
    verified,
)
from projections.policies.book import RuleBook, rule_book

_SQL = named_queries(Path(__file__).with_name("judging.sql"))

_AT_ONCE = 1_000
"""Complaints whose steps are in memory together."""

READ_MODELS = ("complaints", "policies", "customers")
"""What a judgement rests on."""


class Judged(NamedTuple):
    """A complaint judged, and beside it whether its prevention has worked."""

    complaint_id: str
    tier: str | None
    judgement: Judgement
    verified: Ruling


def judged(
    cursor: PgCursor, rows: Sequence[Mapping[str, Any]], *, as_of: datetime
) -> Iterator[Judged]:
    """The judgement of each complaint, in the order of the rows.

    Each row names a `complaint_id`, its `customer_id` and when it was `raised_at`, by `as_of`.
    """
    if not rows:
        return
    since = min(row["raised_at"] for row in rows)
    book = rule_book(cursor, since=since, as_of=as_of)
    further = further_complaints(cursor, [row["complaint_id"] for row in rows], since, as_of)
    for case in cases(cursor, rows, book, as_of=as_of):
        standing = verified(case, further)
        yield Judged(case.raised.complaint_id, case.tier, judgement(case), standing)


def cases(
    cursor: PgCursor, rows: Sequence[Mapping[str, Any]], book: RuleBook, *, as_of: datetime
) -> Iterator[Case]:
    """The case of each complaint at `as_of`, in the order of the rows (as for `judged`).

    Of its steps only what the rules ask for is read.
    """
    for begin in range(0, len(rows), _AT_ONCE):
        yield from _cases(cursor, rows[begin : begin + _AT_ONCE], book, as_of)


def _cases(
    cursor: PgCursor, rows: Sequence[Mapping[str, Any]], book: RuleBook, as_of: datetime
) -> Iterator[Case]:
    complaints = [row["complaint_id"] for row in rows]
    asked = {
        "as_of": as_of,
        "complaints": text_array(complaints),
        "customers": text_array(row["customer_id"] for row in rows),
        "raised": text_array(row["raised_at"].isoformat() for row in rows),
    }
    cursor.execute(_SQL["tiers"], asked)
    tiers: dict[str, str] = dict(cursor.fetchall())
    cursor.execute(_SQL["steps"], asked)
    steps: dict[str, list[Step]] = defaultdict(list)
    customers = {row["complaint_id"]: row["customer_id"] for row in rows}
    for event_id, complaint_id, type_, at, rank, channel, topic, severity, outcome, data in cursor:
        steps[complaint_id].append(
            Step(
                event_id,
                complaint_id,
                customers[complaint_id],
                type_,
                at,
                rank,
                channel,
                topic,
                None,
                None,
                None,
                None,
                None,
                severity,
                outcome,
                _data(data),
                0,
                at,
            )
        )
    for complaint_id in complaints:
        case = case_of(steps.pop(complaint_id), book, tier=tiers.get(complaint_id), as_of=as_of)
        if case is None:
            raise LookupError(f"complaint {complaint_id} is listed before it was raised")
        yield case


@lru_cache(maxsize=4096)
def _data(text: str) -> dict[str, Any]:
    """What a step says; most say what many others say, and are read once."""
    data: dict[str, Any] = loads(text)
    return data


def further_complaints(
    cursor: PgCursor, complaints: Iterable[str], since: datetime, as_of: datetime
) -> FurtherComplaints:
    """The complaints that may have come back to one of these, all raised at `since` or later."""
    asked = {
        "as_of": as_of,
        "since": since,
        "after": VERIFIED_AFTER,
        "complaints": text_array(complaints),
    }
    cursor.execute(_SQL["further"], asked)
    return FurtherComplaints(Further((kind, about), *rest) for kind, about, *rest in cursor)
