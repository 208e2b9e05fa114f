"""OCEL 2.0: object-centric event logs as JSON, XML and SQLite.

The same log in three forms. What holds from the beginning is told as of the beginning of 1970, as
the standard does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.exports.files import made_in_a_file
from audit.exports.instants import exact, value_text
from audit.exports.markup import content, quoted
from audit.exports.objects import (
    CHANNEL,
    EMPLOYEE,
    OBJECT_TYPES,
    Change,
    Customer,
    Event,
    Object,
    Relation,
    event_types,
)
from audit.exports.selection import Told, is_told, told_customers
from schemas.fields import BOOLEAN, FLOAT, INTEGER, STRING, TIME

if TYPE_CHECKING:
    import sqlite3

    from audit.exports.exporting import Export

_BEGINNING = "1970-01-01T00:00:00.000000Z"
_SHARED = frozenset({EMPLOYEE, CHANNEL})
_SQL_TYPES = {
    STRING: "TEXT", TIME: "TIMESTAMP", INTEGER: "INTEGER", FLOAT: "REAL", BOOLEAN: "BOOLEAN",
}  # fmt: skip
_TABLES = """
CREATE TABLE event_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE object_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE event (
    ocel_id TEXT PRIMARY KEY, ocel_type TEXT REFERENCES event_map_type (ocel_type)
);
CREATE TABLE object (
    ocel_id TEXT PRIMARY KEY, ocel_type TEXT REFERENCES object_map_type (ocel_type)
);
CREATE TABLE event_object (
    ocel_event_id TEXT REFERENCES event (ocel_id),
    ocel_object_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier)
);
CREATE TABLE object_object (
    ocel_source_id TEXT REFERENCES object (ocel_id),
    ocel_target_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier)
);
"""


def ocel_json(export: Export) -> Iterator[bytes]:
    """As JSON. Values are text, as the standard's schema has them; their types are declared."""
    yield b'{"objectTypes":'
    yield _json(_types(OBJECT_TYPES))
    yield b',\n"eventTypes":'
    yield _json(_types(event_types()))
    yield b',\n"objects":[\n'
    yield from _listed(_object_json(each) for each in _objects(export))
    yield b'],\n"events":[\n'
    yield from _listed(_event_json(each) for each in _events(export))
    yield b"]}\n"


def ocel_xml(export: Export) -> Iterator[bytes]:
    """As XML, in the order of the standard's schema."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<log>\n'
    yield _types_xml("object", OBJECT_TYPES)
    yield _types_xml("event", event_types())
    yield b"<objects>\n"
    for thing in _objects(export):
        attributes = "".join(
            f"<attribute name={quoted(change.name)} time={quoted(_since(change))}>"
            f"{content(value_text(change.value))}</attribute>"
            for change in thing.changes
        )
        yield _element_xml(
            f"object id={quoted(thing.id)} type={quoted(thing.type)}", attributes, thing.relations
        )
    yield b"</objects>\n<events>\n"
    for event in _events(export):
        attributes = "".join(
            f"<attribute name={quoted(name)}>{content(value_text(value))}</attribute>"
            for name, value in event.attributes.items()
        )
        head = (
            f"event id={quoted(event.id)} type={quoted(event.type)} time={quoted(exact(event.at))}"
        )
        yield _element_xml(head, attributes, event.relations)
    yield b"</events>\n</log>\n"


def ocel_sqlite(export: Export) -> Iterator[bytes]:
    """As an SQLite database with the standard's tables."""
    yield from made_in_a_file("export.sqlite", lambda path: _sqlite(path, export))


def _customers(export: Export, histories: Iterable[list[Told]]) -> Iterator[Customer]:
    @cache
    def known(customer_id: str) -> bool:
        return is_told(export.datastore, export.selection, customer_id)

    for history in histories:
        yield Customer(history, export.selection, known, export.episode_gap)


def _objects(export: Export) -> Iterator[Object]:
    """Every object once: those that customers have in common come last."""
    shared: set[tuple[str, str]] = set()
    for customer in _customers(export, told_customers(export.datastore, export.selection)):
        for thing in customer.objects():
            if thing.type in _SHARED:
                shared.add((thing.id, thing.type))
            else:
                yield thing
    for id_, type_ in sorted(shared):
        yield Object(id_, type_, [], [])


def _events(export: Export) -> Iterator[Event]:
    """Every event, counted."""
    for customer in _customers(export, export.customers()):
        export.take(customer.told)
        yield from customer.events()


def _types(types: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "attributes": [{"name": key, "type": kind} for key, kind in attributes.items()],
        }
        for name, attributes in types.items()
    ]


def _object_json(thing: Object) -> dict[str, Any]:
    return {
        "id": thing.id,
        "type": thing.type,
        "attributes": [
            {"name": change.name, "time": _since(change), "value": value_text(change.value)}
            for change in thing.changes
        ],
        "relationships": _related(thing.relations),
    }


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "time": exact(event.at),
        "attributes": [
            {"name": name, "value": value_text(value)} for name, value in event.attributes.items()
        ],
        "relationships": _related(event.relations),
    }


def _related(relations: Iterable[Relation]) -> list[dict[str, str]]:
    return [{"objectId": each.object_id, "qualifier": each.qualifier} for each in relations]


def _listed(values: Iterable[Any]) -> Iterator[bytes]:
    """The elements of a JSON array, one a line."""
    for number, value in enumerate(values):
        yield (b",\n" if number else b"") + _json(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _types_xml(of: str, types: Mapping[str, Mapping[str, str]]) -> bytes:
    parts = [f"<{of}-types>\n"]
    for name, attributes in types.items():
        inside = "".join(
            f"<attribute name={quoted(key)} type={quoted(kind)}/>"
            for key, kind in attributes.items()
        )
        parts.append(f"<{of}-type name={quoted(name)}><attributes>{inside}</attributes>")
        parts.append(f"</{of}-type>\n")
    return "".join([*parts, f"</{of}-types>\n"]).encode()


def _element_xml(head: str, attributes: str, relations: Iterable[Relation]) -> bytes:
    related = "".join(
        f"<relationship object-id={quoted(each.object_id)} qualifier={quoted(each.qualifier)}/>"
        for each in relations
    )
    name = head.partition(" ")[0]
    return (
        f"<{head}><attributes>{attributes}</attributes><objects>{related}</objects></{name}>\n"
    ).encode()


def _sqlite(path: Path, export: Export) -> None:
    import sqlite3  # only here: every command would wait for it

    with closing(sqlite3.connect(path)) as database:
        # Nobody else sees the file, and if anything fails it is gone.
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        for of, types, more in (
            ("object", OBJECT_TYPES, "ocel_changed_field TEXT"),
            ("event", event_types(), ""),
        ):
            for name, attributes in types.items():
                database.execute(f"INSERT INTO {of}_map_type VALUES (?, ?)", (name, _table(name)))
                database.execute(_type_table(of, name, attributes, more))
        for thing in _objects(export):
            _insert_object(database, thing)
        for event in _events(export):
            _insert_event(database, event)
        database.commit()


def _type_table(of: str, name: str, attributes: Mapping[str, str], more: str) -> str:
    columns = [
        "ocel_id TEXT",
        "ocel_time TIMESTAMP",
        *([more] if more else []),
        *(f'"{key}" {_SQL_TYPES[kind]}' for key, kind in attributes.items()),
    ]
    return f'CREATE TABLE "{of}_{_table(name)}" ({", ".join(columns)})'


def _insert_object(database: sqlite3.Connection, thing: Object) -> None:
    """A row that says what holds from the beginning, and one for each change."""
    database.execute("INSERT INTO object VALUES (?, ?)", (thing.id, thing.type))
    held = {change.name: change.value for change in thing.changes if change.at is None}
    row = {"ocel_id": thing.id, "ocel_time": _BEGINNING, "ocel_changed_field": None}
    _insert(database, f"object_{_table(thing.type)}", row | held)
    for change in thing.changes:
        if change.at is not None:
            changed = {"ocel_time": _since(change), "ocel_changed_field": change.name}
            values = row | changed | {change.name: change.value}
            _insert(database, f"object_{_table(thing.type)}", values)
    database.executemany(
        "INSERT INTO object_object VALUES (?, ?, ?)",
        [(thing.id, each.object_id, each.qualifier) for each in thing.relations],
    )


def _insert_event(database: sqlite3.Connection, event: Event) -> None:
    database.execute("INSERT INTO event VALUES (?, ?)", (event.id, event.type))
    row = {"ocel_id": event.id, "ocel_time": exact(event.at)}
    _insert(database, f"event_{_table(event.type)}", row | event.attributes)
    database.executemany(
        "INSERT INTO event_object VALUES (?, ?, ?)",
        [(event.id, each.object_id, each.qualifier) for each in event.relations],
    )


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    columns = ", ".join(f'"{name}"' for name in row)
    places = ", ".join("?" * len(row))
    values = [_stored(value) for value in row.values()]
    database.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({places})', values)


def _stored(value: Any) -> Any:
    match value:
        case datetime():
            return exact(value)
        case Decimal():
            return float(value)
    return value


def _table(name: str) -> str:
    """How a type is called in the names of tables."""
    return "".join(part.capitalize() for part in name.replace(".", "_").split("_"))


def _since(change: Change) -> str:
    return _BEGINNING if change.at is None else exact(change.at.astimezone(UTC))
