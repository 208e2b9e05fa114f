"""Shipped schemas are a contract: they do not change, and they keep the rules of the house."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import domain
from schemas.catalogue import SHIPPED, Schema

RECORDED: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parents[2] / "schemas" / "avro" / "fingerprints.json").read_text()
)


def without_docs(value: Any) -> Any:
    """The schema but for what is written for people."""
    if isinstance(value, list):
        return [without_docs(item) for item in value]
    if isinstance(value, dict):
        return {name: without_docs(item) for name, item in value.items() if name != "doc"}
    return value


def recorded_now(schema: Schema) -> dict[str, str]:
    """The fingerprint says what the bytes mean; the content also covers defaults and marks."""
    content = json.dumps(without_docs(json.loads(schema.text)), sort_keys=True)
    return {
        "fingerprint": schema.fingerprint.hex(),
        "content": sha256(content.encode()).hexdigest(),
    }


def declared(node: Any) -> Iterator[dict[str, Any]]:
    """Every record of a schema."""
    if isinstance(node, list):
        for item in node:
            yield from declared(item)
    elif isinstance(node, dict):
        if "fields" in node:
            yield node
        for item in node.values():
            yield from declared(item)


def fields(schema: Schema) -> Iterator[dict[str, Any]]:
    for record in declared(schema.tree):
        yield from record["fields"]


def test_there_is_a_schema_for_every_event_type() -> None:
    assert SHIPPED.by_type.keys() == domain.EVENT_TYPES.keys()


@pytest.mark.parametrize("schema", SHIPPED.by_type.values(), ids=SHIPPED.by_type)
def test_a_shipped_schema_has_not_changed(schema: Schema) -> None:
    now = recorded_now(schema)
    assert RECORDED.get(schema.type) == now, (
        f"{schema.type} is not as it was shipped. Put it back, and change it in a new version. "
        f"If this is the new version, record it in fingerprints.json: {json.dumps(now)}"
    )


def test_no_shipped_schema_has_gone() -> None:
    assert RECORDED.keys() == SHIPPED.by_type.keys()


@pytest.mark.parametrize("schema", SHIPPED.by_type.values(), ids=SHIPPED.by_type)
def test_every_schema_keeps_the_rules_of_the_house(schema: Schema) -> None:
    assert (
        schema.tree["name"]
        == f"servicetrail.{schema.type.title().replace('.', '').replace('_', '')}"
    )
    assert all(record["doc"] for record in declared(schema.tree))
    for field in fields(schema):
        assert field["doc"].strip(), field["name"]
        if isinstance(field["type"], list):
            assert field["type"][0] == "null", field["name"]
            assert len(field["type"]) == 2, field["name"]
            assert field["default"] is None, field["name"]
        if field["name"].endswith("_id"):
            assert field["identifier"], field["name"]


@pytest.mark.parametrize("schema", SHIPPED.by_type.values(), ids=SHIPPED.by_type)
def test_the_first_field_is_the_required_id_that_tells_bare_data_from_framed(
    schema: Schema,
) -> None:
    first = schema.tree["fields"][0]
    assert first["name"] == domain.EVENT_TYPES[schema.type].ID_FIELD
    assert first["type"] == "string"
    assert first["identifier"]


@pytest.mark.parametrize("schema", SHIPPED.by_type.values(), ids=SHIPPED.by_type)
def test_only_policies_and_the_log_of_access_have_no_customer(schema: Schema) -> None:
    names = {field["name"]: field for field in schema.tree["fields"]}
    if domain.is_of_nobody(schema.type):
        assert "customer_id" not in names
        assert schema.type == "access.recorded.v1" or "default" not in names["valid_from"]
    else:
        assert "default" not in names["customer_id"]


def test_what_is_personal() -> None:
    assert {
        name: schema.personal for name, schema in SHIPPED.by_type.items() if schema.personal
    } == {
        "touchpoint.recorded.v1": ("note", "contact"),
        "touchpoint.corrected.v1": ("corrected.note", "corrected.contact"),
        "feedback.given.v1": ("text",),
        "complaint.raised.v1": ("description",),
        "complaint.acknowledged.v1": ("words",),
        "complaint.apologized.v1": ("words",),
    }


def test_a_correction_holds_the_whole_record() -> None:
    recorded = SHIPPED.by_type["touchpoint.recorded.v1"].tree["fields"]
    corrected = next(
        field["type"]["fields"]
        for field in SHIPPED.by_type["touchpoint.corrected.v1"].tree["fields"]
        if field["name"] == "corrected"
    )
    same = [field for field in corrected if field["name"] != "occurred_at"]
    assert json.dumps(same).replace("corrected_v1", "recorded_v1") == json.dumps(recorded)


@pytest.mark.parametrize(
    "event_type", [name for name in SHIPPED.by_type if name.startswith("complaint.")]
)
def test_all_complaints_carry_the_common_fields(event_type: str) -> None:
    names = {field["name"] for field in SHIPPED.by_type[event_type].tree["fields"]}
    common = {"channel", "employee_id", "team", "department", "case_id", "topic", "product"}
    assert common <= names
