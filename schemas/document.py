"""The reference page of the published language, written from the schemas.

`python -m schemas.document` writes docs/reference/events.md again.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import domain
from schemas.catalogue import SHIPPED, Schema

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "events.md"

_INTRODUCTION = Path(__file__).parent / "introduction.md"


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION.read_text(encoding="utf-8")]
    parts += [_section(SHIPPED.by_type[event_type]) for event_type in domain.EVENT_TYPES]
    return "\n".join(parts)


def _section(schema: Schema) -> str:
    lines = [f"## `{schema.type}`", "", schema.tree["doc"], ""]
    lines += ["| field | type | if left out | |", "| --- | --- | --- | --- |"]
    lines += _rows(schema.tree["fields"], "")
    lines += ["", f"Fingerprint `{schema.fingerprint.hex()}`. The least that can be said:", ""]
    lines += ["```json", json.dumps(_example(schema.tree["fields"]), ensure_ascii=False), "```", ""]
    return "\n".join(lines)


def _rows(fields: list[dict[str, Any]], prefix: str) -> Iterator[str]:
    for field in fields:
        avro = field["type"][1] if isinstance(field["type"], list) else field["type"]
        notes = ("**Personal.** " if field.get("pii") else "") + field["doc"]
        name = prefix + field["name"]
        yield f"| `{name}` | {_type(field, avro)} | {_default(field)} | {notes} |"
        if isinstance(avro, dict) and avro["type"] == "record":
            yield from _rows(avro["fields"], f"{name}.")
        elif isinstance(avro, dict) and avro["type"] == "array" and "fields" in avro["items"]:
            yield from _rows(avro["items"]["fields"], f"{name}[].")


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "*required*"
    return "null" if field["default"] is None else f"`{json.dumps(field['default'])}`"


_NAMES = {
    "string": "text",
    "int": "whole number",
    "long": "whole number",
    "double": "number",
    "timestamp-micros": "instant",
    "decimal": "money",
    "date": "day",
}


def _type(field: dict[str, Any], avro: Any) -> str:
    if field.get("identifier"):
        return "identifier"
    if isinstance(avro, str):
        return _NAMES.get(avro, avro)
    if avro["type"] == "enum":
        return "one of " + ", ".join(f"`{symbol}`" for symbol in avro["symbols"])
    if avro["type"] == "array":
        items = avro["items"]
        return "list of objects" if "fields" in items else f"list of {_type({}, items)}s"
    return "object" if avro["type"] == "record" else _NAMES[avro["logicalType"]]


_EXAMPLES: dict[str, Any] = {
    "string": "text",
    "boolean": True,
    "int": 1,
    "long": 3600,
    "double": 1.5,
    "timestamp-micros": "2024-05-01T09:30:00Z",
    "decimal": "12.50",
    "date": "2024-12-25",
}
_EXAMPLES_BY_NAME = {
    "currency": "EUR",
    "timezone": "Europe/Amsterdam",
    "channel": "phone",
    "from": "09:00",
    "to": "18:00",
    "customer_id": "C-1042",
    "root_cause": "label printed twice",
    "role": "agent",
    "moment": "first_visit",
    "claim_key": "delivery:ORDER-9",
}


def _example(fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Data with the required fields only."""
    return {
        field["name"]: _example_value(field["name"], field["type"])
        for field in fields
        if "default" not in field
    }


def _example_value(name: str, avro: Any) -> Any:
    if name in _EXAMPLES_BY_NAME:
        return _EXAMPLES_BY_NAME[name]
    if name.endswith("_id"):
        return f"{name[0].upper()}-1"
    if isinstance(avro, str):
        return _EXAMPLES[avro]
    match avro["type"]:
        case "enum":
            return avro["symbols"][0]
        case "array":
            return [_example_value(name, avro["items"])]
        case "record":
            return _example(avro["fields"])
    return _EXAMPLES[avro["logicalType"]]


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
