"""What is personal gets into no export."""

from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest

from audit.exports.exporting import FORMATS
from audit.exports.objects import event_types
from ledger.datastore import Datastore
from schemas.catalogue import SHIPPED
from schemas.fields import fields_of
from tests.exports.telling import exported
from tests.intake.door import Door, cloudevent

SECRET = "Ada Lovelace, 12 St James's Square"


@pytest.fixture
def told(datastore: Datastore) -> Datastore:
    """A touchpoint with a personal note, its correction with another, and a complaint."""
    record = {"touchpoint_id": "T-1", "customer_id": "Ada", "channel": "mail", "note": SECRET}
    record |= {"direction": "inbound", "contact": SECRET}
    corrected = {"touchpoint_id": "T-1", "customer_id": "Ada", "reason": "typed wrongly"}
    raised = {"complaint_id": "K-1", "customer_id": "Ada", "channel": "mail"}
    outcomes = Door(datastore).outcomes(
        cloudevent("touchpoint.recorded.v1", record),
        cloudevent("touchpoint.corrected.v1", corrected | {"corrected": record}),
        cloudevent("complaint.raised.v1", raised | {"description": SECRET}),
    )
    assert outcomes == ["appended"] * 3
    return datastore


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_has_it(told: Datastore, tmp_path: Path, format_: str) -> None:
    manifest = exported(told, format_, tmp_path / "file", case="customer")

    assert manifest["events"] == 3
    assert "Lovelace" not in readable(format_, tmp_path / "file")


def readable(format_: str, path: Path) -> str:
    """What is in a file, uncompressed."""
    if format_ == "xlsx":
        with path.open("rb") as stream:
            book = openpyxl.load_workbook(stream)
        return str([[cell.value for cell in row] for sheet in book for row in sheet.iter_rows()])
    if format_ == "parquet":
        return str(pyarrow.parquet.read_table(path).to_pylist())
    return path.read_bytes().decode("utf-8", errors="replace")


def test_attributes_are_fields_that_are_not_personal_under_names_of_their_own() -> None:
    for type_, schema in SHIPPED.by_type.items():
        assert not set(schema.personal) & fields_of(type_).keys()
    beside = {"position", "recorded_at", "time_assumed", "source", "id", "summary", "type"}
    for attributes in event_types().values():
        assert not attributes.keys() & {"type", "ocel_id", "ocel_time"}
    assert not beside & {name for type_ in SHIPPED.by_type for name in fields_of(type_)}
