"""Boston's 311 service: a city's requests, its target dates and when it closed them, as events.

`README.md` in this folder says where the file is from and how its columns become events.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SAMPLE = Path(__file__).with_name("boston311_2015_2024.csv.gz")
"""4,995 closed requests opened from 2015 to 2024."""


class _Happening(NamedTuple):
    """Sorts as the city's system would have published: by time, within a case by step."""

    at: str
    case: str
    step: int
    name: str
    type: str
    data: dict[str, Any]


def events(csv_path: str | Path = SAMPLE, *, source: str = "boston311") -> Iterator[dict[str, Any]]:
    """The events of a Boston 311 file, as structured CloudEvents ready for JSON, in order of time.

    `csv_path` is the city's CSV, plain or .gz; column names may be in either case. Each request
    gives an inbound touchpoint, a promise where the city set a target date, and once it is closed
    an outbound touchpoint and `promise.kept` at the time of closing: whether that was in time is
    for the read models to say. `source` owns the numbers in `sequence`, so another file needs
    another.
    Raises OSError when the file cannot be opened and KeyError when a column is missing.
    """
    happenings = [h for row in _rows(Path(csv_path)) for h in _of_request(row)]
    for sequence, happening in enumerate(sorted(happenings, key=lambda h: h[:3]), start=1):
        customer = happening.data["customer_id"]
        yield {
            "specversion": "1.0",
            "source": source,
            "id": f"{happening.case}-{happening.name}",
            "type": happening.type,
            "time": happening.at,
            "subject": customer,
            "partitionkey": customer,
            "datacontenttype": "application/json",
            "sequence": str(sequence),
            "correlationid": happening.case,
            "data": happening.data,
        }


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows with column names in lower case and values without surrounding blanks."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as binary:
        lines = csv.reader(io.TextIOWrapper(binary, encoding="utf-8", newline=""))
        names = [name.lower() for name in next(lines)]
        for values in lines:
            yield {name: value.strip() for name, value in zip(names, values, strict=True)}


def _of_request(row: dict[str, str]) -> Iterator[_Happening]:
    case = row["case_enquiry_id"]
    opened, due, closed = (_instant(row[name]) for name in ("open_dt", "target_dt", "closed_dt"))
    customer = {"customer_id": f"boston-case-{case}"}
    about = {
        "channel": row["source"],
        "department": row["department"],
        "team": row["queue"],
        "case_id": case,
        "topic": row["reason"],
        "product": row["type"],
    }
    about = {name: value for name, value in about.items() if value}
    request, answer = f"boston-{case}-opened", f"boston-{case}-closed"
    promise = {"promise_id": f"boston-{case}"} | customer

    if opened is None:
        raise ValueError(f"request {case} has no opening time")
    inbound = {"touchpoint_id": request, "direction": "inbound"}
    yield _Happening(
        opened, case, 1, "opened", "touchpoint.recorded.v1", inbound | customer | about
    )
    if due:
        made = {"statement": f"{row['type']}: done by the city's target date", "due_at": due}
        yield _Happening(opened, case, 2, "promised", "promise.made.v1", promise | made | about)
    if closed:
        outbound = {
            "touchpoint_id": answer,
            "direction": "outbound",
            "handled_by": "human",
            "in_reply_to": request,
            "outcome": "resolved",
        }
        yield _Happening(
            closed, case, 3, "closed", "touchpoint.recorded.v1", outbound | customer | about
        )
    if closed and due:
        yield _Happening(closed, case, 4, "kept", "promise.kept.v1", promise | about)


def _instant(wall_clock: str) -> str | None:
    """The file's time without a zone, taken as UTC; None where the file leaves it empty."""
    return wall_clock.replace(" ", "T") + "Z" if wall_clock else None
