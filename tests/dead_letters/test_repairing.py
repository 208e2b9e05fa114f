"""A repaired version is taken in place of an input: one of its own, and both stay on record."""

import pytest

from ledger.dead_letters import InputErased, NotOpen, Repaired
from schemas.message import Message
from tests.dead_letters.desk import Desk
from tests.intake.door import (
    NOON,
    answered,
    cloudevent,
    complaint,
    offered,
    promise,
    raw,
    touchpoint,
)


def sideways(**more: str) -> Message:
    """A touchpoint with a direction that there is not."""
    return touchpoint("T-1", id="a", direction="sideways", **more)


def test_a_repaired_input_is_appended_and_the_original_points_to_it(desk: Desk) -> None:
    desk.take(sideways())
    [original] = desk.open()

    done = desk.repair(original, touchpoint("T-1", id="a"))

    assert (done.kept_id, done.outcome, done.position) == (original, "appended", 1)
    assert desk.open() == {}
    [row] = desk.listed(states=["redriven"], position=1)
    assert (row["kept_id"], row["state"], row["position"]) == (original, "redriven", 1)
    assert row["reason"] == "unknown_symbol", "why it had to be repaired"
    assert b"sideways" in desk.dead_letters.reveal(original, who="ada").body
    assert desk.history(original) == [("repaired", "appended"), ("revealed", None)]
    assert desk.counts() == {"received": 2, "appended": 1, "rejected": 1}


def test_a_repair_without_a_name_goes_by_that_of_the_original(desk: Desk) -> None:
    desk.take(raw(b"{not json"))
    [original] = desk.open()
    nameless = touchpoint("T-1", source=None, time=None).body.replace(b'"source": null, ', b"")
    done = desk.repair(original, raw(nameless))
    assert (done.outcome, done.source) == ("appended", "file:test.jsonl")
    assert desk.query("SELECT occurred_at, time_assumed FROM ledger.events") == [(NOON, True)]


def test_a_repair_under_a_new_id_mends_a_conflict(desk: Desk) -> None:
    desk.take(touchpoint("T-1", id="a"), touchpoint("T-2", id="a"))
    [original] = desk.open()
    assert desk.repair(original, touchpoint("T-2", id="b")).outcome == "appended"
    [row] = desk.listed(states=["redriven"])
    assert (row["id"], row["position"]) == ("a", 2)
    assert desk.counts() == {"received": 3, "appended": 2, "conflict": 1}


def test_a_repair_that_is_refused_is_kept_too_and_leaves_the_original_open(desk: Desk) -> None:
    desk.take(sideways())
    [original] = desk.open()
    done = desk.repair(original, touchpoint("T-1", id="a", direction="upwards"))
    assert (done.outcome, done.reason) == ("rejected", "unknown_symbol")
    assert desk.history(original) == [("repaired", "rejected")]
    [failed] = desk.open().keys() - {original}
    assert desk.show(failed)["repairs"] == original
    assert desk.show(original)["repaired_by"] == [failed]
    assert desk.show(original)["attempts"] == 2

    assert desk.repair(failed, touchpoint("T-1", id="a")).outcome == "appended"

    assert desk.open() == {}, "what the first repair was for is done as well"
    assert [row["position"] for row in desk.listed(states=["redriven"])] == [1, 1]
    assert desk.counts() == {"received": 3, "appended": 1, "rejected": 2}


def test_a_repair_that_changes_nothing_is_one_more_attempt(desk: Desk) -> None:
    desk.take(sideways())
    [original] = desk.open()
    assert desk.repair(original, sideways()).outcome == "rejected"
    assert list(desk.open()) == [original]
    assert desk.counts() == {"received": 2, "rejected": 2}


def test_a_repair_that_has_to_wait_settles_by_itself(desk: Desk) -> None:
    desk.take(cloudevent("promise.keept.v1", {"promise_id": "P-1"}, id="kept"))
    [original] = desk.open()
    assert desk.repair(original, promise("kept", id="kept")).outcome == "parked"
    [repair] = desk.open()
    assert desk.show(repair)["repairs"] == original
    assert desk.show(original)["position"] is None
    desk.take(promise("made", id="made"))
    assert desk.ids() == ["made", "kept"]
    assert desk.show(original)["position"] == desk.show(repair)["position"] == 2
    assert {row["kept_id"] for row in desk.listed(states=["redriven", "settled"], position=2)} == {
        original,
        repair,
    }


def test_what_waits_for_something_misspelt_is_repaired_and_lets_the_others_go(desk: Desk) -> None:
    desk.take(complaint("raised", id="raised"), offered("A-1", id="offered"))
    desk.take(answered("A-l", id="answered"), complaint("closed", id="closed"))
    assert sorted(desk.open().values()) == ["parked", "parked"]
    misspelt = min(desk.open())

    done = desk.repair(misspelt, answered("A-1", id="answered"))

    assert done.outcome == "appended"
    assert desk.ids() == ["raised", "offered", "closed", "answered"]
    assert desk.open() == {}
    assert desk.counts() == {"received": 5, "appended": 4, "rejected": 1}


def test_a_refused_repair_of_something_parked_leaves_its_queue_alone(desk: Desk) -> None:
    desk.take(complaint("raised", id="raised"))
    desk.take(answered("A-l", id="answered"), complaint("closed", id="closed"))
    misspelt, behind = sorted(desk.open())
    assert desk.repair(misspelt, raw(b"{not json")).outcome == "rejected"
    assert desk.ids() == ["raised"]
    assert [desk.open()[each] for each in (misspelt, behind)] == ["parked", "parked"]
    desk.take(offered("A-l", id="offered"))
    assert desk.ids() == ["raised", "offered", "answered", "closed"]


def test_attributes_are_repaired_where_they_are_at_fault(desk: Desk) -> None:
    data = (
        b'{"touchpoint_id": "T-1", "customer_id": "C-1", "channel": "chat", "direction": "inbound"}'
    )
    attributes = {"type": "touchpoint.recorded.v7", "id": "a", "source": "chat", "subject": "C-2"}
    desk.take(Message(data, "application/json", attributes, "kafka:t", "0-1", NOON, {"topic": "t"}))
    [original] = desk.open()
    repaired = Repaired(attributes={"type": "touchpoint.recorded.v1", "subject": ""})
    assert desk.dead_letters.repair(original, repaired, who="ada").outcome == "appended"


def test_a_dry_run_of_a_repair_changes_nothing(desk: Desk) -> None:
    desk.take(sideways())
    [original] = desk.open()
    done = desk.repair(original, touchpoint("T-1", id="a"), dry_run=True)
    assert (done.outcome, done.position) == ("appended", None)
    assert desk.open() == {original: "rejected"}
    assert desk.show(original)["history"] == []


def test_what_is_done_or_cannot_be_read_cannot_be_repaired(desk: Desk) -> None:
    desk.take(sideways(), touchpoint("T-2", customer_id="C-2", direction="upwards"))
    first, second = sorted(desk.open())
    desk.repair(first, touchpoint("T-1", id="a"))
    with pytest.raises(NotOpen, match="is redriven already"):
        desk.repair(first, touchpoint("T-1", id="a"))
    desk.erase("C-2")
    with pytest.raises(InputErased, match="the customer was erased"):
        desk.repair(second, touchpoint("T-2"))
