"""The WABO log's touchpoints are the log: its cases, its channels, and its first steps."""

import json
import statistics
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.samples import wabo


@pytest.fixture(scope="module")
def log() -> Path:
    return wabo.shared_log()


@pytest.fixture(scope="module")
def events(log: Path) -> list[dict[str, Any]]:
    return list(wabo.events(log / "receipt.csv.gz"))


@pytest.fixture(scope="module")
def reference(log: Path) -> dict[str, Any]:
    reference: dict[str, Any] = json.loads((log / "reference.json").read_text())
    return reference


def test_every_event_of_the_log_is_a_touchpoint(
    events: list[dict[str, Any]], reference: dict[str, Any]
) -> None:
    assert len(events) == reference["events"]
    assert len({event["id"] for event in events}) == reference["events"]
    assert len({event["data"]["case_id"] for event in events}) == reference["cases"]
    assert len({event["data"]["moment"] for event in events}) == reference["activities"]


def test_events_and_cases_per_channel_are_those_of_the_log(
    events: list[dict[str, Any]], reference: dict[str, Any]
) -> None:
    touchpoints = Counter(event["data"]["channel"] for event in events)
    cases = Counter({e["data"]["case_id"]: e["data"]["channel"] for e in events}.values())
    for channel, figures in reference["by_channel"].items():
        assert touchpoints[channel] == figures["events"]
        assert cases[channel] == figures["cases"]


def test_the_first_response_is_the_second_event(
    events: list[dict[str, Any]], reference: dict[str, Any]
) -> None:
    by_case = defaultdict(list)
    for event in events:
        at = datetime.fromisoformat(event["time"])
        by_case[event["data"]["case_id"]].append((at, event["data"]["direction"]))
    hours = []
    for touchpoints in by_case.values():
        (opened, opening), *later = sorted(touchpoints)
        assert opening == "inbound"
        assert all(direction == "outbound" for _, direction in later)
        if later:
            hours.append((later[0][0] - opened).total_seconds() / 3600)
    expected = reference["overall"]["median_h_first_to_second_event"]
    assert statistics.median(hours) == pytest.approx(expected, abs=1e-6)


def test_without_the_log_the_reader_is_told_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICETRAIL_SHARED_DATA", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="SERVICETRAIL_SHARED_DATA"):
        wabo.shared_log()
