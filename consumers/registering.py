"""Our schemas into a Confluent-compatible schema registry, for clients that write its wire format.

The subject of a schema is the full name of its record, `servicetrail.PromiseMadeV1`
(RecordNameStrategy): topics carry several types, and a type means the same in every topic. A
version of a type is a subject of its own, because a shipped schema never changes.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from urllib.request import Request

from consumers.registry import Registry
from schemas.avro_data import RegistryUnavailable
from schemas.catalogue import Schema, fingerprint_of_text

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_REFUSED = {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}


class RegistrationRefused(Exception):
    """The registry does not take a schema. The text says which and why."""


class Found(StrEnum):
    """What a registry says of a schema before it is registered."""

    THERE = "there"
    NEW = "new"
    INCOMPATIBLE = "incompatible"


def subject_of(schema: Schema) -> str:
    """The subject of a schema, such as `servicetrail.PromiseMadeV1`."""
    return str(schema.tree["name"])


class Registrar(Registry):
    """Registers schemas, and reads back what was registered.

    All methods raise `RegistryUnavailable` where the registry does not answer as it should.
    """

    def find(self, schema: Schema) -> Found:
        """Whether the schema is registered under its subject, or may be.

        Compatibility is what the registry is set to demand between a subject's versions.
        """
        subject = quote(subject_of(schema), safe="")
        status, _ = self._ask("POST", f"/subjects/{subject}", _body(schema))
        if status == HTTPStatus.OK:
            return Found.THERE
        path = f"/compatibility/subjects/{subject}/versions/latest"
        status, answer = self._ask("POST", path, _body(schema))
        if status == HTTPStatus.OK and not answer.get("is_compatible", False):
            return Found.INCOMPATIBLE
        if status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):  # not found: no version yet
            raise RegistryUnavailable(f"it answers {status} to {path}")
        return Found.NEW

    def register(self, schema: Schema) -> int:
        """Register a schema, and make sure that its number means just that; the number.

        Once more gives the same number. Raises `RegistrationRefused`.
        """
        subject = subject_of(schema)
        path = f"/subjects/{quote(subject, safe='')}/versions"
        status, answer = self._ask("POST", path, _body(schema))
        if status in _REFUSED:
            raise RegistrationRefused(f"{subject}: {answer.get('message', status)}")
        if status != HTTPStatus.OK or not isinstance(answer.get("id"), int):
            raise RegistryUnavailable(f"it answers {status} to {path}")
        number: int = answer["id"]
        text = self.schema_for(number)
        if text is None or fingerprint_of_text(text) != schema.fingerprint:
            raise RegistrationRefused(f"{subject}: schema {number} of the registry is another one")
        return number

    def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {**self._headers, "Content-Type": _MEDIA_TYPE}
        request = Request(  # noqa: S310 (http, checked)
            self._root + path, json.dumps(body).encode(), headers, method=method
        )
        status, answer = self._exchange(request)
        return status, _object(answer)


def _body(schema: Schema) -> dict[str, str]:
    return {"schema": schema.text, "schemaType": "AVRO"}


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
