"""The question what one should know of a customer before calling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from projections.customers.page import customer
from questions.complaints import ComplaintStanding
from questions.parameters import AsOf
from questions.question import ExplainedRow, OneThing, Question, RowModel, asked_for_all
from questions.support import REQUESTS, SupportRequestRow
from questions.tables import (
    Column,
    Rows,
    Table,
    column,
    duration,
    in_words,
    instant,
    money,
    number,
    words,
)


class CustomerParameters(AsOf):
    """Parameters of a customer's page."""

    only_this_id: bool = Field(
        default=False, description="Without what is known of other ids of the same person"
    )


class IdentityPart(RowModel):
    """Another id of the same person."""

    customer_id: str
    merged_at: datetime
    merged_by: str = Field(description="Id of the event that says so")


class TierPart(RowModel):
    """A tier, and from when until when the customer was in it."""

    customer_id: str
    tier: str
    valid_from: datetime
    valid_to: datetime | None
    contribution: float | None
    currency: str | None


class SpentPart(RowModel):
    """What the customer bought for, in one currency."""

    currency: str | None
    amount: float


class WaitingPart(RowModel):
    """What the customer waits for."""

    metric: str = Field(description="next_reply or full_resolution")
    conversation_id: str
    customer_id: str
    channel: str
    topic: str | None
    team: str | None
    department: str | None
    started_at: datetime
    waiting_seconds: float


class PromisePart(RowModel):
    """A promise that is pending or overdue."""

    promise_id: str
    customer_id: str
    statement: str
    channel: str
    team: str | None
    department: str | None
    employee_id: str | None
    made_at: datetime
    due_at: datetime
    verdict: str
    late_seconds: float | None


class DuePart(RowModel):
    """What an open complaint waits for."""

    step: str = Field(description="acknowledge, apologize, decide, amend or resolution")
    due_at: datetime


class OpenComplaintPart(ComplaintStanding):
    """A complaint that is open."""

    due: list[DuePart]


class StatementPart(RowModel):
    """What the customer was told and still holds."""

    statement_id: str
    customer_id: str
    claim_key: str
    value: str
    told_at: datetime
    valid_until: datetime | None
    channel: str | None
    employee_id: str | None


class EmployeePart(RowModel):
    """Somebody who had to do with the customer."""

    employee_id: str
    teams: list[str]
    departments: list[str]
    channels: list[str]
    first_at: datetime
    last_at: datetime
    times: int


class TouchpointPart(RowModel):
    """One of the last touchpoints."""

    touchpoint_id: str
    customer_id: str
    occurred_at: datetime
    channel: str
    direction: str
    handled_by: str
    topic: str | None
    outcome: str | None
    employee_id: str | None
    team: str | None
    department: str | None


class FeedbackPart(RowModel):
    """One of the last times that the customer gave feedback."""

    feedback_id: str
    customer_id: str
    given_at: datetime
    channel: str | None
    kind: str
    instrument: str
    score: float | None
    scale_min: float | None
    scale_max: float | None
    touchpoint_id: str | None
    complaint_id: str | None
    promise_id: str | None


class CostPart(RowModel):
    """What serving the customer on one channel has cost."""

    channel: str
    touchpoints: int
    handling_seconds: float
    cost: float | None
    currency: str | None


class CustomerPage(ExplainedRow):
    """What is known of one customer at `as_of`."""

    customer_id: str
    identities: list[IdentityPart]
    known_since: datetime
    last_event_at: datetime
    events: int
    tier: str | None
    tier_since: datetime | None
    tiers: list[TierPart]
    credit: str | None = Field(description="frozen or released; null: never said")
    credit_since: datetime | None
    lapsed_at: datetime | None = Field(description="Unless something was bought since")
    lapse_reason: str | None
    purchases: int
    first_purchase_at: datetime | None
    last_purchase_at: datetime | None
    spent: list[SpentPart]
    waiting: list[WaitingPart]
    promises: list[PromisePart]
    complaints: list[OpenComplaintPart]
    requests: list[SupportRequestRow]
    statements: list[StatementPart]
    employees: list[EmployeePart]
    touchpoints: list[TouchpointPart]
    feedback: list[FeedbackPart]
    cost: float | None
    currency: str | None
    costs: list[CostPart]


_LINES = 12
"""How many rows of a part people see: more than that is no page to read before a call."""

_DUE = column(
    "Next",
    "due",
    lambda due: "; ".join(map(_next, due)) or "–",
    wraps=True,
)


def _next(due: Mapping[str, Any]) -> str:
    return f"{due['step']} by {str(due['due_at'])[:16].replace('T', ' ')}"


def _listed(heading: str, name: str) -> Column:
    return column(heading, name, lambda values: ", ".join(values) or "–", wraps=True)


_PARTS: dict[str, tuple[str, tuple[Column, ...]]] = {
    "waiting": (
        "Waits for",
        (
            column("For", "metric", lambda metric: metric.replace("_", " ")),
            column("Channel", "channel"),
            column("Topic", "topic"),
            column("Team", "team"),
            instant("Since", "started_at"),
            duration("Waiting", "waiting_seconds"),
        ),
    ),
    "promises": (
        "Promised and not settled",
        (
            words("Promise", "promise_id"),
            words("What", "statement"),
            column("Channel", "channel"),
            instant("Due", "due_at"),
            column("Verdict", "verdict"),
            duration("Late by", "late_seconds"),
        ),
    ),
    "complaints": (
        "Complaints that are open",
        (
            words("Complaint", "complaint_id"),
            column("Channel", "channel"),
            column("Severity", "severity"),
            column("Topic", "topic"),
            instant("Raised", "raised_at"),
            column("Verdict", "verdict"),
            _DUE,
        ),
    ),
    "requests": ("Asked of the back office", REQUESTS),
    "statements": (
        "Was told, and it holds",
        (
            words("About", "claim_key"),
            words("What", "value"),
            column("Channel", "channel"),
            column("By", "employee_id"),
            instant("When", "told_at"),
            instant("Until", "valid_until"),
        ),
    ),
    "employees": (
        "Dealt with by",
        (
            column("Employee", "employee_id"),
            _listed("Teams", "teams"),
            _listed("Departments", "departments"),
            _listed("Channels", "channels"),
            instant("First", "first_at"),
            instant("Last", "last_at"),
            number("Times", "times"),
        ),
    ),
    "touchpoints": (
        "Last touchpoints",
        (
            instant("When", "occurred_at"),
            column("Channel", "channel"),
            column("Direction", "direction"),
            column("Topic", "topic"),
            column("Outcome", "outcome"),
            column("Handled by", "handled_by"),
            column("Employee", "employee_id"),
        ),
    ),
    "feedback": (
        "Last feedback",
        (
            instant("When", "given_at"),
            column("Instrument", "instrument"),
            column("Score", "score", lambda score: f"{score:g}", right=True),
            column("Of", "scale_max", lambda most: f"{most:g}", right=True),
            column("Channel", "channel"),
        ),
    ),
    "costs": (
        "Cost to serve",
        (
            column("Channel", "channel"),
            number("Touchpoints", "touchpoints"),
            duration("Handling", "handling_seconds"),
            money("Cost", "cost"),
            column("Currency", "currency"),
        ),
    ),
    "tiers": (
        "Tiers",
        (
            column("Tier", "tier"),
            instant("From", "valid_from"),
            instant("To", "valid_to"),
            money("Contribution", "contribution"),
            column("Currency", "currency"),
        ),
    ),
    "identities": (
        "Is the same person as",
        (words("Customer", "customer_id"), instant("Since", "merged_at")),
    ),
}


def _tables(rows: Rows) -> Iterable[Table]:
    """The facts in short, and a table for each part that has anything to show, cut where long."""
    [told] = rows
    facts = [{"about": about, "is": is_} for about, is_ in _in_short(told)]
    yield Table(facts, (column("Customer", "about"), words(told["customer_id"], "is")))
    for name, (title, columns) in _PARTS.items():
        part = told[name]
        if len(part) > _LINES:
            title = f"{title} ({_LINES} of {len(part)}; all with --json)"
        if part:
            yield Table(part[:_LINES], columns, title=title)


def _in_short(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    def day(name: str) -> str:
        return str(told[name])[:10]

    yield (
        "Known",
        f"since {day('known_since')}, {told['events']:,} events, last {day('last_event_at')}",
    )
    tier = str(told["tier"]).replace("_", " ")
    yield "Tier", f"{tier} since {day('tier_since')}" if told["tier"] else "none yet"
    if told["credit"]:
        yield "Credit", f"{told['credit']} since {day('credit_since')}"
    if told["lapsed_at"]:
        reason = f": {told['lapse_reason']}" if told["lapse_reason"] else ""
        yield "Lapsed", f"{day('lapsed_at')}{reason}"
    spent = ", ".join(f"{each['amount']:,.2f} {each['currency'] or ''}" for each in told["spent"])
    bought = f"{told['purchases']:,}"
    if told["purchases"]:
        bought += f", last {day('last_purchase_at')}"
    yield "Purchases", bought + (f", for {spent}" if spent else "")
    cost = "cannot be said" if told["cost"] is None else f"{told['cost']:,.2f} {told['currency']}"
    handled = sum(each["handling_seconds"] for each in told["costs"])
    yield "Cost to serve", f"{cost}, {in_words(handled)} of handling"


CUSTOMER = Question(
    command="customer",
    path="/customers/{customer_id:id}",
    summary="What to know of a customer before calling",
    details="Of a customer who is one person with other ids, it speaks of the person.",
    parameters=CustomerParameters,
    row=CustomerPage,
    ask=asked_for_all(customer),
    tables=_tables,
    subject="customer_id",
    thing="customer",
    behind=OneThing("/customers/", "customer_id", "/timeline", takes=("only_this_id",)),
)
