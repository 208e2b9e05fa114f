"""Avro data as they travel: three framings, told apart by their first bytes."""

from typing import Any, Protocol

from schemas.catalogue import SHIPPED, Schema, fingerprint_of_text
from schemas.datum import read_personal
from schemas.problem import Problem

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = b"\x00"
_LARGEST_NUMBER = 2**31 - 1


class RegistryUnavailable(Exception):
    """The registry does not answer as it should; asking again later may help."""


class SchemaRegistry(Protocol):
    """Where the numbered schemas of the Confluent wire format are looked up."""

    def schema_for(self, schema_id: int) -> str | None:
        """The schema's text, or None if the registry has none of that number.

        Called for every message: keep what was looked up. Raises `RegistryUnavailable`.
        """


def unframe(
    body: bytes, named: Schema | None, registry: SchemaRegistry | None
) -> tuple[Schema, bytes]:
    """The schema that the data were written with, and the bare datum.

    `named` is the schema that the message's attributes name, for data that do not name their own.
    No bare datum of ours can begin like one of the framings: the first field of every type is a
    required identifier, whose length is neither 0 (00) nor negative (C3 01).

    Raises `Problem`: unreadable_avro, unknown_schema, missing_attribute.
    """
    if body.startswith(SINGLE_OBJECT):
        schema = SHIPPED.by_fingerprint.get(body[9:1:-1])
        if len(body) < 10:
            raise Problem("unreadable_avro", "the data end too early")
        if schema is None:
            raise Problem(
                "unknown_schema",
                f"no schema with the fingerprint {body[9:1:-1].hex()} is known here; "
                "write with one of the published schemas",
            )
        return schema, body[10:]
    if body.startswith(CONFLUENT):
        return _registered(body, registry), body[5:]
    if not body:
        raise Problem("unreadable_avro", "there are no data")
    if named is None:
        raise Problem(
            "missing_attribute", "the type is given neither by an attribute nor by the data", "type"
        )
    return named, body


def _registered(body: bytes, registry: SchemaRegistry | None) -> Schema:
    if len(body) < 5:
        raise Problem("unreadable_avro", "the data end too early")
    schema_id = int.from_bytes(body[1:5], "big")
    if registry is None:
        raise Problem(
            "unknown_schema",
            f"the data name schema {schema_id} of a registry, and no registry is set; set "
            "SERVICETRAIL_SCHEMA_REGISTRY_URL, or publish with Avro single-object encoding",
        )
    # Registries number schemas by signed integers, and take a larger one for a mistyped address.
    text = registry.schema_for(schema_id) if schema_id <= _LARGEST_NUMBER else None
    if text is None:
        raise Problem("unknown_schema", f"the registry has no schema {schema_id}")
    schema = SHIPPED.by_fingerprint.get(_fingerprint(text, schema_id))
    if schema is None:
        raise Problem(
            "unknown_schema",
            f"schema {schema_id} of the registry is not one of the published schemas",
        )
    return schema


_FINGERPRINTS: dict[str, bytes] = {}


def _fingerprint(text: str, schema_id: int) -> bytes:
    found = _FINGERPRINTS.get(text)
    if found is None:
        try:
            found = _FINGERPRINTS[text] = fingerprint_of_text(text)
        except Exception as error:  # fastavro has no common base of what it raises here
            raise Problem(
                "unknown_schema", f"schema {schema_id} of the registry is no Avro schema"
            ) from error
    return found


def read_datum(schema: Schema, datum: bytes) -> tuple[bytes, dict[str, Any], dict[str, str] | None]:
    """Facts, their data, and the personal fields that have a value, from a bare datum.

    Raises `Problem`: unreadable_avro, bad_time, wrong_type, with the field's path.
    """
    data, at = schema.read_facts(datum, 0)
    if datum[at:] == schema.nothing_personal:
        return datum, data, None
    personal, end = read_personal(datum, at, schema.personal)
    if end != len(datum):
        raise Problem("unreadable_avro", "there are bytes behind the end of the data")
    return datum[:at] + schema.nothing_personal, data, personal
