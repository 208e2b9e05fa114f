"""The questions which matters customers brought to two channels."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from projections.channels.duplicates import channel_duplicates, channel_duplicates_by_channels
from questions.parameters import Identifier, Paging, Window
from questions.question import ExplainedRow, Listed, Question, RowModel, asked_for_all
from questions.tables import column, duration, in_columns, instant, number, words


class DuplicateParameters(Window, Paging):
    """Parameters of the list of matters brought to two channels."""

    first_channel: Identifier | None = Field(default=None, description="Only those that began here")
    second_channel: Identifier | None = Field(default=None, description="Only those that went here")
    customer_id: Identifier | None = Field(default=None, description="Only this customer's")


class DuplicateRow(RowModel):
    """Two contacts of a customer about one matter on two channels."""

    customer_id: str
    topic: str | None
    case_id: str | None
    first_customer_id: str
    first_channel: str
    first_at: datetime
    first_touchpoint_id: str
    first_event_id: str
    first_still_waiting: bool
    second_channel: str
    second_at: datetime
    second_touchpoint_id: str
    second_event_id: str
    after_seconds: float


class DuplicateChannelsRow(ExplainedRow):
    """How many matters went from one channel to another."""

    first_channel: str
    second_channel: str
    duplicates: int
    customers: int
    first_still_waiting: int
    after_median_seconds: float


CHANNEL_DUPLICATES = Question(
    command="channel-duplicates",
    path="/channel-duplicates",
    summary="Matters that a customer brought to two channels, by time",
    parameters=DuplicateParameters,
    row=DuplicateRow,
    ask=asked_for_all(channel_duplicates),
    tables=in_columns(
        words("Customer", "customer_id"),
        column("Topic", "topic"),
        column("First", "first_channel"),
        instant("At", "first_at"),
        column("Then", "second_channel"),
        instant("At", "second_at"),
        duration("After", "after_seconds"),
        column("Still waiting", "first_still_waiting", lambda yes: "yes" if yes else "no"),
    ),
)
CHANNEL_DUPLICATES_BY_CHANNELS = Question(
    command="channel-duplicates-by-channels",
    path="/channel-duplicates-by-channels",
    summary="How many matters went from one channel to another",
    parameters=Window,
    row=DuplicateChannelsRow,
    about="figures",
    ask=asked_for_all(channel_duplicates_by_channels),
    tables=in_columns(
        column("First", "first_channel"),
        column("Then", "second_channel"),
        number("Duplicates", "duplicates"),
        number("Customers", "customers"),
        number("Still waiting", "first_still_waiting"),
        duration("After, median", "after_median_seconds"),
    ),
    behind=Listed(CHANNEL_DUPLICATES.path, ("first_channel", "second_channel")),
)
