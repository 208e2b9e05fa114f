"""What a Kafka record says, in each form in which channel systems write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from consumers.records import message_of
from schemas.event import Unreadable
from schemas.reading import read
from tests.consumers.events import NOON, touchpoint

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass
class Given:
    """A record as it was consumed."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    key: bytes | None = b"C-1"
    timestamp: int = 1_772_452_800_123
    topic: str = "touchpoints"
    partition: int = 3
    offset: int = 4711
    leader_epoch: int = 0


def test_headers_are_the_attributes_in_binary_mode() -> None:
    event = touchpoint("T-1", "C-1")
    message = message_of(Given(event.json_data, event.headers("application/json")), received_at=NOW)
    read_event = read(message, now=NOW)
    assert (read_event.source, read_event.id) == (event.source, event.id)
    assert (read_event.stream_id, read_event.occurred_at) == ("touchpoint:T-1", NOON)


@pytest.mark.parametrize("content_type", [b"application/cloudevents+json; charset=utf-8", None])
def test_a_structured_event_may_do_without_a_content_type(content_type: bytes | None) -> None:
    event = touchpoint("T-1", "C-1")
    record = Given(event.structured, [("content-type", content_type)])
    assert read(message_of(record, received_at=NOW), now=NOW).id == event.id


@pytest.mark.parametrize("content_type", [b"application/avro", b"", None])
def test_an_event_without_attributes_is_named_after_its_place(content_type: bytes | None) -> None:
    event = touchpoint("T-1", "C-1")
    record = Given(event.single_object, [("content-type", content_type), ("trace", b"1")])
    read_event = read(message_of(record, received_at=NOW), now=NOW)
    assert (read_event.source, read_event.id) == ("kafka:touchpoints", "3-4711")
    assert read_event.time_assumed
    assert read_event.occurred_at == datetime(2026, 3, 2, 12, 0, 0, 123_000, tzinfo=UTC)


def test_a_record_without_a_timestamp_happened_when_it_was_received() -> None:
    record = Given(touchpoint("T-1", "C-1").single_object, timestamp=-1)
    assert message_of(record, received_at=NOW).default_time == NOW


@pytest.mark.parametrize("timestamp", [2**63 - 1, -(2**63)])
def test_an_impossible_timestamp_rejects_the_event_that_needs_it(timestamp: int) -> None:
    record = Given(touchpoint("T-1", "C-1").single_object, timestamp=timestamp)
    with pytest.raises(Unreadable) as refused:
        read(message_of(record, received_at=NOW), now=NOW)
    assert refused.value.code == "time_out_of_range"


def test_a_tombstone_is_an_input_like_any_other() -> None:
    with pytest.raises(Unreadable) as refused:
        read(message_of(Given(None), received_at=NOW), now=NOW)
    assert refused.value.code == "unreadable_avro"


def test_attributes_that_are_no_text_are_refused_not_mended() -> None:
    event = touchpoint("T-1", "C-1")
    headers = [*event.headers("application/json"), ("ce_id", b"\xff")]
    with pytest.raises(Unreadable) as refused:
        read(message_of(Given(event.json_data, headers), received_at=NOW), now=NOW)
    assert refused.value.code in ("bad_identifier", "wrong_type")


def test_where_it_came_from_and_what_came_with_it_is_kept() -> None:
    record = Given(b"x", [("trace", b"a"), ("trace", b"\xff"), ("empty", None)], key=b"\x00\xff")
    message = message_of(record, received_at=NOW)
    assert message.origin == {
        "topic": "touchpoints",
        "partition": 3,
        "offset": 4711,
        "timestamp": 1_772_452_800_123,
    }
    assert message.carried == {
        "key": {"base64": "AP8="},
        "headers": [["trace", "a"], ["trace", {"base64": "/w=="}], ["empty", None]],
    }
