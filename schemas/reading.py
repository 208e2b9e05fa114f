"""From a message to an event, or to the reason why it is none.

In this order: who is speaking (source, id), what about (type, schema), when, then the data. So a
message that cannot be read still says as much as could be read of it.
"""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import domain
from schemas.avro_data import CONFLUENT, SINGLE_OBJECT, SchemaRegistry, read_datum, unframe
from schemas.catalogue import SHIPPED, Schema
from schemas.checks import check, check_identifier, check_text
from schemas.codec import event_id
from schemas.contradictions import other_times, refuse_contradictions
from schemas.event import Event, Unreadable
from schemas.instants import parse_instant
from schemas.json_data import from_json
from schemas.json_text import parse_json
from schemas.message import Message
from schemas.problem import Problem

MAX_BYTES = 1024 * 1024
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(hours=24)
_LARGEST_SEQUENCE = 2**63 - 1
_STRUCTURED = "application/cloudevents+json"
_AVRO = frozenset({"application/avro", "avro/binary", "application/vnd.apache.avro+binary"})


@dataclass(slots=True)
class _Seen:
    """What could be read so far of who sent what."""

    source: str
    id: str
    type: str | None = None
    customer_id: str | None = None


def read(
    message: Message,
    *,
    now: datetime,
    max_bytes: int = MAX_BYTES,
    registry: SchemaRegistry | None = None,
) -> Event:
    """The event that the message holds.

    `now` (aware) is what a `time` may be at most 24 hours ahead of. `registry` is needed for data
    in the Confluent wire format only. Raises `Unreadable` with the reason, and with as much of the
    event's identity as could be read; whatever `registry` raises passes through.
    """
    seen = _Seen(message.default_source, message.default_id)
    try:
        return _read(message, now, max_bytes, registry, seen)
    except Problem as problem:
        raise Unreadable(
            problem.code,
            problem.message,
            problem.path,
            source=seen.source,
            id=seen.id,
            type=seen.type,
            customer_id=seen.customer_id,
        ) from None


def _read(
    message: Message,
    now: datetime,
    max_bytes: int,
    registry: SchemaRegistry | None,
    seen: _Seen,
) -> Event:
    attributes: Mapping[str, Any] = message.attributes
    _identify(attributes, seen)
    body: Any = message.body
    if len(body) > max_bytes:
        raise Problem("too_large", f"a message has at most {max_bytes:,} bytes")
    content_type = _content_type(message.content_type) or _told_from(body, attributes)
    if content_type == _STRUCTURED:
        attributes = _structured(body)
        _identify(attributes, seen)
        content_type, body = _structured_data(attributes)
    named = _named_schema(attributes, seen)
    if content_type == "application/json":
        if named is None:
            raise Problem("missing_attribute", "an event names its type", "type")
        schema, datum = named, b""
    else:
        schema, datum = unframe(body, named, registry)
        if named is not None and named.event != schema.event:
            raise Problem("bad_attribute", f"the data were written as {schema.type}", "type")
        seen.type = schema.type
    if schema.type in domain.WRITTEN_BY_US:
        raise Problem(
            "reserved_type", f"{schema.type} is written by Servicetrail itself, never received"
        )
    occurred_at, time_assumed = _time(attributes, message.default_time, now)
    sequence = _sequence(attributes.get("sequence"))
    correlation_id = _reference(attributes, "correlationid")
    causation_id = _reference(attributes, "causationid")
    try:
        if content_type == "application/json":
            data, personal = _json_data(schema, body, seen)
            check(schema, data, personal)
            facts = schema.write(data)
        else:
            facts, data, personal = read_datum(schema, datum)
            seen.customer_id = _safe(data.get("customer_id"))
            check(schema, data, personal)
        if SHIPPED.newest(schema) is not schema:
            data = SHIPPED.read(schema, facts)
        refuse_contradictions(schema.event, data)
        for path, instant in other_times(schema.event, data):
            _refuse_out_of_range(instant, now, path)
    except Problem as problem:
        raise problem.inside("data") from None
    fact = domain.EVENT_TYPES[schema.type]
    customer_id = data.get("customer_id")
    subject = customer_id if customer_id is not None else f"{fact.KIND}/{data[fact.ID_FIELD]}"
    for name in ("subject", "partitionkey"):
        if (attributes.get(name) or subject) != subject:
            raise Problem("subject_mismatch", "this names another than the data do", name)
    return Event(
        seen.source,
        seen.id,
        event_id(seen.source, seen.id),
        schema.type,
        fact.stream_id(data),
        customer_id,
        occurred_at,
        time_assumed,
        sequence,
        correlation_id,
        causation_id,
        schema.fingerprint,
        facts,
        data,
        personal,
    )


def _identify(attributes: Mapping[str, Any], seen: _Seen) -> None:
    """Take source and id from the attributes; what is not given keeps its default."""
    problem: Problem | None = None
    for name in ("source", "id"):
        value = attributes.get(name)
        if value is not None:
            try:
                _expect_text(value, name)
                check_identifier(value)
                setattr(seen, name, value)
            except Problem as found:
                problem = problem or _at(found, name)
    if problem is not None:
        raise problem
    for name in ("source", "id"):
        if not getattr(seen, name):
            raise Problem("missing_attribute", f"an event has a {name}", name)


def _named_schema(attributes: Mapping[str, Any], seen: _Seen) -> Schema | None:
    """The schema that `type` and `dataschema` name; None if neither does."""
    version = attributes.get("specversion", "1.0")
    if version != "1.0":
        raise Problem("bad_attribute", "this is CloudEvents 1.0", "specversion")
    by_address = None
    address = attributes.get("dataschema")
    if address is not None:
        _expect_text(address, "dataschema")
        by_address = SHIPPED.by_type.get(address.rpartition("/")[2].removesuffix(".avsc"))
    event_type = attributes.get("type")
    if event_type is None:
        return by_address
    _expect_text(event_type, "type")
    seen.type = _safe(event_type)
    schema = SHIPPED.by_type.get(event_type)
    if schema is None:
        raise Problem("unknown_type", "no event type of this name and version is known", "type")
    if by_address is None:
        return schema
    if by_address.event != schema.event:
        raise Problem("bad_attribute", "this is the schema of another event type", "dataschema")
    return by_address


def _time(attributes: Mapping[str, Any], default: datetime, now: datetime) -> tuple[datetime, bool]:
    text = attributes.get("time")
    if text is None:
        _refuse_out_of_range(default, now, "time")
        return default, True
    _expect_text(text, "time")
    try:
        instant = parse_instant(text)
    except Problem as problem:
        raise _at(problem, "time") from None
    _refuse_out_of_range(instant, now, "time")
    return instant, False


def _refuse_out_of_range(instant: datetime, now: datetime, path: str) -> None:
    if instant < _EARLIEST:
        raise Problem("time_out_of_range", "this is before 1970", path)
    if instant - now > _AHEAD:
        raise Problem("time_out_of_range", "this is more than 24 hours ahead of our clock", path)


def _sequence(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is int:  # JSON publishers write it as a number as well
        value = str(value) if 0 <= value <= _LARGEST_SEQUENCE else ""
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        number = int(value)
        if number <= _LARGEST_SEQUENCE:
            return number
    raise Problem("bad_attribute", "a decimal number from 0 to 2^63-1", "sequence")


def _reference(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    if value is not None:
        try:
            _expect_text(value, name)
            check_identifier(value)
        except Problem as problem:
            raise _at(problem, name) from None
    return value


def _content_type(given: str) -> str:
    """One of the three content types that are read, without parameters; empty if not given."""
    kind = given.partition(";")[0].strip().lower()
    if kind in ("", _STRUCTURED, "application/json"):
        return kind
    if kind in _AVRO:
        return "application/avro"
    if kind.endswith("+json") and not kind.startswith("application/cloudevents"):
        return "application/json"
    raise Problem(
        "unsupported_content_type",
        "expected application/avro, application/json or application/cloudevents+json",
        "datacontenttype",
    )


def _told_from(body: bytes, attributes: Mapping[str, Any]) -> str:
    """What the bytes are. No datum of ours begins like JSON: its id's length would be negative."""
    given = attributes.get("datacontenttype")
    if isinstance(given, str) and given:
        return _content_type(given)
    if body.startswith((SINGLE_OBJECT, CONFLUENT)):
        return "application/avro"
    if body.startswith((b"{", b"[", b"\xef\xbb\xbf")):
        return "application/json" if "type" in attributes else _STRUCTURED
    return "application/avro"


def _structured(body: bytes) -> Mapping[str, Any]:
    value = parse_json(body)
    if not isinstance(value, dict):
        raise Problem("unreadable_json", "a CloudEvent is a JSON object")
    return value


def _structured_data(attributes: Mapping[str, Any]) -> tuple[str, Any]:
    """The content type and the data of a structured CloudEvent: a JSON value or bytes."""
    given = attributes.get("datacontenttype")
    if given is not None:
        _expect_text(given, "datacontenttype")
    content_type = _content_type(given or "")
    encoded = attributes.get("data_base64")
    if encoded is None:
        if content_type not in ("", "application/json"):
            raise Problem(
                "unsupported_content_type",
                "data other than JSON travel in data_base64",
                "datacontenttype",
            )
        if attributes.get("data") is None:
            raise Problem("missing_field", "an event has data", "data")
        return "application/json", attributes["data"]
    if attributes.get("data") is not None:
        raise Problem("bad_attribute", "an event has either data or data_base64", "data_base64")
    _expect_text(encoded, "data_base64")
    try:
        body = b64decode(encoded, validate=True)
    except ValueError:
        raise Problem("bad_attribute", "this is not base64", "data_base64") from None
    return content_type or _told_from(body, {"type": ""}), body


def _json_data(
    schema: Schema, body: Any, seen: _Seen
) -> tuple[dict[str, Any], dict[str, str] | None]:
    value = parse_json(body) if isinstance(body, bytes) else body
    if isinstance(value, dict):
        seen.customer_id = _safe(value.get("customer_id"))
    data = from_json(schema, value)
    personal: dict[str, str] = {}
    for path in schema.personal:
        holder = data
        *outer, name = path.split(".")
        for step in outer:
            holder = holder[step]
        if holder[name] is not None:
            personal[path], holder[name] = holder[name], None
    return data, personal or None


def _expect_text(value: Any, name: str) -> None:
    if not isinstance(value, str):
        raise Problem("bad_attribute", "this attribute is text", name)
    if "\0" in value:
        raise Problem("nul_character", "text with a NUL character", name)


def _at(problem: Problem, name: str) -> Problem:
    return problem if problem.path else problem.inside(name)


def _safe(value: Any) -> str | None:
    """The value if it is an identifier that can be kept and shown, else None."""
    try:
        check_identifier(value)
    except (Problem, TypeError):
        return None
    check_text(value)
    return str(value)
