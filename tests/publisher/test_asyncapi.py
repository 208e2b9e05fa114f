"""The AsyncAPI document says what is published, and is one."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import domain
from consumers import dead_topics
from ledger.notices import Notice
from schemas import asyncapi
from schemas.catalogue import SHIPPED, fingerprint_of_text
from schemas.message import Message
from schemas.topics import DEAD, NOTICE_PREFIX, TOPICS
from servicetrail.publisher.records import record_of
from tests.schemas.samples import CALENDAR, CALL, NOW, structured, taken

DOCUMENT: dict[str, Any] = yaml.safe_load(asyncapi.page())
# The specification's own schema, from the npm package @asyncapi/specs, where somebody has it.
SPECIFICATION = Path(os.environ.get("SERVICETRAIL_TEST_ASYNCAPI_SCHEMA", "asyncapi-3.0.0.json"))
TOLD = {"notice", "record"}
"""The messages about what was not taken."""


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
        channel["address"]: list(channel["messages"])
        for channel in DOCUMENT["channels"].values()
        if not channel["address"].endswith(DEAD)
    }
    assert channels.keys() == set(TOPICS.values())
    received = [each for types in channels.values() for each in types]
    assert sorted(received) == sorted(domain.EVENT_TYPES.keys() - domain.WRITTEN_BY_US)
    for topic, channel in DOCUMENT["channels"].items():
        assert channel["bindings"]["kafka"]["topic"] == topic


def test_payloads_are_the_shipped_schemas() -> None:
    for event_type, message in DOCUMENT["components"]["messages"].items():
        if event_type in TOLD:
            continue
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


def test_what_is_told_is_sent_to_a_topic_beside_each_topic() -> None:
    sent = {
        resolved(operation["channel"]["$ref"])["address"]
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "send"
    }
    assert sent == {topic + DEAD for topic in TOPICS.values()}
    for address in sent:
        assert DOCUMENT["channels"][address]["messages"].keys() == TOLD


@pytest.mark.parametrize("path", [None, "data.direction"])
@pytest.mark.parametrize("original", [None, Message(b"{", "", {}, "", "", NOW)])
def test_what_is_told_has_the_headers_and_the_value_that_are_described(
    path: str | None, original: Message | None
) -> None:
    notice = Notice(
        1, "n", 2, NOW, "rejected", "wrong_type", "why", path, "touchpoints", 0, 7, "crm", "e-1"
    )
    record = dead_topics.record_of(notice, original)
    assert record.topic in DOCUMENT["channels"]
    told = {name: value.decode() for name, value in record.headers if name != "content-type"}
    message = DOCUMENT["components"]["messages"][told[f"{NOTICE_PREFIX}value"]]
    described = resolved(message["traits"][0]["$ref"])["headers"]
    assert told.keys() <= described["properties"].keys()
    assert described["properties"].keys() - told.keys() == (
        {f"{NOTICE_PREFIX}path"} if path is None else set()
    )
    assert set(described["required"]) <= told.keys()
    assert (
        told[f"{NOTICE_PREFIX}outcome"]
        in described["properties"][f"{NOTICE_PREFIX}outcome"]["enum"]
    )
    if original is None:
        value, payload = json.loads(record.value), message["payload"]
        assert list(value) == list(payload["properties"]) == payload["required"]
        kinds = {"string": str, "integer": int, "null": type(None)}
        for name, item in value.items():
            kind = payload["properties"][name]["type"]
            allowed = [kind] if isinstance(kind, str) else kind
            assert type(item) in [kinds[each] for each in allowed]


def test_it_is_valid_by_the_schema_of_the_specification() -> None:
    validators = pytest.importorskip("jsonschema_rs")
    if not SPECIFICATION.exists():
        pytest.skip("SERVICETRAIL_TEST_ASYNCAPI_SCHEMA does not name the schema of AsyncAPI 3.0")
    specification = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    validator = validators.validator_for(specification)
    assert [str(error) for error in validator.iter_errors(DOCUMENT)] == []
