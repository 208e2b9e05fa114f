"""The fields of events as flat, typed attributes, for formats that have no nested ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from schemas.catalogue import SHIPPED

STRING, TIME, INTEGER, FLOAT, BOOLEAN = "string", "time", "integer", "float", "boolean"
KINDS = (STRING, TIME, INTEGER, FLOAT, BOOLEAN)
"""What an attribute can be."""

Value = str | datetime | int | float | bool | Decimal


@cache
def fields_of(event_type: str) -> Mapping[str, str]:
    """The kind of each field of a type, but for personal ones; a field within a field has the path
    to it, such as `weighing.competitor.verdict`.
    """
    schema = SHIPPED.newest(SHIPPED.by_type[event_type])
    return {path: kind for path, kind in _fields(schema.tree, "") if path not in schema.personal}


def values_of(event_type: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str, Value]]:
    """Path, kind and value of each field that has one. Lists are JSON text, days are text."""
    for path, kind in fields_of(event_type).items():
        value: Any = data
        for name in path.split("."):
            value = None if value is None else value[name]
        if value is not None:
            yield path, kind, _plain(value) if kind == STRING else value


def _fields(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for field in record["fields"]:
        avro = field["type"][1] if isinstance(field["type"], list) else field["type"]
        path = prefix + field["name"]
        if isinstance(avro, dict) and avro["type"] == "record":
            yield from _fields(avro, f"{path}.")
        else:
            yield path, _kind(avro)


def _kind(avro: Any) -> str:
    match avro:
        case {"logicalType": "timestamp-micros"}:
            return TIME
        case {"logicalType": "decimal"} | "double":
            return FLOAT
        case {"logicalType": "date"}:
            return STRING
        case "int" | "long":
            return INTEGER
        case "boolean":
            return BOOLEAN
    return STRING


def _plain(value: Any) -> str:
    match value:
        case str():
            return value
        case date():
            return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str)
