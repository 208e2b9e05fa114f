"""The schemas that are shipped, found by event type or by fingerprint."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import expand_schema, to_parsing_canonical_form
from fastavro.schema import fingerprint as hash_of

from schemas.datum import Read, personal_fields, reader_of_facts

_TYPE = re.compile(r"(?P<event>[a-z_]+\.[a-z_]+)\.v(?P<version>[1-9][0-9]*)")


def fingerprint_of_text(schema: str) -> bytes:
    """The CRC-64-AVRO fingerprint of a schema's Parsing Canonical Form, 8 bytes, big-endian.

    Big-endian is how the number is usually written out. Where Avro's single-object encoding puts a
    fingerprint on the wire it is little-endian: these bytes reversed.
    """
    little_endian = hash_of(to_parsing_canonical_form(json.loads(schema)), "CRC-64-AVRO")
    return bytes.fromhex(little_endian)[::-1]


@dataclass(frozen=True)
class Schema:
    """One version of one event type.

    `type` is such as `promise.made.v1`, `event` the same without the version. `tree` is the schema
    as Python values with every named type written out. `header` begins the single-object encoding.
    `personal` are the paths of personal fields, `nothing_personal` is how all of them look as null.
    """

    type: str
    event: str
    version: int
    text: str = field(repr=False)
    tree: dict[str, Any] = field(repr=False)
    parsed: Any = field(repr=False)
    fingerprint: bytes
    header: bytes
    personal: tuple[str, ...]
    read_facts: Read = field(repr=False)
    nothing_personal: bytes

    @classmethod
    def of_text(cls, text: str) -> "Schema":
        """Raises ValueError if the text is not a schema of an event type of ours."""
        tree: Any = expand_schema(json.loads(text))
        match = _TYPE.fullmatch(tree.get("event_type", ""))
        if match is None:
            raise ValueError("an event schema names its event_type, such as promise.made.v1")
        fingerprint = fingerprint_of_text(text)
        personal = personal_fields(tree)
        return cls(
            type=match[0],
            event=match["event"],
            version=int(match["version"]),
            text=text,
            tree=tree,
            parsed=parse_schema(json.loads(text)),
            fingerprint=fingerprint,
            header=b"\xc3\x01" + fingerprint[::-1],
            personal=personal,
            read_facts=reader_of_facts(tree),
            nothing_personal=bytes(len(personal)),
        )

    def write(self, data: Mapping[str, Any]) -> bytes:
        """The bare datum. Raises ValueError or TypeError if the data do not fit the schema."""
        stream = BytesIO()
        schemaless_writer(stream, self.parsed, data, strict_allow_default=True)
        return stream.getvalue()


class Catalogue:
    """All versions of all event types in a folder of `.avsc` files."""

    def __init__(self, folder: Path) -> None:
        self.by_type: dict[str, Schema] = {}
        self.by_fingerprint: dict[bytes, Schema] = {}
        self._newest: dict[str, Schema] = {}
        for path in sorted(folder.glob("*.avsc")):
            schema = Schema.of_text(path.read_text(encoding="utf-8"))
            if schema.type != path.stem:
                raise ValueError(f"{path.name} holds the schema of {schema.type}")
            self.by_type[schema.type] = schema
            self.by_fingerprint[schema.fingerprint] = schema
            newest = self._newest.setdefault(schema.event, schema)
            if schema.version > newest.version:
                self._newest[schema.event] = schema

    def newest(self, schema: Schema) -> Schema:
        """The newest version of the same event."""
        return self._newest[schema.event]

    def read(self, schema: Schema, facts: bytes) -> dict[str, Any]:
        """The data of a bare datum as the newest version of its event has them, none personal.

        `facts` were written with `schema` and checked when they arrived.
        """
        newest = self._newest[schema.event]
        if newest is schema:
            data: dict[str, Any] = schema.read_facts(facts, 0)[0]
            return data
        resolved: Any = schemaless_reader(BytesIO(facts), schema.parsed, newest.parsed)
        return dict(resolved)


SHIPPED = Catalogue(Path(__file__).parent / "avro")
