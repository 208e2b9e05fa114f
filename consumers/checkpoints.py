"""Checkpoints in a Kafka topic: text that others keep, out of reach of whoever has the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from consumers.cluster import Cluster
from consumers.connecting import told
from consumers.producing import Producing, ProducingFailed, Record, options_of

_LOOK_BACK = 100
"""So many of the newest records of a partition are looked through for those of one ledger."""
_TIMEOUT_MS = 5_000


class TopicAway(Exception):
    """The topic cannot be written or read at the moment. The text says why."""


class CheckpointTopic:
    """Checkpoints in one topic, by the name of their ledger. For one thread at a time."""

    def __init__(self, bootstrap_servers: str, options: Mapping[str, Any], topic: str) -> None:
        self._cluster = Cluster(bootstrap_servers, options)
        self._servers = bootstrap_servers
        self.topic = topic
        self._producing: Producing | None = None

    def publish(self, name: str, note: str) -> None:
        """Publish a checkpoint, and wait until all in-sync replicas have it. Raises TopicAway."""
        record = Record(self.topic, name.encode(), note.encode(), [], int(time.time() * 1_000))
        deadline = time.monotonic() + _TIMEOUT_MS / 1_000
        try:
            if self._producing is None:
                self._producing = Producing(self._servers, options_of(self._cluster))
            self._producing.topic_ids([self.topic])
            produced = self._producing.produce([record], lambda: time.monotonic() > deadline)
        except ProducingFailed as failed:
            self.close()
            raise TopicAway(str(failed)) from None
        if not produced.acknowledged:
            self.close()
            raise TopicAway(produced.failure or produced.refused.get(0, "not acknowledged"))

    def newest(self, name: str) -> list[str]:
        """The newest checkpoint of a ledger in each partition. Raises TopicAway."""
        try:
            with self._cluster.reader() as kafka:
                return self._newest(kafka, name.encode())
        except (KafkaError, OSError) as error:
            raise TopicAway(told(error)) from None

    def _newest(self, kafka: KafkaConsumer, name: bytes) -> list[str]:
        numbers = kafka.partitions_for_topic(self.topic) or ()
        partitions = [TopicPartition(self.topic, number) for number in sorted(numbers)]
        if not partitions:
            return []
        first = kafka.beginning_offsets(partitions, timeout_ms=_TIMEOUT_MS)
        end = kafka.end_offsets(partitions, timeout_ms=_TIMEOUT_MS)
        kafka.assign(partitions)
        for partition in partitions:
            kafka.seek(partition, max(first[partition], end[partition] - _LOOK_BACK))
        found: dict[TopicPartition, str] = {}
        deadline = time.monotonic() + _TIMEOUT_MS / 1_000
        while any(kafka.position(each) < end[each] for each in partitions):
            if time.monotonic() > deadline:
                raise TopicAway(f"the topic {self.topic} is not read to its end in time")
            for partition, records in kafka.poll(timeout_ms=200).items():
                for record in records:
                    if record.key == name and record.value is not None:
                        found[partition] = record.value.decode(errors="replace")
        return list(found.values())

    def close(self) -> None:
        """Give up the connection. May be called twice."""
        if self._producing is not None:
            self._producing.close()
            self._producing = None
