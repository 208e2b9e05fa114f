"""Between data and bytes, and the identity of events.

Data are a dict with one entry for every field of the schema: text, bool, int, float, `Decimal`
(money), aware UTC `datetime` (instants), `date`, dict and list. Bytes are a bare Avro datum.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from schemas.catalogue import SHIPPED, Schema
from schemas.checks import check
from schemas.datum import read_personal
from schemas.problem import Problem

_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def event_id(source: str, id: str) -> str:  # noqa: A002 - the name of the CloudEvents attribute
    """The id under which an event is kept: 32 hex digits, the same for ever for one source and id.

    The first 16 bytes of SHA-256(source, NUL, id), marked as a version 8 UUID (RFC 9562).
    """
    digits = sha256(f"{source}\0{id}".encode()).hexdigest()
    return f"{digits[:12]}8{digits[13:16]}{_VARIANT[digits[16]]}{digits[17:32]}"


def encode(event_type: str, data: Mapping[str, Any]) -> bytes:
    """The bare datum of `data` by the schema of `event_type`, personal fields included.

    Fields with a default may be left out. Raises `Problem` (a ValueError) if the data do not fit or
    could not be read back as they are, KeyError if the type is not shipped.
    """
    schema = SHIPPED.by_type[event_type]
    try:
        datum = schema.write(data)
    except Problem:
        raise
    except Exception as error:  # whatever fastavro meets in values of the wrong type
        raise Problem("wrong_type", f"{event_type}: {error}") from error
    facts, at = schema.read_facts(datum, 0)
    personal, _ = read_personal(datum, at, schema.personal)
    check(schema, facts, personal)
    _expect_equal(data, facts, personal, "")
    return datum


def single_object(event_type: str, data: Mapping[str, Any]) -> bytes:
    """Avro single-object encoding: C3 01, the fingerprint little-endian, the datum of `encode`."""
    return SHIPPED.by_type[event_type].header + encode(event_type, data)


def decode(fingerprint: bytes, facts: bytes) -> dict[str, Any]:
    """The data of a stored event, in the shape of the newest version of its type.

    `fingerprint` is in big-endian order, as `Event.fingerprint` has it. Personal fields are None.
    Raises KeyError for a fingerprint that is not shipped.
    """
    return SHIPPED.read(SHIPPED.by_fingerprint[fingerprint], facts)


def fingerprint_of(event_type: str) -> bytes:
    """The CRC-64-AVRO fingerprint of the type's schema, 8 bytes, big-endian order."""
    return SHIPPED.by_type[event_type].fingerprint


def schema_text(fingerprint: bytes) -> str:
    """The schema with this fingerprint, as it is shipped."""
    return SHIPPED.by_fingerprint[fingerprint].text


def event_type_of(fingerprint: bytes) -> str:
    """The event type whose schema has this fingerprint."""
    return SHIPPED.by_fingerprint[fingerprint].type


def pii_fields(event_type: str) -> tuple[str, ...]:
    """The personal fields of a type; in a nested record with a dot, such as `corrected.note`."""
    return SHIPPED.by_type[event_type].personal


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with Z; microseconds only where there are any."""
    return f"{instant.astimezone(UTC).isoformat()[:-6]}Z"  # in place of +00:00


_TO_JSON: dict[type, Callable[[Any], Any]] = {
    datetime: instant_text,
    Decimal: lambda value: format(value, "f"),
    date: date.isoformat,
    dict: lambda value: {name: _json_value(item) for name, item in value.items()},
    list: lambda value: [_json_value(item) for item in value],
}


def _json_value(value: Any) -> Any:
    convert = _TO_JSON.get(type(value))
    return value if convert is None else convert(value)


def to_json(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data as JSON has them: instants RFC 3339 with Z, money as text, days as text.

    Fields that the type does not have raise KeyError, so that nothing else slips out.
    """
    known, converters = _FIELD_NAMES[event_type], _TO_JSON.get
    return {
        known[name]: value if (convert := converters(type(value))) is None else convert(value)
        for name, value in data.items()
    }


def without_personal(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """All data of an event as `to_json` gives them, without the fields that are personal.

    Raises KeyError for data that are not those of the type.
    """
    plan = _PLANS[event_type]
    if len(data) != plan.fields:
        raise KeyError(event_type)
    return _told(plan, data)


def _told(plan: "_Plan", data: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(data)
    for name in plan.personal:
        del told[name]
    for name, convert in plan.converted:
        told[name] = convert(told[name])
    return told


class _Plan(NamedTuple):
    """What becomes of the fields of a record: how many they are, which are left out, and which are
    not yet as JSON has them.
    """

    fields: int
    personal: list[str]
    converted: list[tuple[str, Callable[[Any], Any]]]


def _plan(fields: Sequence[Mapping[str, Any]]) -> _Plan:
    return _Plan(
        len(fields),
        [field["name"] for field in fields if "pii" in field],
        [
            (field["name"], convert)
            for field in fields
            if "pii" not in field and (convert := _converter(field["type"])) is not None
        ],
    )


def _converter(avro: Any) -> Callable[[Any], Any] | None:
    """What makes JSON of a field's value; None where it is JSON already."""
    match avro:
        case {"type": "record", "fields": fields}:
            return partial(_told, _plan(fields))
        case ["null", {"type": "record"} as record]:
            told = _converter(record)
            return lambda value: value if value is None or told is None else told(value)
        case str() | {"type": "enum"} | ["null", str() | {"type": "enum"}]:
            return None
    if '"pii"' in json.dumps(avro):
        raise ValueError(f"personal fields within {avro} would be shown: only records may have any")
    return _json_value


def _names(schema: Schema) -> dict[str, str]:
    return {field["name"]: field["name"] for field in schema.tree["fields"]}


_FIELD_NAMES = {event_type: _names(schema) for event_type, schema in SHIPPED.by_type.items()}
_PLANS = {
    event_type: _plan(schema.tree["fields"]) for event_type, schema in SHIPPED.by_type.items()
}


def _expect_equal(
    given: Mapping[str, Any], facts: Mapping[str, Any], personal: Mapping[str, str], prefix: str
) -> None:
    """Raise `Problem` where what was read back is not what was given, as with a naive datetime."""
    for name, value in given.items():
        back = facts[name]
        if isinstance(value, Mapping) and isinstance(back, dict):
            _expect_equal(value, back, personal, f"{prefix}{name}.")
        elif value != personal.get(prefix + name, back):
            raise Problem("wrong_type", "this value cannot be kept as it is", prefix + name)
