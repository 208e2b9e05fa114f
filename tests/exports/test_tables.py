"""Exports of which each event is a row, read back by the libraries that others use."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.exports import tables
from audit.exports.instants import exact
from audit.exports.tables import COLUMNS, TooLarge
from ledger.datastore import Datastore
from projections.spreadsheets import harmless
from tests.exports.telling import AS_OF, FORMULA, HISTORY, exported
from tests.projections.history import at, tell


def test_every_event_is_a_line_with_both_times_to_the_microsecond(
    datastore: Datastore, tmp_path: Path
) -> None:
    tell(datastore, HISTORY)

    exported(datastore, "jsonl", tmp_path / "all.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [row["position"] for row in rows] == [*range(1, len(HISTORY) + 1)]
    assert all(list(row) == list(COLUMNS) for row in rows)
    assert [row["occurred_at"] for row in rows] == [exact(each.occurred_at) for each in HISTORY]
    assert rows[-1]["occurred_at"] == "2026-03-20T09:00:00.123456Z"
    assert all(datetime.fromisoformat(row["recorded_at"]).tzinfo for row in rows)
    made = rows[3]
    assert made["summary"].endswith(f"due 2026-03-06 17:00 UTC: {FORMULA}")
    assert (made["stream"], made["version"], made["employee_id"]) == ("promise:P-1", 1, "E-7")
    assert made["data"]["due_at"] == "2026-03-06T17:00:00Z"


def test_all_tables_hold_the_same_values(datastore: Datastore, tmp_path: Path) -> None:
    """And nothing in them is a formula, a link or a number that was none."""
    tell(datastore, HISTORY)
    for format_ in ("jsonl", "csv", "xlsx", "parquet"):
        exported(datastore, format_, tmp_path / f"all.{format_}")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    said = [
        {name: json.loads(value) if name == "data" else value for name, value in row.items()}
        for row in map(dict, lines_as_text(lines))
    ]

    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        from_csv = list(csv.DictReader(file))
    assert [plain({name: opened(cell) for name, cell in row.items()}) for row in from_csv] == said
    assert [row["channel"] for row in from_csv][6] == "'-phone"

    book = openpyxl.load_workbook(tmp_path / "all.xlsx")
    heading, *cells = book["events"].iter_rows()
    names = [cell.value for cell in heading]
    from_xlsx = [dict(zip(names, (cell.value for cell in row), strict=True)) for row in cells]
    assert [
        plain({name: "" if value is None else str(value) for name, value in row.items()})
        for row in from_xlsx
    ] == said
    numbers = {
        name
        for row in cells
        for name, cell in zip(names, row, strict=True)
        if cell.data_type != "s" and cell.value is not None
    }
    assert numbers == {"position", "version"}
    assert from_xlsx[1]["employee_id"] == "007"
    about = {name.value: value.value for name, value in book["about"].iter_rows()}
    assert (about["as_of"], about["known_position"]) == ("2026-06-01T00:00:00Z", str(len(HISTORY)))

    table = pyarrow.parquet.read_table(tmp_path / "all.parquet")
    assert str(table.schema.field("occurred_at").type) == "timestamp[us, tz=UTC]"
    assert [plain(dict(row)) for row in lines_as_text(table.to_pylist())] == said
    assert json.loads(table.schema.metadata[b"servicetrail"])["as_of"] == "2026-06-01T00:00:00Z"


def lines_as_text(rows: list[dict[str, object]]) -> list[list[tuple[str, str]]]:
    """Every value as a cell of text has it."""
    return [[(name, as_text(value)) for name, value in row.items()] for row in rows]


def as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return json.dumps(value)
        case datetime():
            return exact(value)
    return str(value)


def plain(row: dict[str, str]) -> dict[str, object]:
    return {name: json.loads(cell) if name == "data" else cell for name, cell in row.items()}


def opened(cell: str) -> str:
    """What a cell says: first single quotes do not belong to it."""
    return re.sub(r"(\A|(?<=[;\t\r\n]))'", "", cell)


@given(st.text() | st.text("=+-@;\t\r\n\"'a,"))
def test_no_cell_begins_like_a_formula_and_each_can_be_read_back(text: str) -> None:
    assert opened(harmless(text)) == text
    line = io.StringIO()
    csv.writer(line).writerow(["1", harmless(text), "2"])
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(line.getvalue(), newline=""), delimiter=separator):
            for cell in row:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), separator


def test_data_have_no_formula_after_a_semicolon_and_are_the_same_json(
    datastore: Datastore, tmp_path: Path
) -> None:
    tell(datastore, [HISTORY[4]._replace(data=HISTORY[4].data | {"reason": "K;=1+2;z;"})])

    exported(datastore, "csv", tmp_path / "all.csv")

    text = (tmp_path / "all.csv").read_text()
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=";") for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    (row,) = csv.DictReader(io.StringIO(text))
    assert json.loads(row["data"])["reason"] == "K;=1+2;z;"


def test_the_selection_is_what_was_asked_for(datastore: Datastore, tmp_path: Path) -> None:
    tell(datastore, HISTORY)
    exported(
        datastore,
        "jsonl",
        tmp_path / "of-ada.jsonl",
        customers=("Ada",),
        types=("promise.made.v1", "touchpoint.recorded.v1"),
        channels=("mail",),
        from_=at("2026-03-02 09:30"),
        to=at("2026-03-02 09:31"),
    )
    manifest = exported(datastore, "jsonl", tmp_path / "then.jsonl", as_of=at("2026-03-05 10:00"))
    exported(datastore, "jsonl", tmp_path / "known.jsonl", known_at=4)

    (only,) = (tmp_path / "of-ada.jsonl").read_text().splitlines()
    assert json.loads(only)["data"]["touchpoint_id"] == "T-2"
    assert manifest["events_by_type"] == {
        "channel.costed.v1": 1,
        "customer.tiered.v1": 1,
        "promise.made.v1": 1,
        "promise.revised.v1": 1,
        "touchpoint.recorded.v1": 2,
    }
    assert len((tmp_path / "known.jsonl").read_text().splitlines()) == 4


def test_pages_follow_each_other_without_a_gap(
    datastore: Datastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(datastore, HISTORY)
    exported(datastore, "csv", tmp_path / "at-once.csv")
    monkeypatch.setattr("audit.exports.selection.PAGE_EVENTS", 2)

    exported(datastore, "csv", tmp_path / "in-pages.csv")

    assert (tmp_path / "in-pages.csv").read_bytes() == (tmp_path / "at-once.csv").read_bytes()


def test_a_workbook_that_would_be_cut_off_is_refused_and_leaves_nothing(
    datastore: Datastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(datastore, HISTORY)
    monkeypatch.setattr(tables, "LARGEST_WORKBOOK_EVENTS", 5)

    with pytest.raises(TooLarge, match="narrow the selection"):
        exported(datastore, "xlsx", tmp_path / "all.xlsx")

    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_is_too_long_says_what_is_missing(datastore: Datastore, tmp_path: Path) -> None:
    long = "x" * 40_000
    tell(datastore, [HISTORY[4]._replace(data=HISTORY[4].data | {"reason": long})])

    exported(datastore, "xlsx", tmp_path / "long.xlsx")

    cell = openpyxl.load_workbook(tmp_path / "long.xlsx")["events"]["R2"].value
    assert isinstance(cell, str)
    assert len(cell) == 32_767
    assert cell.endswith("characters: take csv or jsonl")


def test_the_same_selection_is_the_same_file(datastore: Datastore, tmp_path: Path) -> None:
    tell(datastore, HISTORY)
    for format_ in ("jsonl", "csv", "parquet", "xlsx"):
        first = exported(datastore, format_, tmp_path / f"1.{format_}")
        tell(datastore, [HISTORY[-1]._replace(id=f"later than {format_}")])
        again = exported(
            datastore, format_, tmp_path / f"2.{format_}", known_at=first["known_position"]
        )
        assert again["sha256"] == first["sha256"], format_
    assert datetime.fromisoformat(first["as_of"]) == AS_OF.astimezone(UTC)
