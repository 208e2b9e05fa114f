"""JSON data to the values of a schema, with the path of whatever does not fit."""

import re
from collections.abc import Callable
from copy import copy
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import isfinite
from typing import Any

from schemas.catalogue import Schema
from schemas.instants import parse_day, parse_instant
from schemas.problem import Problem, shown

Convert = Callable[[Any], Any]
"""Takes a JSON value that is not null, gives the value as Avro has it; raises `Problem`."""

_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


def _wrong_type(expected: str) -> Problem:
    return Problem("wrong_type", f"expected {expected}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type("text")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type("true or false")
    return value


def _integer(bits: int) -> Convert:
    limit = 1 << (bits - 1)

    def convert(value: Any) -> int:
        if isinstance(value, Decimal) and value.adjusted() < 20 and value == value.to_integral():
            value = int(value)
        if type(value) is not int:  # a bool is an int to Python
            raise _wrong_type("a whole number")
        if not -limit <= value < limit:
            raise _wrong_type(f"a whole number of at most {bits} bits")
        return value

    return convert


def _double(value: Any) -> float:
    if type(value) is not int and not isinstance(value, Decimal | float):
        raise _wrong_type("a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise _wrong_type("a number that 64 bits can hold")
    return number


def _instant(value: Any) -> Any:
    if not isinstance(value, str):
        raise _wrong_type("an instant as text, RFC 3339 with an offset")
    return parse_instant(value)


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        raise _wrong_type("a day as text, such as 2024-12-25")
    return parse_day(value)


def _decimal(precision: int, scale: int) -> Convert:
    unit = Decimal(1).scaleb(-scale)
    zero = Decimal(0).scaleb(-scale)
    whole_digits = precision - scale

    def convert(value: Any) -> Decimal:
        if (isinstance(value, str) and _DECIMAL.fullmatch(value)) or type(value) is int:
            number = Decimal(value)
        elif isinstance(value, Decimal):
            number = value
        else:
            raise _wrong_type("a decimal number, or one as text such as 12.50")
        if not number:
            return zero
        if number.adjusted() >= whole_digits:
            raise _wrong_type(f"at most {whole_digits} digits before the decimal point")
        try:
            return number.quantize(unit, context=_EXACT)
        except (Inexact, InvalidOperation):
            raise _wrong_type(f"at most {scale} digits after the decimal point") from None

    return convert


def _enum(symbols: list[str]) -> Convert:
    allowed = frozenset(symbols)
    listed = ", ".join(symbols)

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise _wrong_type(f"one of {listed}")
        if value not in allowed:
            raise Problem("unknown_symbol", f"expected one of {listed}")
        return value

    return convert


def _array(item: Convert) -> Convert:
    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong_type("a list")
        items: list[Any] = []
        for index, element in enumerate(value):
            try:
                if element is None:
                    raise _wrong_type("a value, not null")
                items.append(item(element))
            except Problem as problem:
                raise problem.inside(f"[{index}]") from None
        return items

    return convert


_REQUIRED: Any = object()


def _record(fields: list[dict[str, Any]]) -> Convert:
    plan = tuple(
        (field["name"], field.get("default", _REQUIRED), _converter(field["type"]))
        for field in fields
    )
    names = frozenset(field["name"] for field in fields)

    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong_type("an object")
        values: dict[str, Any] = {}
        for name, default, convert_value in plan:
            given = value.get(name)
            if given is None:  # null says the same as leaving the field out
                if default is _REQUIRED:
                    raise Problem("missing_field", "this field is required", name)
                values[name] = copy(default)
                continue
            try:
                values[name] = convert_value(given)
            except Problem as problem:
                raise problem.inside(name) from None
        if not value.keys() <= names:
            unknown = next(name for name in value if name not in names)
            raise Problem("unknown_field", "this type has no such field", shown(unknown))
        return values

    return convert


def _converter(avro: Any) -> Convert:
    if isinstance(avro, list):
        return _converter(avro[1])
    match avro:
        case "string":
            return _text
        case "boolean":
            return _boolean
        case "int":
            return _integer(32)
        case "long":
            return _integer(64)
        case "double":
            return _double
        case {"type": "record", "fields": fields}:
            return _record(fields)
        case {"type": "enum", "symbols": symbols}:
            return _enum(symbols)
        case {"type": "array", "items": items}:
            return _array(_converter(items))
        case {"logicalType": "timestamp-micros"}:
            return _instant
        case {"logicalType": "date"}:
            return _day
        case {"logicalType": "decimal", "precision": precision, "scale": scale}:
            return _decimal(precision, scale)
    raise ValueError(f"no schema of ours has fields of the Avro type {avro}")


_CONVERTERS: dict[bytes, Convert] = {}


def from_json(schema: Schema, value: Any) -> dict[str, Any]:
    """The data of an event from its JSON, every field present, personal ones included.

    `value` is as `parse_json` gives it. Raises `Problem` with the field's path.
    """
    convert = _CONVERTERS.get(schema.fingerprint)
    if convert is None:
        convert = _CONVERTERS[schema.fingerprint] = _record(schema.tree["fields"])
    data: dict[str, Any] = convert(value)
    return data
