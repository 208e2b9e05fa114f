"""The questions what happened to complaints, to one of them, and how well they are handled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from projections.complaints.judging import RULES
from projections.complaints.quality import (
    DIMENSIONS,
    GROUPS,
    behind_complaint_quality,
    complaint_quality,
)
from projections.complaints.queries import VERDICTS, complaint, complaints, whose_complaint
from questions.parameters import AsOf, Identifier, Opposite, Paging, Window, groups, one_of
from questions.question import (
    ExplainedRow,
    Explanation,
    OneThing,
    Question,
    RowModel,
    asked_for_all,
    figures_of,
)
from questions.tables import (
    Rows,
    Table,
    by_group,
    column,
    duration,
    in_columns,
    instant,
    number,
    rate,
    words,
)


class ComplaintParameters(Window, Paging):
    """Parameters of the list of complaints."""

    channel: Identifier | None = Field(default=None, description="Only those raised there")
    customer_id: Identifier | None = Field(default=None, description="Only this customer's")
    severity: Identifier | None = Field(default=None, description="low, normal, high or critical")
    open: Annotated[bool | None, Opposite("closed")] = Field(
        default=None, description="Only open ones, or only closed ones"
    )
    verdict: str | None = Field(
        default=None, description="Only those judged like this", json_schema_extra=one_of(VERDICTS)
    )
    violates: str | None = Field(
        default=None,
        description="Only those that violate this rule",
        json_schema_extra=one_of(RULES),
    )


class ComplaintStanding(RowModel):
    """A complaint, as it stood at `as_of`."""

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
    tier: str | None = Field(description="The customer's when it was raised")
    verdict: str
    fitness: float | None
    rules: dict[str, Any]
    verified: dict[str, Any] = Field(description="Whether the prevention has worked")


class ComplaintRow(ComplaintStanding, ExplainedRow):
    """One complaint, as it stood at `as_of`."""


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


class QualityParameters(Window):
    """Parameters of figures about complaints."""

    by: list[str] = groups(DIMENSIONS)


class ComplaintQualityRow(ExplainedRow):
    """How well one group of complaints was handled; a column for each dimension first."""

    channel: str | None = None
    topic: str | None = None
    team: str | None = None
    department: str | None = None
    severity: str | None = None
    tier: str | None = Field(default=None, description="The customer's when it was raised")
    root_cause: str | None = Field(default=None, description="Of the first prevention planned")
    origin: str | None = None
    month: str | None = Field(default=None, description="YYYY-MM of the raising, in UTC")
    complaints: int
    conforming: int
    deviating: int
    open: int
    share_conforming: float | None = Field(description="conforming / (conforming + deviating)")
    fitness: float | None = Field(description="Rules satisfied / (satisfied + violated)")
    violations: dict[str, int] = Field(
        description="Rule: how many complaints violate it, the most frequent first"
    )
    preventions: int = Field(description="Complaints for which a prevention was planned")
    verified: int = Field(description="Of these: the cause did not come back for 90 days")
    recurred: int = Field(description="Of these: it did")
    acknowledge_km_median_seconds: float | None = Field(
        description="From the raising; counts those still waiting; null: not reached"
    )
    acknowledge_km_median_seconds_low: float | None
    acknowledge_km_median_seconds_high: float | None
    apologize_km_median_seconds: float | None
    apologize_km_median_seconds_low: float | None
    apologize_km_median_seconds_high: float | None
    amend_km_median_seconds: float | None
    amend_km_median_seconds_low: float | None
    amend_km_median_seconds_high: float | None
    anticipate_km_median_seconds: float | None
    anticipate_km_median_seconds_low: float | None
    anticipate_km_median_seconds_high: float | None


BEHIND = OneThing("/complaints/", "complaint_id")
COMPLAINTS = Question(
    command="complaints",
    path="/complaints",
    summary="Complaints with what happened to them, by the time they were raised",
    parameters=ComplaintParameters,
    row=ComplaintRow,
    ask=asked_for_all(complaints),
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
    behind=BEHIND,
)


def _steps(rows: Rows) -> Iterable[Table]:
    """The steps of the one complaint, and how it is judged by each rule."""
    [told] = rows
    rules = [{"rule": name} | ruling for name, ruling in told["rules"].items()]
    rules.append({"rule": "beside these, verified"} | told["verified"])
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
    path="/complaints/{complaint_id:id}",
    summary="One complaint, step by step, and how it is judged",
    parameters=AsOf,
    row=ComplaintHistory,
    ask=asked_for_all(complaint),
    tables=_steps,
    subject="complaint_id",
    thing="complaint",
    whose=whose_complaint,
    behind=BEHIND,
)


def _foremost(violations: dict[str, int]) -> str:
    """The three rules that are violated most."""
    return ", ".join(f"{rule} {count:,}" for rule, count in list(violations.items())[:3]) or "–"


COMPLAINT_QUALITY = Question(
    command="complaint-quality",
    path="/complaint-quality",
    summary="How well complaints are handled by the 4A, by group",
    details="Fitness: rules satisfied, of those satisfied or violated. Verified and recurred: of "
    "the complaints for which a prevention was planned, those whose cause did not come back for 90 "
    "days, and those whose did. The four times are medians from the raising that count those still "
    "waiting.",
    parameters=QualityParameters,
    row=ComplaintQualityRow,
    about="figures",
    ask=asked_for_all(complaint_quality),
    tables=by_group(
        number("Complaints", "complaints"),
        number("Conforming", "conforming"),
        number("Deviating", "deviating"),
        number("Open", "open"),
        rate("Share", "share_conforming"),
        rate("Fitness", "fitness"),
        number("Verified", "verified"),
        number("Recurred", "recurred"),
        duration("Acknowledge", "acknowledge_km_median_seconds"),
        duration("Apologize", "apologize_km_median_seconds"),
        duration("Amend", "amend_km_median_seconds"),
        duration("Anticipate", "anticipate_km_median_seconds"),
        column("Violated most", "violations", _foremost, wraps=True),
        after="complaints",
    ),
    behind=Explanation(
        groups=GROUPS,
        figures=figures_of(ComplaintQualityRow, *GROUPS),
        ask=behind_complaint_quality,
    ),
)
