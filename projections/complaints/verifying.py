"""Whether a prevention has worked: the complaint did not come back, from whomever. Pure.

It came back if, after a prevention was planned and at most 90 days later, another complaint was
raised for which a prevention against the same root cause is planned, or which says that it repeats
this one. Somebody's word that the prevention works (`complaint.prevention_verified.v1`) is told
with it and proves nothing by itself.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
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


class Plan(NamedTuple):
    """A prevention planned for a complaint."""

    event_id: str
    planned_at: datetime
    root_cause: str


def plans_of(case: Case) -> tuple[Plan, ...]:
    """The preventions planned so far, in order."""
    return tuple(
        Plan(step.event_id, step.occurred_at, step.data["root_cause"])
        for step in case.all("prevention_planned")
    )


def verified(case: Case, further: FurtherComplaints) -> Ruling:
    """How it stands with the preventions planned for a complaint, by what is known at its as-of.

    Violated by the first complaint that comes back, satisfied once the time is over without one;
    not applicable where no prevention was planned.
    """
    plans, complaint_id = plans_of(case), case.raised.complaint_id
    again = _came_back(complaint_id, plans, further)
    if again is not None:
        return Ruling(VIOLATED, tuple(dict.fromkeys(again)))
    state = verified_state(complaint_id, plans, further, as_of=case.as_of)
    if state != SATISFIED:
        return Ruling(state)
    return Ruling(state, ids(*case.all("prevention_planned"), *case.all("prevention_verified")))


def verified_state(
    complaint_id: str, plans: Sequence[Plan], further: FurtherComplaints, *, as_of: datetime
) -> str:
    """The state of `verified` for a complaint with these plans, known at `as_of`."""
    if not plans:
        return NOT_APPLICABLE
    if _came_back(complaint_id, plans, further) is not None:
        return VIOLATED
    return PENDING if as_of < plans[-1].planned_at + VERIFIED_AFTER else SATISFIED


def _came_back(
    complaint_id: str, plans: Sequence[Plan], further: FurtherComplaints
) -> tuple[str, str, str] | None:
    """The events of the first complaint that came back, the plan's before them; None: none did."""
    for plan in plans:
        until = plan.planned_at + VERIFIED_AFTER
        for about in (("root_cause", plan.root_cause), ("repeat_of", complaint_id)):
            again = further.first(about, plan.planned_at, until, but=complaint_id)
            if again is not None:
                return plan.event_id, again.raised_by, again.known_by
    return None
