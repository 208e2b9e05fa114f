"""`servicetrail schemas publish`: all schemas under their names, all or none, again and again."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

import domain
from consumers.registry import Registry
from schemas import codec
from schemas.catalogue import SHIPPED
from schemas.message import Message
from schemas.reading import read
from tests.cli.conftest import Command
from tests.publisher.registry import RegistryServer
from tests.schemas.samples import ATTRIBUTES, CALL, NOW

PUBLISHED = sorted(domain.EVENT_TYPES.keys() - domain.WRITTEN_BY_US)


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    opened = RegistryServer()
    yield opened
    opened.close()


@pytest.fixture
def command(tmp_path: Path, registry: RegistryServer) -> Command:
    command = Command(tmp_path, "postgresql://nobody.invalid/none")
    command.environment["SERVICETRAIL_SCHEMA_REGISTRY_URL"] = registry.url
    return command


def test_every_schema_is_registered_by_the_name_of_its_record_and_once(
    command: Command, registry: RegistryServer
) -> None:
    first = command.run("schemas", "publish")
    assert first.returncode == 0, first.stderr
    assert f"{len(PUBLISHED)} schemas, {len(PUBLISHED)} of them new" in first.stdout
    assert registry.subjects["servicetrail.PromiseMadeV1"] == [
        SHIPPED.by_type["promise.made.v1"].text
    ]
    assert len(registry.subjects) == len(PUBLISHED)
    assert not any("Erased" in subject for subject in registry.subjects)
    second = command.run("schemas", "publish")
    assert (second.returncode, len(registry.texts)) == (0, len(PUBLISHED))
    assert f"{len(PUBLISHED)} schemas, 0 of them new" in second.stdout


def test_what_is_registered_is_what_the_intake_reads_by_number(
    command: Command, registry: RegistryServer
) -> None:
    command.run("schemas", "publish")
    number = registry.texts.index(SHIPPED.by_type["touchpoint.recorded.v1"].text) + 1
    body = b"\0" + number.to_bytes(4, "big") + codec.encode("touchpoint.recorded.v1", CALL)
    message = Message(body, "application/avro", ATTRIBUTES, "kafka:t", "0-1", NOW)
    assert read(message, now=NOW, registry=Registry(registry.url)).data["channel"] == "phone"


def test_a_registry_that_asks_who_we_are_is_told(
    command: Command, registry: RegistryServer
) -> None:
    registry.credentials = "Basic " + b64encode(b"team:s3cret").decode()
    refused = command.run("schemas", "publish")
    assert (refused.returncode, registry.registrations) == (2, 0)
    assert "401" in refused.stderr
    command.environment["SERVICETRAIL_SCHEMA_REGISTRY_USER"] = "team"
    command.environment["SERVICETRAIL_SCHEMA_REGISTRY_PASSWORD"] = "s3cret"
    assert command.run("schemas", "publish").returncode == 0
    assert registry.registrations == len(PUBLISHED)


def test_where_one_is_incompatible_none_is_registered(
    command: Command, registry: RegistryServer
) -> None:
    other = json.loads(SHIPPED.by_type["promise.made.v1"].text)
    other["fields"].append({"name": "signed_by", "type": "string"})
    registry.post("/subjects/servicetrail.PromiseMadeV1/versions", json.dumps(other))
    done = command.run("schemas", "publish")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "servicetrail.PromiseMadeV1: not compatible" in line
    assert registry.registrations == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9", "the schema registry cannot be used: no answer"),
        ("ftp://registry", "starts with http"),
        ("", "no schema registry is set"),
    ],
)
def test_a_registry_that_cannot_be_asked_is_told_in_one_line(
    command: Command, url: str, why: str
) -> None:
    command.environment["SERVICETRAIL_SCHEMA_REGISTRY_URL"] = ""
    done = command.run("schemas", "publish", "--registry", url)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert why in line
