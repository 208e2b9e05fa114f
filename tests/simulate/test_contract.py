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


TOLD_WHOLE = ("touchpoint", "promise", "complaint", "support")
"""Kinds of things whose stories the simulation tells with every step there is."""


def test_every_kind_of_thing_occurs_and_every_step_of_a_promise_and_a_complaint() -> None:
    occurring = {event["type"] for event in a_quarter()}
    assert {domain.EVENT_TYPES[type_].KIND for type_ in occurring} == {
        fact.KIND for fact in domain.EVENT_TYPES.values() if fact.KIND != "access"
    }
    told = {name for name, fact in domain.EVENT_TYPES.items() if fact.KIND in TOLD_WHOLE}
    assert told <= occurring
    assert not occurring & domain.WRITTEN_BY_US


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
