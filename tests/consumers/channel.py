"""A channel system: publishes to topics of one test."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaProducer

from consumers.cluster import Cluster
from tests.consumers.events import Headers, Published


class Channel:
    """Publishes with kafka-python. Topics have the test's prefix in their names."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.prefix = prefix
        self._producer = self._open()

    def _open(self) -> KafkaProducer:
        return KafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            acks="all",
            linger_ms=5,
            max_request_size=8 * 1024 * 1024,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._producer.close(timeout=5)

    def reopened(self) -> None:
        """Connect anew, after a broker that forgot everything."""
        self._producer.close(timeout=1)
        self._producer = self._open()

    def topic(self, name: str, partitions: int = 1) -> str:
        """Make a topic; its full name."""
        full_name = f"{self.prefix}-{name}"
        Cluster(self.bootstrap_servers).create_topics([full_name], partitions=partitions)
        return full_name

    def send(
        self,
        topic: str,
        value: bytes | None,
        headers: Headers | None = None,
        *,
        key: bytes | None = None,
        **more: Any,
    ) -> None:
        """Publish one record; `flush` makes sure of it."""
        self._producer.send(topic, value, key=key, headers=headers or [], **more)

    def publish(self, topic: str, events: Iterable[Published]) -> None:
        """Publish events in structured mode, keyed by customer, and wait until they are there."""
        for event in events:
            self.send(topic, event.structured, key=event.key)
        self.flush()

    def flush(self) -> None:
        """Wait until everything is published."""
        self._producer.flush(30)

    def admin(self) -> "closing[KafkaAdminClient]":
        """An administrator of the cluster."""
        return closing(KafkaAdminClient(bootstrap_servers=self.bootstrap_servers))

    def ends(self, topics: Sequence[str]) -> int:
        """How many offsets the topics' partitions have, all together."""
        from kafka import KafkaConsumer
        from kafka.structs import TopicPartition

        with closing(KafkaConsumer(bootstrap_servers=self.bootstrap_servers)) as reader:
            partitions = [
                TopicPartition(topic, number)
                for topic in topics
                for number in reader.partitions_for_topic(topic)
            ]
            return sum(reader.end_offsets(partitions).values())
