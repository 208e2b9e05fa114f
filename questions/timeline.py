"""The question what happened with a customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from ledger.datastore import PgCursor
from projections.answers import Answer
from projections.timeline.queries import timeline
from questions.parameters import AsOf, Moment, Paging
from questions.question import Question, RowModel
from questions.tables import column, in_columns, instant, number, words


class TimelineParameters(AsOf, Paging):
    """Parameters of a timeline."""

    known_at: Moment | None = Field(
        default=None,
        description="Only what was recorded by then: an instant, or a position of the ledger",
    )


class TimelineRow(RowModel):
    """One event of a customer."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    source: str
    id: str
    type: str
    channel: str | None
    employee_id: str | None
    summary: str
    data: dict[str, Any] = Field(description="The event's fields without personal ones")


def _ask(cursor: PgCursor, customer_id: str, asked: TimelineParameters) -> Answer:
    return timeline(
        cursor,
        customer_id,
        as_of=asked.as_of,
        known_at=asked.known_at,
        limit=asked.limit,
        token=asked.cursor,
    )


COLUMNS = (
    instant("Occurred", "occurred_at"),
    column("Event", "type", lambda type_: type_.removesuffix(".v1")),
    column("Channel", "channel"),
    column("By", "employee_id"),
    words("What happened", "summary"),
    number("Position", "position"),
)
TIMELINE = Question(
    command="timeline",
    path="/customers/{customer_id:path}/timeline",
    summary="What happened with a customer, in the order in which it happened",
    parameters=TimelineParameters,
    row=TimelineRow,
    ask=_ask,
    tables=in_columns(*COLUMNS),
    subject="customer_id",
)
