"""The questions what happened to complaints, and to one of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from ledger.datastore import PgCursor
from projections.answers import Answer
from projections.complaints.queries import complaint, complaints
from questions.parameters import AsOf, Identifier, Opposite, Paging, Window
from questions.question import Question, RowModel
from questions.tables import Rows, Table, column, in_columns, instant, number, words


class ComplaintParameters(Window, Paging):
    """Parameters of the list of complaints."""

    channel: Identifier | None = Field(default=None, description="Only those raised there")
    customer_id: Identifier | None = Field(default=None, description="Only this customer's")
    severity: Identifier | None = Field(default=None, description="low, normal, high or critical")
    open: Annotated[bool | None, Opposite("closed")] = Field(
        default=None, description="Only open ones, or only closed ones"
    )


class ComplaintRow(RowModel):
    """One complaint, as it stood at `as_of`."""

    complaint_id: str
    customer_id: str
    channel: str
    severity: str
    topic: str | None
    product: str | None
    team: str | None
    department: str | None
    raised_at: datetime
    closed_at: datetime | None
    outcome: str | None
    first_closed_at: datetime | None
    reopened_at: datetime | None
    reopened: int
    steps: dict[str, int] = Field(description="How many steps of each event type")
    last_step_at: datetime | None
    verdict: str
    fitness: float | None
    rules: dict[str, Any]


class ComplaintStep(RowModel):
    """One step of a complaint."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    event_id: str
    type: str
    channel: str | None
    employee_id: str | None
    team: str | None
    department: str | None
    data: dict[str, Any]


class ComplaintHistory(ComplaintRow):
    """One complaint with its steps in the order in which they happened."""

    steps: list[ComplaintStep]  # type: ignore[assignment]  # told one by one instead of counted


def _ask(cursor: PgCursor, asked: ComplaintParameters) -> Answer:
    return complaints(
        cursor,
        as_of=asked.as_of,
        from_=asked.from_,
        to=asked.to,
        channel=asked.channel,
        customer_id=asked.customer_id,
        severity=asked.severity,
        open_=asked.open,
        limit=asked.limit,
        token=asked.cursor,
    )


def _ask_one(cursor: PgCursor, complaint_id: str, asked: AsOf) -> Answer:
    return complaint(cursor, complaint_id, as_of=asked.as_of)


COMPLAINTS = Question(
    command="complaints",
    path="/complaints",
    summary="Complaints with what happened to them, by the time they were raised",
    parameters=ComplaintParameters,
    row=ComplaintRow,
    ask=_ask,
    tables=in_columns(
        words("Complaint", "complaint_id"),
        words("Customer", "customer_id"),
        column("Channel", "channel"),
        column("Severity", "severity"),
        instant("Raised", "raised_at"),
        instant("Closed", "closed_at"),
        column("Outcome", "outcome"),
        column("Steps", "steps", lambda steps: str(sum(steps.values()))),
        column("Verdict", "verdict"),
    ),
)


def _steps(rows: Rows) -> Iterable[Table]:
    """The steps of the one complaint, and how it is judged by each rule."""
    [told] = rows
    rules = [{"rule": name} | ruling for name, ruling in told["rules"].items()]
    yield Table(
        told["steps"],
        (
            instant("Occurred", "occurred_at"),
            column("Step", "type"),
            column("Channel", "channel"),
            column("By", "employee_id"),
            number("Position", "position"),
        ),
    )
    yield Table(
        rules,
        (column("Rule", "rule"), column("State", "state")),
        title=f"Judged as {told['verdict']}",
    )


COMPLAINT = Question(
    command="complaints",
    path="/complaints/{complaint_id:path}",
    summary="One complaint, step by step, and how it is judged",
    parameters=AsOf,
    row=ComplaintHistory,
    ask=_ask_one,
    tables=_steps,
    subject="complaint_id",
    thing="complaint",
)
