"""The envelope: who is speaking, about what, when; in binary and in structured mode."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import codec
from tests.schemas.samples import (
    ATTRIBUTES,
    CALENDAR,
    CALL,
    NOW,
    avro,
    message,
    refused,
    structured,
    taken,
)

DATUM = codec.encode("touchpoint.recorded.v1", CALL)


def test_everything_that_an_event_says_of_itself() -> None:
    event = taken(
        avro(
            CALL | {"note": "called back"},
            subject="C-1",
            partitionkey="C-1",
            sequence="42",
            correlationid="order-9",
            causationid="call-0",
            time="2024-05-01T11:30:00.25+02:00",
        )
    )
    assert (event.source, event.id) == ("urn:calls:north", "call-1")
    assert event.event_id == codec.event_id("urn:calls:north", "call-1")
    assert event.type == "touchpoint.recorded.v1"
    assert event.stream_id == "touchpoint:T-1"
    assert event.customer_id == "C-1"
    assert event.occurred_at == datetime(2024, 5, 1, 9, 30, 0, 250_000, tzinfo=UTC)
    assert not event.time_assumed
    assert (event.sequence, event.correlation_id, event.causation_id) == (42, "order-9", "call-0")
    assert event.fingerprint == codec.fingerprint_of("touchpoint.recorded.v1")
    assert event.facts == DATUM
    assert event.data["note"] is None
    assert event.personal == {"note": "called back"}


def test_an_event_that_says_little_is_taken_with_where_it_came_from() -> None:
    event = taken(structured(CALL, source=None, id=None, time=None, specversion=None))
    assert (event.source, event.id) == ("file:calls.jsonl", "line 17")
    assert (event.occurred_at, event.time_assumed) == (NOW, True)


def test_a_record_without_any_attribute_is_known_by_its_schema() -> None:
    body = codec.single_object("touchpoint.recorded.v1", CALL)
    event = taken(message(body))
    assert (event.type, event.source, event.id) == (
        "touchpoint.recorded.v1",
        "file:calls.jsonl",
        "line 17",
    )


def test_bare_data_without_a_type_are_not_known() -> None:
    refusal = refused(message(DATUM))
    assert (refusal.code, refusal.path) == ("missing_attribute", "type")
    refusal = refused(structured(CALL, type=None))
    assert (refusal.code, refusal.path) == ("missing_attribute", "type")


def test_the_schema_may_be_named_by_its_address() -> None:
    address = "https://example.org/schemas/touchpoint.recorded.v1.avsc"
    event = taken(message(DATUM, "application/avro", {"dataschema": address}))
    assert event.type == "touchpoint.recorded.v1"
    elsewhere = {**ATTRIBUTES, "dataschema": "https://example.org/customer.lapsed.v1"}
    refusal = refused(message(DATUM, "application/avro", elsewhere))
    assert (refusal.code, refusal.path) == ("bad_attribute", "dataschema")
    unheard = {**ATTRIBUTES, "dataschema": "urn:our-own-catalogue:17"}
    assert taken(message(DATUM, "application/avro", unheard)).type == "touchpoint.recorded.v1"


def test_an_unknown_fingerprint() -> None:
    body = b"\xc3\x01" + bytes(range(8)) + DATUM
    refusal = refused(message(body, "application/avro", ATTRIBUTES))
    assert refusal.code == "unknown_schema"
    assert "0706050403020100" in refusal.message


def test_the_confluent_wire_format_needs_a_registry() -> None:
    body = b"\0\0\0\0\x09" + DATUM
    refusal = refused(message(body, "application/avro", ATTRIBUTES))
    assert refusal.code == "unknown_schema"
    assert "SERVICETRAIL_SCHEMA_REGISTRY_URL" in refusal.message


@pytest.mark.parametrize("text", [None, "no schema", '"string"', "[" * 5000])
def test_a_registry_that_does_not_help(text: str | None) -> None:
    class Registry:
        def schema_for(self, schema_id: int) -> str | None:
            assert schema_id == 9
            return text

    what = message(b"\0\0\0\0\x09" + DATUM, "application/avro", ATTRIBUTES)
    assert refused(what, registry=Registry()).code == "unknown_schema"


@pytest.mark.parametrize("body", [b"", b"\xc3\x01", b"\xc3\x01\0\0\0\0\0\0\0", b"\0", b"\0\0\0\0"])
def test_too_little_to_be_anything(body: bytes) -> None:
    refusal = refused(message(body, "application/avro", ATTRIBUTES))
    assert refusal.code == "unreadable_avro"


def test_bytes_within_a_structured_event() -> None:
    for body, content_type in (
        (DATUM, "application/avro"),
        (codec.single_object("touchpoint.recorded.v1", CALL), "application/avro"),
        (codec.single_object("touchpoint.recorded.v1", CALL), None),
        (json.dumps(CALL).encode(), "application/json"),
        (json.dumps(CALL).encode(), None),
    ):
        event = taken(
            structured(None, datacontenttype=content_type, data_base64=b64encode(body).decode())
        )
        assert event == taken(structured(CALL))


@pytest.mark.parametrize(
    ("attributes", "code", "path"),
    [
        ({"specversion": "0.3"}, "bad_attribute", "specversion"),
        ({"id": 17}, "bad_attribute", "id"),
        ({"time": 1714550400}, "bad_attribute", "time"),
        ({"type": ["touchpoint.recorded.v1"]}, "bad_attribute", "type"),
        ({"sequence": "-1"}, "bad_attribute", "sequence"),
        ({"sequence": "1.0"}, "bad_attribute", "sequence"),
        ({"sequence": "٣"}, "bad_attribute", "sequence"),
        ({"sequence": ""}, "bad_attribute", "sequence"),
        ({"sequence": str(2**63)}, "bad_attribute", "sequence"),
        ({"sequence": True}, "bad_attribute", "sequence"),
        ({"sequence": 10**400}, "bad_attribute", "sequence"),
        ({"correlationid": "x" * 201}, "bad_identifier", "correlationid"),
        ({"causationid": ""}, "bad_identifier", "causationid"),
        ({"dataschema": 5}, "bad_attribute", "dataschema"),
        ({"datacontenttype": "text/xml"}, "unsupported_content_type", "datacontenttype"),
        ({"datacontenttype": "application/avro"}, "unsupported_content_type", "datacontenttype"),
        ({"data_base64": "AAAA"}, "bad_attribute", "data_base64"),
        ({"data": None}, "missing_field", "data"),
        ({"data": None, "data_base64": "?"}, "bad_attribute", "data_base64"),
        ({"data": None, "data_base64": 5}, "bad_attribute", "data_base64"),
        (
            {
                "data": None,
                "data_base64": "AAAA",
                "datacontenttype": "application/cloudevents+json",
            },
            "unsupported_content_type",
            "datacontenttype",
        ),
    ],
)
def test_attributes_that_cannot_be(attributes: dict[str, Any], code: str, path: str) -> None:
    event = {**ATTRIBUTES, "data": CALL, **attributes}
    refusal = refused(message(json.dumps(event).encode(), "application/cloudevents+json"))
    assert (refusal.code, refusal.path) == (code, path)


@pytest.mark.parametrize("sequence", ["0", "007", str(2**63 - 1), 12])
def test_sequences(sequence: Any) -> None:
    assert taken(structured(CALL, sequence=sequence)).sequence == int(sequence)


@pytest.mark.parametrize("content_type", ["text/plain", "application/cloudevents-batch+json"])
def test_content_that_is_not_read(content_type: str) -> None:
    refusal = refused(message(b"{}", content_type, ATTRIBUTES))
    assert refusal.code == "unsupported_content_type"
    assert refusal.id == "call-1"


def test_what_a_message_without_content_type_is_its_bytes_say() -> None:
    body = json.dumps({**ATTRIBUTES, "data": CALL}).encode()
    assert taken(message(body)) == taken(structured(CALL))
    assert taken(message(b"\xef\xbb\xbf" + body)) == taken(structured(CALL))
    assert taken(message(json.dumps(CALL).encode(), "", ATTRIBUTES)) == taken(structured(CALL))
    named = {**ATTRIBUTES, "datacontenttype": "application/avro"}
    assert taken(message(DATUM, "", named)) == taken(structured(CALL))


def test_policies_are_their_own_subject() -> None:
    event = taken(structured(CALENDAR, "calendar.published.v1", subject="calendar/front-office"))
    assert event.customer_id is None
    assert event.stream_id == "calendar:front-office"
    refusal = refused(structured(CALENDAR, "calendar.published.v1", subject="front-office"))
    assert (refusal.code, refusal.path) == ("subject_mismatch", "subject")


def test_attributes_of_other_standards_do_no_harm() -> None:
    assert taken(structured(CALL, traceparent="00-4bf9-01", extension=5)) == taken(structured(CALL))


def test_neither_the_event_nor_its_way_in_has_a_name() -> None:
    nameless = replace(structured(CALL, id=None), default_id="")
    refusal = refused(nameless)
    assert (refusal.code, refusal.path) == ("missing_attribute", "id")
    assert taken(replace(structured(CALL), default_id="", default_source="")).id == "call-1"
