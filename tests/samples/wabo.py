"""The WABO log as touchpoints: how a Dutch municipality received requests for permits.

The log (J.C.A.M. Buijs, doi 10.4121/uuid:a07386a5-7be3-4367-9535-70bc9e77dbe6) is not ours to ship:
it is read from the folder named by `SERVICETRAIL_SHARED_DATA`, or from `../shared/data` beside the
repository.

Every event of the log becomes one touchpoint. The log knows requests and no people, so each request
is a customer of its own. "Confirmation of receipt" opens every request and is taken as the
applicant's inbound; all later steps are work done for the applicant and count as outbound, by a
human. The time from the first event to the second is thus the time of first response.
"""

import csv
import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SOURCE = "wabo"
_OPENING = "Confirmation of receipt"
_COMMON_FIELDS = {
    "case_id": "case:concept:name",
    "channel": "case:channel",
    "department": "case:department",
    "employee_id": "org:resource",
    "team": "org:group",
    "moment": "concept:name",
}


def shared_log() -> Path:
    """The folder with `receipt.csv.gz` and `reference.json`; without it the test is skipped."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("SERVICETRAIL_SHARED_DATA", beside)) / "wabo_receipt"
    if not (folder / "receipt.csv.gz").is_file():
        pytest.skip(
            f"the WABO log is not at {folder}: set SERVICETRAIL_SHARED_DATA to have it tested"
        )
    return folder


def events(csv_path: Path) -> Iterator[dict[str, Any]]:
    """One structured CloudEvent for each event of the log, in the order of the file."""
    with gzip.open(csv_path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            yield _event(number, row)


def _event(number: int, row: dict[str, str]) -> dict[str, Any]:
    case = row["case:concept:name"]
    opens = row["concept:name"] == _OPENING
    touchpoint = {
        "touchpoint_id": f"wabo-{row['concept:instance']}",
        "customer_id": case,
        "direction": "inbound" if opens else "outbound",
        "handled_by": "human",
    }
    common = {field: row[column] for field, column in _COMMON_FIELDS.items() if row[column]}
    return {
        "specversion": "1.0",
        "source": SOURCE,
        "id": row["concept:instance"],
        "type": "touchpoint.recorded.v1",
        "time": row["time:timestamp"].replace(" ", "T"),
        "subject": case,
        "partitionkey": case,
        "datacontenttype": "application/json",
        "sequence": str(number),
        "correlationid": case,
        "data": touchpoint | common,
    }
