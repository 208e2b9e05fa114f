"""What a message turned out to be: an event that is right in itself, or unreadable."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Event:
    """A message that could be read and does not contradict itself.

    source, id: the publisher's, unique together for ever. event_id: 32 hex digits made from them.
    customer_id: None for policies.
    occurred_at: aware, UTC, microseconds; time_assumed if the publisher gave none.
    fingerprint: CRC-64-AVRO of the schema of `facts`, 8 bytes in big-endian order.
    facts: the bare Avro datum, personal fields null; the publisher's own bytes up to those.
    data: the facts in the shape of the newest version of the type, personal fields None.
    personal: the personal fields that had a value, by path (`note`, `corrected.note`), or None.
    """

    source: str
    id: str
    event_id: str
    type: str
    stream_id: str
    customer_id: str | None
    occurred_at: datetime
    time_assumed: bool
    sequence: int | None
    correlation_id: str | None
    causation_id: str | None
    fingerprint: bytes
    facts: bytes
    data: dict[str, Any]
    personal: dict[str, Any] | None


class Unreadable(Exception):
    """A message that is no event: it is kept as rejected, with this reason.

    code: one of `schemas.outcomes.REASONS`.
    message: what is wrong and what would be right; never repeats a value from the event.
    path: the field, such as `data.weighing.competitor.verdict`.
    source, id: the publisher's, or the message's defaults where those could not be read.
    type, customer_id: where they could be read.
    """

    def __init__(
        self,
        code: str,
        message: str,
        path: str | None = None,
        *,
        source: str | None = None,
        id: str | None = None,  # noqa: A002 - the name of the CloudEvents attribute
        type: str | None = None,  # noqa: A002
        customer_id: str | None = None,
        sequence: int | None = None,
    ) -> None:
        super().__init__(code, message, path)
        self.code = code
        self.message = message
        self.path = path
        self.source = source
        self.id = id
        self.type = type
        self.customer_id = customer_id
        self.sequence = sequence

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message
