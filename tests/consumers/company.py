"""A simulated company that publishes everything to one topic, by a client that is not ours."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer

from servicetrail.simulate import simulate

Name = tuple[str, str]
"""Source and id of an event."""


class Company:
    """Its events in the order of publication, in structured mode, keyed by customer (or policy)."""

    def __init__(self, bootstrap_servers: str, topic: str, events: int, seed: int) -> None:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        self._events = list(simulate(events, seed, start=start, days=max(1, events // 1_000)))
        self._topic = topic
        self._published = 0
        self._failures: list[str] = []
        # Idempotent: whatever happens to the brokers, each record is there once, in order.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
                "linger.ms": 20,
                "log_level": 2,
            }
        )

    def publish(self, upto: int) -> None:
        """Publish events up to that many in all, in the background."""
        for event in self._events[self._published : upto]:
            value = json.dumps(event).encode()
            self._producer.produce(
                self._topic, value, key=event["partitionkey"], on_delivery=self._delivered
            )
            self._published += 1
        self._producer.poll(0)

    def finish(self, patience_seconds: float = 60) -> None:
        """Publish what is left, and wait until the brokers have everything."""
        self.publish(len(self._events))
        assert self._producer.flush(patience_seconds) == 0
        assert self._failures == []

    def by_key(self) -> dict[str, list[Name]]:
        """What was published under each key, in order."""
        return self.grouped((event["source"], event["id"]) for event in self._events)

    def grouped(self, names: Iterable[Name]) -> dict[str, list[Name]]:
        """Events by the key under which they were published, in the order given."""
        keys = {(event["source"], event["id"]): event["partitionkey"] for event in self._events}
        grouped: dict[str, list[Name]] = defaultdict(list)
        for name in names:
            grouped[keys[name]].append(name)
        return dict(grouped)

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failures.append(str(error))
