"""Exports of which each event is a row: JSON Lines, CSV, XLSX and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from audit.exports.files import made_in_a_file
from audit.exports.instants import exact
from audit.exports.selection import Told
from projections.spreadsheets import harmless, harmless_json

COLUMNS: dict[str, type] = {
    "position": int,
    "event_id": str,
    "type": str,
    "customer_id": str,
    "occurred_at": datetime,
    "recorded_at": datetime,
    "time_assumed": bool,
    "source": str,
    "id": str,
    "sequence": int,
    "correlation_id": str,
    "causation_id": str,
    "stream": str,
    "version": int,
    "channel": str,
    "employee_id": str,
    "case_id": str,
    "summary": str,
    "data": str,
    "fingerprint": str,
}
"""The columns in their order, and what each holds."""

LARGEST_WORKBOOK_EVENTS = 1_048_575
"""Rows that a sheet of a workbook has, but for the line of names."""

_LONGEST_CELL = 32_767
_ROWS_AT_ONCE = 5_000


class TooLarge(ValueError):
    """The format cannot hold so many events."""


class NotInstalled(ValueError):
    """The format needs a library that is not installed."""


def jsonl(told: Iterable[Told]) -> Iterator[bytes]:
    """One JSON object a line; `data` are the event's fields."""
    for each in told:
        line = _row(each)
        for name in ("occurred_at", "recorded_at"):
            line[name] = exact(line[name])
        yield _json(line).encode() + b"\n"


def csv_rows(told: Iterable[Told]) -> Iterator[bytes]:
    """CSV (RFC 4180, UTF-8) below a line of names; null is an empty cell.

    No cell can be taken for a formula: see `harmless`.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for each in told:
        writer.writerow(
            harmless_json(_json(value)) if name == "data" else harmless(_text(value))
            for name, value in _row(each).items()
        )
        if text.tell() > 64 * 1024:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def workbook(told: Iterable[Told], about: str, as_of: datetime) -> Iterator[bytes]:
    """An XLSX workbook: a sheet with a row for each event, and one that says what it is about.

    Cells are text, so that nothing is calculated and no identifier is taken for a number or a day;
    `position` and `version` are numbers. Raises TooLarge for more events than a sheet has rows.
    """
    yield from made_in_a_file("export.xlsx", lambda path: _workbook(path, told, about, as_of))


def parquet(told: Iterable[Told], about: str) -> Iterator[bytes]:
    """Apache Parquet: instants to the microsecond in UTC, `data` as JSON text.

    `about` stands in the file's metadata under `servicetrail`. Raises NotInstalled without pyarrow.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise NotInstalled(
            "Parquet is written by pyarrow, which is not installed: pip install 'pyarrow>=20'"
        ) from None
    of_type = {
        int: pyarrow.int64(),
        str: pyarrow.string(),
        bool: pyarrow.bool_(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }
    schema = pyarrow.schema(
        [(name, of_type[type_]) for name, type_ in COLUMNS.items()],
        metadata={"servicetrail": about},
    )

    def write(path: Path) -> None:
        rows = ({**(row := _row(each)), "data": _json(row["data"])} for each in told)
        with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            while some := list(islice(rows, _ROWS_AT_ONCE)):
                writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))

    yield from made_in_a_file("export.parquet", write)


def _workbook(path: Path, told: Iterable[Told], about: str, as_of: datetime) -> None:
    # Takes as long to import as half of the command line.
    from xlsxwriter import Workbook

    # Rows go to the disk as they come; closed in any case, because it has files open there.
    with Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)}) as book:
        book.set_properties({"title": "Servicetrail export", "created": as_of.replace(tzinfo=None)})
        bold = book.add_format({"bold": True})
        _write_events(book.add_worksheet("events"), bold, told)
        says = book.add_worksheet("about")
        says.set_column(0, 1, 40)
        for row, (name, value) in enumerate(json.loads(about).items()):
            says.write_string(row, 0, name, bold)
            says.write_string(row, 1, value if isinstance(value, str) else json.dumps(value))


def _write_events(sheet: Any, bold: Any, told: Iterable[Told]) -> None:
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(COLUMNS):
        sheet.write_string(0, column, name, bold)
        sheet.set_column(column, column, 60 if name == "summary" else 28)
    last = 0
    for last, each in enumerate(told, start=1):
        if last > LARGEST_WORKBOOK_EVENTS:
            raise TooLarge(
                f"a sheet holds at most {LARGEST_WORKBOOK_EVENTS:,} events; "
                "narrow the selection, or take csv or parquet"
            )
        for column, (name, value) in enumerate(_row(each).items()):
            if name in ("position", "version"):
                sheet.write_number(last, column, value)
            elif value is not None:
                sheet.write_string(last, column, _cell(_text(value)))
    sheet.autofilter(0, 0, last, len(COLUMNS) - 1)


def _row(told: Told) -> dict[str, Any]:
    """The values of the columns, in their order."""
    ledger = told.ledger
    return {
        "position": ledger.position,
        "event_id": told.event.event_id,
        "type": ledger.type,
        "customer_id": ledger.customer_id,
        "occurred_at": ledger.occurred_at,
        "recorded_at": ledger.recorded_at,
        "time_assumed": ledger.time_assumed,
        "source": ledger.source,
        "id": ledger.id,
        "sequence": ledger.sequence,
        "correlation_id": ledger.correlation_id,
        "causation_id": ledger.causation_id,
        "stream": ledger.originator_id,
        "version": ledger.originator_version,
        "channel": told.channel,
        "employee_id": told.event.data.get("employee_id"),
        "case_id": told.record.get("case_id"),
        "summary": told.summary,
        "data": told.data,
        "fingerprint": ledger.fingerprint.hex(),
    }


def _cell(text: str) -> str:
    """The text as far as a cell holds it; what is cut off is said."""
    if len(text) <= _LONGEST_CELL:
        return text
    note = f" … cut off, of {len(text):,} characters: take csv or jsonl"
    return text[: _LONGEST_CELL - len(note)] + note


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return exact(value)
        case bool():
            return "true" if value else "false"
        case dict():
            return _json(value)
    return str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
