"""What the rows of answers say, for the OpenAPI document. Tests hold real answers against it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Row = TypeVar("Row", bound="RowModel")


class RowModel(BaseModel):
    """A row that says exactly these things."""

    model_config = ConfigDict(extra="forbid")


class ListAnswer(BaseModel, Generic[Row]):
    """Rows, and what they were computed from."""

    model_config = ConfigDict(extra="forbid")

    position: int = Field(description="Computed from all events up to this position")
    as_of: datetime = Field(description="Nothing that happened later counts")
    known_at: datetime | None = Field(description="When the event at `position` was recorded")
    metric_version: int = Field(description="Version of the definitions")
    rows: list[Row]
    next: str | None = Field(description="The `cursor` that asks for the rows that follow")


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


class ChannelRow(RowModel):
    """What one channel did."""

    channel: str
    touchpoints_in: int
    touchpoints_out: int
    customers: int
    conversations: int
    answered: int = Field(description="Conversations that got a first response by a human")
    waiting: int = Field(description="Conversations that wait for it")
    first_response_median_seconds: float | None
    first_response_p90_seconds: float | None
    first_response_km_median_seconds: float | None
    first_response_km_median_seconds_low: float | None
    first_response_km_median_seconds_high: float | None
    resolution_median_seconds: float | None
    promises_due: int
    kept: int
    kept_late: int
    broken: int
    overdue: int
    pending: int
    withdrawn: int
    keep_rate: float | None = Field(
        description="kept / (kept + kept_late + broken + overdue), from 0 to 1"
    )
    cost: float | None
    cost_per_resolved: float | None
    first_contact_resolution: float | None
    abandoned: int
    complaints_per_1000: float | None
    feedback_n: int
    feedback_mean: float | None
    adjusted_first_response_median_seconds: float | None
    comparable: bool | None
    reversed_by_adjustment: bool | None


class ResponseTimeRow(RowModel):
    """How long one group of customers waited; one of the first columns for each dimension."""

    channel: str | None = None
    topic: str | None = None
    team: str | None = None
    department: str | None = None
    employee_id: str | None = None
    tier: str | None = Field(default=None, description="The customer's when the wait began")
    month: str | None = Field(default=None, description="YYYY-MM, in UTC")
    metric: str
    answered: int
    waiting: int
    median_seconds: float | None
    p90_seconds: float | None
    p99_seconds: float | None
    km_median_seconds: float | None = Field(
        description="Median that counts those still waiting (Kaplan-Meier); null: not reached"
    )
    km_median_seconds_low: float | None
    km_median_seconds_high: float | None
    business_median_seconds: float | None = Field(
        description="In the calendar of the service level in force when the wait began"
    )
    business_p90_seconds: float | None
    business_p99_seconds: float | None
    judged: int = Field(description="Waits that met their target or are over it")
    within_target: float | None = Field(description="Share of these that met it, from 0 to 1")


class PromiseRow(RowModel):
    """One promise, as it was judged at `as_of`."""

    promise_id: str
    customer_id: str
    channel: str
    made_at: datetime
    due_at: datetime
    settled_at: datetime | None
    verdict: str
    late_seconds: float | None


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
    verdict: str | None
    fitness: float | None
    rules: dict[str, Any] | None


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
