"""The AsyncAPI document says what is published, and is one."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import domain
from schemas import asyncapi
from schemas.catalogue import SHIPPED, fingerprint_of_text
from schemas.topics import TOPICS
from servicetrail.publisher.records import record_of
from tests.schemas.samples import CALENDAR, CALL, NOW, structured, taken

DOCUMENT: dict[str, Any] = yaml.safe_load(asyncapi.page())
# The specification's own schema, from the npm package @asyncapi/specs, where somebody has it.
SPECIFICATION = Path(os.environ.get("SERVICETRAIL_TEST_ASYNCAPI_SCHEMA", "asyncapi-3.0.0.json"))


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for item in value.values() for each in references(item)]
    return [each for item in value for each in references(item)] if isinstance(value, list) else []


def test_the_file_is_current() -> None:
    written = asyncapi.PAGE.read_text(encoding="utf-8")
    assert written == asyncapi.page(), "run python -m schemas.asyncapi"


def test_its_yaml_is_the_document() -> None:
    assert asyncapi.document() == DOCUMENT


def test_every_reference_leads_somewhere_and_nothing_is_unused() -> None:
    named = references(DOCUMENT)
    assert all(resolved(each) for each in named)
    assert {f"#/channels/{each}" for each in DOCUMENT["channels"]} <= set(named)
    assert {f"#/components/messages/{each}" for each in DOCUMENT["components"]["messages"]} <= set(
        named
    )


def test_every_type_that_is_received_is_a_message_of_its_topic() -> None:
    channels = {
        channel["address"]: list(channel["messages"]) for channel in DOCUMENT["channels"].values()
    }
    assert channels.keys() == set(TOPICS.values())
    received = [each for types in channels.values() for each in types]
    assert sorted(received) == sorted(domain.EVENT_TYPES.keys() - domain.WRITTEN_BY_US)
    for topic, channel in DOCUMENT["channels"].items():
        assert channel["bindings"]["kafka"]["topic"] == topic


def test_payloads_are_the_shipped_schemas() -> None:
    for event_type, message in DOCUMENT["components"]["messages"].items():
        payload = message["payload"]
        assert payload["schemaFormat"].startswith("application/vnd.apache.avro")
        text = json.dumps(payload["schema"])
        assert fingerprint_of_text(text) == SHIPPED.by_type[event_type].fingerprint


@pytest.mark.parametrize(
    ("data", "event_type"),
    [(CALL, "touchpoint.recorded.v1"), (CALENDAR, "calendar.published.v1")],
)
def test_what_is_published_has_the_headers_and_the_key_that_are_described(
    data: dict[str, Any], event_type: str
) -> None:
    event = taken(structured(data, event_type, correlationid="c", causationid="d", sequence=1))
    headers = {name: value.decode() for name, value in record_of(event, TOPICS, NOW).headers}
    message = DOCUMENT["components"]["messages"][event_type]
    described = resolved(message["traits"][0]["$ref"])["headers"]
    assert headers.keys() == described["properties"].keys()
    assert set(described["required"]) <= headers.keys()
    assert headers["ce_type"] == message["headers"]["properties"]["ce_type"]["const"]
    assert headers["ce_type"] in described["properties"]["ce_type"]["enum"]
    assert headers["content-type"] == message["contentType"]
    of_customer = "the customer id" in message["bindings"]["kafka"]["key"]["description"]
    assert of_customer == (event.customer_id is not None)


def test_it_is_valid_by_the_schema_of_the_specification() -> None:
    validators = pytest.importorskip("jsonschema_rs")
    if not SPECIFICATION.exists():
        pytest.skip("SERVICETRAIL_TEST_ASYNCAPI_SCHEMA does not name the schema of AsyncAPI 3.0")
    specification = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    validator = validators.validator_for(specification)
    assert [str(error) for error in validator.iter_errors(DOCUMENT)] == []
