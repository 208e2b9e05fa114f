"""How complaints stand by the rules, kept in memory for whoever asks next.

Many complaints are judged for one figure, and nearly all of them as for the figure before. How one
stands is a function of the steps known of it, its customer's tier when it was raised, the policies,
and the instant: and by that alone it changes only where a deadline passes. So it is kept under the
first three, with the stretch of time in which it holds, and nothing has to be told that it is out
of date. See docs/decisions/0130-how-complaints-stand-is-kept-by-what-it-rests-on.md.
"""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ledger.datastore import PgCursor
from ledger.sql import named_queries, text_array
from projections.complaints.case import Case
from projections.complaints.judging import judgement, turns
from projections.complaints.reading import cases
from projections.complaints.verifying import Plan, plans_of
from projections.events import BEGINNING, END
from projections.policies.book import RuleBook, rule_book

_SQL = named_queries(Path(__file__).with_name("judging.sql"))

_KEPT = 32_768
"""How many are kept at most, some 800 bytes each: those asked for last."""

_ROUNDING = timedelta(seconds=1)
"""Business time is measured in floats, which are wrong by less. So near to a deadline nothing is
kept."""


class Standing(NamedTuple):
    """The verdict on a complaint, the state of each of RULES, and the preventions planned for it.

    Those that stand alike have the same object as `states`.
    """

    verdict: str
    states: tuple[str, ...]
    plans: tuple[Plan, ...]


class _Kept(NamedTuple):
    """How a complaint stands at any instant from `since` until `until`."""

    since: datetime
    until: datetime
    standing: Standing


def standings(
    cursor: PgCursor, rows: Sequence[Mapping[str, Any]], *, as_of: datetime
) -> list[Standing]:
    """How each complaint stands at `as_of`, in the order of the rows.

    Each row names a `complaint_id`, its `customer_id` and when it was `raised_at`, by `as_of`.
    """
    if not rows:
        return []
    book = rule_book(cursor, since=min(row["raised_at"] for row in rows), as_of=as_of)
    kept = _kept_of(cursor, rows, book, as_of)
    found = [_at(each, as_of) for each in kept]
    missing = [number for number, standing in enumerate(found) if standing is None]
    judged = cases(cursor, [rows[number] for number in missing], book, as_of=as_of)
    for number, case in zip(missing, judged, strict=True):
        fresh = _judged(case)
        found[number] = fresh.standing
        if fresh.since <= as_of <= fresh.until:
            kept[number].append(fresh)
    return [standing for standing in found if standing is not None]


def _kept_of(
    cursor: PgCursor, rows: Sequence[Mapping[str, Any]], book: RuleBook, as_of: datetime
) -> list[list[_Kept]]:
    """What is kept of each complaint by what is known of it: nothing at first."""
    complaints = [row["complaint_id"] for row in rows]
    cursor.execute(_SQL["known"], {"as_of": as_of, "complaints": text_array(complaints)})
    known = {complaint_id: (steps, tier) for complaint_id, steps, tier in cursor}
    said = book.said
    return [_kept_under(*known[complaint_id], said) for complaint_id in complaints]


@lru_cache(maxsize=_KEPT)
def _kept_under(*key: Hashable) -> list[_Kept]:  # noqa: ARG001  # what is kept depends on it
    """The one list of what is kept under a key, for any number of threads to add to."""
    return []


def _at(kept: list[_Kept], as_of: datetime) -> Standing | None:
    for since, until, standing in kept:
        if since <= as_of <= until:
            return standing
    return None


def _judged(case: Case) -> _Kept:
    """How it stands, and in which stretch of time; that may leave out the case's own as-of."""
    deadlines = list(turns(case))
    past = [deadline for deadline in deadlines if deadline < case.as_of]
    ahead = [deadline for deadline in deadlines if deadline >= case.as_of]
    verdict, _, rules = judgement(case)
    return _Kept(
        max(past, default=BEGINNING) + _ROUNDING,
        min(ahead, default=END) - _ROUNDING,
        Standing(verdict, _states(tuple(each.state for each in rules.values())), plans_of(case)),
    )


@lru_cache(maxsize=4096)
def _states(states: tuple[str, ...]) -> tuple[str, ...]:
    """The first of all that are equal to this."""
    return states
