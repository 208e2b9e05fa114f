"""The questions what the back office was asked for, and how long it took."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from projections.support.queries import (
    DIMENSIONS,
    KINDS,
    STATES,
    behind_support_times,
    support_requests,
    support_times,
)
from questions.parameters import Identifier, Paging, Window, one_of, several_of
from questions.question import (
    ExplainedRow,
    Explanation,
    Question,
    RowModel,
    asked_for_all,
    figures_of,
)
from questions.tables import by_group, column, duration, in_columns, instant, number, words


class SupportRequestParameters(Window, Paging):
    """Parameters of the list of requests to the back office."""

    customer_id: Identifier | None = Field(default=None, description="Only this customer's")
    kind: str | None = Field(
        default=None, description="Only this kind", json_schema_extra=one_of(KINDS)
    )
    team: Identifier | None = Field(default=None, description="Only what this team asked for")
    department: Identifier | None = Field(
        default=None, description="Only what this department asked for"
    )
    state: str | None = Field(
        default=None, description="Only these", json_schema_extra=one_of(STATES)
    )


class KeptWaiting(RowModel):
    """What a request belongs to, and how long it waited for the back office."""

    kind: str = Field(description="promise, complaint or case")
    id: str
    from_at: datetime = Field(description="When it was made, raised or begun")
    to_at: datetime | None = Field(description="When it was settled, closed or resolved")
    due_at: datetime | None = Field(description="Of a promise")
    waited_seconds: float = Field(description="How much of its time the request was open")
    late_seconds: float | None = Field(
        description="How much of that lay after the promise was due; null for others"
    )


class SupportRequestRow(RowModel):
    """One request to the back office, as it stood at `as_of`."""

    request_id: str
    customer_id: str
    kind: str
    state: str
    requested_at: datetime
    answered_at: datetime | None
    waited_seconds: float = Field(description="Until the first answer, or so far")
    channel: str | None
    topic: str | None
    product: str | None
    team: str | None
    department: str | None
    employee_id: str | None
    kept_waiting: list[KeptWaiting]
    events: list[str] = Field(
        description="Ids of the events that say so: asked, answered, fulfilled"
    )


REQUESTS = (
    words("Request", "request_id"),
    words("Customer", "customer_id"),
    column("Kind", "kind"),
    column("Asked by", "team"),
    instant("Asked", "requested_at"),
    instant("Answered", "answered_at"),
    column("State", "state"),
    duration("Waited", "waited_seconds"),
    column(
        "Kept waiting",
        "kept_waiting",
        lambda things: ", ".join(f"{thing['kind']} {thing['id']}" for thing in things) or "–",
        wraps=True,
    ),
)
SUPPORT_REQUESTS = Question(
    command="support-requests",
    path="/support-requests",
    summary="What the back office was asked for, by time, and what it kept waiting",
    parameters=SupportRequestParameters,
    row=SupportRequestRow,
    ask=asked_for_all(support_requests),
    tables=in_columns(*REQUESTS),
)


class SupportTimeParameters(Window):
    """Parameters of the times of the back office."""

    by: list[str] = Field(
        default=["kind"],
        description="What to group by; give it several times for several",
        json_schema_extra=several_of(DIMENSIONS),
    )


class SupportTimeRow(ExplainedRow):
    """How long the back office took for one group; one of the first columns for each dimension."""

    kind: str | None = None
    team: str | None = Field(default=None, description="Which asked")
    department: str | None = Field(default=None, description="Which asked")
    channel: str | None = None
    topic: str | None = None
    month: str | None = Field(default=None, description="YYYY-MM, in UTC, of the request")
    requests: int
    answered: int
    fulfilled: int
    open: int
    median_seconds: float | None
    p90_seconds: float | None
    km_median_seconds: float | None = Field(
        description="Median that counts those still open (Kaplan-Meier); null: not reached"
    )
    km_median_seconds_low: float | None
    km_median_seconds_high: float | None


SUPPORT_TIMES = Question(
    command="support-times",
    path="/support-times",
    summary="How long the back office took, by group",
    details="Median and P90 are over the requests answered. With open ones: the median that counts "
    "those still open, with its 95 % interval.",
    parameters=SupportTimeParameters,
    row=SupportTimeRow,
    about="figures",
    ask=asked_for_all(support_times),
    tables=by_group(
        number("Requests", "requests"),
        number("Answered", "answered"),
        number("Fulfilled", "fulfilled"),
        number("Open", "open"),
        duration("Median", "median_seconds"),
        duration("P90", "p90_seconds"),
        duration("With open ones", "km_median_seconds"),
        duration("From", "km_median_seconds_low"),
        duration("To", "km_median_seconds_high"),
        after="requests",
    ),
    behind=Explanation(
        groups=DIMENSIONS,
        figures=figures_of(SupportTimeRow, *DIMENSIONS),
        ask=behind_support_times,
    ),
)
