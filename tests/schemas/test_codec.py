"""The codec as the rest of the program uses it."""

import json
import re
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import catalogue, codec
from schemas.catalogue import Catalogue
from schemas.problem import Problem
from tests.schemas.samples import CALL

AVRO = Path(catalogue.__file__).parent / "avro"


def test_an_event_id_is_the_same_for_ever() -> None:
    assert codec.event_id("urn:calls:north", "call-1") == "c4f5f1211c5c81fb89a9c715817b65d9"


@given(st.text(), st.text())
def test_an_event_id_is_a_uuid_of_version_8_made_from_source_and_id(source: str, id_: str) -> None:
    identity = f"{source}\0{id_}".encode()
    found = UUID(codec.event_id(source, id_))
    expected = UUID(bytes=sha256(identity).digest()[:16])
    mask = ~((0xF << 76) | (0x3 << 62))
    assert (found.version, found.variant) == (8, RFC_4122)
    assert found.int & mask == expected.int & mask
    assert found.hex == codec.event_id(source, id_)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"channel": None}, "wrong_type"),
        ({"channel": 5}, "wrong_type"),
        ({"direction": "sideways"}, "wrong_type"),
        ({"concurrency": 2**40}, "unreadable_avro"),
        ({"concurrency": 1.5}, "wrong_type"),
        ({"handling_seconds": float("nan")}, "wrong_type"),
        ({"customer_id": ""}, "bad_identifier"),
        ({"note": "a\0b"}, "nul_character"),
        ({"unheard": "of"}, "wrong_type"),
    ],
)
def test_data_that_do_not_fit_are_not_encoded(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Problem) as caught:
        codec.encode("touchpoint.recorded.v1", CALL | change)
    assert caught.value.code == code


def test_an_instant_without_a_zone_is_not_encoded() -> None:
    naive = datetime(2024, 5, 1)  # noqa: DTZ001 - what is refused here
    data = {"customer_id": "C-1", "basis": "asked for", "requested_at": naive}
    with pytest.raises(Problem) as caught:
        codec.encode("customer.erased.v1", data)
    assert caught.value.path == "requested_at"


def test_what_is_left_out_takes_its_default() -> None:
    datum = codec.encode("touchpoint.recorded.v1", CALL)
    data = codec.decode(codec.fingerprint_of("touchpoint.recorded.v1"), datum)
    assert data == CALL | {
        "handled_by": "human",
        "aspect": "serviced",
        "concurrency": 1,
    } | dict.fromkeys(data.keys() - CALL.keys() - {"handled_by", "aspect", "concurrency"})


def test_data_as_json() -> None:
    data = {
        "calendar_id": "north",
        "weekly": [{"weekday": 1, "from": "09:00", "to": "18:00"}],
        "holidays": [date(2024, 12, 25)],
        "valid_from": datetime(2024, 5, 1, 9, 30, 0, 5, tzinfo=UTC),
    }
    assert codec.to_json("calendar.published.v1", data) == data | {
        "holidays": ["2024-12-25"],
        "valid_from": "2024-05-01T09:30:00.000005Z",
    }
    cost = {"channel": "phone", "cost_per_minute": Decimal("0.0001")}
    assert codec.to_json("channel.costed.v1", cost)["cost_per_minute"] == "0.0001"
    with pytest.raises(KeyError):
        codec.to_json("channel.costed.v1", {"phone_number": "+31"})
    with pytest.raises(KeyError):
        codec.without_personal("channel.costed.v1", cost)


def test_what_a_fingerprint_stands_for() -> None:
    fingerprint = codec.fingerprint_of("promise.kept.v1")
    assert codec.event_type_of(fingerprint) == "promise.kept.v1"
    assert codec.schema_text(fingerprint) == (AVRO / "promise.kept.v1.avsc").read_text()
    assert codec.pii_fields("touchpoint.corrected.v1") == ("corrected.note", "corrected.contact")
    with pytest.raises(KeyError):
        codec.decode(bytes(8), b"")


def test_old_bytes_are_read_as_the_newest_version(tmp_path: Path) -> None:
    shutil.copy(AVRO / "customer.lapsed.v1.avsc", tmp_path)
    newer = json.loads((AVRO / "customer.lapsed.v1.avsc").read_text())
    newer |= {
        "name": "CustomerLapsedV2",
        "aliases": ["CustomerLapsedV1"],
        "event_type": "customer.lapsed.v2",
    }
    newer["fields"].append(
        {"name": "certain", "type": "boolean", "default": True, "doc": "Whether it is certain."}
    )
    (tmp_path / "customer.lapsed.v2.avsc").write_text(json.dumps(newer))
    shipped = Catalogue(tmp_path)
    old, new = shipped.by_type["customer.lapsed.v1"], shipped.by_type["customer.lapsed.v2"]
    assert shipped.newest(old) is new
    expected = {"customer_id": "C-1", "reason": "moved", "certain": True}
    assert shipped.read(old, b"\x06C-1\x02\x0amoved") == expected
    assert shipped.read(new, b"\x06C-1\x02\x0amoved\x01") == expected


def test_a_folder_with_a_schema_under_a_wrong_name(tmp_path: Path) -> None:
    shutil.copy(AVRO / "customer.lapsed.v1.avsc", tmp_path / "customer.lapsed.v2.avsc")
    with pytest.raises(ValueError, match=re.escape("customer.lapsed.v2.avsc")):
        Catalogue(tmp_path)


def personal(name: str) -> dict[str, Any]:
    return {"name": name, "type": ["null", "string"], "default": None, "pii": True, "doc": "x"}


@pytest.mark.parametrize(
    "fields",
    [
        [personal("note"), {"name": "a", "type": "string"}],
        [
            {"name": "a", "type": {"type": "array", "items": "string"}},
            {"name": "b", "type": "string", "pii": True},
        ],
        [
            {
                "name": "a",
                "type": ["null", {"type": "record", "name": "B", "fields": [personal("note")]}],
            }
        ],
    ],
)
def test_personal_fields_stand_last_and_for_themselves(fields: list[dict[str, Any]]) -> None:
    schema = {"type": "record", "name": "A", "event_type": "a.b.v1", "fields": fields}
    with pytest.raises(ValueError, match="personal field"):
        catalogue.Schema.of_text(json.dumps(schema))
