"""Publishing from inside a channel system."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consumers.producing import check_options
from schemas.content import STRUCTURED
from schemas.event import Event
from schemas.message import Message
from schemas.reading import read
from schemas.topics import topics_with
from servicetrail.publisher.delivery import Delivery
from servicetrail.publisher.outbox import Discard, Outbox, Refusal
from servicetrail.publisher.records import record_of

CAPACITY = 100_000
_LAST_SECONDS = 5.0


class Publisher:
    """Publishes events to Kafka, through an outbox on the disk, without ever waiting for brokers.

    `publish` returns when the event is on the disk. A thread delivers in the background, tries
    again for as long as it takes, and goes on after a restart where it was. Once `publish` has
    returned, the event reaches its topic at least once, whatever is killed or unreachable, as long
    as the outbox file survives and a publisher is opened on it again. It arrives twice where the
    process ended between a delivery and the note of it: the same `source` and `id`, which the
    ledger takes once. Events of one customer are first seen in the order in which `publish`
    returned.

    bootstrap_servers: `host:port`, several separated by commas.
    outbox: the file of the outbox; one publisher at a time may have it open.
    source: the `source` of events for which `publish` is given none.
    topics: other topics than the usual ones, by family: {"support": "back-office"}.
    capacity: how many events may wait before `publish` raises `OutboxFull`.
    kafka: further options of kafka-python's `KafkaProducer`, such as those for TLS and SASL.

    May be used from several threads. Open it after a fork, never before. Raises `OutboxInUse`,
    `OutboxFailed`, ValueError for an unknown family or option.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        outbox: Path | str,
        *,
        source: str | None = None,
        topics: Mapping[str, str] | None = None,
        capacity: int = CAPACITY,
        kafka: Mapping[str, Any] | None = None,
    ) -> None:
        check_options(kafka or {})
        self._source = source
        self._topics = topics_with(topics or {})
        self._outbox = Outbox(outbox, capacity=capacity)
        self._delivery = Delivery(self._outbox, bootstrap_servers, kafka or {})
        self._delivery.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def publish(
        self,
        type: str,  # noqa: A002 - the names of the CloudEvents attributes
        data: Mapping[str, Any],
        *,
        id: str,  # noqa: A002
        source: str | None = None,
        time: datetime | str | None = None,
        sequence: int | None = None,
        correlationid: str | None = None,
        causationid: str | None = None,
    ) -> None:
        """Check an event as the ledger's intake will, and put it into the outbox.

        `data` are the type's fields as JSON has them; aware datetimes, dates and Decimals are taken
        as well. `time` is when it happened, with an offset; without it the moment of publishing
        counts, and the event is marked as having an assumed time. Publishing what waits already,
        or is remembered as delivered, is no error and sends nothing.

        Raises `Unreadable` (with `code`, `path` and `message`) for an event that the intake would
        reject, TypeError for values that no event has, `OutboxFull`, `OutboxFailed`,
        `PublisherClosed`. In each of these cases nothing was published.
        """
        attributes = {
            "specversion": "1.0",
            "id": id,
            "source": source if source is not None else self._source,
            "type": type,
            "time": time,
            "sequence": sequence,
            "correlationid": correlationid,
            "causationid": causationid,
        }
        now = datetime.now(UTC)
        given = {name: value for name, value in attributes.items() if value is not None}
        event = event_of({**given, "data": data}, now)
        self._outbox.put([record_of(event, self._topics, now)])

    def flush(self, timeout: float | None = None) -> int:
        """Wait until all events published so far are acknowledged, `timeout` seconds at most.

        Returns how many of them still wait: 0 if all is delivered. Refused ones do not wait.
        """
        return self._outbox.wait_for_delivery(self._outbox.last(), timeout)

    def close(self, timeout: float = 10) -> None:
        """Deliver for `timeout` seconds at most, then stop. May be called twice.

        What still waits is delivered by the next publisher on the same outbox.
        """
        if self._outbox.is_closed:
            return
        deadline = clock.monotonic() + timeout
        try:
            self.flush(timeout)
        finally:
            self._delivery.stop(max(_LAST_SECONDS, deadline - clock.monotonic()))
            self._outbox.close()

    @property
    def waiting(self) -> int:
        """How many events wait for their delivery."""
        return self._outbox.waiting

    @property
    def refused(self) -> list[Refusal]:
        """What brokers refused for good, such as records above their size limit.

        These stay in the outbox; publishing such an event once more tries it again.
        """
        return self._outbox.refusals()

    def discard_refused(self, reason: str) -> list[Discard]:
        """Put aside what brokers refused until now, such as because something else was published
        in its place. What it said is gone; its source and id stay on record with the reason.
        """
        return self._outbox.discard(reason)

    @property
    def discarded(self) -> list[Discard]:
        """What was ever put aside."""
        return self._outbox.discards()

    @property
    def last_failure(self) -> str | None:
        """Why nothing, or nothing in some topics, is acknowledged at the moment; None when all is
        well.
        """
        failure = self._delivery.failure or self._delivery.closed_topics
        return None if failure is None else str(failure)


def event_of(cloudevent: Mapping[str, Any], now: datetime) -> Event:
    """The event that a CloudEvent with JSON data, or nearly, stands for. Raises `Unreadable`."""
    body = json.dumps(dict(cloudevent), default=_json_value).encode()
    return read(Message(body, STRUCTURED, {}, "", "", now), now=now)


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no event has a value of the type {type(value).__name__}")
