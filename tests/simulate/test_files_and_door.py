"""Simulated events on their way in: through files of either kind, and through the intake's door."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.datastore import Datastore
from schemas.event import Event
from schemas.files import messages_in
from schemas.message import Message
from schemas.reading import read
from servicetrail.simulate import simulate
from tests.intake.door import Door
from tests.simulate.history import QUARTER, START, a_quarter

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 100


@pytest.fixture
def door(datastore: Datastore) -> Door:
    return Door(datastore)


@pytest.mark.parametrize("format_", ["jsonl", "avro"])
def test_a_file_of_either_kind_holds_the_same_events(format_: str, tmp_path: Path) -> None:
    file = tmp_path / "simulated"
    options = f"--events 2000 --seed 1 --start {START.date()} --days {QUARTER} --format {format_}"
    command = [sys.executable, "-m", "servicetrail.simulate", *options.split(), "--out", str(file)]
    subprocess.run(command, check=True)
    from_file = [named(read(message, now=NOW)) for message in messages_in(str(file))]
    assert from_file == [named(read(message, now=NOW)) for message in messages(a_quarter(1, 2_000))]


def test_the_door_takes_every_event_of_an_orderly_company(door: Door) -> None:
    assert put_through(door, a_quarter(1, 5_000)) == {"appended": 5_000}


def test_however_they_are_published_the_ledger_holds_the_same_events(door: Door) -> None:
    disorderly = list(
        simulate(5_000, 1, start=START, days=QUARTER, late=0.2, out_of_order=0.2, duplicates=0.1)
    )
    outcomes = put_through(door, disorderly)
    assert outcomes["parked"] > 0
    assert outcomes["duplicate"] == len(disorderly) - 5_000
    assert sum(outcomes.values()) == len(disorderly)
    assert set(door.ids()) == {event["id"] for event in a_quarter(1, 5_000)}
    assert sum(line.parked for line in door.account().values()) == 0, "all were settled"


def put_through(door: Door, events: Iterable[dict[str, Any]]) -> Counter[str]:
    inputs = list(messages(events))
    batches = (inputs[first : first + BATCH] for first in range(0, len(inputs), BATCH))
    return Counter(outcome for batch in batches for outcome in door.outcomes(*batch))


def messages(events: Iterable[dict[str, Any]]) -> Iterator[Message]:
    for event in events:
        yield Message(json.dumps(event).encode(), "", {}, "file:simulated", "line", NOW)


def named(event: Event) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    return event.event_id, event.data, event.personal
