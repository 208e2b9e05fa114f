"""The Kafka cluster: how its clients are set up, its topics, and the names of its logs."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from kafka.structs import TopicPartition

from consumers.connecting import administrator, consumer

BOOTSTRAP_TIMEOUT_MS = 5_000
_READER: Mapping[str, Any] = {
    "group_id": None,
    "enable_auto_commit": False,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
}
_NO_ID = str(UUID(int=0))


@dataclass(frozen=True)
class Cluster:
    """Where the brokers are, and every option that their clients share.

    `options` are kafka-python's own: `security_protocol`, `sasl_mechanism`, `ssl_cafile` and so on.
    """

    bootstrap_servers: str | Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a client that knows these."""
        return {
            "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
            **{name: value for name, value in self.options.items() if name in known},
            "bootstrap_servers": self.bootstrap_servers,
        }

    def create_topics(
        self, names: Iterable[str], *, partitions: int, replication_factor: int = -1
    ) -> list[str]:
        """Create those topics that do not exist, and say which they were.

        The default replication factor is the cluster's own. Raises `kafka.errors.KafkaError`.
        """
        created = []
        with self.admin() as admin:
            for name in names:
                wanted = {"num_partitions": partitions, "replication_factor": replication_factor}
                try:
                    admin.create_topics({name: wanted}, wait_for_metadata=True)
                    created.append(name)
                except TopicAlreadyExistsError:
                    continue
        return created

    def log_names(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, str]:
        """A name for each partition's log that no other log ever has:
        `kafka:<topic>/<partition>@<topic id>`.

        A topic that was deleted and made again is another topic, whose offsets start again. Brokers
        before 2.8 have no topic ids; the cluster's id stands there instead. Raises
        `kafka.errors.KafkaError`.
        """
        wanted = sorted(partitions)
        with self.admin() as admin:
            found = admin.describe_topics(sorted({partition.topic for partition in wanted}))
            ids: dict[str, str] = {}
            for topic in found:
                if topic["error_code"]:
                    raise for_code(topic["error_code"])(topic["name"])
                topic_id = str(topic.get("topic_id") or _NO_ID)
                if topic_id == _NO_ID:
                    topic_id = admin.describe_cluster()["cluster_id"]
                ids[topic["name"]] = topic_id
        missing = {partition.topic for partition in wanted} - ids.keys()
        if missing:
            raise KafkaError(f"the brokers do not know {', '.join(sorted(missing))}")
        return {
            partition: f"kafka:{partition.topic}/{partition.partition}@{ids[partition.topic]}"
            for partition in wanted
        }

    def admin(self) -> "closing[KafkaAdminClient]":
        """An administrator's client. Raises `kafka.errors.KafkaError`."""
        settings = self.settings(KafkaAdminClient.DEFAULT_CONFIG)
        return closing(administrator(settings))

    def reader(self) -> "closing[KafkaConsumer]":
        """A consumer that belongs to no group. Raises `kafka.errors.KafkaError`."""
        settings = {**self.settings(KafkaConsumer.DEFAULT_CONFIG), **_READER}
        return closing(consumer(settings))
