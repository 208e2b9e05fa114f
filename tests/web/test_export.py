"""GET /export: the same files as the command writes."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from audit.exports import tables
from audit.exports.exporting import FORMATS
from tests.exports.telling import HISTORY, exported
from tests.projections.history import tell
from tests.web.conftest import Api

AS_OF = "2026-06-01T00:00:00Z"


@pytest.fixture
def told(api: Api) -> Api:
    tell(api.datastore, HISTORY)
    return api


def test_every_format_is_the_file_that_the_command_writes(told: Api, tmp_path: Path) -> None:
    for format_, written in FORMATS.items():
        manifest = exported(told.datastore, format_, tmp_path / format_, case="customer")

        answer = told.client.get(
            "/export", params={"format": format_, "as_of": AS_OF, "case": "customer"}
        )

        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == manifest["sha256"], format_
        assert answer.headers["servicetrail-position"] == str(len(HISTORY))
        assert answer.headers["servicetrail-as-of"] == AS_OF
        assert answer.headers["content-type"].partition(";")[0] == written.media_type


def test_the_selection_is_what_was_asked_for(told: Api) -> None:
    answer = told.client.get(
        "/export",
        params={
            "format": "jsonl",
            "customer": ["Ada", "Bob"],
            "type": ["touchpoint.recorded.v1", "promise.kept.v1"],
            "channel": "phone",
            "from": "2026-03-01",
            "to": "2026-03-20",
            "known_at": "11",
        },
    )

    (only,) = map(json.loads, answer.text.splitlines())
    assert only["data"]["touchpoint_id"] == "T-1"


def test_what_cannot_be_asked_is_said(told: Api) -> None:
    for parameters, name in (
        ({}, "format"),
        ({"format": "pdf"}, "format"),
        ({"format": "csv", "type": "promise.v9"}, "type"),
        ({"format": "xes", "case": "ticket"}, "case"),
        ({"format": "csv", "customer": "a\0"}, "customer"),
        ({"format": "csv", "from": "2026-03-02", "to": "2026-03-01"}, "to"),
        ({"format": "csv", "colour": "red"}, "colour"),
    ):
        answer = told.client.get("/export", params=parameters)

        assert answer.status_code == 422
        assert [each["name"] for each in answer.json()["parameters"]] == [name]


def test_a_workbook_that_is_too_large_is_refused_and_lines_come_in_gzip(
    told: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LARGEST_WORKBOOK_EVENTS", 5)

    answer = told.client.get("/export", params={"format": "xlsx"})

    assert answer.status_code == 422
    assert "narrow the selection" in answer.json()["detail"]

    with told.client.stream(
        "GET", "/export", params={"format": "jsonl"}, headers={"Accept-Encoding": "gzip"}
    ) as sent:
        raw = b"".join(sent.iter_raw())
    assert sent.headers["content-encoding"] == "gzip"
    assert len(gzip.decompress(raw).splitlines()) == len(HISTORY)
