"""The question how channels compare."""

from __future__ import annotations

from pydantic import Field

from projections.channels.queries import behind_channels, channels
from questions.parameters import Window
from questions.question import ExplainedRow, Explanation, Question, asked_for_all, figures_of
from questions.tables import column, duration, in_columns, number, rate


class ChannelRow(ExplainedRow):
    """What one channel did."""

    channel: str
    touchpoints_in: int
    touchpoints_out: int
    customers: int
    handling_minutes: float | None = Field(
        description="Handling seconds / conversations handled at once, in minutes"
    )
    conversations: int
    answered: int = Field(description="Conversations that got a first response by a human")
    waiting: int = Field(description="Conversations that wait for it")
    first_response_median_seconds: float | None
    first_response_p90_seconds: float | None
    first_response_p99_seconds: float | None
    first_response_km_median_seconds: float | None
    first_response_km_median_seconds_low: float | None
    first_response_km_median_seconds_high: float | None
    answered_any: int = Field(description="Conversations that got one by whomever, bots included")
    first_response_any_median_seconds: float | None
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
    feedback_share: float | None = Field(
        description="Mean place of the score on its own scale, from 0 to 1"
    )
    feedback_response_rate: float | None = Field(
        description="Customers with a touchpoint here who gave feedback here, from 0 to 1"
    )
    adjusted_first_response_median_seconds: float | None
    comparable: bool | None
    reversed_by_adjustment: bool | None


COLUMNS = (
    column("Channel", "channel"),
    number("In", "touchpoints_in"),
    number("Out", "touchpoints_out"),
    number("Customers", "customers"),
    number("Answered", "answered"),
    number("Waiting", "waiting"),
    duration("Median", "first_response_median_seconds"),
    duration("P90", "first_response_p90_seconds"),
    number("Due", "promises_due"),
    number("Kept", "kept"),
    number("Late", "kept_late"),
    number("Broken", "broken"),
    number("Overdue", "overdue"),
    rate("Keep rate", "keep_rate"),
)
CHANNELS = Question(
    command="channels",
    path="/channels",
    summary="How channels compare: volumes, first responses, promises kept, cost, feedback",
    details="Median and P90 are of the time to the first response by a human, over those answered.",
    parameters=Window,
    row=ChannelRow,
    about="figures",
    ask=asked_for_all(channels),
    tables=in_columns(*COLUMNS),
    behind=Explanation(
        groups=("channel",),
        figures=figures_of(ChannelRow, "channel"),
        ask=behind_channels,
    ),
)
