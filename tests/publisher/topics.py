"""The topics of one test, and what is in them."""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from consumers.cluster import Cluster
from consumers.records import Record, message_of
from schemas.event import Event
from schemas.message import Message
from schemas.reading import read
from schemas.topics import TOPICS

PARTITIONS = 2


@dataclass(frozen=True)
class Topics:
    """Topics of their own names, `<prefix>-touchpoints` and so on."""

    bootstrap_servers: str
    by_family: dict[str, str]
    partitions: int = PARTITIONS

    @classmethod
    def made(cls, bootstrap_servers: str, prefix: str) -> "Topics":
        topics = cls(bootstrap_servers, {k: f"{prefix}-{name}" for k, name in TOPICS.items()})
        topics.make()
        return topics

    def make(self) -> None:
        names = sorted(set(self.by_family.values()))
        Cluster(self.bootstrap_servers).create_topics(names, partitions=self.partitions)

    def options(self) -> list[str]:
        """The same for the command line."""
        return [
            word
            for family, name in self.by_family.items()
            for word in ("--topic", f"{family}={name}")
        ]

    def records(self, topic: str | None = None) -> list[Record]:
        """Everything in one of the topics, or in all: partition by partition, in order."""
        names = sorted(set(self.by_family.values()) if topic is None else [topic])
        partitions = [TopicPartition(name, n) for name in names for n in range(self.partitions)]
        found: list[Record] = []
        with closing(KafkaConsumer(bootstrap_servers=self.bootstrap_servers)) as consumer:
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            # The embedded broker may give the start of the last batch as the end: look behind it.
            polled: dict[TopicPartition, list[Record]] = {}
            while polled or any(consumer.position(each) < end for each, end in ends.items()):
                polled = consumer.poll(timeout_ms=1_000)
                for records in polled.values():
                    found += records
        return sorted(found, key=lambda each: (each.topic, each.partition, each.offset))

    def has_records(self) -> bool:
        """Whether anything has come into one of the topics yet; does not wait for the rest."""
        names = sorted(set(self.by_family.values()))
        partitions = [TopicPartition(name, n) for name in names for n in range(self.partitions)]
        with closing(KafkaConsumer(bootstrap_servers=self.bootstrap_servers)) as consumer:
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            return bool(consumer.poll(timeout_ms=300))

    def messages(self) -> list[Message]:
        now = datetime.now(UTC)
        return [message_of(record, received_at=now) for record in self.records()]

    def events(self) -> list[Event]:
        """The events in all topics, as the intake reads them."""
        return [read(message, now=datetime.now(UTC)) for message in self.messages()]


def first_seen(events: list[Event]) -> dict[str, list[str]]:
    """The ids of each customer's events, in the order in which they are first there."""
    seen: dict[str, dict[str, None]] = {}
    for event in events:
        seen.setdefault(event.customer_id or "", {})[event.id] = None
    return {customer: list(ids) for customer, ids in seen.items()}


def counts(text: str) -> dict[str, int]:
    """What `servicetrail publish` says it did, by word."""
    words = (line.split() for line in text.splitlines())
    return {each[0]: int(each[1].replace(",", "")) for each in words if len(each) == 2}
