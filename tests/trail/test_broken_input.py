"""Broken input: each gets a clear outcome, is kept, and nothing else stops."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ledger import kept
from ledger.datastore import Datastore
from projections import queries
from schemas import codec
from schemas.message import Message
from tests.intake.door import cloudevent, promise, raw, touchpoint
from tests.trail.trail import NOW, Trail

TOUCHPOINT = {
    "touchpoint_id": "T-1",
    "customer_id": "C-1",
    "channel": "mail",
    "direction": "inbound",
}


def avro(body: bytes) -> Message:
    """A touchpoint in binary mode with this datum."""
    message = raw(body, "application/avro")
    return replace(
        message,
        attributes={
            "id": "avro-1",
            "source": "test",
            "type": "touchpoint.recorded.v1",
            "time": "2026-03-02T12:00:00Z",
        },
    )


def changed(**changes: Any) -> Message:
    """A good touchpoint event with attributes or data changed."""
    data = TOUCHPOINT | changes.pop("data", {})
    return cloudevent("touchpoint.recorded.v1", data, **changes)


def doubled_key() -> bytes:
    return changed().body.replace(b'"channel": "mail"', b'"channel": "mail", "channel": "chat"')


WHOLE = codec.single_object("touchpoint.recorded.v1", TOUCHPOINT)

REFUSED: dict[str, tuple[Message, str, str | None]] = {
    "truncated Avro": (avro(WHOLE[:-3]), "unreadable_avro", None),
    "Avro with something behind it": (avro(WHOLE + b"\0"), "unreadable_avro", None),
    "unknown type": (cloudevent("touchpoint.dreamt.v1", TOUCHPOINT), "unknown_type", "type"),
    "another customer in the subject": (changed(subject="C-2"), "subject_mismatch", "subject"),
    "personal data in a field that is none": (
        changed(data={"phone": "555 1234"}),
        "unknown_field",
        "data.phone",
    ),
    "a note on a promise": (
        promise("made", data={"note": "call Mrs Jones"}),
        "unknown_field",
        "data.note",
    ),
    "a note of 5 MB": (changed(data={"note": "x" * 5_000_000}), "too_large", None),
    "NUL in an id": (changed(data={"touchpoint_id": "T\0"}), "nul_character", "data.touchpoint_id"),
    "NUL in a note": (changed(data={"note": "a\0b"}), "nul_character", "data.note"),
    "1900": (changed(time="1900-01-01T00:00:00Z"), "time_out_of_range", "time"),
    "2200": (changed(time="2200-01-01T00:00:00Z"), "time_out_of_range", "time"),
    "an event id of 10,000 characters": (changed(id="x" * 10_000), "bad_identifier", "id"),
    "a customer id of 10,000 characters": (
        changed(data={"customer_id": "x" * 10_000}),
        "bad_identifier",
        "data.customer_id",
    ),
    "a key twice": (raw(doubled_key()), "duplicate_key", "data.channel"),
    "half a surrogate pair": (
        raw(changed().body.replace(b'"mail"', rb'"\ud800"')),
        "wrong_type",
        "data.channel",
    ),
    "not JSON": (raw(b"\x00\x01\x02"), "unreadable_json", None),
    "nothing": (raw(b""), "unreadable_json", None),
    "ten thousand brackets": (raw(b"[" * 10_000), "unreadable_json", None),
    "an erasure from outside": (
        cloudevent("customer.erased.v1", {"customer_id": "C-1", "basis": "request"}),
        "reserved_type",
        "type",
    ),
}


@pytest.fixture
def trail(datastore: Datastore) -> Trail:
    return Trail(datastore)


@pytest.mark.parametrize("case", REFUSED)
def test_broken_input_is_rejected_with_its_reason_and_kept(trail: Trail, case: str) -> None:
    message, reason, path = REFUSED[case]
    before, broken, after = trail.take(touchpoint("T-a"), message, touchpoint("T-b"))
    assert (before.outcome, after.outcome) == ("appended", "appended")
    assert (broken.outcome, broken.reason) == ("rejected", reason)
    if path is not None:
        assert broken.path == path
    assert broken.message
    assert len(broken.source) <= 200
    assert len(broken.id) <= 200
    [(kept_id,)] = trail.query("SELECT kept_id FROM intake.kept")
    with trail.datastore.transaction() as cursor:
        assert kept.messages(cursor, trail.keyring, [kept_id]) == {kept_id: message}
    assert trail.differences() == []
    trail.project()


def test_all_of_it_together_stops_nothing(trail: Trail) -> None:
    messages = [message for message, _, _ in REFUSED.values()]
    good = [touchpoint(f"T-{number}", id=f"good-{number}") for number in range(len(messages))]
    mixed = [m for pair in zip(messages, good, strict=True) for m in pair]
    outcomes = trail.outcomes(*mixed)
    assert outcomes == ["rejected", "appended"] * len(messages)
    trail.project()
    with queries.snapshot(trail.datastore) as cursor:
        [row] = queries.channels(cursor, as_of=NOW).rows
    assert row["touchpoints_in"] == len(good)


@pytest.mark.parametrize("text", ["NA", "null", "None", "0", "false", "ünï · 客户", "a/b?c=d%20e"])
def test_ids_are_text_and_nothing_else(trail: Trail, text: str) -> None:
    data = {"touchpoint_id": text, "customer_id": text, "channel": text}
    assert trail.outcomes(changed(id=text, source=text, data=data)) == ["appended"]
    trail.project()
    with queries.snapshot(trail.datastore) as cursor:
        [row] = queries.timeline(cursor, text, as_of=NOW).rows
        [channel] = queries.channels(cursor, as_of=NOW).rows
    assert (row["id"], row["source"], row["channel"], channel["channel"]) == (text,) * 4
    assert row["data"]["touchpoint_id"] == text


def test_control_characters_in_free_text_reach_the_read_models_as_they_are(trail: Trail) -> None:
    nasty = 'tab\there, line\nbreak, back\\slash, quote" and \\N'
    assert trail.outcomes(changed(data={"topic": nasty})) == ["appended"]
    trail.project()
    with queries.snapshot(trail.datastore) as cursor:
        [row] = queries.timeline(cursor, "C-1", as_of=NOW).rows
    assert row["data"]["topic"] == nasty


def test_a_note_stays_personal_all_the_way(trail: Trail) -> None:
    trail.take(changed(data={"note": "Mrs Jones called", "contact": "jones@example.org"}))
    trail.project()
    with queries.snapshot(trail.datastore) as cursor:
        [row] = queries.timeline(cursor, "C-1", as_of=NOW).rows
    assert "ones" not in json.dumps(row, default=str)
