"""How a request is packed decides which messages it brings, and nothing else."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.message import Message
from web.cloudevents import BATCH, STRUCTURED, attributes, elements, messages
from web.problems import Problem

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def packed(
    body: bytes, content_type: str, headers: list[tuple[bytes, bytes]] | None = None
) -> list[Message]:
    return messages(body, content_type, headers or [], address="192.0.2.7", now=NOON, most=3)


def refusal(body: bytes, content_type: str = BATCH) -> Problem:
    with pytest.raises(Problem) as refused:
        packed(body, content_type)
    return refused.value


def test_a_number_of_thousands_of_digits_spoils_nothing_but_its_own_element() -> None:
    huge = b'{"data": ' + b"9" * 5_000 + b"}"
    assert list(elements(b'[{"id": "1"}, ' + huge + b"]")) == [b'{"id": "1"}', huge]


def test_a_structured_event_is_taken_byte_for_byte() -> None:
    body = b' {"id": "1",  "id": "2"} '
    (message,) = packed(body, "application/cloudevents+json; charset=utf-8")
    assert message.body == body
    assert message.content_type == STRUCTURED
    assert message.attributes == {}
    assert message.origin == {"http": "192.0.2.7"}
    assert message.default_time == NOON


def test_binary_mode_takes_the_attributes_from_the_headers_and_leaves_the_rest() -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"CE-Id", b"4711"),
        (b"ce-source", b"https://shop.example/a%20b"),
        (b"ce-correlationid", b'"order \\"9\\""'),
        (b"x-request-id", b"r-1"),
    ]
    (message,) = packed(b"{}", "application/json", headers)
    assert message.content_type == "application/json"
    assert message.attributes == {
        "id": "4711",
        "source": "https://shop.example/a b",
        "correlationid": 'order "9"',
    }


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_survives_the_way_through_a_header(text: str) -> None:
    encoded = quote(text, safe="").encode()
    assert attributes([(b"ce-id", encoded)]) == {"id": text}


def test_a_header_given_twice_or_in_no_known_encoding_is_refused() -> None:
    for headers in ([(b"ce-id", b"1"), (b"ce-id", b"2")], [(b"ce-id", b"%FF")]):
        with pytest.raises(Problem) as refused:
            attributes(headers)
        assert refused.value.status == 400
        assert "ce-id" in refused.value.body["detail"]


@given(st.lists(JSON_VALUES, max_size=5), st.sampled_from([None, 2]))
def test_a_batch_is_cut_into_its_elements_wherever_they_end(
    values: list[object], indent: int | None
) -> None:
    batch = json.dumps(values, indent=indent).encode()
    assert [json.loads(element) for element in elements(batch)] == values


def test_elements_of_a_batch_keep_what_a_parser_would_lose() -> None:
    batch = b'[ {"id": "1", "id": "2"} ,\n{"amount": 1.10}]'
    assert list(elements(batch)) == [b'{"id": "1", "id": "2"}', b'{"amount": 1.10}']


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[",
        b"[1 2]",
        b"[1,]",
        b"[1] 2",
        b'[{"id": }]',
        b"\xff[]",
        b"[" * 100_000,
    ],
)
def test_a_batch_that_cannot_be_cut_into_events_is_unreadable(body: bytes) -> None:
    assert refusal(body).status == 400


def test_a_batch_of_nothing_is_fine() -> None:
    assert packed(b"[ ]", BATCH) == []


def test_more_events_than_allowed_are_too_large() -> None:
    assert len(packed(b"[1,2,3]", BATCH)) == 3
    assert refusal(b"[1,2,3,4]").status == 413


def test_other_content_types_are_not_supported() -> None:
    for content_type in ("", "text/plain", "application/xml", "application/cloudevents+avro"):
        assert refusal(b"{}", content_type).status == 415
