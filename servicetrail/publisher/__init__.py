"""Events to Kafka, for channel systems: nothing accepted is lost, nothing takes effect twice.

with Publisher("localhost:9092", "orders.outbox", source="orders.example") as publisher:
    publisher.publish("promise.made.v1", {...}, id="order-1001-promised")
"""

from schemas.event import Unreadable
from servicetrail.publisher.errors import (
    OutboxFailed,
    OutboxFull,
    OutboxInUse,
    PublisherClosed,
    PublishingError,
)
from servicetrail.publisher.outbox import Discard, Refusal
from servicetrail.publisher.publisher import Publisher

__all__ = [
    "Discard",
    "OutboxFailed",
    "OutboxFull",
    "OutboxInUse",
    "Publisher",
    "PublisherClosed",
    "PublishingError",
    "Refusal",
    "Unreadable",
]
