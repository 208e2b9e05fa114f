"""Steps of a complaint in, the complaint out. Pure, and blind to the order of its input.

A row holds from `visible_from` until `visible_to`; a reopening ends one and begins another, so that
no closing is lost and the state as of any instant is one comparison.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, cast

from projections.events import END

RAISED = "complaint.raised.v1"
CLOSED = "complaint.closed.v1"
REOPENED = "complaint.reopened.v1"


class Step(NamedTuple):
    """A row of table `complaint_steps`: one event of a complaint; `data` as it is in JSON."""

    event_id: str
    complaint_id: str
    customer_id: str
    type: str
    occurred_at: datetime
    rank: int
    channel: str | None
    topic: str | None
    product: str | None
    team: str | None
    department: str | None
    employee_id: str | None
    case_id: str | None
    severity: str | None
    outcome: str | None
    data: dict[str, Any]
    position: int
    recorded_at: datetime


class Complaint(NamedTuple):
    """A row of table `complaints`."""

    complaint_id: str
    visible_from: datetime
    visible_to: datetime
    customer_id: str
    channel: str
    severity: str
    topic: str | None
    product: str | None
    team: str | None
    department: str | None
    raised_at: datetime
    raised_by: str
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None
    first_closed_at: datetime | None
    reopened_at: datetime | None
    reopened: int


def fold(steps: Iterable[Step]) -> list[Complaint]:
    """The rows of one complaint; none while only later steps of it are known."""
    ordered = sorted(steps, key=canonical)
    raised = next((step for step in ordered if step.type == RAISED), None)
    if raised is None:
        return []
    rows = [_as_raised(raised)]
    for step in ordered:
        held = rows[-1]
        if step.type == CLOSED and held.closed_at is None:
            rows[-1] = held._replace(
                closed_at=step.occurred_at,
                closed_by=step.event_id,
                outcome=step.outcome,
                first_closed_at=held.first_closed_at or step.occurred_at,
            )
        elif step.type == REOPENED and held.closed_at is not None:
            at = max(step.occurred_at, raised.occurred_at)
            rows[-1] = held._replace(visible_to=at)
            rows.append(
                held._replace(
                    visible_from=at,
                    closed_at=None,
                    closed_by=None,
                    outcome=None,
                    reopened_at=step.occurred_at,
                    reopened=held.reopened + 1,
                )
            )
    return [row for row in rows if row.visible_from < row.visible_to]


def canonical(step: Step) -> tuple[datetime, int, str]:
    """Steps in order: by time, causes first, then by event id."""
    return step.occurred_at, step.rank, step.event_id


def _as_raised(raised: Step) -> Complaint:
    return Complaint(
        raised.complaint_id,
        raised.occurred_at,
        END,
        raised.customer_id,
        cast(str, raised.channel),
        cast(str, raised.severity),
        raised.topic,
        raised.product,
        raised.team,
        raised.department,
        raised.occurred_at,
        raised.event_id,
        None,
        None,
        None,
        None,
        None,
        0,
    )
