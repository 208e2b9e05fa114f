"""The demonstration's way through Kafka: publish to the embedded broker, consume from it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

from consumers.brokers import BrokerFailed, EmbeddedBroker
from consumers.producing import Producing, ProducingFailed
from consumers.taking import Taken
from consumers.watching import BrokersAway, create_topics
from schemas.message import Message
from schemas.reading import read
from schemas.topics import TOPICS
from servicetrail.consuming import Consumption, consuming, consuming_of
from servicetrail.publisher.records import record_of
from servicetrail.system import System

_START_SECONDS = 15
_STILL_SECONDS = 20
_PARTITIONS = 4
_BATCH = 1_000
# A broker of our own answers at once: the group need not wait for members that are slow.
_OPTIONS = {"session_timeout_ms": 1_500, "heartbeat_interval_ms": 300}


class WithoutKafka(Exception):
    """It cannot go by way of Kafka; the text says why."""


def by_kafka(
    system: System, messages: Sequence[Message], advance: Callable[[int], None]
) -> Counter[str]:
    """Publish the messages as a channel system does, and consume them; how many ended how.

    `advance` is called with the number of those that were consumed. Raises WithoutKafka.
    """
    for name in ("consumers", "servicetrail.consuming"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the figures are what is to be seen
    outcomes: Counter[str] = Counter()
    moved = Event()

    def taken(batch: Taken) -> None:
        outcomes.update(receipt.outcome for receipt in batch.receipts)
        advance(len(batch.receipts))
        moved.set()

    try:
        with EmbeddedBroker(start_seconds=_START_SECONDS) as broker:
            there = replace(system, settings=system.settings.model_copy(update={
                "kafka_bootstrap_servers": broker.bootstrap_servers,
                "kafka_topics": tuple(sorted(set(TOPICS.values()))),
                "kafka_instance": None,
                "kafka_options": _OPTIONS,
            }))  # fmt: skip
            create_topics(consuming_of(there.settings), _PARTITIONS)
            with consuming(there, on_taken=taken) as consumption:
                _publish(broker.bootstrap_servers, messages)
                _wait(consumption, lambda: outcomes.total() >= len(messages), moved)
    except (BrokerFailed, BrokersAway, ProducingFailed) as failed:
        raise WithoutKafka(str(failed).splitlines()[0].rstrip(":")) from failed
    return outcomes


class _Patience:
    """Ends some time after it began."""

    def __init__(self) -> None:
        self._until = time.monotonic() + _STILL_SECONDS

    def is_over(self) -> bool:
        return time.monotonic() > self._until


def _publish(bootstrap_servers: str, messages: Sequence[Message]) -> None:
    now = datetime.now(UTC)
    with closing(Producing(bootstrap_servers, {})) as producing:
        for start in range(0, len(messages), _BATCH):
            events = [read(message, now=now) for message in messages[start : start + _BATCH]]
            records = [record_of(event, TOPICS, now) for event in events]
            produced = producing.produce(records, _Patience().is_over)
            if produced.failure is not None or produced.refused:
                raise WithoutKafka(produced.failure or "the broker refuses some of the events")


def _wait(consumption: Consumption, done: Callable[[], bool], moved: Event) -> None:
    while not done():
        if not moved.wait(_STILL_SECONDS):
            raise WithoutKafka(f"nothing was consumed for {_STILL_SECONDS} s")
        moved.clear()
        if consumption.error is not None:
            raise WithoutKafka(f"the consumer failed: {consumption.error}")
