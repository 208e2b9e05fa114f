"""What the rows of answers about dead letters say."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic import Field

from questions.question import RowModel

State: TypeAlias = Literal["parked", "conflict", "rejected", "settled", "redriven", "discarded"]


class DeadLetterRow(RowModel):
    """An input that was kept, without anything that it says."""

    kept_id: int
    state: State
    source: str
    id: str
    type: str | None
    reason: str = Field(description="Code of the reason; see the reference of outcomes")
    message: str = Field(description="The reason in words, without a value of the input")
    path: str | None = Field(description="The field at fault")
    waits_for: str | None = Field(description="What a parked input waits for")
    origin: dict[str, Any] = Field(
        description="Where it came from: topic, partition and offset; file and line; or address"
    )
    first_seen: datetime
    last_seen: datetime
    attempts: int = Field(description="How often it was received, redriven or repaired")
    position: int | None = Field(
        description="Where the event that it became, or that has its source and id, stands"
    )
    repairs: int | None = Field(description="The input of which it is a repaired version")
    erased: bool = Field(description="Its customer was erased: nobody can read it any more")


class StepOut(RowModel):
    """One thing that happened to an input after it was first received."""

    at: datetime
    step: Literal["received", "redriven", "repaired", "refused", "discarded", "revealed"]
    outcome: str | None
    reason: str | None
    path: str | None
    position: int | None
    who: str | None
    remark: str | None


class Revealed(RowModel):
    """An input as it arrived. `body` is null if it is not UTF-8; `body_base64` always has it."""

    body: str | None
    body_base64: str
    attributes: dict[str, str]
    headers: list[Any] | None
    default_source: str
    default_id: str
    default_time: datetime


class DeadLetter(DeadLetterRow):
    """Everything that is known of an input. What is sealed is null where nobody can open it."""

    customer_id: str | None
    stream_id: str | None
    repaired_by: list[int]
    key: Any = Field(description="The Kafka record's key")
    headers: list[str] | None = Field(description="Names of the Kafka record's headers")
    attributes: list[str] | None = Field(description="Names of the attributes in binary mode")
    content_type: str | None
    size_bytes: int | None
    history: list[StepOut]
    revealed: Revealed | None = Field(default=None, description="Only where it was asked for")


class RedrivenRow(RowModel):
    """What became of an input that was taken again."""

    kept_id: int
    source: str
    id: str
    outcome: str
    position: int | None
    reason: str | None
    message: str | None
    path: str | None


class DiscardedRow(RowModel):
    """An input that was put aside."""

    kept_id: int
    state: Literal["discarded"]
