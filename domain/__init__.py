"""The facts of serving customers, and the rules that decide about them.

Pure: no database, no clock, no network. `facts` says what a fact and a stream are, `settling` how
facts wait for each other; the other modules hold one family of event types each.
"""

from domain import access, complaints, customers, policies, promises, support, touchpoints
from domain.facts import (
    AlreadyOpened,
    Conflict,
    Fact,
    NotYet,
    Refused,
    Stream,
    WrongCustomer,
)

_FAMILIES = (touchpoints, promises, complaints, customers, support, policies, access)

EVENT_TYPES: dict[str, type[Fact]] = {
    fact.TOPIC: fact for family in _FAMILIES for fact in family.FACTS
}
"""Every event type of the published language, by name, in the order of the documentation."""

WRITTEN_BY_US = frozenset(
    {
        customers.CustomerErased.TOPIC,
        customers.CustomerHoldPlaced.TOPIC,
        customers.CustomerHoldLifted.TOPIC,
        access.AccessRecorded.TOPIC,
    }
)
"""Event types that Servicetrail writes itself and refuses from outside."""


def stream_id(event_type: str, data: object) -> str:
    """The stream (aggregate) that an event belongs to, such as `promise:P-1`.

    `data` is the event's decoded data, a mapping with the type's identifying field.
    """
    return EVENT_TYPES[event_type].stream_id(data)


def is_of_nobody(event_type: str) -> bool:
    """Whether events of the type have no customer: policies, and what is recorded of access."""
    return issubclass(EVENT_TYPES[event_type], policies.Policy | access.AccessRecorded)


def rank(event_type: str, data: object) -> int:
    """Place among events of one instant: causes before effects, inbound before outbound.

    Read models order by (occurred_at, rank, event id).
    """
    return EVENT_TYPES[event_type].rank(data)


__all__ = [
    "EVENT_TYPES",
    "WRITTEN_BY_US",
    "AlreadyOpened",
    "Conflict",
    "Fact",
    "NotYet",
    "Refused",
    "Stream",
    "WrongCustomer",
    "is_of_nobody",
    "rank",
    "stream_id",
]
