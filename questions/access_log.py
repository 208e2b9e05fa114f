"""The question who looked, and who did what."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from ledger.access import ACTIONS
from projections.access.queries import access_log
from questions.parameters import Identifier, Paging, Window, one_of
from questions.question import Question, RowModel, asked_for_all
from questions.tables import column, in_columns, instant, number, words


class AccessLogParameters(Window, Paging):
    """Parameters of the log of access."""

    customer_id: Identifier | None = Field(
        default=None, description="Only what was about this person, under whichever of their ids"
    )
    who: Identifier | None = Field(default=None, description="Only what they did")
    action: str | None = Field(
        default=None, description="Only this", json_schema_extra=one_of(ACTIONS)
    )


class AccessRow(RowModel):
    """Something that was looked at, or done."""

    position: int = Field(description="Of the event that records it")
    event_id: str
    occurred_at: datetime
    who: str = Field(description="The name of a token, a subject of the provider, or a login")
    role: str | None = Field(description="Null: on the command line, or nobody had to say")
    token_id: str | None
    via: str = Field(description="http or command")
    action: str
    question: str | None = Field(description="Which was asked, where it was reading")
    kind: str | None = Field(description="Of the things: customer, promise, input, token …")
    ids: list[str] = Field(description="Which things")
    customer_id: str | None = Field(description="Whose they are, where that is one customer")
    details: str | None = Field(description="What else was asked for")


ACCESS_LOG = Question(
    command="access-log",
    path="/access-log",
    summary="Who looked at what, and who did what, the latest first",
    parameters=AccessLogParameters,
    row=AccessRow,
    about="access",
    ask=asked_for_all(access_log),
    tables=in_columns(
        instant("When", "occurred_at"),
        words("Who", "who"),
        column("Role", "role"),
        column("Did", "action"),
        column("Asked", "question"),
        column("Kind", "kind"),
        column("Which", "ids", ", ".join, wraps=True),
        words("Customer", "customer_id"),
        column("Via", "via"),
        number("Position", "position"),
    ),
)
