"""Records for the consumer of a command under test."""

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from kafka import KafkaProducer

from tests.cli.conftest import Command


def publish(command: Command, events: Iterable[dict[str, Any]]) -> None:
    """Publish events to the topic that the command consumes, and wait until they are there."""
    topic = command.environment["SERVICETRAIL_KAFKA_TOPICS"]
    with closing(
        KafkaProducer(bootstrap_servers=command.environment["SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"])
    ) as producer:
        for event in events:
            key = event["data"]["customer_id"].encode()
            producer.send(topic, json.dumps(event).encode(), key=key)
        producer.flush(30)
