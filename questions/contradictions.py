"""The questions where what customers were told contradicts itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from ledger.datastore import PgCursor
from projections.answers import Answer
from projections.statements.queries import contradictions, contradictions_by_channels
from questions.parameters import Identifier, Paging, Window, one_of
from questions.question import ExplainedRow, Listed, Question, RowModel, asked_for_all
from questions.tables import column, in_columns, instant, number, words

_SIDES = ("channel", "other_channel")


def _sides(names: list[str]) -> list[str]:
    if not set(names) <= set(_SIDES):
        raise ValueError(f"must be {' or '.join(_SIDES)}")
    return names


class ClaimParameters(Window):
    """Parameters of how often channels contradict each other."""

    claim_key: Identifier | None = Field(default=None, description="Only about this claim")


class ContradictionParameters(ClaimParameters, Paging):
    """Parameters of the list of contradictions."""

    channel: Identifier | None = Field(default=None, description="Only with it on either side")
    other_channel: Identifier | None = Field(default=None, description="And with this on the other")
    unknown: Annotated[list[str], AfterValidator(_sides)] = Field(
        default=[],
        description="Which of these two are to be without a name; give it twice for both",
        json_schema_extra={"items": {"type": "string"} | one_of(_SIDES)},
    )


class ContradictionRow(RowModel):
    """Two words about one claim that contradict each other."""

    claim_key: str
    contradicted_at: datetime
    until: datetime | None
    earlier_value: str
    earlier_channel: str | None
    earlier_at: datetime
    earlier_kind: str
    earlier_id: str
    earlier_event_id: str
    earlier_customer_id: str
    earlier_employee_id: str | None
    earlier_told: int
    later_value: str
    later_channel: str | None
    later_at: datetime
    later_kind: str
    later_id: str
    later_event_id: str
    later_customer_id: str
    later_employee_id: str | None
    later_told: int


class ContradictingChannelsRow(ExplainedRow):
    """How often two channels contradict each other."""

    channel: str | None
    other_channel: str | None
    contradictions: int
    claims: int


def _ask(cursor: PgCursor, asked: ContradictionParameters) -> Answer:
    return contradictions(
        cursor,
        as_of=asked.as_of,
        from_=asked.from_,
        to=asked.to,
        claim_key=asked.claim_key,
        channels=_channels(asked),
        limit=asked.limit,
        token=asked.cursor,
    )


def _channels(asked: ContradictionParameters) -> list[str | None]:
    """Which are to be on either side; None for an unnamed one."""
    given = asked.model_dump(include={*_SIDES}, exclude_none=True)
    return [*(given | dict.fromkeys(asked.unknown)).values()]


CONTRADICTIONS = Question(
    command="contradictions",
    path="/contradictions",
    summary="Where customers were told different things about the same, by time",
    parameters=ContradictionParameters,
    row=ContradictionRow,
    ask=_ask,
    tables=in_columns(
        words("Claim", "claim_key"),
        instant("Since", "contradicted_at"),
        column("Earlier", "earlier_channel"),
        words("said", "earlier_value"),
        number("times", "earlier_told"),
        column("Later", "later_channel"),
        words("said", "later_value"),
        number("times", "later_told"),
    ),
)
CONTRADICTIONS_BY_CHANNELS = Question(
    command="contradictions-by-channels",
    path="/contradictions-by-channels",
    summary="How often two channels told different things about the same",
    parameters=ClaimParameters,
    row=ContradictingChannelsRow,
    about="figures",
    singles=("claim_key",),
    ask=asked_for_all(contradictions_by_channels),
    tables=in_columns(
        column("Channel", "channel"),
        column("Other channel", "other_channel"),
        number("Contradictions", "contradictions"),
        number("Claims", "claims"),
    ),
    behind=Listed(CONTRADICTIONS.path, ("channel", "other_channel"), takes=("claim_key",)),
)
