"""What still has to be done about a complaint, and until when. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from projections.complaints.case import Case, ids
from projections.complaints.fold import Step
from projections.complaints.judging import ANTICIPATED_WITHIN


class Deadline(NamedTuple):
    """A step that was not taken yet, until when it should be, and the events that say so."""

    step: str
    due_at: datetime
    events: tuple[str, ...]


def deadlines(case: Case) -> Iterator[Deadline]:
    """What is owed at the case's as-of, by the service levels in force when it was raised.

    Until it is closed: to acknowledge, to apologize where that is needed, to decide, to offer
    amends if it is upheld, and to resolve it. After it: to plan a prevention if it was upheld,
    within 30 days or the service level's time from the closing. What has no deadline is left out.
    """
    closing = case.closing
    if closing is None:
        for step in _open(case):
            yield from _by_level(case, step, case.raised)
    elif case.upheld and case.first("prevention_planned") is None:
        due_at = closing.occurred_at + ANTICIPATED_WITHIN
        agreed = [each for each in _by_level(case, "anticipate", closing) if each.due_at < due_at]
        yield from agreed or [Deadline("anticipate", due_at, ids(case.raised, closing))]


def _open(case: Case) -> Iterator[str]:
    """The steps that an open complaint still needs."""
    if case.acknowledged is None:
        yield "acknowledge"
    if case.apology_needed_by() is not None and not case.all("apologized"):
        yield "apologize"
    if not case.decisions:
        yield "decide"
    if case.upheld and case.first("amends_offered", "amends_delivered") is None:
        yield "amend"
    yield "resolution"


def _by_level(case: Case, step: str, since: Step) -> Iterator[Deadline]:
    level = case.level(step)
    due_at = level and case.book.due_at(level, since.occurred_at)
    if due_at:
        yield Deadline(step, due_at, ids(case.raised, since, level))
