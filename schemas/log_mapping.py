"""How the cases and events of a log become events of ours, and back: a mapping, which is data.

A rule makes one event: of a case (a rule of `trace`) or of an event of the log (of `event`, the
first one that fits). Every value is taken from an attribute or is always the same, so that the
rules can be read in both directions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import domain
from schemas.catalogue import SHIPPED
from schemas.codec import instant_text
from schemas.fields import BOOLEAN, FLOAT, INTEGER, TIME, Value, fields_of, values_of
from schemas.files import unzipped
from schemas.instants import parse_instant
from schemas.message import Message
from schemas.problem import Problem
from schemas.xes import Attribute, Attributes, Trace, traces

_STRUCTURED = "application/cloudevents+json"
_ELEMENTS = {TIME: "date", INTEGER: "int", FLOAT: "float", BOOLEAN: "boolean"}


class MappingWrong(ValueError):
    """A mapping that cannot be used; says where and why."""


class _Part(BaseModel):
    # Built when it is used first: every command imports it, and hardly any reads a mapping.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Taken(_Part):
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


class Condition(_Part):
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


class Rule(_Part):
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
        return self

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
        values = {path: (kind, value) for path, kind, value in values_of(self.type, told.data)}
        values["\0id"] = ("string", told.id)
        values["\0time"] = (TIME, told.occurred_at)
        taken_from = {"\0id": self.id, "\0time": self.time, **self.data}
        for field, taken in taken_from.items():
            kind, value = values.get(field, ("string", None))
            if taken.value is not None:
                if value != taken.value:
                    return None
                continue
            if value is None:
                continue
            found = _attribute(taken, kind, value)
            if found is None:
                return None
            (trace if taken.trace is not None else event)[taken.trace or taken.event or ""] = found
        return (trace, event) if self.fits(trace, event) else None


class Recorded(NamedTuple):
    """What a mapping has to know of an event on record."""

    type: str
    source: str
    id: str
    occurred_at: datetime
    data: Mapping[str, Any]


class Shown(NamedTuple):
    """What an event on record is in a log: of which case, what it says of it, and what it says
    itself (None: it is not an event of the log).
    """

    case: str
    trace: Attributes
    event: Attributes | None


class LogMapping(_Part):
    """A mapping. `case` is the key of the case's attribute that tells cases apart; every rule takes
    some value from it.
    """

    source: Annotated[str, Field(min_length=1)]
    case: str
    trace: tuple[Rule, ...] = ()
    event: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _rules(self) -> Self:
        for rule in (*self.trace, *self.event):
            if not any(taken.trace == self.case for taken in (rule.id, *rule.data.values())):
                raise ValueError(f"a rule for {rule.type} takes nothing from {self.case}")
        for rule in self.trace:
            used: tuple[Taken | Condition, ...] = (
                rule.id, rule.time, *rule.data.values(), *rule.when,
            )  # fmt: skip
            if rule.always or any(each.event is not None for each in used):
                raise ValueError(f"{rule.type}: a rule of trace knows of no event")
        return self

    @classmethod
    def of_text(cls, text: str | bytes) -> LogMapping:
        """The mapping of a JSON text. Raises MappingWrong."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "mapping"
            raise MappingWrong(f"{where}: {first['msg']}") from None

    def shown(self, told: Recorded) -> Shown | None:
        """What an event on record is in a log of this mapping; None if it was not made by it."""
        if told.source != self.source:
            return None
        for rules, is_event in ((self.trace, False), (self.event, True)):
            for rule in rules:
                found = rule.attributes(told) if rule.type == told.type else None
                if found is not None:
                    trace, event = found
                    return Shown(trace[self.case].value, trace, event if is_event else None)
        return None

    def _keys(self) -> set[tuple[str, str]]:
        """Every attribute that a rule takes or asks for."""
        keys: set[tuple[str, str]] = set()
        for rule in (*self.trace, *self.event):
            parts: list[Any] = [rule.id, rule.time, rule.correlationid, *rule.data.values()]
            for part in (*parts, *rule.when):
                if part is not None:
                    keys.add(("trace", part.trace) if part.trace else ("event", part.event or ""))
            keys |= {("event", key) for key in rule.always}
        return keys


class LogReading:
    """Reads logs by a mapping. `not_taken` counts the attributes that no rule names."""

    def __init__(self, mapping: LogMapping) -> None:
        self.not_taken: Counter[str] = Counter()
        self._mapping = mapping
        self._keys = mapping._keys()

    def messages(
        self, stream: BinaryIO, name: str, received_at: datetime | None = None
    ) -> Iterator[Message]:
        """The messages of a log in XES, plain or compressed with gzip; `received_at` (aware; now if
        not given) stands for the time of events that have none.

        `sequence` is the number of the event in the log. An event that no rule fits becomes a
        message without a type, which is rejected and kept. Raises `UnreadableFile`.
        """
        received_at = received_at or datetime.now(UTC)
        with unzipped(stream, name) as plain:
            sequence = 0
            for trace in traces(plain):
                yield from self._of_case(trace, name, received_at)
                for number, event in enumerate(trace.events, start=1):
                    sequence += 1
                    self._count("event", event)
                    told = {**self._told(trace, event), "sequence": str(sequence)}
                    where = {"trace": trace.number, "event": number}
                    yield _message(told, name, where, received_at)

    def _of_case(self, trace: Trace, name: str, received_at: datetime) -> Iterator[Message]:
        self._count("trace", trace.attributes)
        for rule in self._mapping.trace:
            if rule.fits(trace.attributes, {}):
                told = rule.cloudevent(self._mapping.source, trace.attributes, {})
                yield _message(told, name, {"trace": trace.number}, received_at)

    def _told(self, trace: Trace, event: Attributes) -> dict[str, Any]:
        for rule in self._mapping.event:
            if rule.fits(trace.attributes, event):
                return rule.cloudevent(self._mapping.source, trace.attributes, event)
        said = {**trace.attributes, **event}
        return {
            "specversion": "1.0",
            "source": self._mapping.source,
            "data": {key: attribute.value for key, attribute in said.items()},
        }

    def _count(self, of: str, attributes: Iterable[str]) -> None:
        for key in attributes:
            if (of, key) not in self._keys:
                self.not_taken[f"{of} {key}"] += 1


def _message(
    told: Mapping[str, Any], name: str, where: Mapping[str, int], received_at: datetime
) -> Message:
    return Message(
        body=json.dumps(told, ensure_ascii=False).encode(),
        content_type=_STRUCTURED,
        attributes={},
        default_source=f"file:{name}",
        default_id=", ".join(f"{what} {number}" for what, number in where.items()),
        default_time=received_at,
        origin={"file": name, **where},
    )


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
