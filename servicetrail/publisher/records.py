"""From events to Kafka records, as the CloudEvents binding for Kafka says (binary mode)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import domain
from consumers.producing import Record
from schemas.catalogue import SHIPPED
from schemas.codec import instant_text
from schemas.content import AVRO
from schemas.event import Event
from schemas.topics import family_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def record_of(event: Event, topics: Mapping[str, str], published_at: datetime) -> Record:
    """The record of an event: CloudEvents attributes in headers, Avro data with their fingerprint.

    The key is the customer id, or `<kind>/<id>` for policies; `topics` has the topic of every
    family. The record's timestamp is `published_at` (aware), which also stands for the time of an
    event that has none; where the event has its own, delivery puts the time of sending in its
    place. Equal events give equal records, up to that timestamp.
    """
    key = partition_key(event)
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": None if event.time_assumed else instant_text(event.occurred_at),
        "subject": key,
        "partitionkey": key,
        "sequence": event.sequence,
        "correlationid": event.correlation_id,
        "causationid": event.causation_id,
    }
    headers = [
        (f"ce_{name}", str(value).encode())
        for name, value in attributes.items()
        if value is not None
    ]
    return Record(
        topics[family_of(event.type)],
        key.encode(),
        single_object(event),
        [*headers, ("content-type", AVRO.encode())],
        (published_at - _EPOCH) // _MILLISECOND,
    )


def partition_key(event: Event) -> str:
    """What keeps events in order: the customer id, or `<kind>/<id>` for policies."""
    if event.customer_id is not None:
        return event.customer_id
    fact = domain.EVENT_TYPES[event.type]
    return f"{fact.KIND}/{event.data[fact.ID_FIELD]}"


def single_object(event: Event) -> bytes:
    """The data of an event, personal fields included, in Avro single-object encoding."""
    schema = SHIPPED.by_fingerprint[event.fingerprint]
    if event.personal is None:
        return schema.header + event.facts
    data: dict[str, Any] = schema.read_facts(event.facts, 0)[0]
    for path, text in event.personal.items():
        *outer, name = path.split(".")
        holder = data
        for step in outer:
            holder = holder[step]
        holder[name] = text
    return schema.header + schema.write(data)
