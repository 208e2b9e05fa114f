"""The Boston sample's events say what the city's file says, before any read model sees them."""

import csv
import gzip
import json
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from samples import boston311

DATA = Path(__file__).parent / "data"
FILES = {
    "boston311_2015_2024": boston311.SAMPLE,
    "boston311_tiny100": DATA / "boston311_tiny100" / "boston311_100.csv.gz",
}


@dataclass
class Request:
    """What the events of one case amount to."""

    channel: str
    opened: datetime
    closed: datetime | None = None
    due: datetime | None = None
    kept: datetime | None = None

    @property
    def hours(self) -> float | None:
        return (self.closed - self.opened).total_seconds() / 3600 if self.closed else None

    def verdict(self, as_of: datetime) -> str:
        if self.due is None:
            return "none"
        if self.kept is not None:
            return "kept" if self.kept <= self.due else "broken"
        return "overdue_open" if self.due < as_of else "pending"


@dataclass
class Sample:
    events: list[dict[str, Any]]
    requests: dict[str, Request]
    reference: dict[str, Any]
    expected: list[dict[str, str]]

    @property
    def as_of(self) -> datetime:
        return datetime.fromisoformat(self.reference["as_of"] + "+00:00")


@pytest.fixture(scope="module", params=sorted(FILES))
def sample(request: pytest.FixtureRequest) -> Sample:
    folder = DATA / request.param
    events = list(boston311.events(FILES[request.param]))
    with gzip.open(folder / "expected_rows.csv.gz", "rt", encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    reference = json.loads((folder / "reference.json").read_text())
    return Sample(events, dict(requests_in(events)), reference, expected)


def requests_in(events: list[dict[str, Any]]) -> Iterator[tuple[str, Request]]:
    by_case: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for event in events:
        data = event["data"]
        by_case[data["case_id"]][f"{event['type']} {data.get('direction', '')}".strip()] = event
    for case, found in by_case.items():
        inbound = found["touchpoint.recorded.v1 inbound"]
        request = Request(inbound["data"]["channel"], datetime.fromisoformat(inbound["time"]))
        if outbound := found.get("touchpoint.recorded.v1 outbound"):
            request.closed = datetime.fromisoformat(outbound["time"])
        if made := found.get("promise.made.v1"):
            request.due = datetime.fromisoformat(made["data"]["due_at"])
        if kept := found.get("promise.kept.v1"):
            request.kept = datetime.fromisoformat(kept["time"])
        yield case, request


def test_every_row_has_the_hours_and_the_verdict_that_pandas_found(sample: Sample) -> None:
    assert len(sample.expected) == len(sample.requests)
    for row in sample.expected:
        request = sample.requests[row["id"]]
        assert request.channel == row["channel"]
        assert request.verdict(sample.as_of) == row["verdict"]
        expected_hours = float(row["response_h"]) if row["response_h"] else None
        assert request.hours == pytest.approx(expected_hours, abs=1e-6)


def test_the_figures_of_every_channel_are_those_of_the_reference(sample: Sample) -> None:
    channels = sample.reference["by_channel"]
    assert {request.channel for request in sample.requests.values()} == set(channels)
    for channel, figures in channels.items():
        of_channel = [r for r in sample.requests.values() if r.channel == channel]
        assert_figures(of_channel, figures, sample.as_of)
    assert_figures(list(sample.requests.values()), sample.reference["overall"], sample.as_of)


def assert_figures(requests: list[Request], figures: dict[str, Any], as_of: datetime) -> None:
    verdicts = Counter(request.verdict(as_of) for request in requests)
    hours = [request.hours for request in requests if request.hours is not None]
    assert len(requests) == figures["cases"]
    assert len(hours) == figures["closed"]
    assert len(requests) - verdicts["none"] == figures["promises"]
    assert verdicts["kept"] == figures["kept"]
    assert verdicts["broken"] == figures["broken_closed_late"]
    assert verdicts["overdue_open"] == figures["overdue_still_open"]
    assert verdicts["pending"] == figures["pending"]
    assert statistics.median(hours) == pytest.approx(figures["response_h"]["median"], abs=1e-6)


def test_events_come_in_order_of_time_and_number_without_gaps(sample: Sample) -> None:
    times = [event["time"] for event in sample.events]
    assert times == sorted(times)
    assert [int(event["sequence"]) for event in sample.events] == [
        *range(1, len(sample.events) + 1)
    ]
    assert len({event["id"] for event in sample.events}) == len(sample.events)


def test_a_request_still_open_has_no_closing_events() -> None:
    events = list(boston311.events(FILES["boston311_tiny100"]))
    of_open = [e for e in events if e["data"]["case_id"] == "101004143000"]
    assert [e["type"] for e in of_open] == ["touchpoint.recorded.v1", "promise.made.v1"]


def test_a_request_without_a_target_date_is_no_promise() -> None:
    events = list(boston311.events(FILES["boston311_tiny100"]))
    of_one = [e for e in events if e["data"]["case_id"] == "101004130437"]
    assert [(e["type"], e["data"]["direction"]) for e in of_one] == [
        ("touchpoint.recorded.v1", "inbound"),
        ("touchpoint.recorded.v1", "outbound"),
    ]


def test_the_module_writes_json_lines() -> None:
    command = [sys.executable, "-m", "samples.boston311", str(FILES["boston311_tiny100"])]
    written = subprocess.run(command, capture_output=True, check=True, text=True)
    lines = [json.loads(line) for line in written.stdout.splitlines()]
    assert lines == list(boston311.events(FILES["boston311_tiny100"]))
