"""The question how long customers waited."""

from __future__ import annotations

from pydantic import Field

from projections.conversations.fold import FIRST_RESPONSE, METRICS
from projections.conversations.queries import (
    DIMENSIONS,
    GROUPS,
    behind_response_times,
    response_times,
)
from questions.parameters import Identifier, Window, groups, one_of
from questions.question import ExplainedRow, Explanation, Question, asked_for_all, figures_of
from questions.tables import by_group, duration, number, rate


class ResponseTimeParameters(Window):
    """Parameters of response times."""

    metric: str = Field(
        default=FIRST_RESPONSE, description="Which wait", json_schema_extra=one_of(METRICS)
    )
    by: list[str] = groups(DIMENSIONS)
    channel: Identifier | None = Field(default=None, description="Only waits on this channel")


class ResponseTimeRow(ExplainedRow):
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
    business_km_median_seconds: float | None = Field(
        description="The same, counting those still waiting (Kaplan-Meier); null: not reached"
    )
    business_km_median_seconds_low: float | None
    business_km_median_seconds_high: float | None
    judged: int = Field(description="Waits that met their target or are over it")
    within_target: float | None = Field(description="Share of these that met it, from 0 to 1")


WAITS = (
    number("Answered", "answered"),
    number("Waiting", "waiting"),
    duration("Median", "median_seconds"),
    duration("P90", "p90_seconds"),
    duration("P99", "p99_seconds"),
    duration("With waiting", "km_median_seconds"),
    duration("From", "km_median_seconds_low"),
    duration("To", "km_median_seconds_high"),
    duration("Business", "business_median_seconds"),
    rate("Within target", "within_target"),
)
RESPONSE_TIMES = Question(
    command="response-times",
    path="/response-times",
    summary="How long customers waited, by group",
    details="Median, P90 and P99 are over those answered, in calendar time. With waiting: the "
    "median that counts those still waiting, with its 95 % interval. Business: the median of those "
    "answered in business time. Within target: by the service level in force.",
    parameters=ResponseTimeParameters,
    row=ResponseTimeRow,
    about="figures",
    singles=("by=employee",),
    ask=asked_for_all(response_times),
    tables=by_group(*WAITS, after="metric"),
    behind=Explanation(
        groups=GROUPS,
        figures=figures_of(ResponseTimeRow, *GROUPS, "metric"),
        takes=("metric", "channel"),
        ask=behind_response_times,
    ),
)
