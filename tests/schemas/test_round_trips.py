"""Whatever way data travel, the same event arrives."""

import json
from contextlib import suppress
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import domain
from schemas import codec
from schemas.catalogue import SHIPPED
from schemas.event import Unreadable
from schemas.reading import read
from tests.schemas.samples import ATTRIBUTES, NOW, data_of, message, taken

PUBLISHED = sorted(domain.EVENT_TYPES.keys() - domain.WRITTEN_BY_US)


class Registry:
    """A registry that knows the schema of one type, as number 7."""

    def __init__(self, event_type: str) -> None:
        self.text = codec.schema_text(codec.fingerprint_of(event_type))

    def schema_for(self, schema_id: int) -> str | None:
        return self.text if schema_id == 7 else None


def personal_apart(event_type: str, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The data without personal fields, and those that had a value."""
    facts = json.loads(json.dumps(codec.to_json(event_type, data)))
    personal: dict[str, str] = {}
    for path in codec.pii_fields(event_type):
        holder = facts
        *outer, name = path.split(".")
        for step in outer:
            holder = holder[step]
        if holder[name] is not None:
            personal[path], holder[name] = holder[name], None
    return facts, personal


def left_out(event_type: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as JSON without the names of personal fields."""
    told: dict[str, Any] = json.loads(json.dumps(facts))
    for path in codec.pii_fields(event_type):
        holder = told
        *outer, name = path.split(".")
        for step in outer:
            holder = holder[step]
        del holder[name]
    return told


@pytest.mark.parametrize("event_type", PUBLISHED)
@given(st.data())
@settings(max_examples=15, deadline=None)
def test_the_same_event_arrives_in_every_framing_and_as_json(
    event_type: str, draw: st.DataObject
) -> None:
    data = draw.draw(data_of(event_type))
    datum = codec.encode(event_type, data)
    attributes = {**ATTRIBUTES, "type": event_type}
    structured = {**attributes, "data": codec.to_json(event_type, data)}
    events = [
        taken(message(codec.single_object(event_type, data), "application/avro", attributes)),
        taken(message(codec.single_object(event_type, data), "", attributes)),
        taken(message(datum, "application/avro", attributes)),
        taken(
            message(b"\0\0\0\0\x07" + datum, "application/avro", attributes),
            registry=Registry(event_type),
        ),
        taken(message(json.dumps(structured["data"]).encode(), "application/json", attributes)),
        taken(message(json.dumps(structured).encode(), "application/cloudevents+json")),
    ]
    first = events[0]
    assert all(event == first for event in events[1:])

    facts, personal = personal_apart(event_type, data)
    assert codec.to_json(event_type, first.data) == facts
    assert codec.without_personal(event_type, first.data) == left_out(event_type, facts)
    assert (first.personal or {}) == personal
    assert codec.decode(first.fingerprint, first.facts) == first.data
    assert first.type == codec.event_type_of(first.fingerprint) == event_type
    if not personal:
        assert first.facts == datum


@pytest.mark.parametrize("event_type", sorted(domain.EVENT_TYPES))
@given(st.data())
@settings(max_examples=15, deadline=None)
def test_our_reader_agrees_with_fastavro(event_type: str, draw: st.DataObject) -> None:
    schema = SHIPPED.by_type[event_type]
    datum = codec.encode(event_type, draw.draw(data_of(event_type)))
    theirs = fastavro.schemaless_reader(BytesIO(datum), schema.parsed, None)
    ours, at = schema.read_facts(datum, 0)
    if datum[at:] == schema.nothing_personal:
        assert ours == theirs
    without = schema.write(ours)
    assert without == datum[:at] + schema.nothing_personal


@pytest.mark.parametrize("event_type", PUBLISHED)
@given(st.data())
@settings(max_examples=10, deadline=None)
def test_cut_or_damaged_data_are_refused_and_never_crash(
    event_type: str, draw: st.DataObject
) -> None:
    body = codec.single_object(event_type, draw.draw(data_of(event_type)))
    attributes = {**ATTRIBUTES, "type": event_type}
    end = draw.draw(st.integers(2, len(body) - 1))
    with pytest.raises(Unreadable) as caught:
        read(message(body[:end], "application/avro", attributes), now=NOW)
    assert caught.value.code == "unreadable_avro"

    at = draw.draw(st.integers(10, len(body) - 1))
    damaged = body[:at] + bytes([draw.draw(st.integers(0, 255))]) + body[at + 1 :]
    with suppress(Unreadable):  # by chance the data may still be right
        read(message(damaged, "application/avro", attributes), now=NOW)
