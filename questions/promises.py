"""The question what became of promises."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from ledger.datastore import PgCursor
from projections.answers import Answer
from projections.promises.queries import VERDICTS, promises
from questions.parameters import Identifier, Paging, Window, one_of
from questions.question import Question, RowModel
from questions.tables import column, duration, in_columns, instant, words


class PromiseParameters(Window, Paging):
    """Parameters of the list of promises."""

    channel: Identifier | None = Field(default=None, description="Only those made there")
    customer_id: Identifier | None = Field(default=None, description="Only this customer's")
    verdict: str | None = Field(
        default=None, description="Only these", json_schema_extra=one_of(VERDICTS)
    )


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


def _ask(cursor: PgCursor, asked: PromiseParameters) -> Answer:
    return promises(
        cursor,
        as_of=asked.as_of,
        from_=asked.from_,
        to=asked.to,
        channel=asked.channel,
        customer_id=asked.customer_id,
        verdict=asked.verdict,
        limit=asked.limit,
        token=asked.cursor,
    )


PROMISES = Question(
    command="promises",
    path="/promises",
    summary="Promises with what became of them, by the time they are due",
    parameters=PromiseParameters,
    row=PromiseRow,
    ask=_ask,
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
)
