"""What every value must satisfy beyond its Avro type, whatever way it came in."""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from schemas.catalogue import Schema
from schemas.problem import Problem

LONGEST_IDENTIFIER = 200
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_CURRENCY = re.compile("[A-Z]{3}")

Check = Callable[[Any], None]
"""Takes a value that is not None; raises `Problem`."""


def check_text(value: str) -> None:
    """Text can be stored: no NUL (PostgreSQL keeps none), nothing that UTF-8 cannot hold."""
    if "\0" in value:
        raise Problem("nul_character", "text with a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Problem(
                "wrong_type", "text with half a surrogate pair, which is no text"
            ) from None


def check_identifier(value: str) -> None:
    """An identifier has 1 to 200 characters and none that control a terminal or a file."""
    if 0 < len(value) <= LONGEST_IDENTIFIER and value.isprintable():
        return
    if "\0" in value:
        raise Problem("nul_character", "an identifier with a NUL character")
    if not 0 < len(value) <= LONGEST_IDENTIFIER:
        raise Problem("bad_identifier", f"an identifier has 1 to {LONGEST_IDENTIFIER} characters")
    if _CONTROL.search(value):
        raise Problem("bad_identifier", "an identifier has no control characters")
    check_text(value)


def _check_currency(value: str) -> None:
    if not _CURRENCY.fullmatch(value):
        raise Problem("wrong_type", "a currency is three capital letters, such as EUR")


def _check_double(value: float) -> None:
    if not isfinite(value):
        raise Problem("wrong_type", "a number must be finite")


def _check_of(field: Mapping[str, Any]) -> Check | None:
    avro = field["type"][1] if isinstance(field["type"], list) else field["type"]
    if avro == "string":
        if field.get("identifier"):
            return check_identifier
        return _check_currency if field["name"] == "currency" else check_text
    if avro == "double":
        return _check_double
    match avro:
        case {"type": "record", "fields": fields}:
            return _record(fields)
        case {"type": "array", "items": {"fields": fields}}:
            return _each(_record(fields))
    return None


def _record(fields: list[dict[str, Any]]) -> Check:
    plan = tuple(
        (field["name"], check)
        for field in fields
        if not field.get("pii") and (check := _check_of(field)) is not None
    )

    def check_record(values: dict[str, Any]) -> None:
        for name, check_value in plan:
            value = values[name]
            if value is not None:
                try:
                    check_value(value)
                except Problem as problem:
                    raise problem.inside(name) from None

    return check_record


def _each(check_item: Check) -> Check:
    def check_items(values: list[Any]) -> None:
        for index, value in enumerate(values):
            try:
                check_item(value)
            except Problem as problem:
                raise problem.inside(f"[{index}]") from None

    return check_items


_PLANS: dict[bytes, Check] = {}


def check(schema: Schema, facts: dict[str, Any], personal: Mapping[str, str] | None) -> None:
    """Raise `Problem` with the field's path if a value of an event is not fit to be kept."""
    plan = _PLANS.get(schema.fingerprint)
    if plan is None:
        plan = _PLANS[schema.fingerprint] = _record(schema.tree["fields"])
    plan(facts)
    if personal:
        for name, value in personal.items():
            try:
                check_text(value)
            except Problem as problem:
                raise problem.inside(name) from None
