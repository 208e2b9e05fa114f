"""The question what happened with a customer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import Field

from projections.timeline.queries import timeline
from questions.parameters import AsOf, Paging
from questions.question import ExplainedRow, OneThing, Question, asked_for_all
from questions.tables import Rows, Table, column, instant, number, words


class TimelineParameters(AsOf, Paging):
    """Parameters of a timeline."""

    only_this_id: bool = Field(
        default=False,
        description="Without the events of other ids that are merged with this one",
    )


class TimelineRow(ExplainedRow):
    """One event of a customer."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    source: str
    id: str
    type: str
    customer_id: str = Field(description="Another id of the same person where they are merged")
    channel: str | None
    employee_id: str | None
    summary: str
    data: dict[str, Any] = Field(description="The event's fields without personal ones")


def _tables(rows: Rows) -> Iterable[Table]:
    """One table; whose an event is stands in it where it is of several ids."""
    several = len({row["customer_id"] for row in rows}) > 1
    columns = (
        instant("Occurred", "occurred_at"),
        *([words("Customer", "customer_id")] if several else []),
        column("Event", "type", lambda type_: type_.removesuffix(".v1")),
        column("Channel", "channel"),
        column("By", "employee_id"),
        words("What happened", "summary"),
        number("Position", "position"),
    )
    return [Table(rows, columns)]


TIMELINE = Question(
    command="timeline",
    path="/customers/{customer_id:id}/timeline",
    summary="What happened with a customer, in the order in which it happened",
    details="Of a customer who is one person with other ids, theirs is there as well.",
    parameters=TimelineParameters,
    row=TimelineRow,
    ask=asked_for_all(timeline),
    tables=_tables,
    subject="customer_id",
    behind=OneThing("/events/by-position/", "position", as_of=False),
)
