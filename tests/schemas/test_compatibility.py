"""Every shipped version can be read by the newest, and each way of breaking that is found."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from schemas import catalogue
from schemas.catalogue import Catalogue
from schemas.compatibility import check, check_all

AVRO = Path(catalogue.__file__).parent / "avro"


def record(*fields: dict[str, Any], name: str = "Thing", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(avro: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": avro, **more}


def enum(*symbols: str, name: str = "Kind", **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


MICROS = {"type": "long", "logicalType": "timestamp-micros"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
TREE = record(field(["null", "Thing"], "left", default=None))


def test_all_shipped_versions_can_be_read() -> None:
    assert check_all() == []


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ("int", "int"),
        ("int", "long"),
        ("int", "double"),
        ("long", "float"),
        ("float", "double"),
        ("string", "bytes"),
        ("bytes", "string"),
        ({"type": "string"}, "string"),
        ("string", ["null", "string"]),
        ("int", ["null", "double"]),
        (["null", "string"], ["string", "null"]),
        (["string"], "string"),
        (enum("a", "b"), enum("b", "a", "c")),
        (enum("a", "b"), enum("a", default="a")),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}),
        ({"type": "map", "values": "int"}, {"type": "map", "values": "long"}),
        ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 4}),
        (record(field("int")), record()),
        (record(), record(field("int", default=1))),
        (record(field("int", "old")), record(field("int", "new", aliases=["old"]))),
        (record(name="x.ThingV1"), record(name="x.ThingV2", aliases=["ThingV1"])),
        (record(name="x.Thing"), record(name="y.Thing")),
        (MICROS, MICROS),
        (decimal(18, 4), decimal(18, 4)),
        (TREE, TREE),
    ],
)
def test_what_can_be_read(writer: Any, reader: Any) -> None:
    assert check(writer, reader) == []


@pytest.mark.parametrize(
    ("writer", "reader", "path", "why"),
    [
        ("long", "int", "", "long cannot be read as int"),
        ("double", "float", "", "double cannot be read as float"),
        ("string", "int", "", "string cannot be read as int"),
        ("boolean", "string", "", "boolean cannot be read as string"),
        (["null", "string"], "string", "", "null cannot be read as string"),
        ("null", ["string", "int"], "", "null is none of [string, int]"),
        (["null", "string"], ["null", "int"], "", "string is none of [null, int]"),
        (enum("a", "b", "c"), enum("a"), "", "does not know b, c"),
        (enum("a"), enum("a", name="Sort"), "", "needs the alias 'Kind'"),
        (
            {"type": "fixed", "name": "F", "size": 4},
            {"type": "fixed", "name": "F", "size": 8},
            "",
            "sizes differ",
        ),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}, "[]", "long"),
        ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}, "{}", "long"),
        ({"type": "array", "items": "int"}, {"type": "map", "values": "int"}, "", "array"),
        (record(), record(field("int")), "a", "needs a default"),
        (record(field("int", "old")), record(field("int", "new")), "new", "needs a default"),
        (record(name="ThingV1"), record(name="ThingV2"), "", "needs the alias 'ThingV1'"),
        (
            record(field(record(field("long", "deep"), name="Inner"))),
            record(field(record(field("int", "deep"), name="Inner"))),
            "a.deep",
            "long cannot be read as int",
        ),
        (MICROS, MILLIS, "", "timestamp-micros is not timestamp-millis"),
        (MICROS, "long", "", "timestamp-micros is not None"),
        (MICROS, "double", "", "a logical type is lost"),
        (decimal(18, 4), decimal(18, 2), "", "decimal(18,4) is not decimal(18,2)"),
        (TREE, record(field("Thing", "left")), "left", "null cannot be read as record"),
        (
            record(field(["null", record(field("long", "deep"), name="Inner")])),
            record(field(["null", record(field("int", "deep"), name="Inner")])),
            "a.deep",
            "long cannot be read as int",
        ),
    ],
)
def test_what_cannot_be_read(writer: Any, reader: Any, path: str, why: str) -> None:
    found = check(writer, reader)
    assert [(one.path, why in one.message) for one in found] == [(path, True)]


def test_a_newer_version_that_breaks_an_older_one_is_found(tmp_path: Path) -> None:
    old = AVRO / "promise.kept.v1.avsc"
    shutil.copy(old, tmp_path)
    for version, name in ((2, "reviewed_by"), (3, "settled_by")):
        newer = json.loads(old.read_text())
        newer |= {
            "name": f"PromiseKeptV{version}",
            "aliases": [f"PromiseKeptV{earlier}" for earlier in range(1, version)],
            "event_type": f"promise.kept.v{version}",
        }
        newer["fields"].append({"name": name, "type": "string", "doc": "Who looked."})
        (tmp_path / f"promise.kept.v{version}.avsc").write_text(json.dumps(newer))
    why = "cannot be read as promise.kept.v3 at settled_by: a new field needs a default"
    found = [str(one) for one in check_all(Catalogue(tmp_path))]
    assert found == [f"promise.kept.v1 {why}", f"promise.kept.v2 {why}"]
