"""Records for the consumer of a command under test."""

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaProducer

from consumers.taking import Taken
from ledger.candidates import Receipt
from tests.cli.conftest import Command


class Read(NamedTuple):
    """What is used of a consumed record."""

    topic: str
    partition: int
    offset: int
    timestamp: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


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


def taken_of(topic: str, *outcomes: str) -> Taken:
    """A batch of one topic that ended like this."""
    return Taken(
        [Read(topic, 0, offset) for offset in range(len(outcomes))],
        [Receipt("mail", f"{n}", outcome, None, None, None, None) for n, outcome in
         enumerate(outcomes)],
        {},
    )  # fmt: skip
