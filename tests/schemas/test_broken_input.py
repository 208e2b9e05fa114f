"""Channels send what they should not: each gets a clear reason, and nothing crashes."""

import json
from typing import Any

import pytest

from schemas import codec
from tests.schemas.samples import (
    ATTRIBUTES,
    CALL,
    NOW,
    PROMISE,
    avro,
    message,
    refused,
    structured,
    taken,
    text,
)


def test_truncated_avro() -> None:
    whole = avro(CALL)
    refusal = refused(message(whole.body[:-8], "application/avro", ATTRIBUTES))
    assert (refusal.code, refusal.path) == ("unreadable_avro", "data.case_id")
    assert (refusal.source, refusal.id) == ("urn:calls:north", "call-1")
    assert refusal.type == "touchpoint.recorded.v1"


def test_avro_with_more_behind_it() -> None:
    refusal = refused(message(avro(CALL).body + b"\0", "application/avro", ATTRIBUTES))
    assert (refusal.code, refusal.path) == ("unreadable_avro", "data")


def test_avro_of_another_type_than_the_attribute_says() -> None:
    body = codec.single_object("customer.lapsed.v1", {"customer_id": "C-1"})
    refusal = refused(message(body, "application/avro", ATTRIBUTES))
    assert (refusal.code, refusal.path) == ("bad_attribute", "type")


def test_an_unknown_type() -> None:
    refusal = refused(structured(CALL, "touchpoint.recorded.v9"))
    assert (refusal.code, refusal.path) == ("unknown_type", "type")
    assert refusal.type == "touchpoint.recorded.v9"
    assert (refusal.source, refusal.id) == ("urn:calls:north", "call-1")


def test_another_customer_in_the_subject() -> None:
    refusal = refused(structured(CALL, subject="C-2"))
    assert (refusal.code, refusal.path) == ("subject_mismatch", "subject")
    refusal = refused(avro(CALL, subject="C-1", partitionkey="C-2"))
    assert (refusal.code, refusal.path) == ("subject_mismatch", "partitionkey")
    assert refusal.customer_id == "C-1"


def test_personal_data_in_a_field_that_does_not_exist() -> None:
    refusal = refused(structured(CALL | {"phone_number": "+31 6 1234 5678"}))
    assert (refusal.code, refusal.path) == ("unknown_field", "data.phone_number")
    assert "1234" not in f"{refusal} {refusal.args}"


def test_personal_data_as_the_name_of_a_field() -> None:
    refusal = refused(structured(CALL | {"jan@example.org": "called back"}))
    assert (refusal.code, refusal.path) == ("unknown_field", "data.(unprintable name)")
    assert "jan" not in f"{refusal} {refusal.args}"


def test_a_note_of_5_mb() -> None:
    note = "x" * 5_000_000
    refusal = refused(avro(CALL | {"note": note}))
    assert refusal.code == "too_large"
    assert (refusal.source, refusal.id) == ("urn:calls:north", "call-1")
    refusal = refused(structured(CALL | {"note": note}))
    assert refusal.code == "too_large"
    assert (refusal.source, refusal.id) == ("file:calls.jsonl", "line 17")
    assert taken(avro(CALL | {"note": note}), max_bytes=6_000_000).personal == {"note": note}


@pytest.mark.parametrize("make", [structured, avro])
@pytest.mark.parametrize("field", ["topic", "note", "channel", "case_id"])
def test_nul_characters(make: Any, field: str) -> None:
    if make is avro:
        body = codec.single_object("touchpoint.recorded.v1", CALL | {field: "a~b"})
        what = message(body.replace(b"a~b", b"a\0b"), "application/avro", ATTRIBUTES)
    else:
        what = make(CALL | {field: "a\0b"})
    refusal = refused(what)
    assert (refusal.code, refusal.path) == ("nul_character", f"data.{field}")


@pytest.mark.parametrize("name", ["source", "id", "subject", "time", "correlationid", "type"])
def test_nul_characters_in_attributes(name: str) -> None:
    refusal = refused(structured(CALL, **{name: "a\0b"}))
    assert refusal.code in {"nul_character", "subject_mismatch", "unknown_type"}
    assert refusal.path == name


@pytest.mark.parametrize("time", ["1900-01-01T00:00:00Z", "2200-01-01T00:00:00Z"])
def test_an_event_from_1900_and_one_from_2200(time: str) -> None:
    for refusal in (refused(structured(CALL, time=time)), refused(avro(CALL, time=time))):
        assert (refusal.code, refusal.path) == ("time_out_of_range", "time")


def test_the_first_and_the_last_moment_that_are_taken() -> None:
    assert taken(structured(CALL, time="1970-01-01T01:00:00+01:00")).occurred_at.year == 1970
    assert taken(structured(CALL, time="2024-05-02T12:00:00Z")).occurred_at.day == 2
    assert refused(structured(CALL, time="1970-01-01T00:59:59.999999+01:00"))
    assert refused(structured(CALL, time="2024-05-02T12:00:00.000001Z"))


def test_a_corrected_time_from_1900() -> None:
    correction = {
        "touchpoint_id": "T-1",
        "customer_id": "C-1",
        "reason": "typed wrongly",
        "corrected": CALL | {"occurred_at": "1900-01-01T00:00:00Z"},
    }
    refusal = refused(structured(correction, "touchpoint.corrected.v1"))
    assert (refusal.code, refusal.path) == ("time_out_of_range", "data.corrected.occurred_at")


@pytest.mark.parametrize("field", ["touchpoint_id", "customer_id", "case_id", "in_reply_to"])
@pytest.mark.parametrize("value", ["x" * 10_000, "x" * 201, "", "a\nb", "a\x1bb", "a\x85b"])
def test_ids_that_are_none(field: str, value: str) -> None:
    refusal = refused(structured(CALL | {field: value}))
    assert (refusal.code, refusal.path) == ("bad_identifier", f"data.{field}")


@pytest.mark.parametrize("name", ["source", "id"])
@pytest.mark.parametrize("value", ["x" * 10_000, "", "a\nb"])
def test_a_source_or_id_that_is_none_is_found_again_by_where_it_came_from(
    name: str, value: str
) -> None:
    refusal = refused(structured(CALL, **{name: value}))
    assert (refusal.code, refusal.path) == ("bad_identifier", name)
    expected = {"source": "urn:calls:north", "id": "call-1"}
    expected[name] = {"source": "file:calls.jsonl", "id": "line 17"}[name]
    assert {"source": refusal.source, "id": refusal.id} == expected


def test_the_texts_na_and_null_are_ids_like_any_other() -> None:
    for value in ("NA", "null", "None", "nan", "0", " "):
        event = taken(structured(CALL | {"touchpoint_id": value, "customer_id": value}, id=value))
        assert (event.id, event.customer_id) == (value, value)
        assert event.stream_id == f"touchpoint:{value}"


def test_200_characters_are_an_id_even_if_they_take_more_bytes() -> None:
    assert taken(structured(CALL | {"customer_id": "ж" * 200})).customer_id == "ж" * 200


def test_a_duplicate_key() -> None:
    event = json.dumps({**ATTRIBUTES, "data": CALL})
    twice = event.replace('"channel": "phone"', '"channel": "phone", "channel": "mail"')
    refusal = refused(text(twice))
    assert (refusal.code, refusal.path) == ("duplicate_key", "data.channel")
    refusal = refused(text(event.replace('"id": "call-1"', '"id": "call-1", "id": "call-2"')))
    assert (refusal.code, refusal.path) == ("duplicate_key", "id")


def test_a_duplicate_key_within_a_list() -> None:
    refusal = refused(text('{"data": {"weekly": [{}, {"from": "09:00", "from": "10:00"}]}}'))
    assert (refusal.code, refusal.path) == ("duplicate_key", "data.weekly[1].from")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "[]",
        "null",
        '"text"',
        '{"id": }',
        '{"id": NaN}',
        '{"id": -Infinity}',
        '{"id": 1e99999999999999999999}',
        '{"id": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"data":' * 100_000,
        '{"id": "\ud800"}'.encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_what_is_no_json(line: str) -> None:
    refusal = refused(message(line.encode("latin-1"), "application/cloudevents+json"))
    assert refusal.code == "unreadable_json"
    assert (refusal.source, refusal.id) == ("file:calls.jsonl", "line 17")


def test_json_in_another_encoding() -> None:
    body = json.dumps({**ATTRIBUTES, "data": CALL}).encode("utf-16")
    assert refused(message(body, "application/cloudevents+json")).code == "unreadable_json"


def test_half_a_surrogate_pair_is_no_text() -> None:
    for field in ("note", "topic", "customer_id"):
        refusal = refused(structured(CALL | {field: "\ud83d"}))
        assert (refusal.code, refusal.path) == ("wrong_type", f"data.{field}")
    assert refused(structured(CALL, source="\ud83d")).source == "file:calls.jsonl"


def test_the_reason_never_repeats_a_value() -> None:
    secret = "Jan Jansen"
    for data in (
        CALL | {"direction": secret},
        CALL | {"handling_seconds": secret},
        CALL | {"customer_id": secret * 30},
        CALL | {"concurrency": secret},
        PROMISE | {"due_at": secret},
        {"touchpoint_id": secret},
    ):
        event_type = "promise.made.v1" if "promise_id" in data else "touchpoint.recorded.v1"
        assert secret not in str(refused(structured(data, event_type)).args)


def test_what_only_we_write() -> None:
    data = {"customer_id": "C-1", "basis": "asked for"}
    for what in (
        structured(data, "customer.erased.v1"),
        avro(data, "customer.erased.v1"),
    ):
        assert refused(what).code == "reserved_type"


def test_a_good_event_after_all_these() -> None:
    event = taken(structured(CALL, time=None))
    assert (event.occurred_at, event.time_assumed) == (NOW, True)
