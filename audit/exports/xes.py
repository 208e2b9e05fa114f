"""XES (IEEE 1849-2016): a log of cases, each with its events in order.

Elements stand in no namespace and in the order that the standard's schema demands; names of
extensions and classifiers are names without blanks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from audit.exports.cases import Case, cases_of
from audit.exports.instants import value_text
from audit.exports.markup import quoted
from audit.exports.selection import Told
from schemas.fields import BOOLEAN, FLOAT, INTEGER, STRING, TIME, Value, values_of
from schemas.log_mapping import LogMapping
from schemas.log_rules import Recorded
from schemas.xes import Attributes

if TYPE_CHECKING:
    from audit.exports.exporting import Export

Attribute = tuple[str, str, Value]
"""The element's name, the key and the value."""

_TAGS = {STRING: "string", TIME: "date", INTEGER: "int", FLOAT: "float", BOOLEAN: "boolean"}

_EXTENSIONS = """\
<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Identity" prefix="identity" uri="http://www.xes-standard.org/identity.xesext"/>
<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
"""
_GLOBALS = """\
<global scope="trace">
<string key="concept:name" value="UNKNOWN"/>
</global>
<global scope="event">
<string key="concept:name" value="UNKNOWN"/>
<date key="time:timestamp" value="1970-01-01T00:00:00.000000Z"/>
<string key="lifecycle:transition" value="complete"/>
</global>
<classifier name="Activity" scope="event" keys="concept:name lifecycle:transition"/>
"""


def xes(export: Export) -> Iterator[bytes]:
    """The log of an export, customer by customer: by its notion of a case, or in the form of the
    log that its mapping is for.
    """
    yield _EXTENSIONS.encode()
    if export.mapping is None:
        yield _GLOBALS.encode()
    yield _elements(_of_log(export)).encode()
    for history in export.customers():
        traces = (
            _traces(export, history)
            if export.mapping is None
            else _mapped(export, export.mapping, history)
        )
        yield "".join(traces).encode()
    yield b"</log>\n"


def _traces(export: Export, history: Sequence[Told]) -> Iterator[str]:
    """The cases of a customer."""
    cases, outside = cases_of(export.case, history, export.episode_gap)
    for case in cases:
        events = [told for told in case.events if export.selection.has(told)]
        export.take(events)
        if events:
            yield _trace(
                (("string", key, value) for key, value in _of_case(case).items()),
                map(_of_event, events),
            )
    export.leave_out(told for told in outside if export.selection.has(told))


def _mapped(export: Export, mapping: LogMapping, history: Sequence[Told]) -> Iterator[str]:
    """The cases of a customer as the log had them that they came from, in its order."""
    cases: dict[str, tuple[Attributes, list[Attributes], list[Told]]] = {}
    for told in sorted(history, key=_as_in_the_log):
        event = told.event
        shown = mapping.shown(
            Recorded(
                event.type,
                event.source,
                event.id,
                event.occurred_at,
                told.ledger.time_assumed,
                told.ledger.correlation_id,
                event.data,
            )
        )
        selected = export.selection.has(told)
        if shown is None:
            export.leave_out([told] if selected else [])
            continue
        trace, events, taken = cases.setdefault(shown.case, ({}, [], []))
        trace.update({key: each for key, each in shown.trace.items() if key not in trace})
        if selected:
            taken.append(told)
            events += [] if shown.event is None else [shown.event]
    for trace, events, taken in cases.values():
        export.take(taken)
        if taken:
            yield _trace(_of_attributes(trace), map(_of_attributes, events))


def _as_in_the_log(told: Told) -> tuple[bool, int, datetime, int, str]:
    sequence = told.ledger.sequence
    return sequence is None, sequence or 0, *told.order


def _of_attributes(attributes: Attributes) -> Iterator[Attribute]:
    return ((each.kind, key, each.value) for key, each in attributes.items())


def _of_log(export: Export) -> Iterator[Attribute]:
    yield "string", "concept:name", "Servicetrail export"
    if export.mapping is None:
        yield "string", "case", export.case
    yield "date", "as_of", export.selection.as_of
    yield "int", "known_position", export.selection.position
    if export.known_at is not None:
        yield "date", "known_at", export.known_at


def _trace(attributes: Iterable[Attribute], events: Iterable[Iterable[Attribute]]) -> str:
    inside = "".join(f"<event>\n{_elements(event)}</event>\n" for event in events)
    return f"<trace>\n{_elements(attributes)}{inside}</trace>\n"


def _of_case(case: Case) -> dict[str, str]:
    return {"concept:name": case.id, **case.attributes}


def _of_event(told: Told) -> Iterator[Attribute]:
    event, ledger = told.event, told.ledger
    yield "string", "concept:name", event.type.rpartition(".v")[0]
    yield "date", "time:timestamp", event.occurred_at
    yield "string", "lifecycle:transition", "complete"
    yield "id", "identity:id", event.event_id
    for key, field in (("org:resource", "employee_id"), ("org:group", "team")):
        if value := event.data.get(field):
            yield "string", key, value
    yield "string", "type", event.type
    yield "int", "position", event.position
    yield "date", "recorded_at", event.recorded_at
    yield "boolean", "time_assumed", ledger.time_assumed
    yield "string", "source", event.source
    yield "string", "id", event.id
    yield "string", "summary", told.summary
    for path, kind, value in values_of(event.type, event.data):
        yield _TAGS[kind], path, value


def _elements(attributes: Iterable[Attribute]) -> str:
    return "".join(
        f"<{tag} key={_key(key)} value={quoted(value_text(value))}/>\n"
        for tag, key, value in attributes
    )


@lru_cache(maxsize=4_096)
def _key(key: str) -> str:
    """The key in quotes: there are few of them, and each comes again and again."""
    return quoted(key)
