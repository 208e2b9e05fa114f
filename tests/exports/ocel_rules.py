"""What the specification of OCEL 2.0 demands of its three forms, as rules of our own, and the log
that each of them tells.
"""

import json
import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from defusedxml.ElementTree import parse

_KINDS = {"string", "time", "integer", "float", "boolean"}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_SQL_TYPES = {"TEXT", "TIMESTAMP", "INTEGER", "REAL", "BOOLEAN"}

Relations = frozenset[tuple[str, str]]


class Log(NamedTuple):
    """A log whatever its form. Values are text: `values_of` says what they mean."""

    event_types: dict[str, dict[str, str]]
    object_types: dict[str, dict[str, str]]
    events: dict[str, tuple[str, str, dict[str, Any], Relations]]
    """Type, time, attributes, relations."""
    objects: dict[str, tuple[str, frozenset[tuple[str, str, Any]], Relations]]
    """Type, attributes with their times, relations."""


def follow_the_rules(log: Log) -> Log:
    """The log, in which everything that is named is there and has the type that was declared."""
    for types in (log.event_types, log.object_types):
        assert {kind for attributes in types.values() for kind in attributes.values()} <= _KINDS
    for type_, time, attributes, relations in log.events.values():
        assert _DATE_TIME.fullmatch(time)
        assert attributes.keys() <= log.event_types[type_].keys()
        assert relations, "an event that is related to nothing"
        assert {object_id for object_id, _ in relations} <= log.objects.keys()
    for type_, changes, relations in log.objects.values():
        assert all(_DATE_TIME.fullmatch(time) for _, time, _ in changes)
        assert {name for name, _, _ in changes} <= log.object_types[type_].keys()
        assert {object_id for object_id, _ in relations} <= log.objects.keys()
    assert all(qualifier for _, qualifier in _all_relations(log))
    return log


def _all_relations(log: Log) -> set[tuple[str, str]]:
    of_events = [relations for *_, relations in log.events.values()]
    return set().union(*of_events, *[relations for *_, relations in log.objects.values()])


def meant(kind: str, value: Any) -> Any:
    """What a value means, be it text or not."""
    match kind:
        case "integer":
            return int(value)
        case "float":
            return float(value)
        case "boolean":
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        case "time":
            return datetime.fromisoformat(value)
    assert isinstance(value, str)
    return value


def from_json(path: Path) -> Log:
    """The log of a JSON file, which has the members that the specification's schema demands."""
    said = json.loads(path.read_text(encoding="utf-8"))
    assert set(said) == {"eventTypes", "objectTypes", "events", "objects"}
    event_types, object_types = (
        {each["name"]: {a["name"]: a["type"] for a in each["attributes"]} for each in said[key]}
        for key in ("eventTypes", "objectTypes")
    )
    values = [
        attribute["value"]
        for each in said["events"] + said["objects"]
        for attribute in each["attributes"]
    ]
    assert all(isinstance(value, str) for value in values)
    return Log(
        event_types,
        object_types,
        unique(
            (
                each["id"],
                (
                    each["type"],
                    each["time"],
                    {
                        a["name"]: meant(event_types[each["type"]][a["name"]], a["value"])
                        for a in each["attributes"]
                    },
                    related((r["objectId"], r["qualifier"]) for r in each["relationships"]),
                ),
            )
            for each in said["events"]
        ),
        unique(
            (
                each["id"],
                (
                    each["type"],
                    frozenset(
                        (
                            a["name"],
                            a["time"],
                            meant(object_types[each["type"]][a["name"]], a["value"]),
                        )
                        for a in each["attributes"]
                    ),
                    related((r["objectId"], r["qualifier"]) for r in each["relationships"]),
                ),
            )
            for each in said["objects"]
        ),
    )


def from_xml(path: Path) -> Log:
    """The log of an XML file, whose elements are in the order of the specification's schema."""
    log = parse(path).getroot()
    assert (log.tag, [each.tag for each in log]) == (
        "log",
        ["object-types", "event-types", "objects", "events"],
    )
    object_types, event_types = (
        {
            each.get("name"): {a.get("name"): a.get("type") for a in each.find("attributes")}
            for each in types
        }
        for types in log[:2]
    )
    for each in (*log[2], *log[3]):
        assert [part.tag for part in each] == ["attributes", "objects"]
        assert {part.tag for part in each.find("objects")} <= {"relationship"}
    return Log(
        event_types,
        object_types,
        unique(
            (
                each.get("id"),
                (
                    each.get("type"),
                    each.get("time"),
                    {
                        a.get("name"): meant(
                            event_types[each.get("type")][a.get("name")], a.text or ""
                        )
                        for a in each.find("attributes")
                    },
                    _related_xml(each),
                ),
            )
            for each in log.find("events")
        ),
        unique(
            (
                each.get("id"),
                (
                    each.get("type"),
                    frozenset(
                        (
                            a.get("name"),
                            a.get("time"),
                            meant(object_types[each.get("type")][a.get("name")], a.text or ""),
                        )
                        for a in each.find("attributes")
                    ),
                    _related_xml(each),
                ),
            )
            for each in log.find("objects")
        ),
    )


def _related_xml(element: Any) -> Relations:
    return related((r.get("object-id"), r.get("qualifier")) for r in element.find("objects"))


def from_sqlite(path: Path) -> Log:
    """The log of an SQLite file, in which every reference leads somewhere."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert not database.execute("PRAGMA foreign_key_check").fetchall()
        event_types, objects_of, events_of = _types(database, "event"), {}, {}
        object_types = _types(database, "object")
        for relation in database.execute("SELECT * FROM event_object"):
            events_of.setdefault(relation[0], []).append((relation[1], relation[2]))
        for relation in database.execute("SELECT * FROM object_object"):
            objects_of.setdefault(relation[0], []).append((relation[1], relation[2]))
        events = {}
        for type_, kinds in event_types.items():
            for row in _rows(database, "event", type_):
                said = {key: meant(kinds[key], row[key]) for key in kinds if row[key] is not None}
                relations = related(events_of.get(row["ocel_id"], ()))
                events[row["ocel_id"]] = (type_, row["ocel_time"], said, relations)
        objects: dict[str, Any] = {}
        for type_, kinds in object_types.items():
            for row in _rows(database, "object", type_):
                changed = row["ocel_changed_field"]
                names = kinds if changed is None else {changed: kinds[changed]}
                found = {
                    (key, row["ocel_time"], meant(kinds[key], row[key]))
                    for key in names
                    if row[key] is not None
                }
                before = objects.get(row["ocel_id"], (type_, frozenset()))[1]
                relations = related(objects_of.get(row["ocel_id"], ()))
                objects[row["ocel_id"]] = (type_, before | found, relations)
        assert dict(database.execute("SELECT * FROM event").fetchall()) == {
            id_: event[0] for id_, event in events.items()
        }
        assert dict(database.execute("SELECT * FROM object").fetchall()) == {
            id_: each[0] for id_, each in objects.items()
        }
    return Log(event_types, object_types, events, objects)


def _types(database: sqlite3.Connection, of: str) -> dict[str, dict[str, str]]:
    kinds = {
        "TEXT": "string", "TIMESTAMP": "time", "INTEGER": "integer", "REAL": "float",
        "BOOLEAN": "boolean",
    }  # fmt: skip
    types = {}
    for name, table in database.execute(f"SELECT * FROM {of}_map_type"):
        columns = database.execute(f'PRAGMA table_info("{of}_{table}")').fetchall()
        assert {column["type"] for column in columns} <= _SQL_TYPES
        types[name] = {
            column["name"]: kinds[column["type"]]
            for column in columns
            if not column["name"].startswith("ocel_")
        }
    return types


def _rows(database: sqlite3.Connection, of: str, type_: str) -> list[sqlite3.Row]:
    (table,) = database.execute(
        f"SELECT ocel_type_map FROM {of}_map_type WHERE ocel_type = ?", (type_,)
    ).fetchone()
    return database.execute(f'SELECT * FROM "{of}_{table}"').fetchall()


def unique(pairs: Any) -> dict[str, Any]:
    pairs = list(pairs)
    found = dict(pairs)
    assert len(found) == len(pairs), "an id is there twice"
    return found


def related(pairs: Any) -> Relations:
    pairs = list(pairs)
    assert len(set(pairs)) == len(pairs), "a relation is there twice"
    return frozenset(pairs)
