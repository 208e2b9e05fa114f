"""One CloudEvent in the Avro format of CloudEvents: a map of attributes, and the data.

Read by hand rather than by fastavro, because the format lets JSON data nest without end: here too
much of it is an error of this one event, and cannot exhaust the stack of the process.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.catalogue import fingerprint_of_text
from schemas.datum import read_boolean, read_bytes, read_double, read_long, read_text
from schemas.problem import Problem

SCHEMA = (Path(__file__).parent / "cloudevent.avsc").read_text(encoding="utf-8")

FINGERPRINTS = frozenset(
    # The release candidate of CloudEvents 1.0, which some writers still use, had shorter names.
    fingerprint_of_text(text)
    for text in (SCHEMA, SCHEMA.replace("AvroCloudEvent", "CloudEvent"))
)

Value = Callable[[bytes, int], tuple[Any, int]]


def _null(_body: bytes, at: int) -> tuple[None, int]:
    return None, at


def _union(*branches: Value) -> Value:
    def read(body: bytes, at: int) -> tuple[Any, int]:
        branch, at = read_long(body, at)
        if not 0 <= branch < len(branches):
            raise Problem("unreadable_avro", "a number that stands for no type of this field")
        return branches[branch](body, at)

    return read


def _blocks(body: bytes, at: int, read_item: Callable[[int], int]) -> int:
    """Read the items of an array or a map; `read_item` takes one's place and gives the next's."""
    while True:
        count, at = read_long(body, at)
        if count == 0:
            return at
        if count < 0:
            _, at = read_long(body, at)
        for _ in range(abs(count)):
            at = read_item(at)


def _map(value: Value) -> Value:
    def read(body: bytes, at: int) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}

        def read_item(at: int) -> int:
            name, at = read_text(body, at)
            values[name], at = value(body, at)
            return at

        return values, _blocks(body, at, read_item)

    return read


def _array(value: Value) -> Value:
    def read(body: bytes, at: int) -> tuple[list[Any], int]:
        values: list[Any] = []

        def read_item(at: int) -> int:
            item, at = value(body, at)
            values.append(item)
            return at

        return values, _blocks(body, at, read_item)

    return read


def _object(body: bytes, at: int) -> tuple[Any, int]:
    return _members(body, at)


_members = _map(_union(_null, read_boolean, _map(_object), _array(_object), read_double, read_text))
_attributes = _map(_union(_null, read_boolean, read_long, read_text, read_bytes))
_data = _union(
    read_bytes,
    _null,
    read_boolean,
    _map(_union(_null, read_boolean, _object, read_double, read_text)),
    _array(_object),
    read_double,
    read_text,
)


def read_cloudevent(body: bytes, at: int) -> tuple[dict[str, str], bytes, int]:
    """Attributes as text, the data as bytes, and the place behind the event.

    JSON data become JSON text. Raises `Problem` with code unreadable_avro.
    """
    try:
        attributes, at = _attributes(body, at)
        data, at = _data(body, at)
    except (IndexError, KeyError, ValueError, RecursionError) as error:
        if isinstance(error, Problem):
            raise
        raise Problem("unreadable_avro", "not a CloudEvent of the Avro format") from error
    texts = {name: _text(value) for name, value in attributes.items() if value is not None}
    if isinstance(data, bytes):
        return texts, data, at
    if isinstance(data, str):
        return texts, data.encode(), at
    return texts, b"" if data is None else json.dumps(data).encode(), at


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value if isinstance(value, str) else json.dumps(value)
