"""The question what one event says, and what stands around it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ledger.datastore import PgCursor
from projections.answers import Answer, WrongParameter
from projections.timeline.event import event_at
from questions.parameters import AsOf, Instant, now
from questions.question import Question, RowModel
from questions.tables import Rows, Table, column, instant, number, words

TOLD_AS_IT_IS = (
    "It is told from the ledger and what came in, as they are now: not as of what was known then, "
    "nor of read models of a name."
)


class NoPosition(WrongParameter):
    """What was given is no position of a ledger."""

    parameter = "position"


class Neighbour(RowModel):
    """An event beside another one."""

    relation: Literal[
        "previous_in_stream",
        "next_in_stream",
        "previous_of_customer",
        "next_of_customer",
        "caused_by",
        "caused",
        "same_correlation",
    ]
    position: int
    source: str
    id: str
    type: str
    occurred_at: datetime


class Input(RowModel):
    """Something that came in and did not simply become the event."""

    kept_id: int = Field(description="GET /dead-letters/{kept_id} shows it")
    state: str
    outcome: str
    reason: str
    first_seen: datetime
    last_seen: datetime


class EventRow(RowModel):
    """One event of the ledger."""

    position: int | None = Field(description="Null, with what follows from it: not recorded")
    source: str
    id: str
    event_id: str
    type: str | None
    occurred_at: datetime | None
    time_assumed: bool | None = Field(description="The channel did not say when it happened")
    recorded_at: datetime | None
    stream: str | None = Field(description="The thing that it is about")
    version: int | None = Field(description="Which event of that thing it is, from 1")
    customer_id: str | None
    correlation_id: str | None
    causation_id: str | None
    fingerprint: str | None = Field(
        description="Of the schema that it was written with: GET /schemas/{fingerprint}"
    )
    outcome: Literal["appended", "duplicate", "parked", "conflict", "rejected"]
    duplicates: int = Field(description="How often it came again, the same")
    inputs: list[Input] = Field(description="What else came in under its source and id")
    data: dict[str, Any] = Field(description="The event's fields without personal ones")
    neighbours: list[Neighbour] = Field(description="Causes and correlations of this customer")


class EventParameters(AsOf):
    """Parameters of what is told of one event: as it is, whatever was known when."""

    as_of: Instant = Field(
        default_factory=now,
        description="The answer says it again: an event is told as it is, whenever that is",
    )
    # How often an event came again is counted, not dated: nobody can tell what was known then.
    known_at: ClassVar[None] = None  # type: ignore[misc]  # no parameter of this one
    read: ClassVar[None] = None  # type: ignore[misc]


def _ask(cursor: PgCursor, position: str, asked: AsOf) -> Answer:
    if not (position.isascii() and position.isdigit() and len(position) < 19):
        raise NoPosition("must be a position of the ledger, such as 18")
    return event_at(cursor, int(position), as_of=asked.as_of)


def _tables(rows: Rows) -> Iterable[Table]:
    """What it says, field by field, and what stands around it."""
    [told] = rows
    parts = ("data", "neighbours", "inputs")
    said = {name: value for name, value in told.items() if name not in parts}
    fields = [{"field": name, "value": value} for name, value in (said | told["data"]).items()]
    yield Table(fields, (column("Field", "field"), words("Value", "value")))
    yield Table(
        told["neighbours"],
        (
            column("Relation", "relation"),
            column("Event", "type"),
            instant("Occurred", "occurred_at"),
            number("Position", "position"),
        ),
        title="Around it",
    )
    yield Table(
        told["inputs"],
        (
            number("Input", "kept_id"),
            column("State", "state"),
            column("Reason", "reason"),
            instant("First received", "first_seen"),
        ),
        title="What else came in under its source and id",
    )


EVENT = Question(
    command="event",
    path="/events/by-position/{position}",
    summary="One event, with its times, its schema, and the events around it",
    details=TOLD_AS_IT_IS,
    parameters=EventParameters,
    row=EventRow,
    ask=_ask,
    tables=_tables,
    subject="position",
    subject_type=Annotated[str, Field(json_schema_extra={"pattern": "^[0-9]{1,18}$"})],
    thing="event",
    beyond_read_models=True,
)
