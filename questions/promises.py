"""The questions what became of promises, of one of them, and how well they are made and kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from projections.promises.queries import (
    DIMENSIONS,
    FINDINGS,
    GROUPS,
    VERDICTS,
    behind_promise_quality,
    promise,
    promise_quality,
    promises,
    whose_promise,
)
from questions.parameters import AsOf, Identifier, Paging, Window, groups, one_of
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


class PromiseParameters(Window, Paging):
    """Parameters of the list of promises."""

    channel: Identifier | None = Field(default=None, description="Only those made there")
    customer_id: Identifier | None = Field(default=None, description="Only this customer's")
    verdict: str | None = Field(
        default=None, description="Only these", json_schema_extra=one_of(VERDICTS)
    )
    finding: str | None = Field(
        default=None,
        description="Only those of which this is to be said",
        json_schema_extra=one_of(FINDINGS),
    )


class QualityParameters(Window):
    """Parameters of figures about promises."""

    by: list[str] = groups(DIMENSIONS)


class PromiseRow(ExplainedRow):
    """One promise, as it was judged at `as_of`."""

    promise_id: str
    customer_id: str
    channel: str
    topic: str | None
    team: str | None
    department: str | None
    employee_id: str | None
    made_at: datetime
    due_at: datetime
    settled_at: datetime | None
    verdict: str
    late_seconds: float | None
    revised: int = Field(description="How often somebody wanted to move the due time")
    due_moved: bool = Field(description="Whether one of these revisions moved it")
    industry_standard: str | None = Field(description="below, meets or above; null: not weighed")
    competitor: str | None
    customer_need: str | None
    internal_resources: str | None
    weighed: float = Field(description="Share of the four sides that were weighed")
    differentiator: str | None
    promised_value: str | None
    observed_value: str | None
    below_standard: bool
    below_competitor: bool = Field(description="And no differentiator makes up for it")
    delivered_otherwise: bool = Field(description="Kept with another value than promised")


class PromiseStep(RowModel):
    """One thing that was said about a promise."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    event_id: str
    type: str
    channel: str | None
    employee_id: str | None
    team: str | None
    department: str | None
    counts: bool = Field(description="It made the promise, moved its due time or settled it")
    data: dict[str, Any]


class PromiseHistory(PromiseRow):
    """One promise with what was said about it, in the order in which it happened."""

    steps: list[PromiseStep]


class PromiseQualityRow(ExplainedRow):
    """How well one group of promises was made and kept; a column for each dimension first."""

    channel: str | None = None
    topic: str | None = None
    team: str | None = None
    department: str | None = None
    employee_id: str | None = None
    tier: str | None = Field(default=None, description="The customer's when it was made")
    month: str | None = Field(default=None, description="YYYY-MM of the due time, in UTC")
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
    settled_keep_rate: float | None = Field(description="The same without those overdue")
    late_median_seconds: float | None = Field(description="Over those kept late")
    late_km_median_seconds: float | None = Field(
        description="Median that counts those overdue as still late; null: not reached"
    )
    late_km_median_seconds_low: float | None
    late_km_median_seconds_high: float | None
    due_moved: int
    weighed: float = Field(description="Sides weighed, of four for each promise")
    below_standard: int
    below_competitor: int
    delivered_otherwise: int


BEHIND = OneThing("/promises/", "promise_id")
PROMISES = Question(
    command="promises",
    path="/promises",
    summary="Promises with what became of them, by the time they are due",
    parameters=PromiseParameters,
    row=PromiseRow,
    ask=asked_for_all(promises),
    tables=in_columns(
        words("Promise", "promise_id"),
        words("Customer", "customer_id"),
        column("Channel", "channel"),
        instant("Made", "made_at"),
        instant("Due", "due_at"),
        instant("Settled", "settled_at"),
        column("Verdict", "verdict"),
        duration("Late by", "late_seconds"),
    ),
    behind=BEHIND,
)


def _due(data: Mapping[str, Any]) -> str:
    return str(data["due_at"])[:19].replace("T", " ") if "due_at" in data else "–"


def _steps(rows: Rows) -> Iterable[Table]:
    """What was said about the one promise, and where it stands."""
    [told] = rows
    yield Table(
        told["steps"],
        (
            instant("Occurred", "occurred_at"),
            column("Said", "type"),
            column("Counts", "counts", lambda counts: "yes" if counts else "no"),
            column("Due", "data", _due),
            column("By", "employee_id"),
            number("Position", "position"),
        ),
        title=f"{told['verdict']}, due {told['due_at']}",
    )


PROMISE = Question(
    command="promises",
    path="/promises/{promise_id:id}",
    summary="One promise, step by step, and which steps count",
    parameters=AsOf,
    row=PromiseHistory,
    ask=asked_for_all(promise),
    tables=_steps,
    subject="promise_id",
    thing="promise",
    whose=whose_promise,
    behind=BEHIND,
)
PROMISE_QUALITY = Question(
    command="promise-quality",
    path="/promise-quality",
    summary="How well promises are made and kept, by group",
    details="Settled: the keep rate without those overdue. Late by: the median of those kept late. "
    "Still late: the median that counts those overdue. Weighed: sides weighed, of four for each. "
    "Below standard must be 0.",
    parameters=QualityParameters,
    row=PromiseQualityRow,
    about="figures",
    singles=("by=employee",),
    ask=asked_for_all(promise_quality),
    tables=by_group(
        number("Due", "promises_due"),
        number("Kept", "kept"),
        number("Late", "kept_late"),
        number("Broken", "broken"),
        number("Overdue", "overdue"),
        number("Pending", "pending"),
        number("Withdrawn", "withdrawn"),
        rate("Keep rate", "keep_rate"),
        rate("Settled", "settled_keep_rate"),
        duration("Late by", "late_median_seconds"),
        duration("Still late", "late_km_median_seconds"),
        rate("Weighed", "weighed"),
        number("Below standard", "below_standard"),
        number("Below competitor", "below_competitor"),
        number("Otherwise", "delivered_otherwise"),
        after="promises_due",
    ),
    behind=Explanation(
        groups=GROUPS, figures=figures_of(PromiseQualityRow, *GROUPS), ask=behind_promise_quality
    ),
)
