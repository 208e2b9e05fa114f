"""JSON text to values, stricter than the standard library.

UTF-8 only, no key twice in one object, no NaN, numbers with a fraction as `Decimal`.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from schemas.problem import Problem, shown


class _KeyTwice(Exception):
    pass


class _Pairs(list[tuple[str, Any]]):
    """An object with every key as often as it stands there."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _KeyTwice
    return values


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Problem("unreadable_json", "a number is too large to be one") from None


def _constant(_name: str) -> Any:
    raise Problem("unreadable_json", "NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_constant=_constant
)
_PAIRS_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=_number)


def parse_json(body: bytes) -> Any:
    """The value that the JSON text stands for.

    Raises `Problem`: unreadable_json, or duplicate_key with the path of the key.
    """
    text = _text(body)
    try:
        return _DECODER.decode(text)
    except _KeyTwice:
        raise Problem(
            "duplicate_key", "the same name twice in one object", _path_of_key_twice(text)
        ) from None
    except json.JSONDecodeError as error:
        raise Problem(
            "unreadable_json", f"not JSON from line {error.lineno}, column {error.colno} on"
        ) from None
    except RecursionError:
        raise Problem("unreadable_json", "nested too deeply") from None
    except Problem:
        raise
    except ValueError:  # CPython refuses to convert integers of thousands of digits
        raise Problem("unreadable_json", "a number is too large to be one") from None


def _text(body: bytes) -> str:
    try:
        return str(body, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem("unreadable_json", f"not UTF-8 from byte {error.start} on") from None


def _path_of_key_twice(text: str) -> str | None:
    try:
        return _find_key_twice(_PAIRS_DECODER.decode(text), "")
    except RecursionError:
        return None


def _find_key_twice(value: Any, path: str) -> str | None:
    if isinstance(value, _Pairs):
        met: set[str] = set()
        for name, item in value:
            here = f"{path}.{shown(name)}" if path else shown(name)
            if name in met:
                return here
            met.add(name)
            if found := _find_key_twice(item, here):
                return found
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if found := _find_key_twice(item, f"{path}[{index}]"):
                return found
    return None
