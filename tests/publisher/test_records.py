"""What is published is what a consumer reads, for every event type."""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import domain
from consumers.producing import Record
from consumers.records import message_of
from schemas.catalogue import SHIPPED
from schemas.codec import single_object
from schemas.topics import TOPICS, topics_with, types_of
from servicetrail.publisher.records import record_of
from tests.schemas.samples import (
    CALENDAR,
    CALL,
    NOW,
    PROMISE,
    avro,
    data_of,
    message,
    structured,
    taken,
)

LATER = datetime(2024, 5, 1, 13, 30, 0, 250_000, tzinfo=UTC)
RECEIVED = sorted(domain.EVENT_TYPES.keys() - domain.WRITTEN_BY_US)


class Consumed(NamedTuple):
    """A record as it comes back."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes | None]]


def consumed(record: Record) -> Consumed:
    headers: list[tuple[str, bytes | None]] = [*record.headers]
    return Consumed(record.topic, 0, 0, record.timestamp, record.key, record.value, headers)


def headers_of(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


@settings(deadline=None, max_examples=15)
@given(st.data())
@pytest.mark.parametrize("event_type", RECEIVED)
def test_every_event_comes_back_as_it_was(event_type: str, data: st.DataObject) -> None:
    event = taken(avro(data.draw(data_of(event_type)), event_type, sequence="7"))
    record = record_of(event, TOPICS, LATER)
    assert taken(message_of(consumed(record), received_at=NOW)) == event


def test_a_customers_event_is_keyed_by_the_customer_and_says_so_in_its_headers() -> None:
    event = taken(structured(CALL, correlationid="K-4711", causationid="call-0", sequence=17))
    record = record_of(event, TOPICS, LATER)
    assert (record.topic, record.key) == ("touchpoints", b"C-1")
    assert headers_of(record) == {
        "ce_specversion": "1.0",
        "ce_id": "call-1",
        "ce_source": "urn:calls:north",
        "ce_type": "touchpoint.recorded.v1",
        "ce_time": "2024-05-01T09:30:00Z",
        "ce_subject": "C-1",
        "ce_partitionkey": "C-1",
        "ce_sequence": "17",
        "ce_correlationid": "K-4711",
        "ce_causationid": "call-0",
        "content-type": "application/avro",
    }


def test_a_policy_is_keyed_by_its_kind_and_id() -> None:
    event = taken(structured(CALENDAR, "calendar.published.v1"))
    record = record_of(event, TOPICS, LATER)
    assert (record.topic, record.key) == ("policies", b"calendar/front-office")


def test_json_and_avro_of_the_same_event_give_the_same_record() -> None:
    in_json = taken(structured({**CALL, "note": "Call back"}))
    in_avro = taken(message(
        single_object("touchpoint.recorded.v1", {**CALL, "note": "Call back"}),
        "application/avro",
        {"specversion": "1.0", "id": "call-1", "source": "urn:calls:north",
         "type": "touchpoint.recorded.v1", "time": "2024-05-01T11:30:00+02:00"},
    ))  # fmt: skip
    assert record_of(in_json, TOPICS, LATER) == record_of(in_avro, TOPICS, LATER)


def test_the_time_of_an_event_that_has_none_is_the_records_and_stays_assumed() -> None:
    event = taken(structured(CALL, time=None))
    record = record_of(event, TOPICS, LATER)
    assert "ce_time" not in headers_of(record)
    back = taken(message_of(consumed(record), received_at=NOW))
    assert (back.occurred_at, back.time_assumed) == (LATER, True)


def test_personal_fields_travel_where_they_belong() -> None:
    event = taken(structured({**CALL, "note": "Ada, second floor"}))
    record = record_of(event, TOPICS, LATER)
    back = taken(message_of(consumed(record), received_at=NOW))
    assert back.personal == {"note": "Ada, second floor"}
    assert b"Ada" not in json.dumps(headers_of(record)).encode() + record.key


def test_every_family_has_a_topic_and_every_type_a_family() -> None:
    published = [each for topic in set(TOPICS.values()) for each in types_of(topic)]
    assert sorted(published) == RECEIVED
    families = {schema.event.partition(".")[0] for schema in SHIPPED.by_type.values()}
    assert families - {"access"} == set(TOPICS)  # nobody publishes what we write alone


def test_other_topics_can_be_chosen_for_families_there_are() -> None:
    topics = topics_with({"support": "back-office"})
    promise = taken(structured(PROMISE, "promise.made.v1"))
    request: dict[str, Any] = {"request_id": "R-1", "customer_id": "C-1", "kind": "technical"}
    support = taken(structured(request, "support.requested.v1"))
    assert record_of(promise, topics, LATER).topic == "promises"
    assert record_of(support, topics, LATER).topic == "back-office"
    with pytest.raises(ValueError, match="no family suport"):
        topics_with({"suport": "back-office"})
