"""Whatever comes in: an event, or a reason from the list; never another error."""

import io
import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import domain
from schemas.codec import to_json
from schemas.event import Event, Unreadable
from schemas.files import UnreadableFile, messages_from, write_container, write_jsonl
from schemas.message import Message
from schemas.outcomes import REASONS
from schemas.reading import read
from tests.schemas.samples import ATTRIBUTES, CALL, NOW, data_of, message

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())  # halves of surrogate pairs too
    | st.sampled_from(["2024-05-01T00:00:00Z", "1e5", "24:00", "NA", "phone", "inbound"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CONTENT_TYPES = st.sampled_from(
    ["", "application/avro", "application/json", "application/cloudevents+json", "text/plain"]
)


def judged(what: Message) -> Event | None:
    """The event, or None if it was refused as it should be."""
    try:
        return read(what, now=NOW)
    except Unreadable as refusal:
        reason = refusal
    assert reason.code in REASONS
    assert reason.message
    for name in (reason.source, reason.id):
        assert name
        assert name.encode()
        assert len(name) <= 200
    return None


@given(st.sampled_from([*ATTRIBUTES, "subject", "sequence", "causationid", "dataschema"]), JSON)
def test_any_attribute(name: str, value: Any) -> None:
    event = {**ATTRIBUTES, name: value, "data": CALL}
    judged(message(json.dumps(event).encode(), "application/cloudevents+json"))


@given(st.sampled_from(sorted(domain.EVENT_TYPES)), st.data())
@settings(max_examples=500, deadline=None)
def test_any_value_in_any_field(event_type: str, draw: st.DataObject) -> None:
    data = to_json(event_type, draw.draw(data_of(event_type)))
    holder = data
    name = draw.draw(st.sampled_from(sorted(holder)))
    while isinstance(holder[name], dict) and draw.draw(st.booleans()):
        holder = holder[name]
        name = draw.draw(st.sampled_from(sorted(holder)))
    holder[name] = draw.draw(JSON)
    event = {**ATTRIBUTES, "type": event_type, "data": data}
    judged(message(json.dumps(event).encode(), "application/cloudevents+json"))


@given(st.binary(max_size=200), CONTENT_TYPES, st.booleans())
@settings(max_examples=300)
def test_any_bytes(body: bytes, content_type: str, named: bool) -> None:
    judged(message(body, content_type, ATTRIBUTES if named else {}))


@given(st.sampled_from(sorted(domain.EVENT_TYPES)), st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_as_bare_data(event_type: str, body: bytes) -> None:
    judged(message(body, "application/avro", {**ATTRIBUTES, "type": event_type}))


@given(st.sampled_from([write_jsonl, write_container]), st.data())
@settings(max_examples=200, deadline=None)
def test_a_file_with_any_byte_changed(write: Any, draw: st.DataObject) -> None:
    stream = io.BytesIO()
    write(stream, [{**ATTRIBUTES, "data": CALL}] * 3)
    content = bytearray(stream.getvalue())
    at = draw.draw(st.integers(0, len(content) - 1))
    content[at] = draw.draw(st.integers(0, 255))
    with suppress(UnreadableFile):
        for found in messages_from(io.BytesIO(bytes(content)), "calls", NOW):
            judged(found)
