"""The question what needs attention now."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from projections.attention.queries import KINDS, LONGEST, attention
from questions.parameters import AsOf, Identifier, Paging, one_of
from questions.question import Question, RowModel, asked_for_all
from questions.tables import column, duration, in_columns, instant, words


class AttentionParameters(AsOf, Paging):
    """Parameters of the list of what needs attention."""

    horizon_seconds: float = Field(
        default=86_400,
        ge=0,
        le=LONGEST,
        description="How far to look ahead; 0: only what is past",
    )
    past_seconds: float | None = Field(
        default=None,
        ge=0,
        le=LONGEST,
        description="Leave out what has been due for longer",
    )
    kind: str | None = Field(
        default=None, description="Only these", json_schema_extra=one_of(KINDS)
    )
    channel: Identifier | None = Field(default=None, description="Only what is due there")


class AttentionRow(RowModel):
    """Something that is due."""

    priority: int = Field(description="1 first: by tier, regulated complaints among the first")
    due_at: datetime
    kind: str
    thing_id: str = Field(description="The promise's, the conversation's or the complaint's")
    step: str = Field(description="What is to be done")
    customer_id: str
    tier: str | None = Field(description="The customer's at `as_of`")
    regulated: bool = Field(
        description="A complaint with a jurisdiction: its clock ignores the tier"
    )
    channel: str
    topic: str | None
    team: str | None
    employee_id: str | None
    events: list[str] = Field(description="Ids of the events that say so")
    seconds_left: float = Field(description="From `as_of` until it is due; negative: past")


ATTENTION = Question(
    command="attention",
    path="/attention",
    summary="What needs attention now: what is due soon or overdue, by tier and time",
    details="Promises to be kept, customers waiting for a reply, steps that complaints need. A "
    "regulated complaint stands among those of the first tier, and no service level for a tier "
    "applies to it.",
    parameters=AttentionParameters,
    row=AttentionRow,
    ask=asked_for_all(attention),
    tables=in_columns(
        column("Tier", "tier"),
        instant("Due", "due_at"),
        duration("Left", "seconds_left"),
        column("Kind", "kind"),
        column("Step", "step"),
        words("Which", "thing_id"),
        words("Customer", "customer_id"),
        column("Channel", "channel"),
        column("Team", "team"),
        column("By", "employee_id"),
    ),
)
