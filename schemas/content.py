"""What kind of content a message has, and where its data are."""

from base64 import b64decode
from typing import Any

from schemas.attributes import Attributes, expect_text
from schemas.avro_data import CONFLUENT, SINGLE_OBJECT
from schemas.json_text import parse_json
from schemas.problem import Problem

STRUCTURED = "application/cloudevents+json"
JSON = "application/json"
AVRO = "application/avro"
_NAMES_OF_AVRO = frozenset({AVRO, "avro/binary", "application/vnd.apache.avro+binary"})


def content_type_of(given: str) -> str:
    """One of the three content types that are read, without parameters; empty if not given."""
    kind = given.partition(";")[0].strip().lower()
    if kind in ("", STRUCTURED, JSON):
        return kind
    if kind in _NAMES_OF_AVRO:
        return AVRO
    if kind.endswith("+json") and not kind.startswith("application/cloudevents"):
        return JSON
    raise Problem(
        "unsupported_content_type",
        "expected application/avro, application/json or application/cloudevents+json",
        "datacontenttype",
    )


def told_from(body: bytes, attributes: Attributes) -> str:
    """What the bytes are. No datum of ours begins like JSON: its id's length would be negative."""
    given = attributes.get("datacontenttype")
    if isinstance(given, str) and given:
        return content_type_of(given)
    if body.startswith((SINGLE_OBJECT, CONFLUENT)):
        return AVRO
    if body.startswith((b"{", b"[", b"\xef\xbb\xbf")):
        return JSON if "type" in attributes else STRUCTURED
    return AVRO


def structured(body: bytes) -> Attributes:
    """The members of a structured CloudEvent: its attributes, and `data` or `data_base64`."""
    value = parse_json(body)
    if not isinstance(value, dict):
        raise Problem("unreadable_json", "a CloudEvent is a JSON object")
    return value


def structured_data(attributes: Attributes) -> tuple[str, Any]:
    """The content type and the data of a structured CloudEvent: a JSON value or bytes."""
    given = attributes.get("datacontenttype")
    if given is not None:
        expect_text(given, "datacontenttype")
    content_type = content_type_of(given or "")
    if content_type == STRUCTURED:
        raise Problem("unsupported_content_type", "an event within an event", "datacontenttype")
    encoded = attributes.get("data_base64")
    if encoded is None:
        if content_type not in ("", JSON):
            raise Problem(
                "unsupported_content_type",
                "data other than JSON travel in data_base64",
                "datacontenttype",
            )
        if attributes.get("data") is None:
            raise Problem("missing_field", "an event has data", "data")
        return JSON, attributes["data"]
    if attributes.get("data") is not None:
        raise Problem("bad_attribute", "an event has either data or data_base64", "data_base64")
    expect_text(encoded, "data_base64")
    try:
        body = b64decode(encoded, validate=True)
    except ValueError:
        raise Problem("bad_attribute", "this is not base64", "data_base64") from None
    return content_type or told_from(body, {"type": ""}), body
