"""Events and messages that the stories here begin with, and random data of every type."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st

from schemas.catalogue import SHIPPED
from schemas.codec import single_object
from schemas.event import Event, Unreadable
from schemas.message import Message
from schemas.reading import read

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)

CALL = {
    "touchpoint_id": "T-1",
    "customer_id": "C-1",
    "channel": "phone",
    "direction": "inbound",
    "handling_seconds": 312.0,
    "employee_id": "E-17",
    "case_id": "K-4711",
}
PROMISE = {
    "promise_id": "P-1",
    "customer_id": "C-1",
    "statement": "delivered on Friday",
    "channel": "phone",
    "due_at": "2024-05-03T16:00:00Z",
}
CALENDAR = {
    "calendar_id": "front-office",
    "timezone": "Europe/Amsterdam",
    "weekly": [
        {"weekday": 1, "from": "09:00", "to": "12:00"},
        {"weekday": 1, "from": "13:00", "to": "24:00"},
    ],
    "valid_from": "2024-01-01T00:00:00Z",
}
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "call-1",
    "source": "urn:calls:north",
    "type": "touchpoint.recorded.v1",
    "time": "2024-05-01T09:30:00Z",
}


def message(
    body: bytes, content_type: str = "", attributes: dict[str, str] | None = None
) -> Message:
    """A message as a way in would make it, from the 17th line of a file."""
    return Message(
        body=body,
        content_type=content_type,
        attributes=attributes or {},
        default_source="file:calls.jsonl",
        default_id="line 17",
        default_time=NOW,
        origin={"file": "calls.jsonl", "line": 17},
    )


def structured(data: Any, type: str | None = ATTRIBUTES["type"], **attributes: Any) -> Message:  # noqa: A002
    """A structured CloudEvent with JSON data; attributes that are None are left out."""
    event = {**ATTRIBUTES, "type": type, **attributes, "data": data}
    given = {name: value for name, value in event.items() if value is not None}
    return message(json.dumps(given).encode(), "application/cloudevents+json")


def text(line: str) -> Message:
    """A structured message given as text."""
    return message(line.encode(), "application/cloudevents+json")


def avro(data: dict[str, Any], event_type: str = "touchpoint.recorded.v1", **more: Any) -> Message:
    """A CloudEvent in binary mode with Avro data in single-object encoding."""
    attributes = {**ATTRIBUTES, "type": event_type, **more}
    return message(
        single_object(event_type, data),
        "application/avro",
        {name: value for name, value in attributes.items() if value is not None},
    )


def taken(what: Message, **options: Any) -> Event:
    """The event that the message holds."""
    return read(what, now=NOW, **options)


def refused(what: Message, **options: Any) -> Unreadable:
    """The reason why the message is no event."""
    with pytest.raises(Unreadable) as caught:
        read(what, now=NOW, **options)
    return caught.value


_NO_CONTROL = st.characters(exclude_categories=["Cs", "Cc"])
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
_IDENTIFIER = st.text(_NO_CONTROL, min_size=1, max_size=20)
_INSTANT = st.datetimes(timezones=st.just(UTC))
_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "boolean": st.booleans(),
    "int": st.integers(1, 2**31 - 1),
    "long": st.integers(1, 2**63 - 1),
    "double": st.floats(0, 1e300, allow_nan=False, allow_infinity=False),
    "timestamp-micros": _INSTANT,
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "decimal": st.integers(0, 10**18 - 1).map(lambda units: Decimal(units).scaleb(-4)),
}


def _values(field: dict[str, Any], avro_type: Any) -> st.SearchStrategy[Any]:
    if isinstance(avro_type, list):
        return st.none() | _values(field, avro_type[1])
    if field["name"] == "currency":
        return st.text("ABCXYZ", min_size=3, max_size=3)
    if field["name"] == "timezone":
        return st.sampled_from(["UTC", "Europe/Amsterdam", "Asia/Kolkata"])
    if field.get("identifier"):
        return _IDENTIFIER
    if isinstance(avro_type, str):
        return _PLAIN[avro_type]
    match avro_type["type"]:
        case "enum":
            return st.sampled_from(avro_type["symbols"])
        case "record":
            return records(avro_type["fields"])
        case "array" if field["name"] == "weekly":
            return st.lists(st.integers(1, 7), unique=True).map(
                lambda days: [{"weekday": day, "from": "09:00", "to": "24:00"} for day in days]
            )
        case "array":
            return st.lists(_values(field, avro_type["items"]), max_size=3)
    return _PLAIN[avro_type["logicalType"]]


def records(fields: list[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Data with every field given."""
    return st.fixed_dictionaries({field["name"]: _values(field, field["type"]) for field in fields})


def _consistent(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data without what would contradict itself."""
    match event_type.rpartition(".")[0]:
        case "touchpoint.recorded":
            data["in_reply_to"] = None
        case "touchpoint.corrected":
            data["corrected"] |= {
                "touchpoint_id": data["touchpoint_id"],
                "customer_id": data["customer_id"],
                "in_reply_to": None,
                "occurred_at": NOW - timedelta(days=3),
            }
        case "feedback.given":
            data |= {"scale_min": None, "scale_max": None}
        case "complaint.raised":
            data["repeat_of"] = None
        case "customer.merged" | "customer.unmerged":
            data["merged_customer_id"] = f"not {data['customer_id'][:100]}"
    return data


def data_of(event_type: str) -> st.SearchStrategy[dict[str, Any]]:
    """Random data of an event type, every field given, right in themselves."""
    return records(SHIPPED.by_type[event_type].tree["fields"]).map(
        lambda data: _consistent(event_type, data)
    )
