"""Logs say what happened to which event, and nothing of what a customer or a channel wrote."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from eventsourcing.persistence import OperationalError

from servicetrail import log

PERSONAL = "Ada Lovelace, +44 20 7946 0000"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    text = capsys.readouterr().err
    assert PERSONAL not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_an_event_is_named_but_its_content_withheld(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "info")
    structlog.get_logger("intake").info(
        "rejected",
        source="crm",
        id="4711",
        reason="unknown_field",
        position=12,
        note=PERSONAL,
        body=PERSONAL.encode(),
        data={"contact": PERSONAL},
        path=[PERSONAL],
    )
    line = logged(capsys)
    assert (line["source"], line["id"], line["reason"], line["position"]) == (
        "crm",
        "4711",
        "unknown_field",
        12,
    )
    assert {line[name] for name in ("note", "body", "data", "path")} == {"(withheld)"}


def test_an_error_is_placed_but_its_text_withheld(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "info")
    try:
        int(PERSONAL)
    except ValueError:
        structlog.get_logger("intake").exception("group not committed")
    line = logged(capsys)
    assert line["error"] == "ValueError"
    assert "test_an_error_is_placed_but_its_text_withheld" in line["at"]


def test_libraries_log_through_the_same_door(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "info")
    try:
        int(PERSONAL)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    assert logged(capsys)["error"] == "ValueError"


def test_what_the_database_says_of_itself_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "info")
    structlog.get_logger("projector").error("lost", exc_info=OperationalError("server closed"))
    assert logged(capsys)["error"] == "OperationalError: server closed"


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "info")
    structlog.get_logger("web").debug("request", route="/customers/{customer_id}/timeline")
    assert capsys.readouterr().err == ""
