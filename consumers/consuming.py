"""What to consume, and how: topics, group, batches, and the client that is made of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from consumers.cluster import Cluster
from consumers.connecting import consumer
from schemas.topics import DEAD

PATTERN = "^"
"""What a topic begins with that is a regular expression for the names of topics."""

# What the consumer rests on; everything else may be set by `Consuming.options`.
_OURS = {
    "group_id", "group_instance_id", "enable_auto_commit", "auto_offset_reset",
    "partition_assignment_strategy", "key_deserializer", "value_deserializer", "max_poll_records",
    "bootstrap_servers", "isolation_level",
}  # fmt: skip
_DEFAULTS = {
    "client_id": "servicetrail",
    "isolation_level": "read_committed",
    "allow_auto_create_topics": False,
    "metadata_max_age_ms": 30_000,
    "reconnect_backoff_max_ms": 2_000,
    "session_timeout_ms": 10_000,
    "metrics_enabled": False,
}


@dataclass(frozen=True)
class Consuming:
    """What to consume, and how.

    topics: names, and regular expressions that begin with `^`.
    group: the consumer group, for sharing out partitions and for lag monitors.
    instance: a name of this process that it keeps over restarts, for static membership.
    batch_events, batch_bytes: how much is taken in one transaction at most. (One larger event is a
        batch of its own.)
    dead_topics: whether those who published a record that is refused are told in `<topic>.dead`:
        off, notices (why), or records (the record itself as well).
    options: any other setting of kafka-python's `KafkaConsumer`.

    Raises `ValueError` for options that are not there to be set.
    """

    bootstrap_servers: str | Sequence[str]
    topics: Sequence[str]
    group: str = "servicetrail"
    instance: str | None = None
    batch_events: int = 2_000
    batch_bytes: int = 16 * 1024 * 1024
    dead_topics: Literal["off", "notices", "records"] = "off"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = KafkaConsumer.DEFAULT_CONFIG.keys() - _OURS
        refused = sorted(self.options.keys() - known)
        if refused:
            raise ValueError(f"no options of a Kafka consumer, or not to be set: {refused}")
        if not self.topics:
            raise ValueError("there must be a topic to consume")
        self.pattern()

    def pattern(self) -> str | None:
        """One regular expression for all topics, or None if they are all names."""
        if not any(topic.startswith(PATTERN) for topic in self.topics):
            return None
        alternatives = [
            # Topics that tell what was not taken hold no events: a pattern never means them.
            f"(?!.*{re.escape(DEAD)}$){topic.removeprefix(PATTERN)}"
            if topic.startswith(PATTERN)
            else re.escape(topic)
            for topic in self.topics
        ]
        try:
            return re.compile(f"^(?:{'|'.join(f'(?:{one})' for one in alternatives)})$").pattern
        except re.error as error:
            raise ValueError(f"not a regular expression for topics: {error}") from None

    @property
    def cluster(self) -> Cluster:
        """Where the brokers are."""
        return Cluster(self.bootstrap_servers, self.options)

    def client(self) -> KafkaConsumer:
        """A client, connected, not in the group yet. Raises `kafka.errors.KafkaError`."""
        settings = {
            **_DEFAULTS,
            **self.cluster.settings(KafkaConsumer.DEFAULT_CONFIG),
            "group_id": self.group,
            "group_instance_id": self.instance,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "partition_assignment_strategy": [CooperativeStickyAssignor],
            "max_poll_records": self.batch_events,
        }
        return consumer(settings)
