"""How answers are written: JSON and CSV, over HTTP and on the command line alike."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from projections.answers import Answer
from projections.spreadsheets import harmless, harmless_json
from schemas.codec import instant_text


def plain(answer: Answer) -> dict[str, Any]:
    """The answer in values that JSON has."""
    told: dict[str, Any] = _plain(_members(answer))
    return told


def json_text(answer: Answer) -> bytes:
    """The answer as JSON in UTF-8: what `plain` gives, written without making it first."""
    return orjson.dumps(_members(answer), default=_plain, option=orjson.OPT_UTC_Z)


def _members(answer: Answer) -> dict[str, Any]:
    return {
        "position": answer.position,
        "as_of": answer.as_of,
        "known_at": answer.known_at,
        "metric_version": answer.metric_version,
        "rows": answer.rows,
        "next": answer.next,
    }


def csv_text(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> str:
    """Rows of plain values as CSV (RFC 4180) below a line of names.

    `names` are those of a list without rows. What has parts is written as JSON; null is empty; what
    begins like a formula is marked as text, see `projections.spreadsheets.harmless`.
    """
    rows = list(rows)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(rows[0] if rows else names)
    for row in rows:
        writer.writerow(_cell(value) for value in row.values())
    return text.getvalue()


def _cell(value: Any) -> Any:
    match value:
        case str():
            return harmless(value)
        case dict() | list():
            return harmless_json(json.dumps(value, ensure_ascii=False))
    return value


_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case dict():
            return {
                name: part if type(part) in _AS_THEY_ARE else _plain(part)
                for name, part in value.items()
            }
        case list() | tuple():
            return [_plain(part) for part in value]
    return value
