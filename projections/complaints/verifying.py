"""Whether a prevention has worked: the complaint did not come back, from whomever. Pure.

It came back if, after a prevention was planned and at most 90 days later, another complaint was
raised for which a prevention against the same root cause is planned, or which says that it repeats
this one. Somebody's word that the prevention works (`complaint.prevention_verified.v1`) is told
with it and proves nothing by itself.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from projections.complaints.case import (
    NOT_APPLICABLE,
    PENDING,
    SATISFIED,
    VIOLATED,
    Case,
    Ruling,
    ids,
)

VERIFIED_AFTER = timedelta(days=90)
"""How long after a prevention was planned nobody may complain of the same again."""


class Further(NamedTuple):
    """A complaint that was raised for something: `about` is a root cause or a complaint repeated.

    `known_by` is the event that says so: the planning of a prevention, or the raising itself.
    """

    about: tuple[str, str]
    raised_at: datetime
    complaint_id: str
    raised_by: str
    known_by: str


class FurtherComplaints:
    """Complaints, to be asked which came back to something."""

    def __init__(self, further: Iterable[Further]) -> None:
        self._by_time: dict[tuple[str, str], list[Further]] = defaultdict(list)
        for each in sorted(further, key=lambda each: (each.raised_at, *each[2:])):
            self._by_time[each.about].append(each)

    def first(
        self, about: tuple[str, str], after: datetime, until: datetime, but: str
    ) -> Further | None:
        """The first complaint about it raised in (after, until], other than the one named."""
        known = self._by_time.get(about, ())
        for each in known[bisect_right(known, after, key=lambda each: each.raised_at) :]:
            if each.raised_at > until:
                return None
            if each.complaint_id != but:
                return each
        return None


def verified(case: Case, further: FurtherComplaints) -> Ruling:
    """How it stands with the preventions planned for a complaint, by what is known at its as-of.

    Violated by the first complaint that comes back, satisfied once the time is over without one;
    not applicable where no prevention was planned.
    """
    planned = case.all("prevention_planned")
    if not planned:
        return Ruling(NOT_APPLICABLE)
    complaint = case.raised.complaint_id
    for plan in planned:
        until = plan.occurred_at + VERIFIED_AFTER
        for about in (("root_cause", plan.data["root_cause"]), ("repeat_of", complaint)):
            again = further.first(about, plan.occurred_at, until, but=complaint)
            if again is not None:
                events = dict.fromkeys((plan.event_id, again.raised_by, again.known_by))
                return Ruling(VIOLATED, tuple(events))
    if case.as_of < planned[-1].occurred_at + VERIFIED_AFTER:
        return Ruling(PENDING)
    return Ruling(SATISFIED, ids(*planned, *case.all("prevention_verified")))
