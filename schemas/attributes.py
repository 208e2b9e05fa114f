"""The CloudEvents attributes of a message: who is speaking, about what, when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.catalogue import SHIPPED, Schema
from schemas.checks import check_identifier
from schemas.instants import parse_instant
from schemas.problem import Problem

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(hours=24)
_LARGEST_SEQUENCE = 2**63 - 1

Attributes = Mapping[str, Any]
"""By name; text in binary mode, any JSON value in structured mode until it is checked here."""


@dataclass(slots=True)
class Seen:
    """What could be read so far of who sent what."""

    source: str
    id: str
    type: str | None = None
    customer_id: str | None = None
    sequence: int | None = None


def identify(attributes: Attributes, seen: Seen) -> None:
    """Take source and id from the attributes; what is not given, or not usable, keeps its default.

    Raises `Problem` after both were looked at.
    """
    problem: Problem | None = None
    for name in ("source", "id"):
        value = attributes.get(name)
        if value is not None:
            try:
                expect_text(value, name)
                check_identifier(value)
                setattr(seen, name, value)
            except Problem as found:
                problem = problem or _at(found, name)
    if problem is not None:
        raise problem


def refuse_nameless(seen: Seen) -> None:
    """Raise `Problem` if neither the event nor its way in names a source and an id."""
    for name in ("source", "id"):
        if not getattr(seen, name):
            raise Problem("missing_attribute", f"an event has a {name}", name)


def named_schema(attributes: Attributes, seen: Seen) -> Schema | None:
    """The schema that `type` and `dataschema` name; None if neither does."""
    version = attributes.get("specversion") or "1.0"
    if version != "1.0":
        raise Problem("bad_attribute", "this is CloudEvents 1.0", "specversion")
    by_address = None
    address = attributes.get("dataschema")
    if address is not None:
        expect_text(address, "dataschema")
        by_address = SHIPPED.by_type.get(address.rpartition("/")[2].removesuffix(".avsc"))
    event_type = attributes.get("type")
    if event_type is None:
        return by_address
    expect_text(event_type, "type")
    seen.type = safe_identifier(event_type)
    schema = SHIPPED.by_type.get(event_type)
    if schema is None:
        raise Problem("unknown_type", "no event type of this name and version is known", "type")
    if by_address is None:
        return schema
    if by_address.event != schema.event:
        raise Problem("bad_attribute", "this is the schema of another event type", "dataschema")
    return by_address


def time_of(attributes: Attributes, default: datetime, now: datetime) -> tuple[datetime, bool]:
    """When it happened, in UTC, and whether that is only assumed."""
    text = attributes.get("time")
    if text is None:
        refuse_out_of_range(default, now, "time")
        return default, True
    expect_text(text, "time")
    try:
        instant = parse_instant(text)
    except Problem as problem:
        raise _at(problem, "time") from None
    refuse_out_of_range(instant, now, "time")
    return instant, False


def refuse_out_of_range(instant: datetime, now: datetime, path: str) -> None:
    """Raise `Problem` for an instant at which nothing recorded here can have happened."""
    if instant < _EARLIEST:
        raise Problem("time_out_of_range", "this is before 1970", path)
    if instant - now > _AHEAD:
        raise Problem("time_out_of_range", "this is more than 24 hours ahead of our clock", path)


def sequence_of(value: Any) -> int | None:
    """The number of the event among those of its source; None if it has none."""
    if value is None:
        return None
    if type(value) is int:  # JSON publishers write it as a number as well
        value = str(value) if 0 <= value <= _LARGEST_SEQUENCE else ""
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        number = int(value)
        if number <= _LARGEST_SEQUENCE:
            return number
    raise Problem("bad_attribute", "a decimal number from 0 to 2^63-1", "sequence")


def reference(attributes: Attributes, name: str) -> str | None:
    """The attribute as the identifier of another event; None if it is not given."""
    value = attributes.get(name)
    if value is not None:
        try:
            expect_text(value, name)
            check_identifier(value)
        except Problem as problem:
            raise _at(problem, name) from None
    return value


def expect_text(value: Any, name: str) -> None:
    """Raise `Problem` if the attribute is not text."""
    if not isinstance(value, str):
        raise Problem("bad_attribute", "this attribute is text", name)
    if "\0" in value:
        raise Problem("nul_character", "text with a NUL character", name)


def _at(problem: Problem, name: str) -> Problem:
    return problem if problem.path else problem.inside(name)


def safe_identifier(value: Any) -> str | None:
    """The value if it is an identifier that can be kept and shown, else None."""
    if not isinstance(value, str):
        return None
    try:
        check_identifier(value)
    except Problem:
        return None
    return value
