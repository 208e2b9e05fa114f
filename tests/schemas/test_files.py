"""Files of events: whatever their form, the same messages; and what can be read of damaged ones."""

import gzip
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas import cloudevent_avro, codec, files
from schemas.event import Event
from schemas.files import UnreadableFile, messages_from, messages_in, write_container, write_jsonl
from schemas.message import Message
from schemas.reading import MAX_BYTES, read
from tests.schemas.samples import ATTRIBUTES, CALL, NOW, refused, taken

EVENTS: list[dict[str, Any]] = [
    {
        "id": f"call-{number}",
        "source": "urn:calls:north",
        "type": "touchpoint.recorded.v1",
        "time": datetime(2024, 5, 1, 9, number % 60, tzinfo=UTC),
        "subject": "C-1",
        "sequence": number,
        "data": CALL | {"touchpoint_id": f"T-{number}", "note": "called" if number % 2 else None},
    }
    for number in range(1, 1001)
]


def as_jsonl(events: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    write_jsonl(stream, events)
    return stream.getvalue()


def as_container(events: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    write_container(stream, events)
    return stream.getvalue()


def bare_container(records: list[dict[str, Any]], **options: Any) -> bytes:
    """Rows of one event type without an envelope, as fastavro writes them."""
    stream = io.BytesIO()
    text = codec.schema_text(codec.fingerprint_of("touchpoint.recorded.v1"))
    fastavro.writer(stream, json.loads(text), records, **options)
    return stream.getvalue()


def messages(content: bytes, name: str = "calls") -> list[Message]:
    return list(messages_from(io.BytesIO(content), name, NOW))


def events(content: bytes) -> list[Event]:
    return [read(message, now=NOW) for message in messages(content)]


def test_the_same_events_from_every_form_of_file() -> None:
    expected = events(as_jsonl(EVENTS))
    assert [event.id for event in expected] == [event["id"] for event in EVENTS]
    assert expected[0].personal == {"note": "called"}
    assert expected[0].occurred_at == EVENTS[0]["time"]
    assert expected[0].sequence == 1
    for content in (
        as_container(EVENTS),
        gzip.compress(as_jsonl(EVENTS)),
        gzip.compress(as_container(EVENTS)),
        gzip.compress(as_jsonl(EVENTS[:400])) + gzip.compress(as_jsonl(EVENTS[400:])),
    ):
        assert events(content) == expected


def test_files_by_their_path_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calls.avro.txt"
    path.write_bytes(as_container(EVENTS))
    (first, *_) = messages_in(str(path))
    assert first.origin == {"file": "calls.avro.txt", "row": 1}
    assert first.default_source == "file:calls.avro.txt"

    stdin = io.TextIOWrapper(io.BytesIO(gzip.compress(as_jsonl(EVENTS[:3]))))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert [message.origin["line"] for message in messages_in("-")] == [1, 2, 3]
    with pytest.raises(FileNotFoundError):
        list(messages_in(str(tmp_path / "missing.jsonl")))


def test_lines_are_named_by_their_number_and_blank_ones_are_passed_over() -> None:
    nameless = [event | {"id": None, "source": None} for event in EVENTS[:2]]
    first, second = as_jsonl(nameless).splitlines()
    found = messages(b"\n  \r\n" + first + b"\r\n\n" + second)
    assert [message.default_id for message in found] == ["line 3", "line 5"]
    event = taken(found[1])
    assert (event.source, event.id) == ("file:calls", "line 5")
    assert messages(b"") == messages(b"\n") == []


def test_an_overlong_line_is_refused_and_the_next_one_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", MAX_BYTES + 1)
    good = as_jsonl(EVENTS[:1])
    for ending in (b"\n", b"   \n"):
        first, second = messages(b"x" * (3 * MAX_BYTES + 5) + ending + good)
        assert len(first.body) == MAX_BYTES + 1
        assert first.origin["cut"]
        assert refused(first).code == "too_large"
        assert taken(second).id == "call-1"
    (last,) = messages(b"x" * (3 * MAX_BYTES))
    assert refused(last).code == "too_large"


def test_a_line_of_exactly_the_longest_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    line, *_ = as_jsonl(EVENTS[:1]).splitlines()
    monkeypatch.setattr(files, "LONGEST_LINE", len(line))
    for content in (line, line + b"\n", line + b"\r\n"):
        (only,) = messages(content)
        assert only.body == line
        assert "cut" not in only.origin or taken(only)


@pytest.mark.parametrize("codec_name", ["null", "deflate", "bzip2", "xz"])
def test_rows_without_an_envelope(codec_name: str) -> None:
    records = [event["data"] for event in EVENTS]
    found = messages(bare_container(records, codec=codec_name))
    assert [message.default_id for message in found[:2]] == ["row 1", "row 2"]
    event = taken(found[1])
    assert (event.source, event.id, event.type) == ("file:calls", "row 2", "touchpoint.recorded.v1")
    assert event.time_assumed
    assert event.data["touchpoint_id"] == "T-2"
    assert len(found) == len(EVENTS)


def test_a_row_with_an_impossible_instant_does_not_stop_the_rest() -> None:
    lapses = [
        {"customer_id": "C-1", "basis": "asked", "requested_at": 2**62},
        {"customer_id": "C-2", "basis": "asked", "requested_at": None},
    ]
    schema = json.loads(codec.schema_text(codec.fingerprint_of("customer.erased.v1")))
    schema["fields"][2]["type"] = ["null", "long"]  # the same fingerprint
    stream = io.BytesIO()
    fastavro.writer(stream, schema, lapses)
    first, second = messages(stream.getvalue())
    assert refused(first).code == refused(second).code == "reserved_type"


def test_cloudevents_with_json_data_in_avro() -> None:
    attribute = {**ATTRIBUTES, "sequence": 7, "extension": True, "missing": None, "blob": b"\xff"}
    weighing = {
        "value": {"competitor": {"verdict": {"value": {}}}},  # an object within an object
    }
    records = [
        {"attribute": attribute, "data": CALL},
        {"attribute": attribute, "data": json.dumps(CALL)},
        {"attribute": attribute, "data": json.dumps(CALL).encode()},
        {"attribute": attribute, "data": {"weighing": weighing, "note": None, "ok": True}},
        {"attribute": attribute, "data": [weighing, {"value": {"list": [weighing]}}]},
        {"attribute": attribute, "data": None},
        {"attribute": attribute, "data": 5.5},
        {"attribute": attribute, "data": False},
        {"attribute": attribute, "data": CALL},
    ]
    for text in (
        cloudevent_avro.SCHEMA,
        cloudevent_avro.SCHEMA.replace("AvroCloudEvent", "CloudEvent"),
    ):
        stream = io.BytesIO()
        fastavro.writer(stream, json.loads(text), records)
        found = messages(stream.getvalue())
        assert len(found) == len(records)
        assert found[0].attributes == {
            **ATTRIBUTES,
            "sequence": "7",
            "extension": "true",
            "blob": "/w==",
        }
        for index in (0, 1, 2, 8):
            assert taken(found[index]).data["touchpoint_id"] == "T-1"
        assert json.loads(found[3].body) == {
            "weighing": {"competitor": {"verdict": {}}},
            "note": None,
            "ok": True,
        }
        assert json.loads(found[4].body) == [
            {"competitor": {"verdict": {}}},
            {"list": [{"competitor": {"verdict": {}}}]},
        ]
        assert refused(found[5]).code == "unreadable_avro"
        assert [found[index].body for index in (6, 7)] == [b"5.5", b"false"]


def read_until_it_fails(content: bytes) -> tuple[list[Message], UnreadableFile]:
    found: list[Message] = []

    def collect(stream: Iterator[Message]) -> None:
        for message in stream:
            found.append(message)  # noqa: PERF402 - what came before the error is wanted

    with pytest.raises(UnreadableFile) as caught:
        collect(messages_from(io.BytesIO(content), "calls", NOW))
    return found, caught.value


def test_a_file_that_ends_too_early_gives_what_it_holds() -> None:
    whole = as_container(EVENTS)
    found, error = read_until_it_fails(whole[: len(whole) * 2 // 3])
    assert 0 < len(found) < len(EVENTS)
    assert error.row == len(found)
    assert f"row {error.row}" in str(error)
    assert [taken(message).id for message in found] == [event["id"] for event in EVENTS][
        : error.row
    ]


def test_a_damaged_block_names_the_row() -> None:
    whole = bytearray(bare_container([event["data"] for event in EVENTS], codec="null"))
    at = whole.index(b"T-900")
    whole[at - 1] = 0xFF  # the length of the id
    found, error = read_until_it_fails(bytes(whole))
    assert error.row == len(found)
    assert 0 < error.row <= 900


def test_a_damaged_marker_between_blocks() -> None:
    whole = bytearray(as_container(EVENTS))
    whole[-1] ^= 0xFF
    found, error = read_until_it_fails(bytes(whole))
    assert len(found) == error.row == len(EVENTS)


def test_damaged_compression() -> None:
    for whole in (gzip.compress(as_jsonl(EVENTS)), gzip.compress(as_container(EVENTS))):
        found, error = read_until_it_fails(whole[:-300])
        assert error.row == len(found)
        read_until_it_fails(whole[:5])
        read_until_it_fails(whole[:200] + b"damaged" + whole[207:])


def test_a_block_that_claims_to_be_huge() -> None:
    whole = bare_container([CALL], codec="deflate", sync_marker=b"s" * 16)
    header = whole[: whole.index(b"s" * 16) + 16]
    bomb = io.BytesIO()
    text = codec.schema_text(codec.fingerprint_of("touchpoint.recorded.v1"))
    fastavro.writer(
        bomb,
        json.loads(text),
        [CALL | {"note": "x" * 80_000_000}],
        sync_marker=b"s" * 16,
        codec="deflate",
    )
    found, error = read_until_it_fails(bomb.getvalue())
    assert (found, error.row) == ([], 0)
    found, error = read_until_it_fails(header + b"\x02\xfe\xff\xff\xff\xff\xff\x01" + b"x")
    assert (found, error.row) == ([], 0)


def test_json_data_nested_without_end() -> None:
    depth = 200_000
    attribute = b"\0"
    nested = b"\x06" + b"\x02\x02a\x04" + b"\x02\x02a\x04\x02\x02a" * depth
    stream = io.BytesIO()
    fastavro.writer(stream, json.loads(cloudevent_avro.SCHEMA), [], sync_marker=b"s" * 16)
    block = attribute + nested
    content = stream.getvalue() + b"\x02" + varint(len(block)) + block + b"s" * 16
    found, error = read_until_it_fails(content)
    assert (found, error.row) == ([], 0)


def varint(number: int) -> bytes:
    number <<= 1
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


@pytest.mark.parametrize(
    "schema", ['{"type": "record", "name": "Other", "fields": []}', '"string"']
)
def test_a_container_of_something_else(schema: str) -> None:
    stream = io.BytesIO()
    fastavro.writer(stream, json.loads(schema), [])
    found, error = read_until_it_fails(stream.getvalue())
    assert found == []
    assert "neither that of CloudEvents" in str(error)


def test_a_container_with_an_unheard_of_codec_or_no_schema() -> None:
    whole = bare_container([CALL], codec="null")
    _, error = read_until_it_fails(whole.replace(b"\x08null", b"\x08lzxx"))
    assert "lzxx" in str(error)
    _, error = read_until_it_fails(whole.replace(b'"record"', b'"wreckd"'))
    assert "no Avro schema" in str(error)
    read_until_it_fails(whole[:10])
    read_until_it_fails(b"Obj\x01" + b"\xff" * 40)
