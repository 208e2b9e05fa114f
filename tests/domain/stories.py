"""Given this history, when this arrives, then that."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain import EVENT_TYPES, Fact, NotYet, Refused, Stream
from domain.settling import next_version

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Arrival:
    """An event that arrived: becomes a fact of its stream as soon as it may."""

    type: str
    data: dict[str, Any]
    customer_id: str | None = "C-1"

    @property
    def stream_id(self) -> str:
        return EVENT_TYPES[self.type].stream_id(self.data)

    def fact(self, version: int) -> Fact:
        return EVENT_TYPES[self.type](self.stream_id, version, NOON, self.customer_id, self.data)


def promise(event: str, customer_id: str = "C-1", promise_id: str = "P-1") -> Arrival:
    return Arrival(f"promise.{event}.v1", {"promise_id": promise_id}, customer_id)


def complaint(event: str, customer_id: str = "C-1", **data: Any) -> Arrival:
    return Arrival(f"complaint.{event}.v1", {"complaint_id": "K-1", **data}, customer_id)


def given(*arrivals: Arrival) -> Stream | None:
    """The stream after these, each of which must have been allowed."""
    stream: Stream | None = None
    for arrival in arrivals:
        fact = arrival.fact(next_version(stream))
        fact.check(stream)
        stream = fact.mutate(stream)
    return stream


def when(stream: Stream | None, arrival: Arrival) -> str:
    """What becomes of an arrival: "recorded", or the code of the reason why not."""
    try:
        arrival.fact(next_version(stream)).check(stream)
    except (Refused, NotYet) as reason:
        return reason.code
    return "recorded"
