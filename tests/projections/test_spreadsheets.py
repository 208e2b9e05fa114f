"""No answer in CSV is calculated by the spreadsheet that opens it."""

import csv
import io
import json

import pytest

from questions.answers import csv_text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_of_an_answer_begins_like_a_formula(delimiter: str) -> None:
    rows = [
        {"topic": "=1+2", "text": "a;=1+2;b", "seconds": -1.5, "said": ["x;=1+2"]},
        {"topic": "@sum", "text": "a\t+1", "seconds": None, "said": []},
    ]
    written = csv_text(rows, ())
    cells = [
        cell
        for row in csv.reader(io.StringIO(written, newline=""), delimiter=delimiter)
        for cell in row
    ]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    first, second = csv.DictReader(io.StringIO(written, newline=""))
    assert (first["topic"], first["seconds"], second["seconds"]) == ("'=1+2", "-1.5", "")
    assert json.loads(first["said"]) == ["x;=1+2"]
