"""The rules of a mapping: each makes one event of a case or of an event of a log, and tells of an
event on record what it was made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

import domain
from schemas.catalogue import SHIPPED
from schemas.codec import instant_text
from schemas.fields import BOOLEAN, FLOAT, INTEGER, TIME, Value, fields_of, values_of
from schemas.instants import parse_instant
from schemas.problem import Problem
from schemas.xes import Attribute, Attributes

# What an event or a case without an id is called, by its place in the log.
_DEFAULT_ID = re.compile(r"trace \d+(, event \d+)?")
_ELEMENTS = {TIME: "date", INTEGER: "int", FLOAT: "float", BOOLEAN: "boolean"}


class Part(BaseModel):
    # Built when it is used first: every command imports it, and hardly any reads a mapping.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Taken(Part):
    """Where a value comes from: the attribute of that key of the case (`trace`) or of the event
    (`event`), or always `value`. `prefix` goes before it; with `as` date it is an instant that is
    kept as text, with `as` id an identifier, which is written as such.
    """

    trace: str | None = None
    event: str | None = None
    value: str | int | float | bool | None = None
    prefix: str = ""
    as_: Literal["string", "date", "id"] = Field(default="string", alias="as")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.trace, self.event, self.value)) != 1:
            raise ValueError("name one of trace, event and value")
        return self

    def of(self, trace: Attributes, event: Attributes) -> Attribute | None:
        """The attribute that the value comes from, if it is there."""
        if self.trace is not None:
            return trace.get(self.trace)
        return None if self.event is None else event.get(self.event)


class Condition(Part):
    """The case (`trace`) or the event has an attribute of this key, with one of the values `is`
    where these are given.
    """

    trace: str | None = None
    event: str | None = None
    is_: tuple[str, ...] | None = Field(default=None, alias="is")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.trace is None) == (self.event is None):
            raise ValueError("name one of trace and event")
        return self

    def holds(self, trace: Attributes, event: Attributes) -> bool:
        """Whether it is so."""
        found = event.get(self.event) if self.event is not None else trace.get(self.trace or "")
        return found is not None and (self.is_ is None or found.value in self.is_)

    @property
    def only(self) -> str | None:
        """The value that the attribute must have, if there is but one."""
        return self.is_[0] if self.is_ is not None and len(set(self.is_)) == 1 else None


class Rule(Part):
    """One event: its type, id and time, its data by field, the conditions under which the rule fits
    (`when`), and attributes of the log's event that always have the same text (`always`).
    """

    type: str
    id: Taken
    time: Taken
    correlationid: Taken | None = None
    data: dict[str, Taken]
    when: tuple[Condition, ...] = ()
    always: dict[str, str] = {}

    @model_validator(mode="after")
    def _of_the_language(self) -> Self:
        if self.type not in SHIPPED.by_type or self.type in domain.WRITTEN_BY_US:
            raise ValueError(f"no event type that can be imported is called {self.type}")
        unknown = self.data.keys() - fields_of(self.type).keys()
        if unknown:
            raise ValueError(f"{self.type} has no field that holds {', '.join(sorted(unknown))}")
        for each in self.when:
            if each.only is None and not self.keeps(each):
                raise ValueError(
                    f"{self.type} depends on {each.trace or each.event}, which can have several "
                    "values and is kept in no field: take it into one, or make it a rule for each "
                    "value"
                )
        return self

    def keeps(self, condition: Condition) -> bool:
        """Whether the attribute that a condition asks for is taken into the event."""
        return any(
            (each.trace, each.event) == (condition.trace, condition.event) for each in self.taken()
        ) or (condition.event is not None and condition.event in self.always)

    def told_apart(self, other: Rule) -> bool:
        """Whether an event on record cannot have been made by both: a value that is always the
        same is another one.
        """
        if self.type != other.type:
            return True
        parts = [(self.id, other.id), (self.time, other.time)]
        parts += [
            (taken, other.data[name]) for name, taken in self.data.items() if name in other.data
        ]
        return any(
            one.value is not None and two.value is not None and one.value != two.value
            for one, two in parts
        )

    def taken(self) -> Iterator[Taken]:
        """Every value that the rule takes."""
        yield self.id
        yield self.time
        if self.correlationid is not None:
            yield self.correlationid
        yield from self.data.values()

    def fits(self, trace: Attributes, event: Attributes) -> bool:
        """Whether the rule is for this case or event."""
        return all(each.holds(trace, event) for each in self.when) and all(
            event.get(key, Attribute("", "")).value == text for key, text in self.always.items()
        )

    def cloudevent(self, source: str, trace: Attributes, event: Attributes) -> dict[str, Any]:
        """The structured CloudEvent that the rule makes; what is not there is left out."""
        kinds = fields_of(self.type)
        told = {
            "id": _text(self.id, trace, event),
            "time": _text(self.time, trace, event),
            "correlationid": self.correlationid and _text(self.correlationid, trace, event),
        }
        data: dict[str, Any] = {}
        for field, taken in self.data.items():
            value = _json_value(taken, kinds[field], trace, event)
            if value is not None:
                _put(data, field, value)
        return {
            "specversion": "1.0",
            "source": source,
            "type": self.type,
            **{name: text for name, text in told.items() if text is not None},
            "data": data,
        }

    def attributes(self, told: Recorded) -> tuple[Attributes, Attributes] | None:
        """The attributes of case and event that an event was made of, if by this rule."""
        trace: Attributes = {}
        event: Attributes = {key: Attribute("string", text) for key, text in self.always.items()}
        for each in self.when:
            if each.only is not None and not self.keeps(each):
                _of(each, trace, event)[each.trace or each.event or ""] = Attribute(
                    "string", each.only
                )
        values: dict[str, tuple[str, Value]] = {
            path: (kind, value) for path, kind, value in values_of(self.type, told.data)
        }
        for taken, kind, value in (
            (self.correlationid, "string", told.correlation_id),
            (self.id, "string", told.id),
            (self.time, TIME, told.occurred_at),
            *((taken, *values.get(field, ("string", None))) for field, taken in self.data.items()),
        ):
            if taken is None:
                continue
            if taken.value is not None:
                if value is None or not _is(taken.value, value):
                    return None
                continue
            if value is None or (taken is self.time and told.time_assumed):
                continue
            if taken is self.id and _DEFAULT_ID.fullmatch(told.id):
                continue
            found = _attribute(taken, kind, value)
            if found is None:
                return None
            _of(taken, trace, event)[taken.trace or taken.event or ""] = found
        return (trace, event) if self.fits(trace, event) else None


class Recorded(NamedTuple):
    """What a mapping has to know of an event on record; see `schemas.event.Event`."""

    type: str
    source: str
    id: str
    occurred_at: datetime
    time_assumed: bool
    correlation_id: str | None
    data: Mapping[str, Any]


def _text(taken: Taken, trace: Attributes, event: Attributes) -> str | None:
    """The value as text, with its prefix; None if it is not there."""
    if taken.value is not None:
        return str(taken.value)
    found = taken.of(trace, event)
    return None if found is None else taken.prefix + found.value


def _json_value(taken: Taken, kind: str, trace: Attributes, event: Attributes) -> Any:
    """The value as JSON data have it; what cannot be read stays text, and is refused as such."""
    if taken.value is not None:
        return taken.value
    text = _text(taken, trace, event)
    if text is None:
        return None
    try:
        if taken.as_ == "date":
            return instant_text(parse_instant(text))
        if kind == INTEGER:
            return int(text)
        if kind == FLOAT:
            return float(text)
    except (Problem, ValueError):
        return text
    if kind == BOOLEAN and text in ("true", "false"):
        return text == "true"
    return text


def _of(part: Taken | Condition, trace: Attributes, event: Attributes) -> Attributes:
    """Where the attribute is: with the case or with the event."""
    return trace if part.trace is not None else event


def _is(always: str | float, value: Value) -> bool:
    """Whether a value on record is the one that a rule always says."""
    if isinstance(value, datetime):
        try:
            return parse_instant(str(always)) == value
        except Problem:
            return False
    if isinstance(value, Decimal):
        return isinstance(always, int | float) and Decimal(str(always)) == value
    return value == always or str(value) == str(always)


def _attribute(taken: Taken, kind: str, value: Value) -> Attribute | None:
    """The attribute that a value was taken from; None if it cannot have been."""
    if isinstance(value, datetime):
        return Attribute("date", instant_text(value))
    if isinstance(value, bool):
        return Attribute("boolean", "true" if value else "false")
    text = str(value)
    if not text.startswith(taken.prefix):
        return None
    element = _ELEMENTS.get(kind, "string") if taken.as_ == "string" else taken.as_
    return Attribute(element, text.removeprefix(taken.prefix))


def _put(data: dict[str, Any], path: str, value: Any) -> None:
    *outer, name = path.split(".")
    for part in outer:
        data = data.setdefault(part, {})
    data[name] = value
