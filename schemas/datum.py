"""Reading one Avro datum, for the shapes that our schemas use.

This is the hot path of reading events and of every read model: fastavro reads a touchpoint in about
12 µs, these functions in about half of that. They know nothing but fields that are required or
`["null", T]`, with T a string, boolean, int, long, double, enum, timestamp-micros, date, decimal,
array or record. fastavro remains the judge: tests compare the two on random data of every type.

Personal fields are the last bytes of a datum: a schema declares them last, so that what is not
personal is a prefix of the publisher's own bytes.
"""

import json
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from schemas.problem import Problem

Read = Callable[[bytes, int], tuple[Any, int]]
"""Takes the bytes and a place in them, gives the value and the place behind it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_BOOLEANS = {0: False, 1: True}
_double = struct.Struct("<d").unpack_from


def read_long(body: bytes, at: int) -> tuple[int, int]:
    """A variable-length zig-zag integer of at most 64 bits."""
    byte = body[at]
    at += 1
    bits = byte & 0x7F
    shift = 7
    while byte > 0x7F:
        if shift > 63:
            raise _unreadable("an integer is longer than 64 bits")
        byte = body[at]
        at += 1
        bits |= (byte & 0x7F) << shift
        shift += 7
    if bits >> 64:
        raise _unreadable("an integer is longer than 64 bits")
    return (bits >> 1) ^ -(bits & 1), at


def _read_int(body: bytes, at: int) -> tuple[int, int]:
    value, at = read_long(body, at)
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise _unreadable("an int is longer than 32 bits")
    return value, at


def read_bytes(body: bytes, at: int) -> tuple[bytes, int]:
    """Bytes with their length in front."""
    size, at = read_long(body, at)
    end = at + size
    if size < 0 or end > len(body):
        raise _unreadable("the data end too early")
    return body[at:end], end


def read_text(body: bytes, at: int) -> tuple[str, int]:
    """UTF-8 text with its length in bytes in front."""
    size = body[at]
    if size > 0x7F or size & 1:
        size, at = read_long(body, at)
    else:
        size >>= 1
        at += 1
    end = at + size
    if size < 0 or end > len(body):
        raise _unreadable("the data end too early")
    return str(body[at:end], "utf-8"), end


def read_boolean(body: bytes, at: int) -> tuple[bool, int]:
    """A byte of 0 or 1; raises KeyError for any other."""
    return _BOOLEANS[body[at]], at + 1


def read_double(body: bytes, at: int) -> tuple[float, int]:
    """A 64-bit float, little-endian."""
    return _double(body, at)[0], at + 8


def _read_instant(body: bytes, at: int) -> tuple[datetime, int]:
    micros, at = read_long(body, at)
    try:
        return _EPOCH + timedelta(microseconds=micros), at
    except OverflowError:
        raise Problem("bad_time", "an instant outside the years 1 to 9999") from None


def _read_date(body: bytes, at: int) -> tuple[date, int]:
    days, at = _read_int(body, at)
    try:
        return date.fromordinal(_EPOCH_DAY + days), at
    except (OverflowError, ValueError):
        raise Problem("bad_time", "a day outside the years 1 to 9999") from None


def _decimal(precision: int, scale: int) -> Read:
    limit = 10**precision

    def read(body: bytes, at: int) -> tuple[Decimal, int]:
        digits, at = read_bytes(body, at)
        unscaled = int.from_bytes(digits, "big", signed=True)
        if not -limit < unscaled < limit:
            raise Problem("wrong_type", f"more than {precision} digits")
        return Decimal(unscaled).scaleb(-scale), at

    return read


def _enum(symbols: list[str]) -> Read:
    # The index of a symbol is a zig-zag integer; no enum of ours has more than 64 symbols.
    by_byte = {2 * index: symbol for index, symbol in enumerate(symbols)}

    def read(body: bytes, at: int) -> tuple[str, int]:
        return by_byte[body[at]], at + 1

    return read


def _array(item: Read) -> Read:
    def read(body: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while True:
            count, at = read_long(body, at)
            if count == 0:
                return items, at
            if count < 0:  # then the block's size in bytes follows, for readers that skip it
                _, at = read_long(body, at)
                count = -count
            for _ in range(count):
                try:
                    value, at = item(body, at)
                except Problem as problem:
                    raise problem.inside(f"[{len(items)}]") from None
                items.append(value)

    return read


def _record(fields: list[dict[str, Any]]) -> Read:
    plan = tuple(
        (field["name"], *_reader_of_field(field["type"])) for field in fields if "pii" not in field
    )
    personal = tuple(field["name"] for field in fields if "pii" in field)

    def read(body: bytes, at: int) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, nullable, read_value in plan:
                if nullable:
                    branch = body[at]
                    at += 1
                    if branch == 0:
                        values[name] = None
                        continue
                    if branch != 2:
                        raise _unreadable("neither null nor a value")
                values[name], at = read_value(body, at)
        except Problem as problem:
            raise problem.inside(name) from None
        except (IndexError, struct.error):
            raise _unreadable("the data end too early", name) from None
        except UnicodeDecodeError:
            raise _unreadable("the text is not UTF-8", name) from None
        except KeyError:
            raise _unreadable("a number that stands for no value of this field", name) from None
        for name in personal:
            values[name] = None
        return values, at

    return read


def _reader_of_field(avro: Any) -> tuple[bool, Read]:
    """Whether a field may be null, and how its value is read."""
    if isinstance(avro, list):
        null, value = avro
        if null != "null":
            raise ValueError("a field that may be absent is a union of null and one type")
        return True, _reader(value)
    return False, _reader(avro)


_PRIMITIVES: dict[str, Read] = {
    "string": read_text,
    "boolean": read_boolean,
    "int": _read_int,
    "long": read_long,
    "double": read_double,
}


def _reader(avro: Any) -> Read:
    if isinstance(avro, str):
        return _PRIMITIVES[avro]
    match avro:
        case {"type": "record", "fields": fields}:
            return _record(fields)
        case {"type": "enum", "symbols": symbols}:
            return _enum(symbols)
        case {"type": "array", "items": items}:
            return _array(_reader(items))
        case {"logicalType": "timestamp-micros"}:
            return _read_instant
        case {"logicalType": "date"}:
            return _read_date
        case {"logicalType": "decimal", "precision": precision, "scale": scale}:
            return _decimal(precision, scale)
    raise ValueError(f"no schema of ours has fields of the Avro type {avro}")


def reader_of_facts(schema: dict[str, Any]) -> Read:
    """How to read a datum of `schema` up to its personal fields, which are given as None.

    `schema` is a record with every named type written out. The function that is returned gives the
    data and the place where the personal fields begin. It raises `Problem` with the field's path.
    """
    return _record(schema["fields"])


def personal_fields(schema: dict[str, Any]) -> tuple[str, ...]:
    """The paths of the personal fields in their order, such as `note` or `corrected.note`.

    Raises ValueError if anything that is not personal comes behind them.
    """
    found: list[str] = []

    def walk(fields: list[dict[str, Any]], prefix: str) -> None:
        for field in fields:
            path = prefix + field["name"]
            if field.get("pii"):
                if field["type"] != ["null", "string"]:
                    raise ValueError(f"{path}: a personal field is nullable text")
                found.append(path)
            elif isinstance(field["type"], dict) and field["type"]["type"] == "record":
                walk(field["type"]["fields"], f"{path}.")
            elif found:
                raise ValueError(f"{path}: personal fields come last")
            elif '"pii"' in json.dumps(field["type"]):
                raise ValueError(f"{path}: personal fields within what may be absent or repeated")

    walk(schema["fields"], "")
    return tuple(found)


def read_personal(body: bytes, at: int, names: tuple[str, ...]) -> tuple[dict[str, str], int]:
    """The personal fields that have a value, and the place behind the last of them."""
    values: dict[str, str] = {}
    for name in names:
        try:
            branch = body[at]
            at += 1
            if branch == 2:
                values[name], at = read_text(body, at)
            elif branch != 0:
                raise _unreadable("neither null nor a value")
        except Problem as problem:
            raise problem.inside(name) from None
        except IndexError:
            raise _unreadable("the data end too early", name) from None
        except UnicodeDecodeError:
            raise _unreadable("the text is not UTF-8", name) from None
    return values, at


def _unreadable(message: str, path: str | None = None) -> Problem:
    return Problem("unreadable_avro", message, path)
