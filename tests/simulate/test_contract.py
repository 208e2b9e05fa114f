"""What the simulated company publishes keeps to the published language, every event of it."""

import json
from datetime import UTC, datetime

import pytest

import domain
from schemas.message import Message
from schemas.reading import read
from tests.simulate.history import OPENS, a_quarter, at, named_too_early

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_event_can_be_read(seed: int) -> None:
    for event in a_quarter(seed):
        message = Message(json.dumps(event).encode(), "", {}, "file:simulated", "line", NOW)
        read_back = read(message, now=NOW)
        assert (read_back.source, read_back.id) == (event["source"], event["id"])
        assert read_back.occurred_at == at(event)
        assert read_back.sequence == int(event["sequence"])
        assert read_back.correlation_id == event.get("correlationid")


def test_every_event_type_occurs_but_the_one_that_is_ours() -> None:
    assert {event["type"] for event in a_quarter()} == set(
        domain.EVENT_TYPES
    ) - domain.WRITTEN_BY_US


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_named_before_it_exists(seed: int) -> None:
    assert named_too_early(a_quarter(seed)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_id_is_opened_once(seed: int) -> None:
    opened = [
        (event["type"], event["data"][OPENS[event["type"]]])
        for event in a_quarter(seed)
        if event["type"] in OPENS
    ]
    assert len(opened) == len(set(opened))
