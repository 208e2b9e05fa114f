"""Which event types share a topic of Kafka."""

from collections.abc import Mapping

import domain

TOPICS: Mapping[str, str] = {
    "touchpoint": "touchpoints",
    "statement": "touchpoints",
    "feedback": "touchpoints",
    "promise": "promises",
    "complaint": "complaints",
    "customer": "customers",
    "support": "customers",
    "calendar": "policies",
    "service_level": "policies",
    "channel": "policies",
    "authority_limit": "policies",
    "moment": "policies",
}
"""The topic of each family of event types; a family is the first word of their names."""

DEAD = ".dead"
"""How the name of the topic ends in which is told what was not taken of another."""

NOTICE_PREFIX = "servicetrail_"
"""How the names of the headers begin that it is told in."""


def family_of(event_type: str) -> str:
    """The family of an event type, such as `promise`."""
    return event_type.partition(".")[0]


def topics_with(changes: Mapping[str, str]) -> dict[str, str]:
    """`TOPICS` with other topics for some families. Raises ValueError for an unknown family."""
    for family in changes:
        if family not in TOPICS:
            raise ValueError(f"there is no family {family}; there are: {', '.join(TOPICS)}")
    return {**TOPICS, **changes}


def types_of(topic: str, topics: Mapping[str, str] = TOPICS) -> list[str]:
    """The event types that are published to a topic, without those that only we write."""
    return [
        event_type
        for event_type in domain.EVENT_TYPES
        if event_type not in domain.WRITTEN_BY_US and topics[family_of(event_type)] == topic
    ]
