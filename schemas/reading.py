"""From a message to an event, or to the reason why it is none.

In this order: who is speaking (source, id), what about (type, schema), when, then the data. So a
message that cannot be read still says as much as could be read of it.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any

import domain
from schemas.attributes import (
    Attributes,
    Seen,
    identify,
    named_schema,
    reference,
    refuse_nameless,
    refuse_out_of_range,
    safe_identifier,
    sequence_of,
    time_of,
)
from schemas.avro_data import SchemaRegistry, read_datum, unframe
from schemas.catalogue import SHIPPED, Schema
from schemas.checks import check
from schemas.codec import event_id
from schemas.content import (
    JSON,
    STRUCTURED,
    content_type_of,
    structured,
    structured_data,
    told_from,
)
from schemas.contradictions import other_times, refuse_contradictions
from schemas.event import Event, Unreadable
from schemas.json_data import from_json
from schemas.json_text import parse_json
from schemas.message import Message
from schemas.problem import Problem

MAX_BYTES = 1024 * 1024


def read(
    message: Message,
    *,
    now: datetime,
    max_bytes: int = MAX_BYTES,
    registry: SchemaRegistry | None = None,
    ours: bool = False,
) -> Event:
    """The event that the message holds.

    `now` (aware) is what a `time` may be at most 24 hours ahead of. `ours`: it is Servicetrail's
    own, of a type that is refused from outside. `registry` is needed for data
    in the Confluent wire format only. Raises `Unreadable` with the reason, and with as much of the
    event's identity as could be read; whatever `registry` raises passes through.
    """
    seen = Seen(message.default_source, message.default_id)
    try:
        return _read(message, now, max_bytes, registry, seen, ours)
    except Problem as problem:
        raise Unreadable(
            problem.code,
            problem.message,
            problem.path,
            source=seen.source,
            id=seen.id,
            type=seen.type,
            customer_id=seen.customer_id,
            sequence=seen.sequence,
        ) from None


def source_of(message: Message) -> str:
    """As which source the message speaks, seen as `read` sees it; empty if it names none, and its
    way in neither.
    """
    seen = Seen(message.default_source, message.default_id)
    with suppress(Problem):
        _opened(message, len(message.body), seen)
    return seen.source


def _opened(message: Message, max_bytes: int, seen: Seen) -> tuple[str, Attributes]:
    """The content type, and the attributes, which say who is speaking."""
    identify(message.attributes, seen)
    if len(message.body) > max_bytes:
        raise Problem("too_large", f"a message has at most {max_bytes:,} bytes")
    content_type = content_type_of(message.content_type) or told_from(
        message.body, message.attributes
    )
    if content_type != STRUCTURED:
        return content_type, message.attributes
    attributes = structured(message.body)
    identify(attributes, seen)
    return content_type, attributes


def _read(
    message: Message,
    now: datetime,
    max_bytes: int,
    registry: SchemaRegistry | None,
    seen: Seen,
    ours: bool,
) -> Event:
    content_type, attributes = _opened(message, max_bytes, seen)
    body: Any = message.body
    if content_type == STRUCTURED:
        content_type, body = structured_data(attributes)
    refuse_nameless(seen)
    seen.sequence = sequence_of(attributes.get("sequence"))
    named = named_schema(attributes, seen)
    if content_type == JSON:
        if named is None:
            raise Problem("missing_attribute", "an event names its type", "type")
        schema, datum = named, b""
    else:
        schema, datum = unframe(body, named, registry)
        if named is not None and named.event != schema.event:
            raise Problem("bad_attribute", f"the data were written as {schema.type}", "type")
        seen.type = schema.type
    if schema.type in domain.WRITTEN_BY_US and not ours:
        raise Problem(
            "reserved_type",
            f"{schema.type} is written by Servicetrail itself, never received",
            "type",
        )
    occurred_at, time_assumed = time_of(attributes, message.default_time, now)
    correlation_id = reference(attributes, "correlationid")
    causation_id = reference(attributes, "causationid")
    try:
        if content_type == JSON:
            data, personal = _json_data(schema, body, seen)
            check(schema, data, personal)
            facts = schema.write(data)
        else:
            facts, data, personal = read_datum(schema, datum)
            seen.customer_id = safe_identifier(data.get("customer_id"))
            check(schema, data, personal)
        if SHIPPED.newest(schema) is not schema:
            data = SHIPPED.read(schema, facts)
        refuse_contradictions(schema.event, data)
        for path, instant in other_times(schema.event, data):
            refuse_out_of_range(instant, now, path)
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
        seen.sequence,
        correlation_id,
        causation_id,
        schema.fingerprint,
        facts,
        data,
        personal,
    )


def _json_data(
    schema: Schema, body: Any, seen: Seen
) -> tuple[dict[str, Any], dict[str, str] | None]:
    value = parse_json(body) if isinstance(body, bytes) else body
    if isinstance(value, dict):
        seen.customer_id = safe_identifier(value.get("customer_id"))
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
