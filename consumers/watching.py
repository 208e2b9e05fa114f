"""How far consumers are, and what they wait for: asked of the brokers by those who only look."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from consumers.connecting import HOPELESS, told
from consumers.consuming import PATTERN, Consuming
from ledger.datastore import Datastore
from ledger.positions import positions
from schemas.topics import DEAD

_TIMEOUT_MS = 10_000


class BrokersAway(Exception):
    """The brokers cannot be asked at the moment, or refuse to answer. The text says why."""


class BrokersRefuse(BrokersAway):
    """They refuse for good: who asks may not, or is not who they say."""


class Lag(NamedTuple):
    """How far the ledger is in a partition.

    `position` is the offset to read from next, `end` the one that the next record will have, `lag`
    how many offsets lie between. (Kafka gives some offsets to no record, the ends of transactions
    for example: the consumer passes over them when it gets there.)
    """

    topic: str
    partition: int
    position: int
    end: int
    lag: int


def lags(consuming: Consuming, datastore: Datastore) -> list[Lag]:
    """Every partition of the topics to be consumed, by topic and partition.

    Raises `BrokersAway`, and the errors of `eventsourcing.persistence`.
    """
    with _asking(consuming) as kafka:
        topics = _matching(consuming, kafka.topics())
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(kafka.partitions_for_topic(topic) or ())
        ]
        if not partitions:
            return []
        names = consuming.cluster.log_names(partitions)
        first = kafka.beginning_offsets(partitions, timeout_ms=_TIMEOUT_MS)
        end = kafka.end_offsets(partitions, timeout_ms=_TIMEOUT_MS)
    with datastore.transaction() as cursor:
        reached = positions(cursor, "kafka:")
    found = []
    for partition in partitions:
        position = max(reached.get(names[partition], 0), first[partition])
        # The embedded broker tells an end before records that it has delivered.
        last = max(end[partition], position)
        found.append(Lag(partition.topic, partition.partition, position, last, last - position))
    return found


def missing_topics(consuming: Consuming) -> list[str]:
    """The topics named, not those matched, that the brokers do not have. Raises `BrokersAway`."""
    with _asking(consuming) as kafka:
        there = kafka.topics()
    return [topic for topic in named_topics(consuming) if topic not in there]


def create_topics(consuming: Consuming, partitions: int) -> list[str]:
    """Create the topics named that do not exist, with those for what is not taken, and say which
    they were. Raises `BrokersAway`, and `BrokersRefuse` where trying again would not help.
    """
    names = named_topics(consuming)
    if consuming.dead_topics != "off":
        names += [name + DEAD for name in names]
    with _told():
        return consuming.cluster.create_topics(names, partitions=partitions)


def named_topics(consuming: Consuming) -> list[str]:
    """The topics to be consumed that are names, and not expressions."""
    return [topic for topic in consuming.topics if not topic.startswith(PATTERN)]


def _matching(consuming: Consuming, there: Sequence[str]) -> list[str]:
    pattern = consuming.pattern()
    if pattern is None:
        return sorted(set(consuming.topics) & set(there))
    return sorted(topic for topic in there if re.match(pattern, topic))


@contextmanager
def _asking(consuming: Consuming) -> Iterator[KafkaConsumer]:
    """A client that belongs to no group."""
    with _told(), consuming.cluster.reader() as kafka:
        yield kafka


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        kind = BrokersRefuse if isinstance(error, HOPELESS) else BrokersAway
        raise kind(told(error)) from error
    except OSError as error:  # certificates that are not there, for example
        raise BrokersAway(str(error)) from error
