"""A Kafka topic, filled in advance with what our own publisher would send."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer

from consumers.cluster import Cluster
from consumers.producing import Record
from schemas.message import Message
from schemas.reading import read
from schemas.topics import TOPICS
from servicetrail.publisher.records import record_of

TOPIC = "events"
PARTITIONS = 4
_QUEUED = 50_000


def records(messages: Iterable[Message]) -> Iterator[Record]:
    """The records of events, in binary mode with Avro data, all for one topic."""
    now = datetime.now(UTC)
    topics = dict.fromkeys(TOPICS, TOPIC)
    for message in messages:
        yield record_of(read(message, now=now), topics, now)


def make_topic(bootstrap_servers: str) -> None:
    """Make the topic."""
    Cluster(bootstrap_servers).create_topics([TOPIC], partitions=PARTITIONS)


def fill(bootstrap_servers: str, messages: Iterable[Message]) -> int:
    """Publish everything and wait until it is there; how many events it was."""
    filled = producer(bootstrap_servers)
    count = 0
    for record in records(messages):
        send(filled, record)
        count += 1
        if len(filled) > _QUEUED:
            filled.flush()
    filled.flush()
    return count


def producer(bootstrap_servers: str) -> Producer:
    """A producer that takes little of the machine: librdkafka's."""
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "log_level": 2,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 4 * _QUEUED,
        }
    )


def send(to: Producer, record: Record) -> None:
    """Hand a record to the producer."""

    def failed(error: Any, _: Any) -> None:
        if error is not None:
            raise RuntimeError(f"a record was not published: {error}")

    to.produce(TOPIC, record.value, key=record.key, headers=record.headers, on_delivery=failed)
    to.poll(0)
