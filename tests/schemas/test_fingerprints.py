"""Fingerprints are those that other implementations of Avro compute."""

import json
from typing import Any

import pytest

from schemas import codec
from schemas.catalogue import SHIPPED, fingerprint_of_text

# From Apache Avro's own suite, which gives them as signed numbers.
PUBLISHED: list[tuple[Any, int]] = [
    ("null", 7195948357588979594),
    ("boolean", -6970731678124411036),
    ("int", 8247732601305521295),
    ({"type": "int"}, 8247732601305521295),
    ("long", -3434872931120570953),
    ("float", 5583340709985441680),
    ("double", -8181574048448539266),
    ("bytes", 5746618253357095269),
    ("string", -8142146995180207161),
    ([], -1241056759729112623),
    (["int"], -5232228896498058493),
    (["int", {"type": "boolean"}], 5392556393470105090),
    ({"fields": [], "type": "record", "name": "foo"}, -4824392279771201922),
    (
        {"fields": [], "type": "record", "name": "foo", "doc": "foo", "aliases": ["foo", "bar"]},
        -4824392279771201922,
    ),
    ({"fields": [], "type": "record", "name": "foo", "namespace": "x.y"}, 5916914534497305771),
    ({"fields": [], "type": "record", "name": "a.b.foo", "namespace": "x.y"}, -4616218487480524110),
    (
        {
            "fields": [{"type": {"type": "boolean"}, "name": "f1"}],
            "type": "record",
            "name": "foo",
        },
        7843277075252814651,
    ),
    ({"type": "enum", "name": "foo", "symbols": ["A1"]}, -6342190197741309591),
    (
        {
            "namespace": "x.y.z",
            "type": "enum",
            "name": "foo",
            "doc": "foo bar",
            "symbols": ["A1", "A2"],
        },
        -4448647247586288245,
    ),
    ({"name": "foo", "type": "fixed", "size": 15}, 1756455273707447556),
    ({"items": {"type": "null"}, "type": "array"}, -589620603366471059),
    ({"values": "string", "type": "map"}, -8732877298790414990),
    (
        {
            "name": "PigValue",
            "type": "record",
            "fields": [{"name": "value", "type": ["null", "int", "long", "PigValue"]}],
        },
        -1759257747318642341,
    ),
]


@pytest.mark.parametrize(("schema", "number"), PUBLISHED)
def test_published_fingerprints(schema: Any, number: int) -> None:
    assert fingerprint_of_text(json.dumps(schema)) == number.to_bytes(8, "big", signed=True)


def test_what_the_canonical_form_leaves_out_changes_no_fingerprint() -> None:
    plain = {"type": "record", "name": "A", "fields": [{"name": "at", "type": "long"}]}
    marked = {
        "type": "record",
        "name": "A",
        "doc": "for people",
        "event_type": "a.b.v1",
        "fields": [
            {
                "name": "at",
                "type": {"type": "long", "logicalType": "timestamp-micros"},
                "pii": True,
                "doc": "when",
            }
        ],
    }
    assert fingerprint_of_text(json.dumps(plain)) == fingerprint_of_text(json.dumps(marked))


def test_no_two_schemas_share_a_fingerprint() -> None:
    assert len(SHIPPED.by_fingerprint) == len(SHIPPED.by_type)


def test_the_fingerprint_is_little_endian_on_the_wire() -> None:
    data = {"customer_id": "C-1", "reason": None}
    body = codec.single_object("customer.lapsed.v1", data)
    assert body[:2] == b"\xc3\x01"
    assert body[2:10] == codec.fingerprint_of("customer.lapsed.v1")[::-1]
    assert body[10:] == codec.encode("customer.lapsed.v1", data) == b"\x06C-1\x00"
