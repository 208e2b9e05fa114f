"""A channel system: publishes to topics of one test."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition

from consumers.cluster import Cluster
from consumers.connecting import producer
from tests.consumers.events import Headers, Published
from tests.consumers.waiting import eventually


class Channel:
    """Publishes with kafka-python. Topics have the test's prefix in their names."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.prefix = prefix
        self._producer = self._open()

    def _open(self) -> KafkaProducer:
        return producer(
            {
                "bootstrap_servers": self.bootstrap_servers,
                "allow_auto_create_topics": False,
                "acks": "all",
                "linger_ms": 5,
                "max_request_size": 8 * 1024 * 1024,
            }
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

    def small_topic(self, name: str, largest_bytes: int) -> str:
        """Make a topic whose records may be only so large; its full name."""
        return self.topic_with(name, {"max.message.bytes": largest_bytes})

    def topic_with(self, name: str, configs: Mapping[str, int]) -> str:
        """Make a topic that is configured so; its full name."""
        full_name = f"{self.prefix}-{name}"
        with self.admin() as admin:
            admin.create_topics(
                {
                    full_name: {
                        "num_partitions": 1,
                        "replication_factor": 1,
                        "configs": dict(configs),
                    }
                },
                wait_for_metadata=True,
            )
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

    def commit_offset(self, group: str, topic: str, offset: int) -> None:
        """Tell Kafka that the group has read partition 0 of the topic up to there."""
        partition = TopicPartition(topic, 0)
        with self.admin() as admin:
            admin.alter_group_offsets(group, {partition: OffsetAndMetadata(offset, "", -1)})

    def committed(self, group: str, topic: str) -> int | None:
        """What Kafka was told of the group's offset in partition 0 of the topic."""
        partition = TopicPartition(topic, 0)
        with self.admin() as admin:
            found = admin.list_group_offsets({group: [partition]})[group].get(partition)
        return None if found is None else found.offset

    def delete_records(self, topic: str, before: int) -> bool:
        """Delete what is before that offset in partition 0; whether the broker can do that."""
        with self.admin() as admin:
            try:
                admin.delete_records({TopicPartition(topic, 0): before})
            except KafkaError:
                return False
        return True

    def recreate(self, topic: str, partitions: int = 1) -> None:
        """Delete the topic, and make another one of the same name."""
        cluster = Cluster(self.bootstrap_servers)
        with self.admin() as admin:
            admin.delete_topics([topic])

        def made() -> bool:
            return bool(cluster.create_topics([topic], partitions=partitions))

        eventually(made)
