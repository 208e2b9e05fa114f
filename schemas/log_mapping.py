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
from typing import Annotated, Any, BinaryIO, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from schemas.files import unzipped
from schemas.log_rules import Condition, Part, Recorded, Rule, Taken
from schemas.message import Message
from schemas.xes import Attributes, Trace, traces

_STRUCTURED = "application/cloudevents+json"


class MappingWrong(ValueError):
    """A mapping that cannot be used; says where and why."""


class Shown(NamedTuple):
    """What an event on record is in a log: of which case, what it says of it, and what it says
    itself (None: it is not an event of the log).
    """

    case: str
    trace: Attributes
    event: Attributes | None


class LogMapping(Part):
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
                *rule.taken(), *rule.when,
            )  # fmt: skip
            if rule.always or any(each.event is not None for each in used):
                raise ValueError(f"{rule.type}: a rule of trace knows of no event")
        rules = (*self.trace, *self.event)
        for rule in rules:
            forgotten = [each for each in rule.when if not rule.keeps(each)]
            if forgotten and not all(rule.told_apart(each) for each in rules if each is not rule):
                key = forgotten[0].trace or forgotten[0].event
                raise ValueError(
                    f"two rules for {rule.type} cannot be told apart afterwards: take {key} into a "
                    "field, or give both another value in one"
                )
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
                if found is not None and self.case in found[0]:
                    trace, event = found
                    return Shown(trace[self.case].value, trace, event if is_event else None)
        return None

    def _keys(self) -> set[tuple[str, str]]:
        """Every attribute that a rule takes or asks for."""
        keys: set[tuple[str, str]] = set()
        for rule in (*self.trace, *self.event):
            parts: list[Taken | Condition] = [*rule.taken(), *rule.when]
            for part in parts:
                keys.add(("trace", part.trace) if part.trace else ("event", part.event or ""))
            keys |= {("event", key) for key in rule.always}
        return keys


class LogReading:
    """Reads logs by a mapping. `not_taken` counts the attributes that no rule names; `again` those
    that a later one of the same key stands for, in the same case or event.
    """

    def __init__(self, mapping: LogMapping) -> None:
        self.not_taken: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
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
            for trace in traces(plain, self.again):
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
